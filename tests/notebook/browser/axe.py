"""axe-core, the accessibility scanner: fetched once with npm, checked, and run over what we show."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab import Lab

VERSION = "4.10.3"
_SHA512 = "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="
"""Of the package, as its registry publishes it."""
_OURS = [".mmrag"]
"""What is scanned: JupyterLab's own findings are JupyterLab's."""


def source() -> str:
    """Return the scanner's script; the test is skipped where it can neither be found nor fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mmrag_nb" / "tests"
    folder = Path(os.environ.get("MMRAG_AXE", cache))
    package = folder / f"axe-core-{VERSION}.tgz"
    if not package.is_file():
        _fetch(package)
    found = b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    assert found == _SHA512, f"{package} is not axe-core {VERSION} (sha512 {found}): remove it"
    with tarfile.open(package) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode("utf-8")


def _fetch(package: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("the accessibility scan needs npm, which fetches axe-core (or its package in $MMRAG_AXE)")
    package.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.parent) as folder:
        done = subprocess.run(
            [npm, "pack", "--silent", f"axe-core@{VERSION}"], cwd=folder, capture_output=True, timeout=120, check=False
        )
        if done.returncode:
            pytest.skip(
                f"npm could not fetch axe-core {VERSION}: {done.stderr.decode(errors='replace')[-200:].strip()}"
            )
        (Path(folder) / package.name).replace(package)


def findings(lab: Lab, script: str) -> list[str]:
    """Scan our outputs on the page; each serious or critical finding, with the element that has it."""
    lab.driver.execute_script(f"if (!window.axe) {{ {script} }}")
    violations: list[dict[str, Any]] = lab.js(
        # JupyterLab's body has no height and clips what overflows: the scanner would take all text for hidden
        "document.documentElement.style.height = document.body.style.height = '100vh';"
        "const report = await axe.run({include: args[0].map((ours) => [ours])}, {resultTypes: ['violations']});"
        "return report.violations",
        _OURS,
    )
    return [
        f"{rule['impact']}: {rule['id']} ({rule['help']}): {node['html'][:200]} | {_why(node)}"
        for rule in violations
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


def _why(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for check in [*node["any"], *node["all"], *node["none"]])[:300]
