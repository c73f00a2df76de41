"""Folders, globs, tables and addresses that are indexed again: what was added, changed, moved, removed."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
import shells
from loopback import Loopback, begin
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.catalog.database import Database
from mmrag_nb.presets import NONE

FRUIT = ("apple", "banana", "cherry", "damson")


@pytest.fixture
def rag():
    with new() as rag:
        yield rag


@pytest.fixture
def there(tmp_path, monkeypatch):
    """The working directory, with a folder of notes in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    for name in FRUIT:
        write(f"notes/{name}.txt", f"What the {name} needs is sun.")
    return tmp_path


def new(**choices):
    return MultimodalRAG(preset="offline", clip=NONE, ocr=NONE, speech=NONE, **choices)


def write(name, text):
    Path(name).write_text(text, "utf-8")


def uris(rag):
    return sorted(item.uri for item in rag.items())


def told(report):
    return report.added, report.changed, report.moved, report.gone, report.removed


def texts(rag):
    return sorted(chunk.text for item in rag.items() for chunk in rag.chunks(item))


# -- added, changed, moved, removed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["notes", "notes/", "notes/*.txt", "notes/**", "*/*.txt", "./notes"])
def test_a_second_run_tells_what_has_become_of_each_file(rag, there, typed):
    first = rag.index(typed)
    at = {name: next(uri for uri in uris(rag) if name in uri) for name in FRUIT}
    assert told(first) == (tuple(at.values()), (), (), (), ())
    assert told(rag.index(typed)) == ((), (), (), (), ())
    write("notes/apple.txt", "Apples keep all winter.")
    (there / "notes/banana.txt").rename("notes/yellow.txt")
    (there / "notes/cherry.txt").unlink()
    write("notes/elder.txt", "Elder grows by itself.")
    folder = at["apple"].removesuffix("apple.txt")
    report = rag.index(typed)
    assert told(report) == (
        (f"{folder}elder.txt",),
        (at["apple"],),
        ((at["banana"], f"{folder}yellow.txt"),),
        (at["cherry"],),
        (),
    )
    assert (report.embedded, report.reused) == (2, 2)
    assert "2 embedded (1 added, 1 changed), 2 reused (1 moved), 0 skipped" in str(report)
    assert f"gone: 1 item is no longer there, but still in the index ({at['cherry']})" in str(report)
    assert texts(rag) == [
        "Apples keep all winter.",
        "Elder grows by itself.",
        "What the banana needs is sun.",
        "What the cherry needs is sun.",
        "What the damson needs is sun.",
    ]


def test_what_is_gone_is_told_until_it_is_pruned(rag, there):
    rag.index("notes")
    (there / "notes/apple.txt").unlink()
    shutil.rmtree(there / "notes/sub", ignore_errors=True)
    for _ in range(2):
        assert rag.index("notes").gone == ("notes/apple.txt",)
    report = rag.index("notes", prune=True)
    assert told(report) == ((), (), (), (), ("notes/apple.txt",))
    assert "removed, as no longer there: notes/apple.txt" in str(report)
    assert uris(rag) == ["notes/banana.txt", "notes/cherry.txt", "notes/damson.txt"]
    assert told(rag.index("notes", prune=True)) == ((), (), (), (), ())


def test_only_what_lies_under_what_was_typed_can_be_gone(rag, there):
    write("other.txt", "Another one.")
    (there / "notes/sub").mkdir()
    write("notes/sub/fig.txt", "A fig.")
    write("notes/sub/kale.md", "Kale.")
    rag.index(["notes", "other.txt", {"text": "A text of its own."}])
    for gone in ("other.txt", "notes/sub/fig.txt", "notes/sub/kale.md", "notes/apple.txt"):
        (there / gone).unlink()
    assert rag.index("notes/*.txt").gone == ("notes/apple.txt",)
    assert set(rag.index("notes/**/*.txt").gone) == {"notes/apple.txt", "notes/sub/fig.txt"}
    assert rag.index("notes/b*.txt", prune=True).removed == ()
    assert set(rag.index([["notes"]], prune=True).removed) == {
        "notes/apple.txt",
        "notes/sub/fig.txt",
        "notes/sub/kale.md",
    }
    assert "other.txt" in uris(rag)
    assert "{{A text of its own.}}" in uris(rag)


def test_what_is_ignored_now_but_there_is_not_gone(rag, there):
    rag.index("notes")
    report = rag.index("notes", ignore="a*.txt, b*.txt", prune=True)
    assert told(report) == ((), (), (), (), ())
    assert [one.reason for one in report.skipped] == ["2 files ignored (a*.txt 1, b*.txt 1)"]
    assert len(uris(rag)) == 4


def test_the_setting_counts_too(rag, there):
    rag.settings.ignore = ["apple*"]
    assert rag.index("notes", ignore=["b*"]).items == {"text": 2}
    assert rag.plan("notes", ignore="c*").known == 1


def test_a_folder_that_holds_nothing_any_more_is_in_doubt(rag, there):
    rag.index("notes")
    for name in FRUIT:
        (there / f"notes/{name}.txt").unlink()
    assert told(rag.index("notes", prune=True)) == ((), (), (), (), ())  # a disk that is not in looks the same
    assert len(uris(rag)) == 4


# -- changed -----------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_replaced_and_its_old_words_are_nowhere(tmp_path, there):
    with new(path=tmp_path / "lesson.mmrag") as rag:
        write("notes/apple.txt", "The zanzibarian clove.")
        rag.index("notes/apple.txt")
        write("notes/apple.txt", "The ordinary leek.")
        report = rag.index("notes/apple.txt")
        assert report.changed == ("notes/apple.txt",)
        assert texts(rag) == ["The ordinary leek."]
        assert set(rag.status().vectors.values()) == {1}
    with closing(Database(tmp_path / "lesson.mmrag")) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        assert not any("zanzibarian" in str(db.execute(f"SELECT * FROM {name}").fetchall()) for (name,) in tables)


def test_a_changed_file_that_cannot_be_read_keeps_what_it_held_and_says_so(rag, there):
    Image.new("RGB", (20, 20), "red").save("notes/red.png")
    rag.index("notes")
    (there / "notes/red.png").write_bytes(b"\x89PNG no picture any more")
    (there / "notes/apple.txt").write_bytes(b"")
    report = rag.index("notes", prune=True)
    assert told(report) == ((), (), (), (), ())
    assert [one.source for one in report.skipped] == ["notes/apple.txt", "notes/red.png"]
    assert all(one.reason.endswith("; what was indexed of it before stays") for one in report.skipped)
    assert len(uris(rag)) == 5


def test_two_files_that_change_places_are_moved_and_not_embedded_again(rag, there):
    rag.index("notes")
    (there / "notes/apple.txt").rename("x")
    (there / "notes/banana.txt").rename("notes/apple.txt")
    (there / "x").rename("notes/banana.txt")
    report = rag.index("notes")
    assert report.embedded == 0
    assert sorted(report.moved) == [
        ("notes/apple.txt", "notes/banana.txt"),
        ("notes/banana.txt", "notes/apple.txt"),
    ]
    assert rag.item("notes/apple.txt").uri == "notes/apple.txt"
    assert [chunk.text for chunk in rag.chunks("notes/apple.txt")] == ["What the banana needs is sun."]


def test_a_file_that_was_moved_and_another_put_in_its_place(rag, there):
    rag.index("notes")
    (there / "notes/apple.txt").rename("notes/zebra.txt")
    write("notes/apple.txt", "New in an old place.")
    report = rag.index("notes")
    assert (report.changed, report.moved) == (("notes/apple.txt",), (("notes/apple.txt", "notes/zebra.txt"),))
    assert (report.embedded, report.reused) == (1, 4)
    assert len(uris(rag)) == 5


def test_a_picture_whose_name_is_embedded_counts_as_embedded_where_it_is_moved(there):
    for name in ("red", "blue"):
        Image.new("RGB", (64, 48), name).save(f"notes/{name}.png")
    with new(strategy="grounded") as rag:
        rag.index("notes/*.png")
        (there / "notes/red.png").rename("notes/scarlet.png")
        report = rag.index("notes/*.png")
    assert (report.embedded, report.reused, report.renamed) == (1, 1, 1)
    assert report.moved == (("notes/red.png", "notes/scarlet.png"),)
    assert "1 embedded (1 moved), 1 reused, 0 skipped" in str(report)


def test_a_copy_is_not_a_move(rag, there):
    rag.index("notes")
    (there / "copies").mkdir()
    shutil.copy("notes/apple.txt", "copies/apple.txt")
    assert told(rag.index("copies")) == ((), (), (), (), ())


def test_what_lies_in_two_places_stays_until_both_have_lost_it(rag, there):
    for name in ("a", "b"):
        (there / name).mkdir()
        (there / name / "one.txt").write_text("The harbour master keeps eleven lanterns.")
    rag.index("a")
    rag.index("b")
    (there / "b" / "one.txt").write_text("Walnut bread is sold on Tuesdays.")
    assert rag.index("b").changed == ("b/one.txt",)
    assert [(item.uri, rag.chunks(item)[0].text[:11]) for item in rag.items()] == [
        ("a/one.txt", "The harbour"),
        ("b/one.txt", "Walnut brea"),
    ]
    (there / "a" / "one.txt").write_text("The tide turns at noon.")
    rag.index("a")
    assert sorted(rag.chunks(item)[0].text[:8] for item in rag.items()) == ["The tide", "Walnut b"]


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_copy_keeps_what_is_pruned_elsewhere(rag, there, first):
    second = "b" if first == "a" else "a"
    for name in ("a", "b"):
        (there / name).mkdir()
        (there / name / "one.txt").write_text("The harbour master keeps eleven lanterns.")
        (there / name / f"only {name}.txt").write_text(f"Only {name} has this, and nobody else.")
    rag.index(["a", "b"])
    (there / first / "one.txt").unlink()
    report = rag.index(first, prune=True)
    assert (report.gone, report.removed) == ((), ())
    assert f"{second}/one.txt" in {item.uri for item in rag.items()}
    (there / second / "one.txt").unlink()
    assert rag.index(second, prune=True).removed == (f"{second}/one.txt",)
    assert sorted(item.name for item in rag.items()) == ["only a.txt", "only b.txt"]


def test_python_objects_stay_whatever_else_has_their_name(rag, there):
    rag.index([{"name": "note", "text": "The first."}])
    report = rag.index([{"name": "note", "text": "The second."}])
    assert told(report)[1:] == ((), (), (), ())
    assert texts(rag) == ["The first.", "The second."]


def test_earlier_contents_that_an_interrupted_run_left_go_with_the_next(rag, there, monkeypatch):
    rag.index("notes")
    write("notes/apple.txt", "Apples keep all winter.")
    from mmrag_nb.syncing import Syncing

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Syncing, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rag.index("notes")
    assert len(uris(rag)) == 5
    report = rag.index("notes")
    assert (report.embedded, report.changed) == (0, ("notes/apple.txt",))
    assert len(uris(rag)) == 4


def test_an_address_that_holds_something_else_is_replaced_and_one_that_fails_stays(rag, there):
    page = {"body": b"The first page."}

    class Server(Loopback):
        def serve(self, handler, raw):
            begin(handler, 200 if page["body"] else 500, {"Content-Type": "text/plain"})
            handler.wfile.write(page["body"])

    server = Server()
    try:
        rag.settings.allow_private_urls = True
        rag.index(f"{server.url}/page.txt")
        page["body"] = b"The second page."
        assert rag.index(f"{server.url}/page.txt").changed == (f"{server.url}/page.txt",)
        assert texts(rag) == ["The second page."]
        page["body"] = b""
        (refused,) = rag.index(f"{server.url}/page.txt", prune=True).skipped
        assert refused.reason.endswith("what was indexed of it before stays")
        assert texts(rag) == ["The second page."]
    finally:
        server.close()


# -- working directories -----------------------------------------------------------------------------------------------


def test_a_file_of_the_same_name_in_another_working_directory_replaces_nothing(rag, there, monkeypatch):
    rag.index("notes/*.txt")
    (there / "elsewhere/notes").mkdir(parents=True)
    monkeypatch.chdir(there / "elsewhere")
    write("notes/apple.txt", "Quite another apple.")
    write("notes/grape.txt", "A grape.")
    report = rag.index("notes/*.txt", prune=True)
    assert told(report) == (("notes/apple.txt", "notes/grape.txt"), (), (), (), ())
    assert len(uris(rag)) == 6
    monkeypatch.chdir(there)
    (there / "notes/banana.txt").unlink()
    assert told(rag.index("notes/*.txt", prune=True)) == ((), (), (), (), ())  # in doubt for good
    assert len(uris(rag)) == 6


def test_absolute_paths_are_never_in_doubt(rag, there, monkeypatch):
    rag.index(str(there / "notes"))
    monkeypatch.chdir("/")
    (there / "notes/banana.txt").unlink()
    write(there / "notes/apple.txt", "Apples keep all winter.")
    report = rag.index(there / "notes", prune=True)
    assert (report.changed, report.removed) == ((str(there / "notes/apple.txt"),), (str(there / "notes/banana.txt"),))


def test_another_spelling_of_the_same_place_is_no_move(rag, there):
    rag.index("notes")
    write("notes/apple.txt", "Apples keep all winter.")
    (there / "notes/banana.txt").unlink()
    report = rag.index(str(there / "notes"))
    assert told(report) == ((), (str(there / "notes/apple.txt"),), (), ("notes/banana.txt",), ())


def test_a_folder_that_was_moved_with_its_index_goes_on(there, monkeypatch):
    with new(path=there / "lesson.mmrag") as rag:
        rag.index("notes")
    (there / "later").mkdir()
    for name in ("notes", "lesson.mmrag"):
        shutil.move(there / name, there / "later" / name)
    monkeypatch.chdir(there / "later")
    with new(path=there / "later/lesson.mmrag") as rag:
        assert told(rag.index("notes")) == ((), (), (), (), ())
        (there / "later/notes/banana.txt").unlink()
        assert rag.index("notes", prune=True).removed == ("notes/banana.txt",)


# -- records and tables ------------------------------------------------------------------------------------------------


def test_the_parts_of_folders_as_records_change_and_go_as_files_do(rag, there):
    rag.index("notes", records=True)
    write("notes/apple.txt", "Apples keep all winter.")
    (there / "notes/banana.txt").unlink()
    report = rag.index("notes", records=True, prune=True)
    assert (report.embedded, report.changed, report.removed) == (1, ("notes/apple.txt",), ("notes/banana.txt",))
    assert len({item.record.id for item in rag.items()}) == 1


def test_a_file_that_is_a_part_of_an_objects_record_stays_in_it(rag, there):
    rag.index([{"name": "one", "text": "An apple a day.", "path": "notes/apple.txt"}, "notes"])
    (there / "notes/apple.txt").unlink()
    (there / "notes/banana.txt").unlink()
    assert rag.index("notes", prune=True).removed == ("notes/apple.txt", "notes/banana.txt")
    assert uris(rag).count("notes/apple.txt") == 1
    assert rag.item("notes/apple.txt").record.name == "one"


def test_rows_of_a_table_change_and_go(rag, there):
    pytest.importorskip("pandas")
    write("shop.csv", "name,description\none,The first lamp.\ntwo,The second lamp.\nthree,The third lamp.\n")
    assert len(rag.index("shop.csv").added) == 3
    write("shop.csv", "name,description\none,The first lamp.\ntwo,The second chair.\n")
    report = rag.index("shop.csv")
    assert (report.embedded, report.reused) == (1, 1)
    assert (len(report.changed), len(report.gone)) == (1, 1)
    assert len(rag.index("shop.csv", prune=True).removed) == 1
    assert [text.split()[-2:] for text in texts(rag)] == [["first", "lamp."], ["second", "chair."]]
    assert told(rag.index("shop.csv", prune=True)) == ((), (), (), (), ())


def test_a_row_goes_with_all_its_parts_and_a_row_that_moves_up_is_not_told(rag, there):
    pytest.importorskip("pandas")
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (20, 20), colour).save(f"{colour}.png")
    rows = [f"{colour}.png,A lamp of {colour} glass for the evening.\n" for colour in ("red", "green", "blue")]
    write("shop.csv", "".join(["photo,description\n", *rows]))
    assert rag.index("shop.csv").items == {"text": 3, "image": 3}
    write("shop.csv", "".join(["photo,description\n", *rows[1:]]))
    report = rag.index("shop.csv", prune=True)
    assert (report.embedded, report.reused, report.moved) == (0, 4, ())
    assert rag.status().items == {"text": 2, "image": 2}
    assert {item.name for item in rag.items() if item.modality == "image"} == {"green.png", "blue.png"}


# -- the notebook ------------------------------------------------------------------------------------------------------


def test_the_magic_takes_both_flags_and_shows_what_they_did(there, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    with shells.started() as shell:

        def run(cell):
            result = shell.run_cell(cell)
            result.raise_error()
            return result.result

        assert run('%%mmrag_index --ignore "a*.txt,drafts/"\nnotes\n').items == {"text": 3}
        (there / "notes/banana.txt").unlink()
        assert run("%mmrag_index notes --ignore a*.txt").gone == ("notes/banana.txt",)
        assert run("%mmrag_index notes --ignore a*.txt --dry-run").known == 2
        report = run("%mmrag_index notes --prune")
        assert (report.added, report.removed) == (("notes/apple.txt",), ("notes/banana.txt",))
        assert "1 removed" in report._repr_html_()


def test_a_report_tells_changes_as_rows_and_escaped(rag, there):
    pytest.importorskip("pandas")
    write("notes/<b>.txt", "Bold.")
    rag.index("notes")
    write("notes/<b>.txt", "Bolder.")
    (there / "notes/apple.txt").rename("notes/red.txt")
    report = rag.index("notes")
    rows = report.to_pandas()
    assert rows[["source", "outcome", "detail"]].to_numpy().tolist() == [
        ["notes/red.txt", "moved", "from notes/apple.txt"],
        ["notes/<b>.txt", "changed", ""],
    ]
    assert "<b>.txt" not in report._repr_html_()
    assert "1 changed, 1 moved" in report._repr_html_()
