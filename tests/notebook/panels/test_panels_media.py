"""The panels of recordings, pictures and of what is indexed, without a browser: acts as a page would send them."""

import shutil
import threading

import pytest

pytest.importorskip("torch")
pytest.importorskip("anywidget")

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.panels import image_grid, waveform
from mmrag_nb.notebook.panels.image_grid import ImageGridPanel
from mmrag_nb.notebook.panels.index import IndexPanel
from mmrag_nb.notebook.panels.live import Act
from mmrag_nb.notebook.panels.uploads import Dropped
from mmrag_nb.notebook.panels.waveform import WaveformPanel
from mmrag_nb.notebook.render.media import ROOM

DEMO = demo_folder()


@pytest.fixture(scope="module")
def rag():
    rag = MultimodalRAG(preset="offline")
    rag.index([DEMO / "lighthouse_talk.mp3", DEMO / "emoji", DEMO / "tide_tables.txt"])
    yield rag
    rag.close()


def act(panel, name, target="", **values):
    panel._handle_custom_msg({"act": name, "target": target, "values": values, "n": "1"}, [])


def wait(panel):
    """Wait for the acts that have a thread of their own."""
    for thread in threading.enumerate():
        if thread.name.startswith(panel.label):
            thread.join(60)
            assert not thread.is_alive()


def drawn(panel):
    return "".join(panel.regions.values())


# -- recordings --------------------------------------------------------------------------------------------------------


def test_a_hit_opens_its_recording_at_its_utterance(rag):
    hit = next(hit for hit in rag.search("when does the workshop start?", k=5) if hit.chunk.modality == "audio")
    panel = WaveformPanel(hit, rag)
    assert panel.selected == hit.chunk
    assert "data:audio/mpeg;base64," in drawn(panel)
    assert "autoplay" not in drawn(panel)
    assert f"waveform, {hit.chunk.start:.1f} to {hit.chunk.end:.1f} seconds marked" in drawn(panel)


def test_a_click_on_an_utterance_plays_it_and_tells_who_listens(rag):
    panel = WaveformPanel("lighthouse_talk.mp3", rag)
    told = []
    panel.observe(lambda change: told.append(change["new"]), "selected")
    act(panel, "play", "2")
    assert [chunk.ordinal for chunk in told] == [2]
    assert "autoplay" in drawn(panel)
    assert "autoplay" not in panel.still()  # a notebook that is opened again is silent
    assert panel.chosen == {"play": "2"}
    assert "keeper" in panel.text()


@pytest.mark.parametrize("target", ["99", "-1", "__class__", "", "9" * 5000])
def test_what_a_page_cannot_mean_is_one_line(rag, target):
    panel = WaveformPanel("lighthouse_talk.mp3", rag)
    before = panel.selected
    act(panel, "play", target)
    assert panel.failed
    assert "5 utterances" in panel.status
    assert panel.selected == before


def test_only_recordings_have_a_waveform(rag):
    with pytest.raises(MMRagError, match="no recording but text"):
        WaveformPanel("tide_tables.txt", rag)


def test_a_long_recording_lists_what_is_around_the_chosen_utterance(rag, monkeypatch):
    monkeypatch.setattr(waveform, "MOST", 2)
    panel = WaveformPanel("lighthouse_talk.mp3", rag)
    panel.play(4)
    assert drawn(panel).count("<li") == 2
    assert "cake" in drawn(panel)
    assert "3 other utterances" in drawn(panel)


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_pictures_are_turned_by_the_page_and_found_by_name(rag, monkeypatch):
    monkeypatch.setattr(image_grid, "PAGE", 5)
    panel = ImageGridPanel(rag)
    assert drawn(panel).count("<li") == 5
    assert "page 1 of 3" in drawn(panel)
    act(panel, "page", "2")
    assert drawn(panel).count("<li") == 2
    act(panel, "page", "700")
    assert "page 3 of 3" in drawn(panel)
    act(panel, "find", filter="drawing_1")
    assert [item.name for item in panel.items] == ["drawing_10.png", "drawing_11.png", "drawing_12.png"]
    assert panel.page == 0
    act(panel, "find", filter="walrus")
    assert "no picture of that name" in drawn(panel)
    act(panel, "all")
    assert len(panel.items) == 12


def test_a_click_enlarges_and_more_like_it_follows(rag):
    panel = ImageGridPanel(rag)
    apple = rag.item("drawing_02.png")
    act(panel, "open", apple.id)
    assert panel.selected == apple
    assert 'alt="picture drawing_02.png"' in drawn(panel)
    act(panel, "like", apple.id)
    assert panel.like == apple
    expected = [hit.item.name for hit in rag.similar(apple, 100, modalities=["image"])]
    assert [item.name for item in panel.items] == expected
    assert "drawing_02.png" not in expected
    act(panel, "close")
    assert panel.selected is None


def test_a_picture_that_is_gone_is_told(rag):
    panel = ImageGridPanel(rag)
    act(panel, "open", "nothing")
    assert panel.failed
    assert "no longer in the index" in panel.status


def test_a_thousand_pictures_leave_a_small_static_picture():
    from PIL import Image

    with MultimodalRAG(preset="offline", clip="none") as rag:
        noise = [Image.effect_noise((300, 300), 80 + n / 10).convert("RGB") for n in range(60)]
        rag.index([{"image": picture, "caption": f"noise {n}"} for n, picture in enumerate(noise)])
        panel = ImageGridPanel(rag)
        panel.selected = panel.items[0]
        assert len(panel.still().encode()) < ROOM
        assert "12 others on other pages" in panel.still()


# -- the index ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with MultimodalRAG(preset="offline", clip="none") as rag:
        yield rag


def test_a_path_that_is_typed_is_indexed_and_what_is_skipped_is_told_why(empty, tmp_path):
    (tmp_path / "harp.txt").write_text("A harp has forty-seven strings.")
    (tmp_path / "empty.txt").write_text("")
    panel = IndexPanel(empty)
    assert "nothing is indexed yet" in drawn(panel)
    act(panel, "add", sources="*.txt")
    wait(panel)
    assert panel.report.embedded == 1
    assert "1 skipped" in panel.status
    assert "empty.txt" in drawn(panel)
    assert "harp.txt" in drawn(panel)
    act(panel, "add", sources=" ")
    wait(panel)
    assert panel.failed
    assert "photos/*.jpg" in panel.status


def test_dropped_files_are_kept_and_indexed_by_their_name(empty, tmp_path):
    dropped = tmp_path / "upload" / "tide.txt"
    dropped.parent.mkdir()
    panel = IndexPanel(empty)
    for text in ["High tide at noon.", "High tide at noon.", "Low tide at six."]:
        dropped.write_text(text)
        panel._on_files(Act("files", files=(Dropped("tide.txt", dropped),)))
    shutil.rmtree(dropped.parent)
    assert sorted(path.name for path in (tmp_path / "dropped").iterdir()) == ["tide-2.txt", "tide.txt"]
    assert [item.name for item in panel.items] == ["tide-2.txt", "tide.txt"]  # the newest first
    assert empty.search("when is low tide?", k=1)[0].item.name == "tide-2.txt"


def test_an_item_is_chosen_and_taken_out(empty, tmp_path):
    (tmp_path / "harp.txt").write_text("A harp has forty-seven strings.")
    panel = IndexPanel(empty)
    panel.add("harp.txt")
    key = panel.items[0].id
    act(panel, "select", key)
    assert panel.selected.name == "harp.txt"
    act(panel, "remove", key)
    assert panel.items == []
    assert panel.selected is None
    assert (tmp_path / "harp.txt").exists()
    act(panel, "remove", key)
    assert "no longer in the index" in panel.status


@pytest.fixture
def slow(empty, tmp_path, monkeypatch):
    """A panel whose indexing goes on with the fourth item when ``go`` is set."""
    for n in range(40):
        (tmp_path / f"{n:02}.txt").write_text(f"A harp has {n} strings.")
    panel = IndexPanel(empty)
    panel.reached, panel.go = threading.Event(), threading.Event()
    index = empty.index

    def slowly(sources, *, progress):
        def told(stage, done, total):
            progress(stage, done, total)
            if stage == "indexed":  # the first sixteen are committed
                panel.reached.set()
                assert panel.go.wait(30)

        return index(sources, progress=told)

    monkeypatch.setattr(empty, "index", slowly)
    return panel


def test_a_long_run_can_be_stopped_and_taken_up_again(slow):
    act(slow, "add", sources="*.txt")
    assert slow.reached.wait(30)
    assert slow.busy
    assert 'data-mm-act="stop"' in drawn(slow)
    act(slow, "find", filter="07")  # other acts are heard meanwhile
    assert [item.name for item in slow.items] == ["07.txt"]
    act(slow, "stop")
    slow.go.set()
    wait(slow)
    assert (slow.status, slow.failed, slow.busy) == ("stopped", False, False)
    assert slow.report.interrupted
    assert slow.report.embedded == 16
    assert "Stopped." in drawn(slow)
    assert "Stopped." in slow.still()
    assert 'data-mm-act="stop"' not in drawn(slow)
    done = slow.add("*.txt")
    assert (done.embedded, done.reused, done.interrupted) == (24, 16, False)
    assert "Stopped." not in drawn(slow)


def test_a_second_run_is_refused_while_one_goes_on(slow):
    act(slow, "add", sources="*.txt")
    assert slow.reached.wait(30)
    with pytest.raises(MMRagError, match="wait until that is done, or stop it"):
        slow.add("*.txt")
    slow.go.set()
    wait(slow)
    assert slow.report.embedded == 40
    assert not slow.failed


def test_where_nothing_goes_on_stop_does_nothing(empty, tmp_path):
    (tmp_path / "harp.txt").write_text("A harp has forty-seven strings.")
    panel = IndexPanel(empty)
    panel.stop()
    act(panel, "stop")
    assert panel.add("harp.txt").embedded == 1


def test_a_run_stopped_in_a_cell_fails_the_cell(slow):
    threading.Thread(target=lambda: (slow.reached.wait(30), slow.stop(), slow.go.set())).start()
    with pytest.raises(KeyboardInterrupt):
        slow.add("*.txt")
    assert slow.report.interrupted
    assert slow.status == "interrupted"


def test_hostile_names_stay_text(empty, tmp_path):
    (tmp_path / "<img src=x onerror=alert(1)>.txt").write_text("A harp.")
    panel = IndexPanel(empty)
    panel.add(str(tmp_path))
    assert "<img" not in drawn(panel) + panel.still()
    assert "&lt;img" in drawn(panel)
