"""Tab: in a shell with and without jedi, and in a real kernel."""

import queue
import sys
import time
from functools import partial

import pytest
from IPython.core.completer import provisionalcompleter

from mmrag_nb.sources.parse import parse_sources

FILES = ("photos/apple.jpg", "photos/pear.jpg", "photos/notes.txt", "my talk.mp3", "lesson.mmrag", "b.png", "x.zip")


@pytest.fixture
def shell(shell, tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return shell


def tab(shell, cell):
    """What the cell becomes, by each suggestion, where Tab is pressed at the bar."""
    offset = cell.index("|")
    text = cell.replace("|", "", 1)
    with provisionalcompleter():
        found = shell.Completer.completions(text, offset)
        return [text[: one.start] + one.text + text[one.end :] for one in found]


@pytest.fixture(params=[False, True], ids=["no jedi", "jedi"])
def both(request, shell):
    shell.Completer.use_jedi = request.param
    return shell


def test_flags_that_are_not_there_yet(both):
    assert "%mmrag_ask what? --out" in tab(both, "%mmrag_ask what? --|")
    assert tab(both, "%mmrag_ask what? --ou|") == ["%mmrag_ask what? --out"]
    assert "%mmrag_ask what? -k" in tab(both, "%mmrag_ask what? -|")
    left = tab(both, "%mmrag_ask --raw what? -k 3 -| --out answer")
    assert not [line for line in left if line.endswith(("-k --out answer", "-o --out answer"))]
    assert left.count("%mmrag_ask --raw what? -k 3 --raw --out answer") == 0


@pytest.mark.parametrize(
    "line", ["%mmrag_ask what? --ou|", "%mmrag_index b|", "%config MMRag.clip = 'em|", "%mmrag_open |"]
)
def test_the_older_way_of_asking_gives_the_same(both, line):
    text, offset = line.replace("|", ""), line.index("|")
    begun, matches = both.complete(None, text, offset)
    assert [text[: offset - len(begun)] + new for new in matches] == tab(both, line)


@pytest.mark.parametrize("before", ["answer = ", "    ", "%%time\n", "if True:\n    ", "\n\n%"])
def test_flags_wherever_a_magic_may_stand(both, before):
    assert tab(both, f"{before}%mmrag_ask what? --ou|") == [f"{before}%mmrag_ask what? --out"]


def test_a_magics_name_and_all_else_is_left_to_ipython(both):
    both.user_ns["harpist"] = "Ann"
    assert "%mmrag_ask" in tab(both, "%mmrag_as|")
    assert tab(both, "print(harpis|")[:1] == ["print(harpist"]
    assert "%config MMRag.strategy" in tab(both, "%config MMRag.str|")


def test_nothing_is_offered_where_only_the_user_knows(both):
    both.user_ns["harpist"] = "Ann"
    assert tab(both, "%mmrag_why 1 --question |") == []
    for cell in ("-k |", "--out |", "who is harp|", "who is my |"):
        assert tab(both, f"%mmrag_ask {cell}") == []
    assert tab(both, "%%mmrag_ask\nwho is the harp|") == []


def test_files_of_the_kind_that_a_flag_takes(both):
    assert tab(both, "%mmrag_ask --image |") == ["%mmrag_ask --image photos/", "%mmrag_ask --image b.png"]
    assert tab(both, "%mmrag_ask --image=photos/a|") == ["%mmrag_ask --image=photos/apple.jpg"]
    assert tab(both, "%mmrag_open |") == ["%mmrag_open photos/", "%mmrag_open lesson.mmrag"]
    assert tab(both, "%mmrag_save le| --out status") == ["%mmrag_save lesson.mmrag --out status"]


def test_sources_on_the_line_and_in_the_body_of_a_cell(both):
    assert tab(both, "%mmrag_index |") == [
        "%mmrag_index photos/",
        "%mmrag_index b.png",
        '%mmrag_index "my talk.mp3"',
    ]
    assert tab(both, "%%mmrag_index --out report\nb.png\nphotos/|\nx") == [
        f"%%mmrag_index --out report\nb.png\nphotos/{name}\nx"
        for name in ("apple.jpg", "notes.txt", "pear.jpg", "*.jpg")
    ]
    assert tab(both, "%%mmrag_index\nphotos/*|") == ["%%mmrag_index\nphotos/*.jpg"]
    assert tab(both, "%%mmrag_index\n# photos/|") == []
    assert tab(both, "%%mmrag_index\nhttps://example.org/|") == []


def test_what_is_said_of_a_source(both):
    both.user_ns["said"] = "a red apple"
    assert tab(both, "%mmrag_index b.png cap|") == ["%mmrag_index b.png caption="]
    cell = "%%mmrag_index\nphotos/ author=Ann\nb.png"
    assert tab(both, f"{cell} a|") == [f"{cell} author="]
    assert tab(both, "%mmrag_index b.png caption={{sa|") == ["%mmrag_index b.png caption={{said}}"]


@pytest.mark.parametrize(
    "name", ["two words.txt", "it's.txt", 'a "quoted" word.txt', "#1.txt", "%.txt", "{{x}}.txt", "-k.txt", "ümlaut.txt"]
)
@pytest.mark.parametrize("typed", ["", '"', "'"])
def test_what_is_offered_is_read_as_the_name_of_that_file(shell, tmp_path, name, typed):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / name).write_text("x")
    for where in ("odd/", ""):
        shell.run_line_magic("cd", f"-q {tmp_path if where else folder}")
        lines = [cell.partition("\n")[2] for cell in tab(shell, f"%%mmrag_index\n{typed}{where}|")]
        if typed and typed in name:
            assert lines == [], "no source can be written so"
        else:
            assert [source.value for line in lines for source in parse_sources(line, str)] == [where + name]


def test_a_quote_that_the_editor_has_closed_already(both):
    assert tab(both, '%mmrag_index "my|"') == ['%mmrag_index "my talk.mp3"']
    assert tab(both, '%config MMRag.clip = "e|"') == ['%config MMRag.clip = "emoji"']


def test_an_unquoted_path_with_blanks_is_one_name(both, tmp_path):
    (tmp_path / "my lesson.mmrag").write_text("")
    assert tab(both, "%mmrag_open my le|") == ['%mmrag_open "my lesson.mmrag"']


@pytest.fixture
def items(shell, tmp_path):
    for name in ("one/notes.txt", "two/notes.txt", "my notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"what {name} says")
    shell._mmrag_session.rag.index([str(path) for path in ("one", "two", "my notes.txt")])


@pytest.mark.usefixtures("items")
def test_items_by_the_name_that_means_one_of_them(both):
    rag = both._mmrag_session.rag
    offered = [cell.removeprefix("%mmrag_remove ") for cell in tab(both, "%mmrag_remove |")]
    assert offered == ["one/notes.txt", "two/notes.txt", '"my notes.txt"']
    assert [len(rag.named(name.strip('"'))) for name in offered] == [1, 1, 1]
    assert tab(both, "%mmrag_remove one/notes.txt on|") == []
    assert tab(both, "%mmrag_remove one/notes.txt MY|") == ['%mmrag_remove one/notes.txt "my notes.txt"']


@pytest.mark.usefixtures("items")
def test_one_item_alone_may_have_blanks(both):
    assert tab(both, "%mmrag_why my no|") == ['%mmrag_why "my notes.txt"']
    assert tab(both, "%mmrag_map --space w|") == ["%mmrag_map --space words:hashed-1024"]


def test_lists_with_commas(both):
    assert tab(both, "%mmrag_search a harp --only image,|") == [
        f"%mmrag_search a harp --only image,{modality}" for modality in ("text", "audio", "video")
    ]
    assert tab(both, "%mmrag_compare a harp --with st|") == [
        "%mmrag_compare a harp --with store=",
        "%mmrag_compare a harp --with strategy=",
    ]
    assert tab(both, "%mmrag_compare a harp --with clip=em|") == ["%mmrag_compare a harp --with clip=emoji"]
    assert tab(both, '%mmrag_compare a harp --with "clip=emoji, raw=T|') == [
        '%mmrag_compare a harp --with "clip=emoji, raw=True"'
    ]


@pytest.mark.usefixtures("items")
def test_examples_of_what_to_find_and_what_not(both):
    assert tab(both, "%mmrag_similar two/notes.txt on|") == ["%mmrag_similar two/notes.txt one/notes.txt"]
    assert tab(both, "%mmrag_similar pho|") == ["%mmrag_similar photos/"]
    assert tab(both, "%mmrag_similar photos/|") == [f"%mmrag_similar photos/{name}.jpg" for name in ("apple", "pear")]
    assert tab(both, "%mmrag_similar 1 --unlike two/notes.txt,on|") == [
        "%mmrag_similar 1 --unlike two/notes.txt,one/notes.txt"
    ]
    assert tab(both, "%mmrag_similar 1 --unlike my|") == ['%mmrag_similar 1 --unlike "my notes.txt"']


def test_records_are_examples(both):
    rag = both._mmrag_session.rag
    rag.index([{"name": "shoes 3", "text": ["A red shoe.", "It has laces."]}])
    (record,) = {item.record.name for item in rag.items()}
    assert record in [cell[len("%mmrag_similar ") :].strip('"') for cell in tab(both, "%mmrag_similar |")]


@pytest.fixture
def roses(shell):
    rows = [{"text": "A rose.", "species": "rose", "price": 9, "class": "b"}, {"text": "A tulip.", "spécialité": True}]
    shell._mmrag_session.rag.index(rows)


@pytest.mark.usefixtures("roses")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("--where sp|", ['--where "species ', '--where "spécialité ']),
        ('--where "pr|', ['--where "price ']),
        ('--where "pr|"', ['--where "price "']),
        ('--where="pr|', ['--where="price ']),
        ("--where `cl|", ['--where "`class` ']),
        ("--where \"species == 'rose' and pr|", ["--where \"species == 'rose' and price "]),
        ('--where \'species == "rose" and not (pr|', ['--where \'species == "rose" and not (price ']),
        ('--where "5 < pr|', ['--where "5 < price ']),
        ("--where \"'ros' in sp|", ["--where \"'ros' in species ", "--where \"'ros' in spécialité "]),
        ("--where \"species == 'pr|", []),
        ('--where "species |', []),
        ('--where "price < 5|', []),
        ("--where \"species == 'rose' |", []),
        ('--where "mod|', ['--where "modality ']),
        ('--where "passa|', ['--where "passages ']),
    ],
)
def test_names_that_a_filter_can_ask_for(both, typed, completed):
    for magic in ("mmrag_search a gift", "mmrag_ask a gift", "mmrag_similar 1"):
        assert tab(both, f"%{magic} {typed}") == [f"%{magic} {one}" for one in completed]


@pytest.mark.usefixtures("roses")
def test_names_of_a_filter_are_those_of_metadata_first(both):
    offered = [cell.rpartition('"')[2].strip() for cell in tab(both, '%mmrag_search a gift --where "|')]
    assert offered[:4] == ["`class`", "price", "species", "spécialité"]
    assert {"name", "uri", "modality", "text", "page", "start", "end"} <= set(offered)


def test_choices_as_declared(both):
    for magic in ("search", "ask", "similar", "status"):
        assert tab(both, f"%mmrag_{magic} --strategy |") == [
            f"%mmrag_{magic} --strategy {name}" for name in ("shared", "grounded", "separate")
        ]
    assert tab(both, "%mmrag_panel |")[:2] == ["%mmrag_panel ask", "%mmrag_panel images"]
    assert tab(both, "%mmrag_panel ask |") == []
    assert tab(both, "%mmrag_map --method t|") == ["%mmrag_map --method tsne"]


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("preset = |", ['"colab"', '"offline"']),
        ("clip = '|", ["'openai/clip-vit-base-patch32'", "'emoji'", "'none'"]),
        ("generator='ge|", ["'gemini'"]),
        ('precision = "b|', ['"bfloat16"']),
        ("raw = |", ["True", "False"]),
        ("fold = |", ["True", "False"]),
        ("strategy = |", ['"shared"', '"grounded"', '"separate"']),
        ("fusion = |", ['"calibrated"', '"rrf"', '"weighted"']),
        ("pool = 'm|", ["'max'", "'mean'"]),
        ("ocr = |", ['"rapidocr"', '"none"']),
        ("reranker = |", ['"none"', '"judge"']),
        ("balance = |", []),
        ("weights = |", []),
        ("k = |", []),
    ],
)
def test_the_values_of_settings(both, typed, values):
    head = typed.rpartition("=")[0] + "=" + " " * typed.count("= ")
    assert tab(both, f"%config MMRag.{typed}") == [f"%config MMRag.{head}{value}" for value in values]


def test_names_between_braces(both):
    both.user_ns.update(photo={"size": 1}, _hidden=1)
    assert tab(both, "%mmrag_ask {{pho|") == ["%mmrag_ask {{photo}}"]
    assert tab(both, "%mmrag_ask --image {{pho|}}") == ["%mmrag_ask --image {{photo}}"]
    assert tab(both, "%%mmrag_index\n{{|") == ["%%mmrag_index\n{{photo}}"]
    assert "%mmrag_ask {{photo.keys" in tab(both, "%mmrag_ask {{photo.ke|")


def test_nothing_is_loaded_or_opened_for_it(shell):
    before = set(sys.modules)
    for cell in ("%mmrag_similar |", "%mmrag_why |", "%%mmrag_index\n|", "%mmrag_open |", "%config MMRag.clip = '|"):
        tab(shell, cell)
    assert shell._mmrag_session._rag is None
    assert not {"torch", "PIL", "av", "numpy"} & (set(sys.modules) - before)


def test_ten_thousand_items_and_files_are_no_wait(shell, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for n in range(4_000):
        (many / f"{n}.jpg").touch()
    rag = shell._mmrag_session.rag
    rows = ((f"{n:064x}", f"photos/summer/{n}.jpg", "image", "{}", "{}", "") for n in range(10_000))
    rag._catalog._db.executemany(
        "INSERT INTO items (hash, uri, modality, metadata, facts, recipe) VALUES (?, ?, ?, ?, ?, ?)", rows
    )
    assert len(rag.names()) == 10_000

    def least_seconds(ask):
        def once():
            start = time.perf_counter()
            ask()
            return time.perf_counter() - start

        return min(once() for _ in range(5))

    def afresh():
        rag._names = (None, [])
        rag.names()

    assert least_seconds(lambda: tab(shell, "%mmrag_index many/|")) < 0.05
    assert least_seconds(afresh) < 0.05, "after the index has changed"
    assert least_seconds(shell._mmrag_session.item_names) < 0.005


def test_no_tab_ever_shows_a_traceback(both, tmp_path, monkeypatch, capsys):
    import mmrag_nb.notebook.completion as module

    monkeypatch.setattr(module, "candidates", lambda *given: {}["a bug"])
    tab(both, "%mmrag_index pho|")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    both.user_ns[3] = "a name that is no text"
    tab(both, "%mmrag_ask {{|")
    del both.user_ns[3]  # IPython's own matchers stumble over it
    for cell in ("%mmrag_index \0|", "%mmrag_index ~nobody/|", "%mmrag_index /home/" + "x" * 9_000 + "/|"):
        tab(both, cell)
    for cut in range(40):
        tab(both, "%%mmrag_index -k \"{{a b\nphotos/ x='{{y}} --|"[:cut] + "|")
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err


def test_what_was_wrapped_is_given_back(shell):
    completer = shell.Completer
    shell.run_line_magic("reload_ext", "mmrag_nb")
    shell.run_line_magic("unload_ext", "mmrag_nb")
    assert not {"completions", "complete"} & set(vars(completer))
    assert "%mmrag_ask what? --out" not in tab(shell, "%mmrag_ask what? --|")
    shell.run_line_magic("load_ext", "mmrag_nb")
    completer.completions = partial(completer.completions)  # someone else, after us
    shell.run_line_magic("unload_ext", "mmrag_nb")
    assert "%mmrag_ask what? --out" not in tab(shell, "%mmrag_ask what? --|")
    shell.run_line_magic("load_ext", "mmrag_nb")
    assert "%mmrag_ask what? --out" in tab(shell, "%mmrag_ask what? --|")


def test_in_a_kernel_as_a_front_end_asks(tmp_path):
    pytest.importorskip("ipykernel")
    from jupyter_client.manager import start_new_kernel

    (tmp_path / "my talk.mp3").touch()
    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        client.execute_interactive("%load_ext mmrag_nb", timeout=60)

        def matches(cell):
            offset = cell.index("|")
            client.complete(cell.replace("|", ""), offset)
            while True:
                try:
                    reply = client.get_shell_msg(timeout=60)
                except queue.Empty:
                    pytest.fail(f"no answer to {cell!r}")
                if reply["msg_type"] == "complete_reply":
                    content = reply["content"]
                    assert content["cursor_end"] == offset
                    return content["cursor_start"], content["matches"]

        assert matches("%mmrag_ask what? --ou|") == (17, ["--out"])
        assert matches("%%mmrag_index\n# all\nmy|\n") == (20, ['"my talk.mp3"'])
        assert matches("%mmrag_ask -k |") == (14, [])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
