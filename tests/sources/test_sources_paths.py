"""Paths, globs and folders: what is named is found, what is not is told."""

import hashlib
import os
import socket
from pathlib import Path, PurePath

import pytest

from mmrag_nb.reports import Skipped
from mmrag_nb.sources.matching import Search
from mmrag_nb.sources.paths import resolve_path
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Resolved, Source

KINDS = {".jpg": "image", ".png": "image", ".mp3": "audio", ".txt": "text"}


def modality_of(name, media_type):
    return KINDS.get(PurePath(name).suffix.lower())


def run(typed, base, **metadata):
    return list(resolve([Source(typed, metadata)], modality_of=modality_of, base=base))


def uris(outcomes):
    return [outcome.item.uri for outcome in outcomes if isinstance(outcome, Resolved)]


def skipped(outcomes):
    return [(outcome.source, outcome.reason) for outcome in outcomes if isinstance(outcome, Skipped)]


@pytest.fixture
def tree(tmp_path):
    """Every file holds its own name."""
    for name in (
        "a.jpg",
        "photos/b.jpg",
        "photos/A.PNG",
        "photos/deep/c.jpg",
        "photos/deep/er/d.txt",
        "photos/.hidden.jpg",
        "photos/.git/e.jpg",
        "photos/layers.psd",
        "photos/more.psd",
        "photos/deep/pack.zip",
        "photos/README",
        "set[1].jpg",
        "set1.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_file_is_known_by_its_content_and_shown_as_typed(tree):
    (found,) = run("photos/b.jpg", tree, caption="b")
    assert found.item.id == hashlib.sha256(b"photos/b.jpg").hexdigest()
    assert found.item.uri == "photos/b.jpg"
    assert found.item.modality == "image"
    assert found.item.metadata == {"caption": "b"}
    assert found.content == tree / "photos/b.jpg"


def test_an_absolute_path_stays_absolute(tree):
    assert uris(run(str(tree / "a.jpg"), Path("/"))) == [str(tree / "a.jpg")]


def test_relative_paths_start_at_the_working_directory(tree, monkeypatch):
    monkeypatch.chdir(tree)
    (found,) = resolve([Source("a.jpg")], modality_of=modality_of)
    assert found.item.uri == "a.jpg"
    assert found.content.is_absolute()


@pytest.mark.parametrize("typed", ["~/a.jpg", "~/a*.jpg", "~/a.jp?"])
def test_home(tree, monkeypatch, typed):
    monkeypatch.setenv("HOME", str(tree))
    monkeypatch.setenv("USERPROFILE", str(tree))
    (found,) = run(typed, Path("/"))
    assert found.item.uri == "~/a.jpg"
    assert found.content == tree / "a.jpg"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.jpg", ["a.jpg", "set1.jpg", "set[1].jpg"]),
        ("photos/*.jpg", ["photos/b.jpg"]),
        ("photos/*", ["photos/A.PNG", "photos/b.jpg"]),
        ("photos/**", ["photos/A.PNG", "photos/b.jpg", "photos/deep/c.jpg", "photos/deep/er/d.txt"]),
        ("photos/**/*.jpg", ["photos/b.jpg", "photos/deep/c.jpg"]),
        ("**/*.jpg", ["a.jpg", "photos/b.jpg", "photos/deep/c.jpg", "set1.jpg", "set[1].jpg"]),
        ("**/**/c.jpg", ["photos/deep/c.jpg"]),
        ("p*s/d*p/*.jpg", ["photos/deep/c.jpg"]),
        ("photos/deep/../*.jpg", ["photos/deep/../b.jpg"]),
        ("photos/.*.jpg", ["photos/.hidden.jpg"]),
        ("photos/[a-c].jpg", ["photos/b.jpg"]),
        ("set[[]1].jpg", ["set[1].jpg"]),
    ],
)
def test_globs(tree, pattern, names):
    assert uris(run(pattern, tree)) == names
    assert uris(run(str(tree / pattern), Path("/"))) == [str(tree / name) for name in names]


def test_an_existing_file_wins_over_its_reading_as_a_glob(tree):
    assert uris(run("set[1].jpg", tree)) == ["set[1].jpg"]
    (tree / "set[1].jpg").unlink()
    assert uris(run("set[1].jpg", tree)) == ["set1.jpg"]


def test_a_base_with_brackets_is_no_glob(tmp_path):
    base = tmp_path / "week [1]"
    base.mkdir()
    (base / "a.jpg").write_text("a")
    assert uris(run("*.jpg", base)) == ["a.jpg"]


def test_a_glob_that_matches_nothing_says_so(tree):
    assert run("*.gif", tree) == [Skipped("*.gif", "no file matches this pattern")]
    assert run("deep/**/*.gif", tree / "photos") == [Skipped("deep/**/*.gif", "no file matches this pattern")]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*.jpeg", "no file matches this pattern: did you mean '*.jpg'?"),
        ("photos/*.JPGE", "no file matches this pattern: did you mean 'photos/*.jpg'?"),
        ("photo/*.jpg", "no folder 'photo': did you mean 'photos'?"),
        ("photos/dep/**/*.jpg", "no folder 'dep': did you mean 'deep'?"),
    ],
)
def test_a_glob_that_nearly_matches_is_told_what_would(tree, pattern, said):
    assert run(pattern, tree) == [Skipped(pattern, said)]


def test_a_glob_below_no_folder_names_the_folder(tree):
    ((_, said),) = skipped(run("nowhere/*.gif", tree))
    assert said.startswith("no folder 'nowhere' in ")


def test_a_glob_that_matches_folders_only_says_how_to_go_on(tree):
    ((source, reason),) = skipped(run("phot*", tree))
    assert source == "phot*"
    assert "matches folders only: name one, such as 'photos'" in reason


def test_a_folder_is_read_to_its_depth_sorted_and_without_hidden_files(tree):
    outcomes = run("photos/", tree)
    assert uris(outcomes) == ["photos/A.PNG", "photos/b.jpg", "photos/deep/c.jpg", "photos/deep/er/d.txt"]
    assert skipped(outcomes) == [
        (
            "photos/",
            (
                "4 files of unsupported kinds (.psd 2, .zip 1, without an extension 1); "
                ".zip: archives are not opened: unpack it and name the folder"
            ),
        ),
    ]


def test_the_working_directory_itself(tree):
    assert "photos/b.jpg" in uris(run(".", tree))


def test_an_empty_folder(tmp_path):
    for name in ("void", "void [1]"):
        (tmp_path / name).mkdir()
        assert skipped(run(name, tmp_path)) == [(name, "the folder holds no files (hidden ones are left out)")]


def test_links_are_followed_and_loops_of_them_end(tree):
    (tree / "photos/back").symlink_to(tree / "photos", target_is_directory=True)
    (tree / "photos/self").symlink_to("self")
    (tree / "photos/up").symlink_to("..", target_is_directory=True)
    (tree / "photos/link.jpg").symlink_to(tree / "a.jpg")
    for typed in ("photos", "photos/**"):
        outcomes = run(typed, tree)
        assert {"photos/b.jpg", "photos/deep/c.jpg", "photos/link.jpg"} <= set(uris(outcomes))
        assert len(uris(outcomes)) == 7  # the folder's four, a.jpg by its link, two sets by the way up
        assert ("photos/self", "cannot be read: Too many levels of symbolic links") in skipped(outcomes)


def test_a_link_to_nothing(tree):
    (tree / "lost.jpg").symlink_to("gone.jpg")
    assert skipped(run("lost.jpg", tree)) == [("lost.jpg", "a link that leads nowhere")]
    assert ("lost.jpg", "a link that leads nowhere") in skipped(run("*.jpg", tree))


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("photos/bb.jpg", "no such file: did you mean 'photos/b.jpg'?"),
        ("A.JPEG", "no such file: did you mean 'a.jpg'?"),
        ("photo/b.jpg", "no folder 'photo': did you mean 'photos'?"),
        ("a.jpg/b.jpg", "cannot be read: Not a directory"),
        ("", "an empty name: type a path, a glob or a URL"),
        ("  ", "an empty name: type a path, a glob or a URL"),
        ("a\0.jpg", "a path cannot hold a NUL character"),
        ("a\ud800.jpg", "a path cannot hold half a surrogate pair"),
        ("x" * 300 + ".jpg", "cannot be read: File name too long"),
        ("photos/layers.psd", "files of this kind (.psd) are not supported"),
        ("photos/README", "files of this kind (without an extension) are not supported"),
    ],
)
def test_what_cannot_be_had(tree, typed, reason):
    ((_, said),) = skipped(run(typed, tree))
    assert said == reason


def test_a_missing_name_unlike_all_others(tree, monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere/else")  # a folder at home is named by its tilde
    ((_, reason),) = skipped(run("quite_another_thing.mp3", tree))
    assert reason == f"no such file in {str(tree)!r}"


def test_empty_files(tree):
    (tree / "empty.txt").touch()
    assert skipped(run("empty.txt", tree)) == [("empty.txt", "empty file")]
    assert ("empty.txt", "empty file") in skipped(run("*", tree))


def test_a_file_over_the_budget_is_refused_unread(tmp_path):
    with (tmp_path / "long.mp3").open("wb") as file:
        file.truncate((10 << 30) + 1)  # a hole: takes no space
    ((_, reason),) = skipped(run("long.mp3", tmp_path))
    assert reason.startswith("10,737,418,241 bytes; files of up to 10,737,418,240 are taken")
    (outcome,) = resolve_path("long.mp3", {}, Search(modality_of, tmp_path), max_bytes=10)
    assert isinstance(outcome, Skipped)


@pytest.mark.timeout(20)
def test_pipes_sockets_and_devices_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        folder = Path.cwd()
        os.chdir(tmp_path)  # a socket's path must be short
        server.bind("sock.txt")
        os.chdir(folder)
        assert skipped(run("pipe.txt", tmp_path)) == [("pipe.txt", "a named pipe, not a file")]
        assert skipped(run("sock.txt", tmp_path)) == [("sock.txt", "a socket, not a file")]
        assert skipped(run("/dev/zero", tmp_path)) == [("/dev/zero", "a device, not a file")]
        assert skipped(run(".", tmp_path)) == [(".", "2 files of unsupported kinds (special files 2)")]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tree):
    (tree / "a.jpg").chmod(0)
    (tree / "photos/deep").chmod(0)
    outcomes = run(".", tree)
    (tree / "photos/deep").chmod(0o755)
    assert ("a.jpg", "cannot be read: Permission denied") in skipped(outcomes)
    assert ("photos/deep/", "the folder cannot be read: Permission denied") in skipped(outcomes)


def test_names_that_are_no_unicode_can_be_stored(tmp_path):
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_text("x")
    for typed in (name, "*.txt", "."):
        (found,) = run(typed, tmp_path)
        assert found.item.uri.encode() == b"caf?.txt"
        assert found.content.read_text() == "x"


def test_files_come_lazily(tree):
    outcomes = resolve([Source("photos")], modality_of=modality_of, base=tree)
    assert next(outcomes).item.uri == "photos/A.PNG"
    (tree / "photos/b.jpg").unlink()
    assert next(outcomes) == Skipped("photos/b.jpg", "no longer there")


def test_the_same_content_twice_is_told(tree):
    (tree / "copy.jpg").write_text("a.jpg")
    sources = [
        Source("a.jpg"),
        Source("copy.jpg", {"caption": "a copy"}),
        Source("a.jpg"),
    ]
    outcomes = list(resolve(sources, modality_of=modality_of, base=tree))
    assert uris(outcomes) == ["a.jpg"]
    assert skipped(outcomes) == [
        (
            "copy.jpg",
            "same content as a.jpg, indexed once; the metadata given here (caption) is not used: put this source first",
        ),
        ("a.jpg", "named twice, indexed once"),
    ]


def test_one_bad_source_never_stops_the_rest(tree):
    sources = [Source("gone.jpg"), Source(None), Source("a.jpg", {"bad name": 1}), Source("set1.jpg")]
    outcomes = list(resolve(sources, modality_of=modality_of, base=tree))
    assert [type(outcome) for outcome in outcomes] == [Skipped, Skipped, Skipped, Resolved]
