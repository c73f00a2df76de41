"""What is known of a picture or a sound is known by its place, however many chunks stand before it now."""

from contextlib import closing
from dataclasses import replace

import pytest
from films import cut_film, needs_ffmpeg, srt

from mmrag_nb import MultimodalRAG
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import BEGUN, Described, Entry
from mmrag_nb.insight.spoken import WORDS
from mmrag_nb.transcribing import _recall
from mmrag_nb.types import Chunk, Item, LoadedChunk, LoadedItem, Preview
from mmrag_nb.workload import Work

FILM = Item("ab" * 32, "talk.mp4", "video")
RECIPE = "video-1/beside by listener"


@needs_ffmpeg
def test_a_frame_keeps_its_own_caption_when_other_utterances_stand_before_it(tmp_path):
    film = cut_film(tmp_path / "film.mp4")
    srt(tmp_path / "film.srt", (0.2, 0.6, "Kites rise."), (3.0, 3.9, "Bells ring."), (9, 11, "The harp has strings."))
    choices = {"preset": "offline", "strategy": "grounded", "speech": "none", "ocr": "none", "captioner": "tags"}
    with MultimodalRAG(**choices) as rag, MultimodalRAG(**choices, subtitles="ignore") as fresh:
        rag.index(str(film))
        rag.settings.subtitles = "ignore"
        rag.index(str(film))
        fresh.index(str(film))
        assert _captions(rag) == _captions(fresh)
        assert len(set(_captions(fresh).values())) == 3


def _captions(rag):
    (item,) = rag.items()
    stored = rag._catalog.records(rag._catalog.chunk_ids(item.id)).values()
    return {one.chunk.start: one.described["caption"].text for one in stored if one.chunk.modality == "image"}


def _entry(*chunks, view="image"):
    placed = [replace(chunk, ordinal=ordinal) for ordinal, chunk in enumerate(chunks)]
    views = [[(view, f"{view} {one.start}")] if one.modality == "image" else [("text", one.text)] for one in placed]
    said = {one.ordinal: {"caption": Described("eye", f"at {one.start}")} for one in placed if one.modality == "image"}
    return Entry(FILM, placed, views, RECIPE, described=said if view == "image" else {})


@pytest.mark.parametrize("more", [0, 1, 2])
def test_another_strategys_views_and_captions_follow_the_picture(more):
    words = [Chunk(FILM.id, 0, "text", f"words {n}", 0.5, 0.9) for n in range(3)]
    frames = [Chunk(FILM.id, 0, "image", "", start, start + 4.0) for start in (0.0, 4.0, 8.0)]
    with closing(Catalog()) as catalog:
        catalog.add([_entry(frames[0], words[0], *frames[1:])], {})
        catalog.add([_entry(frames[0], *words[: more + 1], *frames[1:], view="titled")], {})
        ids = catalog.chunk_ids(FILM.id)
        stored, views = catalog.records(ids), catalog.views(ids)
        for one in ids:
            chunk = stored[one].chunk
            if chunk.modality == "image":
                assert dict(views[one])["image"] == f"image {chunk.start}"
                assert stored[one].described["caption"].text == f"at {chunk.start}"
            else:
                assert dict(views[one]) == {"text": chunk.text}


def test_what_was_heard_is_found_by_its_seconds():
    spoken = [Chunk(FILM.id, n, "audio", f"heard {n}", 5.0 * n, 5.0 * n + 4) for n in range(2)]
    noted = {(1, WORDS): Preview("application/json", b"[]")}
    with closing(Catalog()) as catalog:
        catalog.add([Entry(FILM, spoken, [[], []], RECIPE + BEGUN, previews=noted)], {})
        heard = catalog.heard(FILM.id, WORDS)
    cue, known, new = LoadedChunk("text", "a cue"), *(LoadedChunk("audio", "", at, at + 4) for at in (5.0, 10.0))
    sounding = [replace(one, audio=object()) for one in (known, new)]
    work = Work(FILM, LoadedItem((cue, *sounding)), RECIPE, "video-1/beside", heard)
    _recall(work)
    assert [chunk.text for chunk in work.loaded.chunks] == ["a cue", "heard 1", ""]
    assert work.loaded.chunks[1].previews == {WORDS: noted[1, WORDS]}


def test_a_stopped_run_by_another_listener_leaves_nothing_of_the_one_before():
    def spoken(said, *ordinals):
        return [Chunk(FILM.id, n, "audio", f"{said} {n}", 5.0 * n, 5.0 * n + 4) for n in ordinals]

    frame = Chunk(FILM.id, 3, "image", "", 15.0, 20.0)
    noted = {(n, WORDS): Preview("application/json", b"[]") for n in range(4)}
    with closing(Catalog()) as catalog:
        catalog.add([Entry(FILM, [*spoken("first", 0, 1, 2), frame], [[]] * 4, RECIPE, previews=noted)], {})
        another = "video-1/beside by another"
        catalog.add([Entry(FILM, spoken("second", 0), [[]], another + BEGUN, section=(0, False))], {})
        assert catalog.heard(FILM.id, WORDS) == {(0.0, 4.0): ("second 0", {})}
        kept = catalog.records(catalog.chunk_ids(FILM.id)).values()
        assert {(one.chunk.ordinal, one.chunk.modality) for one in kept} == {(0, "audio"), (3, "image")}
        assert not catalog.previews(FILM.id, 2, (WORDS,))
        catalog.add([Entry(FILM, spoken("second", 1), [[]], another + BEGUN, section=(1, False))], {})
        assert [text for text, _ in catalog.heard(FILM.id, WORDS).values()] == ["second 0", "second 1"]
