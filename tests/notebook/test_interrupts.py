"""Ctrl-C in a real kernel: the next cell works. The bench tries a hundred moments of each cell, here it is a few."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("ipykernel")

BENCH = Path(__file__).parents[1] / "bench" / "interrupting.py"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_after_an_interrupt_the_next_cell_works_and_nothing_is_left():
    cells = ("index in a file", "ask by another strategy", "save over another index")
    done = subprocess.run(
        [sys.executable, str(BENCH), "--moments", "2", "--only", *cells],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(cell in done.stdout for cell in cells)
