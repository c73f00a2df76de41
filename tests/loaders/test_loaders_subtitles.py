"""Subtitles: found, read, cleaned of tags, joined to utterances."""

import pytest
from films import cut_film, ffmpeg, needs_ffmpeg, srt

from mmrag_nb.loaders.subtitles import Cue, beside, utterances
from mmrag_nb.loaders.video import VideoLoader

TWO = ((1, 4, "The first thing."), (5, 8, "The second thing."))


def loader(subtitles="instead") -> VideoLoader:
    return VideoLoader(77, lambda text: len(text.split()), subtitles=subtitles)


def read(tmp_path, text, name="talk.srt", encoding="utf-8"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return beside(tmp_path / "talk.mp4")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_encoding_is_read(encoding, tmp_path):
    found = read(tmp_path, "1\r\n00:00:01,500 --> 00:00:04,000\r\nGrüße aus Köln\r\n", encoding=encoding)
    assert found.cues == (Cue(1.5, 4.0, "Grüße aus Köln"),)


def test_tags_are_left_out_and_words_stay(tmp_path):
    text = (
        '1\n00:00:01,000 --> 00:00:04,000\n<i>Hello</i> <font color="red">you</font> &amp; all\n{\\an8}on top\n\n'
        "2\n00:00:05,000 --> 00:00:06,000\nis 3 < 4?\n"
    )
    assert [cue.text for cue in read(tmp_path, text).cues] == ["Hello you & all on top", "is 3 < 4?"]


def test_webvtt_is_read_with_its_voices_notes_and_settings(tmp_path):
    text = (
        "WEBVTT\n\nNOTE not said\n\nSTYLE\n::cue {color:red}\n\nfirst\n00:01.000 --> 00:04.000 align:start\n"
        "<v Ada>Hello <c.loud>you</c> &lt;3\n\n00:05.000 --> 00:06.000\n<00:05.500>word by word\n"
    )
    assert [cue.text for cue in read(tmp_path, text, "talk.vtt").cues] == ["Hello you <3", "word by word"]


def test_lines_that_roll_in_are_told_once(tmp_path):
    text = (
        "WEBVTT\n\n00:01.000 --> 00:03.000\none two\n\n00:03.000 --> 00:05.000\none two\nthree four\n\n"
        "00:05.000 --> 00:07.000\nthree four\nfive six\n"
    )
    assert [cue.text for cue in read(tmp_path, text, "talk.vtt").cues] == ["one two", "three four", "five six"]


def test_a_file_without_a_language_goes_first_then_an_english_one_and_the_rest_is_told(tmp_path):
    for name in ("talk.de.srt", "talk.fr.srt"):
        srt(tmp_path / name, (0, 1, name))
    srt(tmp_path / "other.srt", (0, 1, "of another film"))
    assert beside(tmp_path / "talk.mp4").source == "talk.de.srt"
    srt(tmp_path / "talk.en.srt", (0, 1, "English"))
    assert beside(tmp_path / "talk.mp4").source == "talk.en.srt"
    srt(tmp_path / "talk.srt", (0, 1, "plain"))
    found = beside(tmp_path / "talk.mp4")
    assert found.source == "talk.srt"
    assert any("talk.en.srt, talk.de.srt, talk.fr.srt left aside" in note for note in found.notes)


def test_what_cannot_be_read_is_told_and_the_next_is_taken(tmp_path):
    (tmp_path / "talk.srt").write_bytes(b"\0\1\2 no subtitles \xff" * 50)
    srt(tmp_path / "talk.en.srt", (0, 1, "English"))
    found = beside(tmp_path / "talk.mp4")
    assert found.source == "talk.en.srt"
    assert any(note.startswith("subtitles talk.srt left out") for note in found.notes)


def test_cues_are_joined_to_whole_sentences_of_at_most_fifteen_seconds():
    spoken = [Cue(0, 3, "I went to"), Cue(3.2, 6, "the harbour."), Cue(6.5, 9, "It rained."), Cue(20, 22, "Later.")]
    assert utterances(spoken) == [Cue(0, 6, "I went to the harbour."), Cue(6.5, 9, "It rained."), Cue(20, 22, "Later.")]
    endless = [Cue(n, n + 1.0, "and on") for n in range(60)]
    joined = utterances(endless)
    assert max(cue.end - cue.start for cue in joined) <= 15
    assert " ".join(cue.text for cue in joined).count("and on") == 60
    assert len(utterances(endless, fits=lambda text: len(text.split()) <= 6)) == 20


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return cut_film(tmp_path_factory.mktemp("subtitled") / "talk.mp4", "-c:v", "libx264", "-c:a", "aac")


@needs_ffmpeg
class TestInAFilm:
    def test_they_are_the_text_of_what_is_heard(self, film):
        srt(film.with_suffix(".srt"), *TWO)
        item = loader().load(film, film.name)
        said = [chunk for chunk in item.chunks if chunk.modality == "audio"]
        assert [(chunk.start, chunk.end, chunk.text) for chunk in said] == list(TWO)
        assert [len(chunk.audio) for chunk in said] == [3000, 3000], "milliseconds"
        assert all({"clip", "film", "thumbnail"} <= set(chunk.previews) for chunk in said)
        assert item.facts["transcript"] == "talk.srt"
        assert "subtitles talk.srt are used instead of a transcript" in item.notes

    def test_beside_the_transcript_they_are_texts(self, film):
        srt(film.with_suffix(".srt"), *TWO)
        item = loader("beside").load(film, film.name)
        assert [(c.start, c.end, c.text) for c in item.chunks if c.modality == "text"] == list(TWO)
        assert all(not chunk.text for chunk in item.chunks if chunk.modality == "audio")
        assert "transcript" not in item.facts

    def test_they_can_be_ignored(self, film):
        srt(film.with_suffix(".srt"), *TWO)
        item = loader("ignore").load(film, film.name)
        assert not any(chunk.text for chunk in item.chunks)
        assert "subtitles" not in item.facts

    @pytest.mark.parametrize(
        ("ending", "codec"), [(".mp4", "mov_text"), (".mkv", "srt"), (".mkv", "ass"), (".webm", "webvtt")]
    )
    def test_those_inside_the_file_serve_as_well(self, film, ending, codec, tmp_path):
        srt(tmp_path / "words.srt", *TWO)
        path = tmp_path / f"inside{ending}"
        copied = ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus") if ending == ".webm" else ("-c", "copy")
        ffmpeg("-i", film, "-i", tmp_path / "words.srt", "-map", "0", "-map", "1", *copied, "-c:s", codec,
               "-metadata:s:s:0", "language=eng", path)  # fmt: skip
        item = loader().load(path.read_bytes(), path.name)
        assert [chunk.text for chunk in item.chunks if chunk.text] == ["The first thing.", "The second thing."]
        assert [chunk.start for chunk in item.chunks if chunk.text] == pytest.approx([1, 5], abs=0.05)
        assert item.facts["subtitles"] == "in the file (eng)"

    def test_a_silent_film_has_them_as_texts(self, tmp_path):
        path = cut_film(tmp_path / "talk.mp4", "-c:v", "libx264", sound=False)
        srt(path.with_suffix(".srt"), *TWO)
        item = loader().load(path, path.name)
        assert [(c.modality, c.text) for c in item.chunks if c.text] == [("text", text) for *_, text in TWO]
