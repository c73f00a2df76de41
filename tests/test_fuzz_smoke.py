"""Damaged files of every kind end in sane chunks or in one line: some seconds of ``bench/fuzz.py``."""

import sys
from pathlib import Path

import pytest

from mmrag_nb import registry

pytest.importorskip("hypothesis")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is measured in /proc")


def test_damaged_files_of_every_kind(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "bench"))
    import fuzz
    import fuzz_loading

    loaders = [*registry.names("loader"), fuzz_loading.TABLES]
    # The cases folder's are left to the command: here the seeds are the same everywhere.
    monkeypatch.setattr(fuzz.fuzz_seeds, "CASES", tmp_path / "none")
    done = fuzz.run(loaders, minutes=20 / 60, number=7, keep=tmp_path / "findings", each=20 / len(loaders))
    assert [path.with_name(path.name + ".json").read_text(encoding="utf-8") for path in done.findings] == []
    assert all(counts["loaded"] for counts in done.counts.values()), "whole files are loaded"
    assert len(done.counts) == len(loaders)
