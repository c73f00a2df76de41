"""The command line: the demo finds its answers in sound, picture and text; the doctor tells no secret."""

import re
from pathlib import Path

import pytest

from mmrag_nb import doctor
from mmrag_nb.cli import main


def test_demo(tmp_path, capsys):
    pytest.importorskip("pocketsphinx")
    page = tmp_path / "demo.html"
    assert main(["demo", "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "0 skipped" in printed
    for file, words in [
        ("lighthouse_talk.mp3", "thursday at nine"),
        ("drawing_02.png", "raw cosine"),
        ("tuning_a_harp.md", "seven pedals"),
    ]:
        assert f"[1] {file}" in printed
        assert words in printed
    assert re.search(r"1\s+image\s+drawing_02\.png", printed), "found by looking: it has neither caption nor name"
    html = page.read_text(encoding="utf-8")
    assert "data:audio/mpeg;base64," in html
    assert "data:image/jpeg;base64," in html
    assert not re.search(r'(?:src|href)="(?!data:|#)', html), "the page stands alone"


def test_doctor_says_which_keys_are_set_and_never_what_they_are(capsys, monkeypatch):
    for name in ("GEMINI_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "canary-5f3a")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"gemini .*key from GOOGLE_API_KEY", printed)
    assert re.search(r"openai .*no key in OPENAI_API_KEY: %mmrag_key openai", printed)
    assert re.search(r"openai endpoint +https://api\.openai\.com/v1", printed)
    assert "canary" not in printed
    assert re.search(r"models run on (cpu|cuda|mps)\S* in \w+", printed)


def test_doctor_goes_on_where_a_key_or_an_address_cannot_be(capsys, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "canary with blanks")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:canary@example.org/v1?key=canary")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "GOOGLE_API_KEY does not hold a key" in printed
    assert "OPENAI_BASE_URL cannot be used" in printed
    assert "canary" not in printed
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:11434/v1")
    main(["doctor"])
    assert "http://localhost:11434/v1, from OPENAI_BASE_URL" in capsys.readouterr().out


def test_doctor_says_what_is_missing(capsys, monkeypatch):
    there = doctor._version
    absent = {"google-genai", "google-generativeai", "tenacity", "genai-prices"}
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name in absent else there(name))
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"genai-prices +not installed .*cost.*mmrag-nb\[gemini\]", printed)
    assert re.search(r"gemini +not installed \(see above\), ", printed)
    assert re.search(r"openai +not installed \(see above\), ", printed), "no provider is asked without tenacity"


def test_doctor_tells_of_every_extra():
    told = {extra for extra, _ in doctor._OPTIONAL.values()} | {"pandas"}  # which tables brings
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    extras = project.split("[project.optional-dependencies]")[1].split("\n[")[0]
    assert told == set(re.findall(r"^([\w-]+) = \[", extras, re.MULTILINE)) - {"test", "dev"}


def test_a_mistake_is_one_line(capsys, monkeypatch):
    from mmrag_nb.errors import SourceError
    from mmrag_nb.rag import MultimodalRAG

    def refuse(*args, **options):
        raise SourceError("nothing there")

    monkeypatch.setattr(MultimodalRAG, "index", refuse)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "mmrag-nb: nothing there\n"


def test_no_command_is_told(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "demo" in capsys.readouterr().err
