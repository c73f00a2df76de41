"""``%mmrag_remove``, ``%mmrag_reset`` and ``%%mmrag_index --dry-run`` in a real IPython shell."""

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from shells import fails

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import EmptyIndex, MMRagError, UnknownName
from mmrag_nb.reports import Plan, Removal

HARP = "A concert harp has forty-seven strings and seven pedals."


@pytest.fixture
def shell(shell, tmp_path):
    (tmp_path / "photos").mkdir()
    for shade, name in enumerate(("red apple.png", "pear.png", "plum.png")):
        Image.new("RGB", (8, 8), (90 * shade, 0, 0)).save(tmp_path / "photos" / name)
    (tmp_path / "harp.txt").write_text(HARP)
    shell.run_cell('%%mmrag_index\nphotos\nharp.txt\n{{"The ferry leaves at noon."}}\n')
    return shell


def run(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result.result


def names(shell):
    return sorted(item.name for item in shell._mmrag_session.rag.items())


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        ("harp.txt", ["harp.txt"]),
        ("photos/pear.png harp.txt", ["pear.png", "harp.txt"]),
        ('"red apple.png"', ["red apple.png"]),
        ("photos", ["pear.png", "plum.png", "red apple.png"]),
        ("photos/*.png", ["pear.png", "plum.png", "red apple.png"]),
        ("p*.png", ["pear.png", "plum.png"]),
        ("{{answer.hits[0]}}", ["harp.txt"]),
        ("{{answer.hits[0].item}}", ["harp.txt"]),
        ("{{list(answer.hits[:1])}}", ["harp.txt"]),
        ("{{answer.hits[0].item.id[:10]}}", ["harp.txt"]),
        ("{{'harp.txt'}} harp.txt", ["harp.txt"]),
    ],
)
def test_an_item_goes_by_any_of_its_names(shell, line, gone):
    run(shell, "answer = %mmrag_ask how many strings does a harp have?")
    before = names(shell)
    removal = run(shell, f"%mmrag_remove {line}")
    assert isinstance(removal, Removal)
    assert sorted(item.name for item in removal.items) == sorted(gone)
    assert names(shell) == sorted(set(before) - set(gone))
    assert sum(removal.left.values()) == len(before) - len(gone)
    assert removal.to_pandas()["chunks"].sum() == len(gone)


def test_a_python_object_goes_by_the_braces_it_was_indexed_in(shell):
    (ferry,) = [name for name in names(shell) if "ferry" in name]
    assert run(shell, f"%mmrag_remove {ferry}").items[0].uri == ferry


def test_what_was_removed_is_found_no_more(shell):
    assert "forty-seven" in run(shell, "%mmrag_ask how many strings does a harp have?").text
    run(shell, "%mmrag_remove harp.txt")
    hits = run(shell, "%mmrag_ask how many strings does a harp have?").hits
    assert "harp.txt" not in [hit.item.name for hit in hits]
    assert run(shell, "%mmrag_index harp.txt").embedded == 1, "and can come back"


def test_a_dry_run_removes_nothing(shell):
    before = names(shell)
    removal = run(shell, "%mmrag_remove photos/* --dry-run")
    assert (len(removal.items), removal.left) == (3, {"text": 2})
    assert "would remove 3 items (3 images) with 3 chunks; 2 items (2 text) would stay" in repr(removal)
    assert names(shell) == before


def test_out_binds_and_silences(shell):
    assert run(shell, "%mmrag_remove harp.txt --out removal") is None
    assert "removed 1 item (1 text) with 1 chunk; 4 items (3 images, 1 text) stay" in repr(shell.user_ns["removal"])
    assert run(shell, "%mmrag_reset --discard -o reset") is None
    assert len(shell.user_ns["reset"].items) == 4
    assert run(shell, "%mmrag_index harp.txt --dry-run -o plan") is None
    assert isinstance(shell.user_ns["plan"], Plan)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%mmrag_remove", "nothing to remove"),
        ("%mmrag_remove harp.text", "did you mean 'harp.txt'?"),
        ("%mmrag_remove photos/*.gif", "unknown item 'photos/*.gif'"),
        ("%mmrag_remove {{1/0}}", "1/0 failed: ZeroDivisionError"),
        ("%mmrag_remove {{42}}", "an object of type int names no item"),
        ("%mmrag_remove harp.txt --dryrun", "did you mean --dry-run?"),
        ("%mmrag_reset", "5 items and is not saved: %mmrag_save FILE first, or %mmrag_reset --discard"),
        ("%mmrag_reset harp.txt", "items go with %mmrag_remove"),
        ("%mmrag_index --dry-run", "nothing to index"),
        ('%mmrag_index "harp --dry-run', "not closed"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(shell, capsys, cell, said):
    before = names(shell)
    line = fails(shell, capsys, cell)
    assert line.startswith("UsageError: ")
    assert said in line
    assert names(shell) == before


def test_one_unknown_name_among_others_removes_none(shell, capsys):
    before = names(shell)
    fails(shell, capsys, "%mmrag_remove harp.txt no_such_thing.txt")
    assert names(shell) == before


def test_a_name_in_two_places_asks_which(shell, capsys, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "notes.txt").write_text(f"A text of folder {folder}.")
        run(shell, f"%mmrag_index {folder}")
    assert "say which by its path" in fails(shell, capsys, "%mmrag_remove notes.txt")
    assert [item.uri for item in run(shell, "%mmrag_remove one/notes.txt").items] == ["one/notes.txt"]


def test_a_changed_file_goes_with_its_earlier_contents(shell, tmp_path):
    (tmp_path / "harp.txt").write_text("A harp, described anew.")
    run(shell, "%mmrag_index harp.txt")
    run(shell, "%mmrag_remove harp.txt")
    assert "harp.txt" not in names(shell)


def test_everything_can_go(shell, capsys):
    removal = run(shell, "%mmrag_remove *")
    assert "the index is empty" in repr(removal)
    assert "nothing is indexed yet" in fails(shell, capsys, "%mmrag_ask what?")
    assert "the index is empty" in repr(run(shell, "%mmrag_reset")), "nothing to discard"


def test_reset_closes_a_file_and_leaves_it(shell):
    run(shell, "%mmrag_save lesson.mmrag")
    models = dict(shell._mmrag_session.rag._parts._models)
    removal = run(shell, "%mmrag_reset")
    assert removal.closed.endswith("lesson.mmrag")
    assert "is closed and stays as it is: 5 items" in " ".join(repr(removal).split())
    assert "lesson.mmrag" in removal._repr_html_()
    assert names(shell) == []
    assert shell._mmrag_session.rag.path is None
    assert shell._mmrag_session.rag._parts._models == models, "what took long to load stays"
    assert shell.run_line_magic("config", "MMRag.preset") == "offline"
    run(shell, '%mmrag_index {{"New."}}')
    run(shell, "%mmrag_reset --discard")
    assert sum(run(shell, "%mmrag_open lesson.mmrag").items.values()) == 5


def test_after_a_reset_nothing_of_before_is_found(shell):
    run(shell, "%mmrag_ask how many strings?")
    run(shell, "%mmrag_reset --discard")
    for n in range(6):
        run(shell, f'%mmrag_index {{{{"The ferry number {n} leaves at noon."}}}}')
        hits = run(shell, "%mmrag_ask how many strings has a harp?").hits
        assert all("ferry" in hit.chunk.text for hit in hits)


def test_a_dry_run_says_what_would_be_done(shell, tmp_path):
    (tmp_path / "new.txt").write_text("Something new.")
    before = shell._mmrag_session.rag._catalog.generation
    plan = run(shell, "%%mmrag_index --dry-run\nphotos\nnew.txt\nhttps://example.org/a.html\nmissing.txt\n")
    assert isinstance(plan, Plan)
    assert (plan.new, plan.known, plan.fetched) == (1, 3, ("https://example.org/a.html",))
    assert [one.source for one in plan.skipped] == ["missing.txt"]
    assert shell._mmrag_session.rag._catalog.generation == before
    assert run(shell, "%mmrag_index new.txt").embedded == 1


def test_a_dry_run_tries_what_is_long_with_the_settings_of_the_session(shell, tmp_path):
    pytest.importorskip("pypdfium2")
    page = Image.new("RGB", (200, 300), "white")
    page.paste("green", (50, 50, 150, 200))
    page.save(tmp_path / "page.pdf")
    plan = run(shell, f'%mmrag_index "{tmp_path / "page.pdf"}" --dry-run')
    assert isinstance(plan, Plan)
    assert plan.new == 1


def test_ignore_can_be_said_more_than_once(shell, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in ("a.tmp.txt", "b.log.txt", "c.txt"):
        (folder / name).write_text(f"This is {name}.")
    plan = run(shell, f'%mmrag_index "{folder}" --dry-run --ignore "*.tmp.txt" --ignore "*.log.txt"')
    assert plan.new == 1


def test_a_plan_lists_some_of_many_addresses():
    plan = Plan((), fetched=tuple(f"https://example.org/{n}.html" for n in range(2000)))
    for shown in (repr(plan), plan._repr_html_()):
        assert "2,000 addresses" in " ".join(shown.split())
        assert "and 1,988 more" in shown
        assert "/1999.html" not in shown


@pytest.mark.parametrize("magic", ["mmrag_remove", "mmrag_reset"])
def test_help_shows_flags_and_examples(shell, capsys, magic):
    run(shell, f"%{magic} --help")
    printed = capsys.readouterr().out
    assert "--out" in printed
    assert f"%{magic}" in printed


def test_hostile_names_stay_text(shell, tmp_path):
    name = "<img src=x onerror=alert(1)>.txt"
    (tmp_path / name).write_text("A text.")
    shell.user_ns["path"] = tmp_path / name
    run(shell, "%mmrag_index {{path}}")
    removal = run(shell, "%mmrag_remove *onerror* --dry-run")
    page = BeautifulSoup(removal._repr_html_(), "html.parser")
    assert page.find("img") is None
    assert name in page.get_text()
    assert name in repr(removal)


def test_long_lists_are_cut_and_counted():
    with MultimodalRAG(preset="offline") as rag:
        rag.index([{"text": f"passage {n}"} for n in range(50)])
        removal = rag.remove("*", dry_run=True)
        assert len(removal.to_pandas()) == 50
        assert "and 30 more" in repr(removal)
        assert "and 30 more" in removal._repr_html_()
        assert len(repr(removal).splitlines()) < 30


def test_the_python_api_says_the_same():
    rag = MultimodalRAG(preset="offline")
    with pytest.raises(EmptyIndex):
        rag.remove("harp.txt")
    rag.index([{"text": HARP}, {"text": "The ferry leaves at noon."}])
    item, other = rag.items()
    rag.remove(item)
    with pytest.raises(UnknownName):
        rag.remove(item)
    rag.remove(other)
    with pytest.raises(EmptyIndex):
        rag.remove(item)
    with pytest.raises(EmptyIndex):
        rag.search("harp")
    rag.index({"text": HARP})
    with pytest.raises(MMRagError, match="not saved"):
        rag.reset()
    assert len(rag.reset(discard=True).items) == 1
    assert rag.remove().items == ()
    rag.close()
