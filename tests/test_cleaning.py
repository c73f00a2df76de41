"""What is blurred, blank, doubled or silent is flagged or left out, each with its reason; nothing goes unsaid."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import NotInstalled
from mmrag_nb.insight import doubles, quality, sounding
from mmrag_nb.loaders.normalising import normalised

EMOJI = sorted((demo_folder() / "emoji").glob("*.png"))
RATE = 16_000


def scene(seed: int, side: int = 400) -> Image.Image:
    """Sharp shapes over soft ground, no two alike."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize((side, side))
    for _ in range(12):
        x, y, r = rng.integers(0, side, 3) * (1, 1, 0.3)
        colour = tuple(rng.integers(0, 255, 3).tolist())
        ImageDraw.Draw(picture).ellipse((x, y, x + r, y + r / 2), fill=colour)
    return picture


def slide(*lines: str) -> Image.Image:
    picture = Image.new("RGB", (1280, 720), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 1280, 110), fill="#0060a0")
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((80, 170 + number * 90), line, fill="black", font=ImageFont.load_default(size=36))
    return picture


def on_white(path) -> Image.Image:
    drawing = Image.open(path).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing).convert("RGB")


def saved_again(picture: Image.Image, quality: int = 40, size: float = 0.5) -> Image.Image:
    small = picture.resize([round(side * size) for side in picture.size])
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def sharpness(picture) -> float:
    return quality.quality(picture).sharpness


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline", speech="none") as rag:
        yield rag


def notes(report):
    return {name: note.split(":")[0] for name, note in report.notes}


# -- pictures: what is measured ----------------------------------------------------------------------------------------


@pytest.mark.cases
def test_photographs_are_sharp_and_the_same_ones_blurred_are_not(cases):
    for path in sorted((cases / "coco9").glob("*.jpg")):
        photo = Image.open(path).convert("RGB")
        photo.thumbnail((640, 640))
        assert sharpness(photo) > 2 * quality.BLURRED
        assert sharpness(photo.filter(ImageFilter.GaussianBlur(2))) < quality.BLURRED / 2


def test_drawings_and_slides_are_sharp_however_little_is_on_them():
    for picture in [*map(on_white, EMOJI), slide("One"), scene(1), Image.open(EMOJI[0]).convert("L").convert("RGB")]:
        assert sharpness(picture) > 2 * quality.BLURRED
        assert quality.quality(picture).spread > 2 * quality.BLANK


def test_a_face_before_a_blurred_garden_is_sharp():
    garden = scene(2, 640).filter(ImageFilter.GaussianBlur(12))
    garden.paste(scene(3, 120), (250, 250))
    assert sharpness(garden) > quality.BLURRED


def test_the_smallest_pictures_are_not_judged():
    assert [quality.quality(Image.new("RGB", size, "red")).sharpness for size in ((1, 1), (9, 400))] == [None, None]


@pytest.mark.parametrize(
    "again",
    [
        saved_again,
        lambda one: saved_again(one, 90, 0.4),
        lambda one: ImageEnhance.Brightness(one).enhance(1.1),
        lambda one: one.convert("L").convert("RGB"),
    ],
    ids=["smaller", "much smaller", "brighter", "grey"],
)
def test_a_picture_saved_again_is_its_double(again):
    pytest.importorskip("imagehash")
    for picture in (scene(4), slide("Tuning a harp", "Seven pedals")):
        other = again(picture)
        own, others = doubles.perceptual_hash(picture), [doubles.perceptual_hash(other)]
        assert doubles.distances(own, others)[0] <= doubles.BITS
        assert doubles.difference(picture, other) <= doubles.DIFFERENT


def test_slides_of_one_design_are_no_doubles():
    pytest.importorskip("imagehash")
    first, second = slide("Tuned in C flat", "Made of maple"), slide("Tuned in C flat", "Made of walnut")
    hashes = [doubles.perceptual_hash(one) for one in (first, second)]
    assert doubles.distances(hashes[0], hashes[1:])[0] <= doubles.BITS, "their hashes alone would not tell"
    assert doubles.difference(first, second) > doubles.DIFFERENT


def test_thousands_of_hashes_are_compared_at_once():
    rng = np.random.default_rng(0)
    many = [f"{int(one):016x}" for one in rng.integers(0, 1 << 63, 20_000)]
    assert doubles.distances(many[7], many).argmin() == 7
    slow = [(int(many[7], 16) ^ int(other, 16)).bit_count() for other in many[:50]]
    assert doubles.distances(many[7], many[:50]).tolist() == slow


# -- pictures: what is done --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("imagehash")
    scene(5).save(tmp_path / "a_scene.png")
    saved_again(scene(5)).save(tmp_path / "b_again.jpg")
    scene(6).filter(ImageFilter.GaussianBlur(6)).save(tmp_path / "c_shaken.png")
    Image.new("RGB", (300, 200), "#fefefe").save(tmp_path / "d_paper.png")
    scene(7).save(tmp_path / "e_other.png")
    return tmp_path


def test_off_nothing_is_looked_for(rag, folder):
    report = rag.index(folder)
    assert (report.items["image"], report.skipped, report.notes) == (5, (), ())
    assert "clean" not in report.seconds


def test_flagged_pictures_are_indexed_and_each_is_told_and_can_be_filtered(rag, folder):
    rag.settings.clean = "flag"
    report = rag.index(folder)
    assert (report.items["image"], report.skipped) == (5, ())
    assert notes(report) == {"b_again.jpg": "double", "c_shaken.png": "blurred", "d_paper.png": "blank"}
    assert "looks like a_scene.png" in dict(report.notes)["b_again.jpg"]
    found = {hit.item.name for hit in rag.search("a scene", k=10, where="'blurred' in flags")}
    assert found == {"c_shaken.png"}


def test_skipped_ones_have_a_reason_a_measure_and_the_way_on(rag, folder):
    rag.settings.clean = "skip"
    report = rag.index(folder)
    assert {item.name for item in rag.items()} == {"a_scene.png", "e_other.png"}
    assert [skipped.source.rsplit("/", 1)[1] for skipped in report.skipped] == [
        "b_again.jpg",
        "c_shaken.png",
        "d_paper.png",
    ]
    assert all('%config MMRag.clean = "flag"' in skipped.reason for skipped in report.skipped)
    assert "below 0.25" in report.skipped[1].reason


def test_doubles_of_what_the_index_has_are_found_in_another_run(rag, folder, tmp_path):
    rag.settings.clean = "skip"
    rag.index(folder / "a_scene.png")
    report = rag.index(folder / "b_again.jpg")
    assert "looks like a_scene.png" in report.skipped[0].reason


def test_what_is_there_stays_and_it_is_said_what_is_not_compared(rag, folder):
    rag.index(folder / "c_shaken.png")
    rag.settings.clean = "skip"
    report = rag.index(folder)
    assert report.reused == 1
    assert "c_shaken.png" in {item.name for item in rag.items()}
    assert "1 picture indexed while clean was off" in dict(report.notes)["doubles"]


def test_parts_of_a_record_are_flagged_and_never_left_out(rag, folder):
    rag.settings.clean = "skip"
    report = rag.index([{"text": "A shaken thing, sold as seen.", "image": str(folder / "c_shaken.png")}])
    assert (report.items["image"], report.skipped) == (1, ())
    assert "blurred" in notes(report).values()


def test_without_imagehash_it_is_said_what_to_install(rag, folder, monkeypatch):
    monkeypatch.setattr(doubles, "find_spec", lambda name: None)
    rag.settings.clean = "flag"
    with pytest.raises(NotInstalled, match=r'imagehash is not installed: pip install "mmrag-nb\[clean\]"'):
        rag.index(folder)


# -- sounds ------------------------------------------------------------------------------------------------------------


def voice(seconds: float = 3.0, level: float = 0.2):
    """Something like speech: a buzz in syllables."""
    t = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 140 * n * t) / n for n in range(1, 12))
    return (level * buzz * (np.sin(2 * np.pi * 2.5 * t) > -0.2)).astype(np.float32)


def test_what_is_measured_of_sounds():
    rng = np.random.default_rng(0)
    spoken = sounding.sounding(voice(), RATE)
    assert not spoken.noise
    assert spoken.clipped < sounding.CLIPPED
    assert spoken.loudest > -25
    assert sounding.sounding(voice(level=0.001), RATE).loudest < sounding.SILENT < -40
    assert sounding.sounding(np.clip(voice(level=2.0), -0.9, 0.9), RATE).clipped > sounding.CLIPPED
    assert sounding.sounding(rng.normal(0, 0.1, 3 * RATE).astype(np.float32), RATE).noise
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE).astype(np.float32)
    assert not sounding.sounding(0.3 * tone, RATE).noise
    assert sounding.sounding(np.zeros(10, np.float32), RATE).loudest < -100


@pytest.mark.cases
def test_people_who_speak_are_neither_silent_nor_noise(cases):
    from mmrag_nb.loaders.audio import AudioLoader, samples

    for path in sorted((cases / "speech").glob("*.*")):
        if path.suffix in {".wav", ".flac"}:
            for chunk in AudioLoader().load(path, path.name).chunks:
                heard = sounding.sounding(samples(chunk.audio), chunk.audio.frame_rate)
                assert (heard.noise, heard.loudest > sounding.SILENT) == (False, True)


def test_a_recording_in_which_hardly_anything_is_heard_is_left_out(rag):
    rag.settings.clean = "skip"
    report = rag.index([{"audio": (voice(level=0.0012), RATE)}, {"audio": (voice(), RATE)}])
    assert report.items["audio"] == 1
    assert "never louder than" in report.skipped[0].reason


def test_noise_is_flagged_and_stays(rag):
    rag.settings.clean = "skip"
    hiss = np.random.default_rng(1).normal(0, 0.1, 4 * RATE).astype(np.float32)
    report = rag.index([{"audio": (hiss, RATE)}])
    assert (report.items["audio"], report.skipped) == (1, ())
    assert any(note.startswith("noise: steady") for _, note in report.notes)


# -- texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("\ufb01nd the o\ufb03ce", "find the office"),
        ("E = mc\u00b2 and \u211d, \u00bd", "E = mc\u00b2 and \u211d, \u00bd"),
        (
            "\u3053\u3093\u306b\u3061\u306f\uff0c\u4e16\u754c\uff01",
            "\u3053\u3093\u306b\u3061\u306f\uff0c\u4e16\u754c\uff01",
        ),
        ("har\u00admony and har\u00ad\nmony", "harmony and harmony"),
        ("ha\u200brp \ufeffstring", "harp string"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c"),
        ("\u0e01\u200b\u0e02", "\u0e01\u200b\u0e02"),
        ("a\x07b\tc\x0cd", "ab\tc\nd"),
        ("two   blanks\xa0here  \n\n\n\nend", "two blanks here\n\nend"),
        ("def f():\n    return 1", "def f():\n    return 1"),
        ("the ferry time-\ntable hangs here", "the ferry timetable hangs here"),
        ("a well-known harp, as well-\nknown as any", "a well-known harp, as well-known as any"),
        ("Smith-\nJones plays", "Smith-Jones plays"),
    ],
)
def test_texts_are_as_they_were_meant(said, meant):
    assert normalised(said).text == meant
    assert normalised(meant).text == meant, "what is clean stays"


def test_it_is_told_what_was_done_and_what_repeats():
    pages = "".join(f"ACME Ltd, page {n} of 5\nSomething about harps, {'x' * n}.\n" for n in range(1, 6))
    made = normalised(pages + "soft\u00adly")
    assert made.changes == ("1 soft hyphens",)
    assert made.repeated == (("ACME Ltd, page 1 of 5", 5),)
    assert made.text.count("ACME") == 5, "told, not dropped"


def test_clean_texts_are_embedded_shown_and_found_as_they_were_meant(rag):
    text = "A con\u00adcert harp has forty-\nseven strings and a \ufb01ne sound."
    rag.index([{"text": text}])
    rag.settings.clean = "flag"
    report = rag.index([{"text": text}, {"text": "Hm."}])
    assert report.embedded == 2, "texts that are named again are cut anew"
    hit = rag.search("a concert harp's fine sound")[0]
    assert hit.chunk.text == "A concert harp has fortyseven strings and a fine sound."
    assert [hit.chunk.text[start:end] for start, end in hit.matches] == ["concert harp", "fine sound"]
    assert "short" in notes(report).values()
    before = rag.index([{"text": text}])
    assert before.reused == 1
