"""What people have and we do not take says why, and what to do instead."""

import tarfile
import zipfile

import pytest

from mmrag_nb.registry import modality_of
from mmrag_nb.reports import Skipped
from mmrag_nb.sources.refused import _REASONS, reason
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Source


def told(path, base):
    (outcome,) = resolve([Source(path)], modality_of=modality_of, base=base)
    assert isinstance(outcome, Skipped)
    return outcome.reason


def test_archives_are_not_opened(tmp_path):
    (tmp_path / "a.txt").write_text("inside", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.txt")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.txt")
    for name in ("a.zip", "a.tar.gz"):
        assert told(name, tmp_path).endswith("archives are not opened: unpack it and name the folder")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("letter.DOCX", "save it as PDF"),
        ("prices.xlsx", "save the table as CSV"),
        ("model.pkl", "may hold a program and is never opened"),
        ("model.pt", "may hold a program and is never opened"),
        ("setup.exe", "programs are not opened"),
        ("x.unheard-of", "(.unheard-of) are not supported"),
        ("x", "(without an extension) are not supported"),
    ],
)
def test_each_kind_has_its_reason(tmp_path, name, what):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    assert what in told(name, tmp_path)


def test_in_a_folder_they_are_counted(tmp_path):
    for name in ("a.zip", "b.zip", "c.docx"):
        (tmp_path / name).write_bytes(b"x")
    assert told(".", tmp_path) == (
        "3 files of unsupported kinds (.docx 1, .zip 2); .docx: office documents are not read: save it as PDF; "
        ".zip: archives are not opened: unpack it and name the folder"
    )


def test_nothing_that_is_read_is_refused():
    assert [suffix for suffix in _REASONS if modality_of(f"a{suffix}")] == []
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in _REASONS)
    assert "\n" not in "".join(reason(suffix) for suffix in _REASONS)
