"""The shipped demo and background lines: complete, small, and answerable with what is shipped."""

from pathlib import Path
from shutil import which

import numpy as np
import pytest

from mmrag_nb.assets.background import background, queries
from mmrag_nb.assets.demo.media import demo_folder, demo_sources, questions
from mmrag_nb.models.words import WordsEncoder

PICTURES = {".png"}
SOUNDS = {".mp3"}


def test_the_lines_are_many_different_and_varied():
    lines = background()
    assert len(lines) >= 400
    assert len({line.casefold() for line in lines}) == len(lines)
    assert all(line == line.strip() and 3 <= len(line.split()) <= 25 for line in lines)
    asked = [line for line in lines if line.endswith("?")]
    assert 0.4 < len(asked) / len(lines) < 0.6


def test_picks_are_spread_over_the_lines():
    picked = queries()
    assert len(set(picked)) == 100
    assert queries(100) == picked
    shares = [sum(line.endswith(mark) for line in picked) / len(picked) for mark in ("?", ".")]
    assert shares == pytest.approx([0.5, 0.25], abs=0.05)
    assert queries(10_000) == background()


def test_the_demo_is_complete_and_small():
    paths = [Path(source["path"]) for source in demo_sources()]
    assert all(path.is_file() and path.is_relative_to(demo_folder()) for path in paths)
    assert len(set(paths)) == len(paths)
    assert sum(path.stat().st_size for path in paths) < 600_000
    assert all(path.stat().st_size < 60_000 for path in paths if path.suffix in PICTURES)
    shipped = {path for path in demo_folder().rglob("*") if path.suffix in {".png", ".mp3", ".md", ".txt"}}
    assert shipped == set(paths)


def test_pictures_open_and_are_captioned_or_to_be_found_by_looking():
    from PIL import Image

    drawings = 0
    for source in demo_sources():
        path = Path(source["path"])
        if path.suffix in PICTURES:
            with Image.open(path) as picture:
                picture.load()
            by_looking = path.parent.name == "emoji"
            drawings += by_looking
            assert bool(source.get("caption")) != by_looking
    assert drawings == 12


def test_the_questions_lie_in_sound_picture_and_text():
    assert [question["modality"] for question in questions()] == ["audio", "image", "text"]
    names = {Path(source["path"]).name for source in demo_sources()}
    assert {question["file"] for question in questions()} <= names


def samples(path: Path) -> np.ndarray:
    """16 kHz mono, 16 bit."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(path)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray().ravel() for part in [*frames, *resampler.resample(None)]])


def utterances(sound: np.ndarray) -> list[np.ndarray]:
    """Cut where a fifth of a second and more is silent."""
    blocks = sound[: len(sound) // 3200 * 3200].reshape(-1, 3200)
    loud = np.flatnonzero(np.abs(blocks).max(axis=1) > 300)
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > 2) + 1)
    return [blocks[run[0] : run[-1] + 2].ravel() for run in runs]


@pytest.fixture(scope="module")
def chunks() -> list[tuple[str, str]]:
    """(file, text) of all utterances, captions with the words of the file's name, and paragraphs of texts."""
    pocketsphinx = pytest.importorskip("pocketsphinx")
    decoder = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL")
    found = []
    for source in demo_sources():
        path = Path(source["path"])
        if path.suffix in SOUNDS:
            for utterance in utterances(samples(path)):
                decoder.start_utt()
                decoder.process_raw(utterance.astype("<i2").tobytes(), full_utt=True)
                decoder.end_utt()
                found.append((path.name, decoder.hyp().hypstr))
        elif path.suffix in PICTURES:
            found.append((path.name, f"{source.get('caption', '')} {path.stem}"))
        else:
            found += [(path.name, part) for part in path.read_text(encoding="utf-8").split("\n\n")]
    return found


def test_sound_and_text_are_found_by_words_alone(chunks):
    encoder = WordsEncoder()
    vectors = encoder.embed_texts([text for _, text in chunks])
    for question in (one for one in questions() if one["modality"] != "image"):
        cosines = vectors @ encoder.embed_texts([question["question"]])[0]
        file, text = chunks[int(cosines.argmax())]
        assert file == question["file"]
        assert question["answer"] in text.lower()
        elsewhere = max(cosine for cosine, (name, _) in zip(cosines, chunks, strict=True) if name != file)
        assert cosines.max() > elsewhere + 0.1


def test_the_speech_is_heard_right(chunks):
    heard = " ".join(text for name, text in chunks if name == "lighthouse_talk.mp3")
    assert "our model ship workshop starts on thursday at nine in the morning" in heard
    assert "the tower was built in eighteen forty two" in heard
    assert sum(name == "lighthouse_talk.mp3" for name, _ in chunks) == 6


@pytest.mark.skipif(which("flite") is None, reason="flite, whose voices speak in the demo, is not installed")
def test_the_script_makes_what_is_shipped(tmp_path):
    from mmrag_nb.assets.demo.make import main

    made = {path.name: path.stat().st_size for path in main(tmp_path)}
    shipped = {path.name: path.stat().st_size for path in demo_folder().iterdir() if path.suffix in PICTURES | SOUNDS}
    assert set(made) == set(shipped)
    for name, size in made.items():
        assert size == pytest.approx(shipped[name], rel=0.1)
