"""A film from the file to the card: indexed, found by its pictures and words, played from its second."""

import io
import shutil

import pytest
from bs4 import BeautifulSoup
from films import cut_film, ffmpeg, needs_ffmpeg, srt
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.types import Chunk, Item, Preview
from mmrag_nb.views import text_view

pytestmark = needs_ffmpeg
CUES = ((1, 4.2, "The harbour master keeps eleven lanterns."), (5, 8.5, "Walnut bread is sold on Tuesdays."))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A film of three drawings, four seconds each, with subtitles and a text beside it."""
    folder = tmp_path_factory.mktemp("lecture")
    drawings = []
    for number, name in enumerate(("drawing_02", "drawing_09", "drawing_06")):  # red apple, elephant, bicycle
        canvas = Image.new("RGB", (480, 270), "white")
        drawn = Image.open(demo_folder() / "emoji" / f"{name}.png").convert("RGB").resize((250, 250))
        canvas.paste(drawn, (115, 10))
        canvas.save(folder / f"{number}.png")
        drawings += ["-loop", 1, "-framerate", 10, "-t", 4, "-i", folder / f"{number}.png"]
    sound = "-f lavfi -i sine=f=300:b=2:d=12".split()
    joined = "-filter_complex [0][1][2]concat=n=3[v] -map [v] -map 3:a".split()
    ffmpeg(*drawings, *sound, *joined, *"-pix_fmt yuv420p -c:v libx264 -c:a aac".split(), folder / "talk.mp4")
    for picture in folder.glob("*.png"):
        picture.unlink()
    srt(folder / "talk.en.srt", *CUES)
    (folder / "notes.txt").write_text("A note about nothing in particular.")
    return folder


@pytest.fixture(scope="module")
def rag(folder):
    rag = MultimodalRAG(preset="offline", speech="none")
    rag.index([str(folder)])
    return rag


def test_subtitles_are_part_of_the_film_and_no_item_of_their_own(rag):
    assert [item.name for item in rag.items()] == ["notes.txt", "talk.mp4"]
    assert rag.items()[1].modality == "video"
    assert ("talk.mp4", "subtitles talk.en.srt are used instead of a transcript") in rag.report.notes
    assert rag.report.items == {"text": 1, "video": 1}


def test_what_is_said_is_found_at_its_second(rag):
    hit = rag.search("How many lanterns does he keep?", k=1)[0]
    assert (hit.chunk.start, hit.chunk.end) == (1, 4.2)
    assert hit.chunk.modality == "audio"


@pytest.mark.parametrize(("question", "second"), [("a red apple", 2), ("an elephant", 6), ("a bicycle", 10)])
def test_what_is_shown_is_found_at_its_second(rag, question, second):
    hit = rag.search(question, k=1, modalities="image")[0]
    assert hit.chunk.start <= second < hit.chunk.end


def test_video_means_all_that_a_video_is_made_of(rag):
    found = rag.search("bread lanterns note apple", k=20, modalities="video")
    assert {hit.item.name for hit in found} == {"talk.mp4"}
    assert {hit.chunk.modality for hit in found} == {"audio", "image"}
    assert {hit.item.name for hit in rag.search("note", k=20, modalities="text")} == {"notes.txt"}


def test_nothing_is_read_again(rag, folder):
    before = len(rag.chunks("talk.mp4"))
    report = rag.index([str(folder)])
    assert report.reused == 2
    assert len(rag.chunks("talk.mp4")) == before


def test_subtitles_that_come_or_change_later_are_read(folder, tmp_path):
    with MultimodalRAG(preset="offline", speech="none") as rag:
        shutil.copy(folder / "talk.mp4", tmp_path)
        rag.index(str(tmp_path))
        srt(tmp_path / "talk.srt", *CUES)
        assert rag.index(str(tmp_path)).changed == (str(tmp_path / "talk.mp4"),)
        assert rag.search("How many lanterns does he keep?", k=1)[0].chunk.start == 1
        srt(tmp_path / "talk.srt", (1, 4.2, "The harbour master sold his lanterns."))
        rag.index(str(tmp_path))
        assert "sold" in rag.search("How many lanterns does he keep?", k=1)[0].chunk.text
        assert len(rag.items()) == 1
        assert rag.index(str(tmp_path)).reused == 1


def test_a_hit_plays_from_its_second_in_its_card(rag):
    hits = rag.search("How many lanterns does he keep?", k=3)
    page = BeautifulSoup(hits._repr_html_(), "html.parser")
    first = page.select_one("li.mm-item")
    player = first.video
    assert player["preload"] == "none"
    assert player.has_attr("controls")
    assert player["src"].startswith("data:video/mp4;base64,")
    assert player["poster"].startswith("data:image/jpeg;base64,")
    assert player["aria-label"].startswith("play talk.mp4, 1.0-4.2 s")
    assert first.audio is None, "the film has the sound"
    assert "eleven" in first.text
    assert "talk.mp4" in repr(hits)
    assert "1.0-4.2 s" in repr(hits)


def test_a_film_without_room_leaves_its_picture_and_its_sound(rag):
    hits = rag.search("How many lanterns does he keep?", k=1)
    large = Preview("video/mp4", b"\0" * 400_000)
    object.__setattr__(hits[0], "previews", {**hits[0].previews, "film": large})
    html = hits._repr_html_()
    first = BeautifulSoup(html, "html.parser").select_one("li.mm-item")
    assert first.video is None
    assert first.img["alt"].startswith("talk.mp4 at 1.0")
    assert first.audio is not None
    assert "film left out" in first.text
    assert len(html) < 400_000


def test_a_films_name_says_nothing_of_one_frame_of_it():
    item = Item("0", "red_apple.mp4", "video", {"speaker": "Ada"})
    assert text_view("titled", Chunk("0", 0, "image", start=0.0, end=4.0), item, {}) == ""
    assert text_view("titled", Chunk("0", 0, "image", page=2), item, {}) == ""
    assert text_view("titled", Chunk("0", 0, "image"), item, {}) == "red apple"


def test_minutes_are_told_as_a_player_does(tmp_path):
    path = tmp_path / "long.mp4"
    ffmpeg(*"-f lavfi -i testsrc=s=96x54:r=2:d=80 -c:v libx264".split(), path)
    srt(path.with_suffix(".srt"), (70, 74, "Late but said."))
    with MultimodalRAG(preset="offline", speech="none") as rag:
        rag.index([str(path)])
        hits = rag.search("late", k=1)
    assert "1:10-1:14 of 1:20" in hits._repr_html_()
    assert "1:10-1:14" in repr(hits)


def test_what_cannot_be_read_is_skipped_and_told(tmp_path):
    whole = cut_film(tmp_path / "a.mp4", "-c:v", "libx264", "-c:a", "aac")
    (tmp_path / "b.mp4").write_bytes(whole.read_bytes()[:3000])
    with MultimodalRAG(preset="offline", speech="none") as rag:
        report = rag.index([str(tmp_path)])
        assert [skipped.source.rsplit("/", 1)[-1] for skipped in report.skipped] == ["b.mp4"]
        assert "damaged" in report.skipped[0].reason
        assert rag.facts("a.mp4")["frames"] == 3
        thumbnail = rag.previews("a.mp4", 0)["thumbnail"].data
    assert max(Image.open(io.BytesIO(thumbnail)).size) <= 480
