"""Whatever is misspelt, the message has what was meant."""

from pathlib import Path

import pytest
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import ModelUnavailable, SourceError, UnknownName, nearest


@pytest.fixture
def shell(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "photos" / "apple.jpg")
    return shell


def told(shell, capsys, cell):
    """What a failing cell prints."""
    capsys.readouterr()
    assert not shell.run_cell(cell).success
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    return printed.out + printed.err


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("%mmrag_aks what?", "did you mean %mmrag_ask?\n"),
        ("%mmrag_idnex photos", "did you mean %mmrag_index?\n"),
        ("%%mmrag_indx\nphotos/", "did you mean %%mmrag_index?\n"),
        ("%mmragstatus", "did you mean %mmrag_status?\n"),
    ],
)
def test_a_magic(shell, capsys, cell, meant):
    assert told(shell, capsys, cell).endswith(meant)


@pytest.mark.parametrize("cell", ["%nothing_like_it", "%mmrag_xyzzy", "%%mmrag_status\n", "1/0"])
def test_a_magic_like_none_of_ours_is_left_to_ipython(shell, capsys, cell):
    assert not shell.run_cell(cell).success
    printed = capsys.readouterr()
    assert "\ndid you mean" not in printed.out + printed.err


def test_a_setting_and_its_value(shell, caplog):
    shell.run_cell('%config MMRag.stratgey = "shared"')
    assert "unknown setting 'stratgey': did you mean 'strategy'?" in caplog.text
    shell.run_cell('%config MMRag.device = "cdua"')
    assert "unknown device 'cdua': did you mean 'cuda'?" in caplog.text
    shell.run_cell("%config MMRag.k = 7")
    assert shell._mmrag_session.settings.k == 7, "what was refused stands in the way of nothing"


@pytest.mark.filterwarnings("ignore:Config option `stratgey` not recognized")
def test_a_setting_that_was_refused_does_not_stop_the_next_load(shell, capsys):
    shell.run_cell('%config MMRag.stratgey = "shared"')
    shell.run_line_magic("unload_ext", "mmrag_nb")
    del shell._mmrag_session
    assert shell.run_cell("%load_ext mmrag_nb\n%mmrag_status --out status").success


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("photos/aple.jpg", "no such file: did you mean 'photos/apple.jpg'?"),
        ("photo/apple.jpg", "no folder 'photo': did you mean 'photos'?"),
        ("photos/*.jpeg", "no file matches this pattern: did you mean 'photos/*.jpg'?"),
    ],
)
def test_a_source(shell, typed, meant):
    (skipped,) = shell._mmrag_session.rag.index([typed]).skipped
    assert skipped.reason == meant


def test_a_picture_to_ask_with(shell, capsys):
    pytest.importorskip("torch")
    shell._mmrag_session.rag.index(["photos/"])
    message = told(shell, capsys, "%mmrag_ask --image photos/aple.jpg")
    assert "photos/aple.jpg: no such file: did you mean 'photos/apple.jpg'?" in message
    with pytest.raises(SourceError, match="no folder 'photo': did you mean 'photos'"):
        shell._mmrag_session.rag.search(image="photo/apple.jpg")


def test_an_item_of_few_and_of_many(shell):
    rag = shell._mmrag_session.rag
    Path("harps.txt").write_text("A concert harp has forty-seven strings.")
    rag.index("harps.txt")
    with pytest.raises(UnknownName, match=r"unknown item 'Harp\.txt': did you mean 'harps\.txt'\? known are "):
        rag.item("Harp.txt")
    assert str(UnknownName("item", "img_77.jpg", (f"IMG_{n}.jpg" for n in range(10_000)))) == (
        "unknown item 'img_77.jpg': did you mean 'IMG_77.jpg'? 10,000 others are known"
    )
    assert str(UnknownName("item", "a.jpg", [])) == "unknown item 'a.jpg': there is none"


@pytest.mark.parametrize(
    ("setting", "typed", "meant"),
    [
        ("clip", "emogi", "emoji"),
        ("clip", "openai/clip-vit-base-patch23", "openai/clip-vit-base-patch32"),
        ("speech", "pocketsphynx", "pocketsphinx"),
    ],
)
def test_a_model(tmp_path, monkeypatch, setting, typed, meant):
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    rag = MultimodalRAG(preset="offline", **{setting: typed})
    with pytest.raises(ModelUnavailable, match=f"did you mean '{meant}'"):
        rag._parts._model(setting, None)


def test_a_name_between_braces(shell, capsys):
    shell.user_ns["photographs"] = ["photos/"]
    assert "did you mean 'photographs'?" in told(shell, capsys, "%mmrag_index {{photograhps}}")
    assert "did you mean 'photographs'?" in told(shell, capsys, "%mmrag_ask {{photograhps}}")
    assert "did you mean" not in told(shell, capsys, "%mmrag_ask {{xyzzy}}")


def test_capitals_do_not_hide_what_is_near():
    assert nearest("APLE.JPG", ["apple.jpg", "talk.mp3"]) == "apple.jpg"
    assert nearest("xyzzy", ["apple.jpg", "talk.mp3"]) == ""


def test_unloading_takes_every_hook_away(shell):
    events, completer = shell.events.callbacks["post_run_cell"], shell.Completer
    shell.run_line_magic("unload_ext", "mmrag_nb")
    before = (list(events), set(vars(completer)), list(shell.input_transformers_cleanup), list(shell.configurables))
    shell.run_line_magic("load_ext", "mmrag_nb")
    assert len(events) == len(before[0]) + 1
    for _ in range(2):
        shell.run_line_magic("reload_ext", "mmrag_nb")
    assert len(events) == len(before[0]) + 1
    shell.run_line_magic("unload_ext", "mmrag_nb")
    after = (list(events), set(vars(completer)), list(shell.input_transformers_cleanup), list(shell.configurables))
    assert after == before
    assert not [name for table in shell.magics_manager.magics.values() for name in table if "mmrag" in name]
    assert not [name for name in shell.magics_manager.registry if "mmrag" in str(shell.magics_manager.registry[name])]
    assert not [name for name in vars(shell) if "mmrag" in name and name != "_mmrag_session"]
