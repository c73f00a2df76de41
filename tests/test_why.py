"""Why something was found, or was not: the shipped demo, offline, with the models that ship."""

from contextlib import closing

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_sources
from mmrag_nb.catalog.database import Database
from mmrag_nb.errors import EmptyIndex, InvalidSetting, MMRagError, UnknownName

APPLE = "Which picture shows a red apple?"
WORKSHOP = "When does the model ship workshop start?"
HARP = "How many pedals does a concert harp have?"
ROOM = 400_000


@pytest.fixture(scope="module")
def rag():
    pytest.importorskip("pocketsphinx")
    rag = MultimodalRAG(preset="offline")
    rag.index(demo_sources())
    return rag


# -- what was found ----------------------------------------------------------------------------------------------------


def test_a_picture_shows_where_its_cosine_comes_from(rag):
    answer = rag.ask(APPLE)
    why = rag.why(1)
    assert why.name == "drawing_02.png"
    assert why.hit is answer.hits[0] or why.hit.score == answer.hits[0].score
    assert why.verdict == "Hit 1 of 5: 1st of all 38 chunks, 1st of the 17 pictures."
    (view,) = why.views
    assert view.modality == "image"
    assert view.counted
    assert view.cosine == pytest.approx(answer.hits[0].cosine, abs=1e-5)
    assert view.calibrated == pytest.approx(answer.hits[0].calibrated, abs=1e-3)
    assert (view.place, view.of) == (1, 17)
    assert why.heat.cosine == pytest.approx(view.cosine, abs=0.03), "the stand-in is seen as the picture was"
    assert len(why.heat.cells) == 8
    assert max(max(row) for row in why.heat.cells) > 0.25 * view.deviation
    assert max(why.asked, key=lambda word: word.share).text == "apple"
    assert "<img" in why._repr_html_()
    assert len(why._repr_html_().encode()) < ROOM


def test_a_sound_shows_its_words_in_time(rag):
    rag.ask(WORKSHOP)
    why = rag.why(1)
    assert why.name == "lighthouse_talk.mp3"
    assert why.times == "heard"
    words = {word.text: word for word in why.words}
    assert {w.text for w in sorted(why.words, key=lambda w: -w.share)[:3]} == {"model", "ship", "workshop"}
    spoken = [words[text].said_from for text in ("our", "model", "ship", "workshop", "starts", "thursday", "nine")]
    assert spoken == sorted(spoken)
    assert why.hit.chunk.start <= spoken[0] < spoken[-1] <= why.hit.chunk.end
    assert words["nine"].said_from == pytest.approx(23.9, abs=0.4)
    page = why._repr_html_()
    assert "<svg" in page
    assert "<audio" in page
    assert "workshop" in page
    assert len(page.encode()) < ROOM
    assert "about" not in page.split("words in time")[1].split("</svg>")[0]


def test_a_text_shows_each_words_share_and_what_the_shared_words_brought(rag):
    rag.ask(HARP)
    why = rag.why(1)
    assert why.name == "tuning_a_harp.md"
    brought = {term.text: term for term in why.terms}
    assert brought["concert"].brought > 0
    assert brought["many"].brought == 0 < brought["many"].worth
    assert why.hit.score == pytest.approx(why.hit.calibrated + sum(t.brought for t in why.terms), abs=1e-3)
    assert sum(word.share for word in why.words if word.share > 0) == pytest.approx(1.0)
    assert "concert" in {word.text for word in sorted(why.words, key=lambda w: -w.share)[:3]}
    assert [why.text[word.start : word.end] for word in why.words] == [word.text for word in why.words]
    assert why.heat is None
    table = why.to_pandas()
    assert set(table["of"]) == {"question", "text", "lexical"}


def test_a_captioned_picture_is_explained_by_both_its_views(rag):
    rag.ask("a lighthouse under a starry sky")
    why = rag.why("lighthouse_at_night.png")
    assert {view.modality: view.counted for view in why.views} == {"image": False, "text": True}
    assert why.text.startswith(why.hit.chunk.text)
    assert why.heat is not None
    assert "The score does not rest on the pixels" in why._repr_html_()


# -- what was not found ------------------------------------------------------------------------------------------------


def test_what_was_not_found_is_told_what_would_have_had_to_change(rag):
    hits = rag.search(APPLE, k=3)
    why = rag.why("drawing_12.png")
    everything = rag.search(APPLE, k=38)
    place = next(hit for hit in everything if hit.item.name == "drawing_12.png")
    assert not why.placing.found
    assert why.placing.rank == place.rank
    assert why.placing.of == len(everything)
    pictures = [hit.item.name for hit in everything if hit.chunk.modality == "image"]
    assert why.placing.among_kind == pictures.index("drawing_12.png") + 1
    assert why.hit.score == pytest.approx(place.score, abs=1e-4)
    assert why.hit.raw_rank == place.raw_rank
    told = "\n".join(rag.why("drawing_12.png", question=APPLE, k=3).changes)
    needed = hits[-1].score - place.score
    cosine = place.cosine + needed * why.views[0].deviation
    assert f"It needs {needed:+.1f} σ to be among the 3: a cosine of {cosine:.3f} instead of {place.cosine:.3f}" in told
    assert f"k of {place.rank} or more would show it." in told
    assert "A caption with “apple”" in told
    assert f"Ranked by raw cosine it would be {place.raw_rank}" in told


def test_the_cosine_it_says_is_needed_is_enough(rag):
    """Slow and obvious: with that much more, it stands where the last hit stood."""
    hits = rag.search(APPLE, k=3)
    why = rag.why("drawing_12.png", question=APPLE, k=3)
    view = why.views[0]
    needed = next(float(one.split(" instead")[0].split()[-1]) for one in why.changes if "instead of" in one)
    assert view.calibrated + (needed - view.cosine) / view.deviation == pytest.approx(hits[-1].score, abs=0.02)


def test_a_rank_beyond_the_hits_is_explained_too(rag):
    rag.search(HARP, k=2)
    third = rag.search(HARP, k=3)[2]
    rag.search(HARP, k=2)
    why = rag.why(3)
    assert (why.name, why.placing.rank) == (third.item.name, 3)
    assert why.hit.chunk == third.chunk
    with pytest.raises(InvalidSetting, match="there is no hit 39: 38 chunks were ranked"):
        rag.why(39)


def test_another_question_can_be_explained_and_the_last_one_stays(rag):
    rag.search(APPLE, k=1)
    assert rag.why(1, question=HARP).name == "tuning_a_harp.md"
    assert rag.why(1).name == "drawing_02.png"


@pytest.mark.parametrize("which", ["hit", "item", "name", "uri", "id", "digit"])
def test_it_can_be_named_in_many_ways(rag, which):
    hit = rag.search(APPLE, k=2)[0]
    ways = {
        "hit": hit,
        "item": hit.item,
        "name": hit.item.name,
        "uri": hit.item.uri,
        "id": hit.item.id[:12],
        "digit": "1",
    }
    assert rag.why(ways[which]).name == "drawing_02.png"


def test_raw_rankings_are_explained_in_cosines(rag):
    rag.search(HARP, k=2, raw=True)
    why = rag.why("tuning_a_harp.md")
    assert why.placing.raw
    assert "by raw cosine" in why.verdict
    assert any("Calibrated, with the words counted, it would be 1st" in one for one in why.changes)
    assert not why.terms
    assert "σ" not in why.changes[0]


def test_a_modality_that_was_not_searched_is_named(rag):
    rag.search(APPLE, modalities=["image"])
    why = rag.why("tuning_a_harp.md")
    assert why.hit is None
    assert why.verdict == "It could not be found: only image was searched, and this is text."
    assert rag.why("drawing_12.png").placing.of == 17


def test_what_was_asked_with_is_not_found(rag):
    rag.similar("drawing_02.png")
    assert "it is what was asked with" in rag.why("drawing_02.png").verdict
    why = rag.why(1)
    assert why.heat is not None, "a picture is compared with a picture"
    assert why.asked == ()


def test_what_has_no_vector_in_the_space_is_told(tmp_path):
    from mmrag_nb.assets.demo.media import demo_folder

    apple = {"path": str(demo_folder() / "emoji" / "drawing_02.png"), "caption": "a fruit"}
    rag = MultimodalRAG(preset="offline", clip="none")
    rag.index([apple, {"text": "A harp has strings."}])
    rag.search("a fruit")
    assert "Its pixels are not looked at (clip is 'none')." in rag.why("drawing_02.png").changes
    rag.settings.clip = "emoji"
    rag.search("a fruit")
    assert "It has no vector in clip:emoji: index it again." in rag.why("drawing_02.png").changes
    rag.index([apple])
    rag.search("a fruit")
    assert rag.why("drawing_02.png").heat is not None


# -- what is not there -------------------------------------------------------------------------------------------------


def test_what_was_skipped_says_why(tmp_path):
    rag = MultimodalRAG(preset="offline", speech="none")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
    rag.index([tmp_path / "broken.png", {"text": "A harp."}])
    why = rag.why("broken.png")
    assert why.hit is None
    assert "it was skipped" in why.verdict
    assert why.changes == (rag.report.skipped[0].reason,)
    assert why.changes[0] in repr(why)
    assert rag.why(rag.report.skipped[0].source).changes == why.changes


def test_what_was_never_indexed_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rag = MultimodalRAG(preset="offline")
    rag.index([{"text": "A harp.", "name": "harp"}])
    (tmp_path / "other.txt").write_text("A ferry.")
    (tmp_path / "model.stl").write_text("solid")
    why = rag.why("other.txt")
    assert "never indexed" in why.verdict
    assert "%mmrag_index other.txt" in why.changes[0]
    assert "files of its kind (.stl) are not read" in rag.why("model.stl").verdict


def test_a_name_that_leads_nowhere_is_told_with_the_nearest(rag):
    with pytest.raises(UnknownName, match=r"did you mean 'drawing_02\.png'"):
        rag.why("drawing_02.pgn")
    with pytest.raises(MMRagError, match="of type float is no hit"):
        rag.why(2.5)


def test_before_anything_was_asked(tmp_path):
    rag = MultimodalRAG(preset="offline")
    with pytest.raises(MMRagError, match="nothing was asked yet"):
        rag.why()
    with pytest.raises(EmptyIndex):
        rag.why(1, question="a harp?")


def test_silence_and_what_was_not_transcribed_are_told_apart(tmp_path):
    time = np.arange(16_000) / 16_000
    tone = (0.4 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    rag = MultimodalRAG(preset="offline", speech="none")
    rag.index([{"audio": (tone, 16_000), "name": "tone"}, {"text": "A harp."}])
    rag.search("a harp")
    sound = next(item for item in rag.items() if item.modality == "audio")
    assert "its speech was not transcribed (speech is 'none')" in rag.why(sound).verdict
    pytest.importorskip("pocketsphinx")
    rag = MultimodalRAG(preset="offline")
    rag.index([{"audio": (np.zeros(16_000, np.float32) + 1e-3 * tone, 16_000)}, {"text": "A harp."}])
    rag.search("a harp")
    sounds = [item for item in rag.items() if item.modality == "audio"]
    assert all("no words were heard" in rag.why(one).verdict or rag.why(one).hit for one in sounds)


def test_an_index_without_word_times_says_about(rag, tmp_path):
    """One that was made before they were kept."""
    rag.save(tmp_path / "old.mmrag")
    with closing(Database(tmp_path / "old.mmrag")) as db:
        db.execute("DELETE FROM previews WHERE kind = 'words'")
    with MultimodalRAG.open(tmp_path / "old.mmrag") as old:
        old.ask(WORKSHOP)
        why = old.why(1)
    assert why.times == "estimated"
    assert "seconds about" in why._repr_html_()
    assert "seconds about" in repr(why)
    assert all(why.hit.chunk.start - 1 <= word.said_from <= why.hit.chunk.end for word in why.words)


def test_word_times_outlast_another_run(tmp_path):
    """Indexed again with another caption, a recording is not listened to again."""
    pytest.importorskip("pocketsphinx")
    talk = next(source for source in demo_sources() if source["path"].endswith("lighthouse_talk.mp3"))
    rag = MultimodalRAG(preset="offline")
    rag.index([talk])
    rag.index([{**talk, "caption": "a guide speaks"}])
    rag.search(WORKSHOP)
    assert rag.why(1).times == "heard"


# -- the numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
def test_places_are_those_of_the_search_itself(rag, raw):
    everything = rag.search(WORKSHOP, k=38, raw=raw)
    for k in (38, 1):
        rag.search(WORKSHOP, k=k, raw=raw)
        for place in (1, 3, 12, 38):
            why = rag.why(place)
            assert (why.placing.rank, why.hit.chunk) == (place, everything[place - 1].chunk)


# -- regions in answers ------------------------------------------------------------------------------------------------


def test_an_answer_frames_the_part_that_matches(monkeypatch):
    from PIL import Image

    from mmrag_nb import carrying
    from mmrag_nb.assets.demo.media import demo_folder

    cactus = Image.open(demo_folder() / "emoji" / "drawing_08.png").convert("RGBA").resize((128, 128))
    corner = Image.new("RGB", (256, 256), "white")
    corner.paste(cactus, (128, 128), cactus)
    monkeypatch.setattr(carrying, "_PATIENCE", 60.0)  # the machine may be busy
    rag = MultimodalRAG(preset="offline")
    other = Image.open(demo_folder() / "emoji" / "drawing_03.png").convert("RGB")
    rag.index([{"image": corner}, {"image": other}])
    answer = rag.ask("a cactus")
    hit = next(hit for hit in answer.hits if hit.facts["width"] == 256)
    left, top, right, bottom = hit.region
    assert 0 <= left <= 0.75 <= right <= 1
    assert 0 <= top <= 0.75 <= bottom <= 1
    assert "what matches lies in the lower right" in answer._repr_html_()
    assert set(answer.timings) == {"embed", "search", "generate", "regions"}
    why = rag.why(hit)
    assert why.heat.where == "lower right"
    assert "what matches lies in the lower right" in why._repr_html_()
    assert rag.search("a cactus")[0].region is None, "a search is not held up by it"
