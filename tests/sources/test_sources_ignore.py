"""Ignore patterns: what folders and globs leave out, as git would, and say so."""

import os
from pathlib import Path, PurePath

import pytest

from mmrag_nb.reports import Skipped
from mmrag_nb.sources.outline import expected
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Resolved, Source

KINDS = {".txt": "text", ".png": "image", ".tmp": "text", ".mp4": "video", ".srt": "text", ".vtt": "text"}


def modality_of(name, media_type):
    return KINDS.get(PurePath(name).suffix.lower())


def run(typed, base, *patterns, records=False):
    how = {"modality_of": modality_of, "base": base, "ignore": patterns, "records": records}
    outcomes = list(resolve([Source(typed)], **how))
    found = [one.item.uri for one in outcomes if isinstance(one, Resolved)]
    assert expected([Source(typed)], **how).total() == len(found)
    return found, [one.reason for one in outcomes if isinstance(one, Skipped)]


def write(base, *names, lines=()):
    """Every file holds its own name, or ``lines``."""
    for name in names:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) if lines else name)


@pytest.fixture
def tree(tmp_path):
    write(tmp_path, "notes/a.txt", "notes/b.tmp", "notes/drafts/c.txt", "notes/drafts/deep/d.txt", "notes/sub/e.txt")
    write(tmp_path, "notes/sub/f.tmp", "notes/sub/drafts/g.txt")
    return tmp_path


@pytest.mark.parametrize("typed", ["notes", "notes/", "notes/**", "notes/**/*.t*"])
def test_patterns_leave_out_files_and_whole_folders_which_is_told_in_one_line(tree, typed):
    found, told = run(typed, tree, "*.tmp", "drafts/")
    assert found == ["notes/a.txt", "notes/sub/e.txt"]
    assert told == ["2 files and 2 folders ignored (*.tmp 2, drafts/ 2)"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["sub"], ["a.txt", "b.tmp", "drafts/c.txt", "drafts/deep/d.txt"]),
        (["/drafts"], ["a.txt", "b.tmp", "sub/drafts/g.txt", "sub/e.txt", "sub/f.tmp"]),
        (["drafts/deep"], ["a.txt", "b.tmp", "drafts/c.txt", "sub/drafts/g.txt", "sub/e.txt", "sub/f.tmp"]),
        (["*.tmp", "!b.tmp", "drafts"], ["a.txt", "b.tmp", "sub/e.txt"]),
        (["**/deep/*.txt", "*.t?p"], ["a.txt", "drafts/c.txt", "sub/drafts/g.txt", "sub/e.txt"]),
        (["drafts", "!drafts/deep/d.txt", "*.tmp"], ["a.txt", "sub/e.txt"]),  # nothing comes back out of a folder
        (["# a.txt", "", "*"], []),
    ],
)
def test_patterns_mean_what_they_mean_to_git(tree, patterns, left):
    found, _ = run("notes", tree, *patterns)
    assert found == [f"notes/{name}" for name in left]


def test_a_file_in_a_folder_counts_there_and_below_and_the_inner_one_first(tree):
    write(tree, "notes/.mmragignore", lines=["*.tmp", "# drafts are not ready", "drafts/"])
    write(tree, "notes/sub/.mmragignore", lines=["!f.tmp", "e.txt"])
    for typed in ("notes", "notes/**", "*/**"):
        found, told = run(typed, tree)
        assert found == ["notes/a.txt", "notes/sub/f.tmp"]
        assert told == ["2 files and 2 folders ignored (drafts/ 2, *.tmp 1, e.txt 1)"]
    assert run("notes/sub/*", tree)[0] == ["notes/sub/f.tmp"]


def test_the_working_directorys_file_counts_for_a_folder_in_it_and_not_for_one_elsewhere(tree, tmp_path):
    write(tree, ".mmragignore", lines=["/notes/sub", "*.tmp"])
    assert run("notes", tree)[0] == ["notes/a.txt", "notes/drafts/c.txt", "notes/drafts/deep/d.txt"]
    assert "../notes/b.tmp" in run("../notes", tree / "notes")[0]


def test_what_is_given_for_the_run_counts_before_any_file(tree):
    write(tree, "notes/.mmragignore", lines=["*.tmp"])
    assert run("notes/*", tree, "!b.tmp", "a.txt")[0] == ["notes/b.tmp"]


def test_a_named_file_is_never_ignored(tree):
    write(tree, "notes/.mmragignore", lines=["*"])
    assert run("notes/a.txt", tree, "*.txt") == (["notes/a.txt"], [])
    assert run("notes", tree) == ([], ["2 files and 2 folders ignored (* 4)"])


def test_what_nobody_means_is_left_out_without_a_word(tree):
    write(tree, "notes/__pycache__/x.txt", "notes/node_modules/left-pad/y.txt", "notes/.git/z.txt", "notes/Thumbs.db")
    write(tree, "notes/desktop.ini", "notes/env/pyvenv.cfg", "notes/env/lib/w.txt", "notes/lesson.mmrag")
    write(tree, "notes/lesson.mmrag-wal", "notes/lesson.mmrag-shm")
    before = ["a.txt", "b.tmp", "drafts/c.txt", "drafts/deep/d.txt", "sub/drafts/g.txt", "sub/e.txt", "sub/f.tmp"]
    for typed in ("notes", "notes/**"):
        assert run(typed, tree) == ([f"notes/{name}" for name in before], [])
    assert run("notes/env", tree)[0] == ["notes/env/lib/w.txt"]  # unless it is named
    assert run("notes/node_modules/*/*.txt", tree)[0] == ["notes/node_modules/left-pad/y.txt"]


def test_folders_as_records_leave_out_the_same(tree):
    write(tree, "notes/env/pyvenv.cfg", "notes/env/w.txt")
    found, told = run("*", tree, "*.tmp", "/drafts", records=True)
    assert found == [
        "notes/a.txt",
        "notes/drafts/c.txt",
        "notes/drafts/deep/d.txt",
        "notes/sub/e.txt",
        "notes/sub/drafts/g.txt",
    ]
    assert told[-1] == "2 files ignored (*.tmp 2)"


def test_bad_patterns_and_files_of_them_are_told_and_the_rest_counts(tree):
    (tree / "notes/.mmragignore").write_bytes(b"\xef\xbb\xbf*.tmp\r\n!\r\ncaf\xe9\r\n")
    found, told = run("notes", tree, "drafts/")
    assert found == ["notes/a.txt", "notes/sub/e.txt"]
    assert told[0] == "'!' is no pattern as in .gitignore, so it ignores nothing"
    (tree / "notes/.mmragignore").write_text("*.tmp\n" * 200_000)
    found, told = run("notes/*", tree)
    assert found == ["notes/a.txt", "notes/b.tmp"]
    assert told == ["larger than 1,048,576 bytes, so it was not read"]


def test_subtitles_beside_their_video_are_read_with_it_unless_they_are_named(tmp_path):
    write(tmp_path, "talk.mp4", "talk.srt", "talk.de.vtt", "other.srt", "sub/talk.vtt")
    for typed in (".", "**"):
        assert run(typed, tmp_path)[0] == ["other.srt", "sub/talk.vtt", "talk.mp4"]
    assert run("talk.*", tmp_path)[0] == ["talk.mp4"]
    assert run("*.srt", tmp_path)[0] == ["other.srt", "talk.srt"]
    assert run("talk.srt", tmp_path)[0] == ["talk.srt"]


def test_folders_without_end_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a.txt")
    for _ in range(400):
        Path("d").mkdir()
        os.chdir("d")
    Path("end.txt").write_text("x")
    os.chdir(tmp_path)
    found, (told,) = run(".", tmp_path)
    assert found == ["a.txt"]
    assert told == "folders within more than 300 others are not looked into"


def test_thousands_of_files_flat_and_deep_take_a_moment(tmp_path):
    write(tmp_path, *(f"flat/{n}.txt" for n in range(1_000)), "/".join(["d"] * 200) + "/end.txt")
    found, told = run(".", tmp_path, "*5.txt")
    assert len(found) == 901
    assert told == ["100 files ignored (*5.txt 100)"]
