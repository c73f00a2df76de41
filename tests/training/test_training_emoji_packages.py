"""Packages are fetched once, unpacked inside their folder, and failures say what to do (npm is a stand-in here)."""

import io
import os
import stat
import sys
import tarfile

import pytest

from mmrag_nb.errors import SourceError
from mmrag_nb.training.emoji.packages import cache_folder, unpack

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Put a script named npm first in PATH; it writes down each call and hands out an archive."""
    archive = tmp_path / "source.tgz"
    with tarfile.open(archive, "w:gz") as files:
        for name, content in (
            ("package/icons.json", b"{}"),
            ("package/a/b.svg", b"<svg/>"),
            ("package/../../evil", b"x"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            files.addfile(entry, io.BytesIO(content))

    def write(body):
        script = tmp_path / "bin" / "npm"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\necho call >> {tmp_path}/calls\n{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")

    write(f'for last; do :; done\ncp {archive} "$last/thing-1.0.tgz"\necho thing-1.0.tgz')
    return write


def test_a_package_is_fetched_once_and_stays_in_its_folder(npm, tmp_path):
    cache = tmp_path / "cache"
    first = unpack("@scope/thing", "1.0", cache)
    assert unpack("@scope/thing", "1.0", cache) == first
    assert (tmp_path / "calls").read_text().count("call") == 1
    assert sorted(path.relative_to(first).as_posix() for path in first.rglob("*") if path.is_file()) == [
        "a/b.svg",
        "icons.json",
    ]
    assert not list(tmp_path.rglob("evil"))


def test_a_failing_npm_is_told_with_its_last_line(npm, tmp_path):
    npm("echo 'no such package' >&2; exit 1")
    with pytest.raises(SourceError, match=r"thing@1\.0 \(no such package\)"):
        unpack("thing", "1.0", tmp_path / "cache")
    assert not list((tmp_path / "cache" / "packages").glob("thing*"))


def test_without_npm_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="install Node"):
        unpack("thing", "1.0", tmp_path / "cache")


def test_the_cache_can_be_put_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("MMRAG_EMOJI_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
