"""What is listed for many machines is what the plain path would open, one name at a time."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mmrag_nb.catalog.entries import Described, Entry
from mmrag_nb.catalog.relying import Relied
from mmrag_nb.errors import InvalidSetting
from mmrag_nb.registry import modality_of
from mmrag_nb.reports import Skipped
from mmrag_nb.scaling.engine import address_of, crew_for
from mmrag_nb.scaling.listing import Named, Wanted, listed
from mmrag_nb.scaling.rows import Made, add_tally, joined, pack, pack_tally, unpack
from mmrag_nb.sources.given import as_sources
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Chunk, Item, Preview, Record
from mmrag_nb.workload import Tally


@pytest.fixture
def there(tmp_path, monkeypatch):
    """The working directory, with folders of every sort in it."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(
        (
            "photos/b.txt",
            "photos/a/2.txt",
            "photos/a/1.txt",
            "photos/a.txt",
            "photos/.hidden.txt",
            "photos/drafts/x.txt",
            "photos/node_modules/y.txt",
            "photos/film.mp4",
            "photos/film.de.srt",
            "photos/lost.srt",
            "photos/z.docx",
            "photos/z.bin",
            "photos/[odd]/w.txt",
            "photos/venv/pyvenv.cfg",
            "photos/venv/lib.txt",
        )
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f"text {number}")
    Path("photos/.mmragignore").write_text("drafts/\n")
    Path("photos/a/loop").symlink_to("..", target_is_directory=True)
    return tmp_path


@pytest.mark.parametrize("typed", ["photos", "photos/", "photos/*.txt", "photos/**/*.txt", "photos/a.txt", "photos/no"])
def test_the_listing_leads_where_the_plain_path_leads(there, typed):
    plain = list(resolve(as_sources(typed), modality_of=modality_of))
    opened = []
    for one in listed(Wanted([Named(typed, {})], there)):
        if isinstance(one, Skipped):
            opened.append(one)
        else:
            opened += resolve(as_sources(one.name), modality_of=modality_of, base=there)
    assert items(opened) == items(plain)
    assert told(opened) == told(plain)


def items(outcomes):
    return [one.item.uri for one in outcomes if not isinstance(one, Skipped)]


def told(outcomes):
    return sorted((one.source, one.reason) for one in outcomes if isinstance(one, Skipped))


def test_ignore_patterns_of_a_run_count_beside_those_of_folders(there):
    names = [one.name for one in listed(Wanted([Named("photos", {})], there, ("a/",))) if isinstance(one, Named)]
    assert "photos/b.txt" in names
    assert not [name for name in names if name.startswith(("photos/a/", "photos/drafts/"))]


def test_a_folder_is_walked_no_further_than_it_is_read(there, monkeypatch):
    entered = []
    import mmrag_nb.scaling.listing as module

    scandir = module.os.scandir
    monkeypatch.setattr(module.os, "scandir", lambda path: entered.append(Path(path).name) or scandir(path))
    found = listed(Wanted([Named("photos", {})], there))
    assert list(islice(found, 1))
    assert "a" not in entered


def test_addresses_are_listed_as_they_are_with_what_is_said_of_them(tmp_path):
    named = Named("https://example.org/a.jpg", {"caption": "an apple"})
    assert list(listed(Wanted([named], tmp_path))) == [named]


def test_rows_carry_all_that_a_commit_holds():
    item = Item("ab" * 32, "photos/a.png", "image", {"price": 3.5, "tags": ["x"]}, Record("cd" * 32, "shoes"))
    entry = Entry(
        item,
        [Chunk(item.id, 4, "image", "a café", 0.5, None, 2)],
        [[("image", "key"), ("text", "other")]],
        "image-3",
        {"width": 4},
        {(-1, "thumbnail"): Preview("image/webp", b"\0\xff"), (4, "proxy"): Preview("image/jpeg", b"")},
        {4: {"ocr": Described("rapidocr", "SALE")}},
        (4, True),
        "run",
    )
    vectors = {"clip:emoji": {"key": np.asarray([0.25, -1.0], np.float32)}, "words": {}}
    relied = {"clip:emoji": Relied(2, {"model": "emoji"}, {"torch": "2"})}
    made = Made([entry], vectors, {"preset": "offline"}, relied, [item])
    again = unpack(*pack(made))
    assert again.entries == [entry]
    assert again.updated == [item]
    assert again.meta == made.meta
    assert again.relied == relied
    assert again.vectors["words"] == {}
    np.testing.assert_array_equal(again.vectors["clip:emoji"]["key"], vectors["clip:emoji"]["key"])
    assert again.vectors["clip:emoji"]["key"].flags.writeable


def test_what_is_written_at_once_is_all_that_several_made():
    one = Made((), {"words": {"a": np.zeros(1, np.float32)}}, {"preset": "offline"}, {}, [Item("1", "a", "text")])
    other = Made(
        (), {"words": {"b": np.ones(1, np.float32)}}, {}, {"words": Relied(1, {}, {})}, [Item("2", "b", "text")]
    )
    both = joined([one, Made(), other])
    assert both.vectors["words"].keys() == {"a", "b"}
    assert (both.meta, both.relied) == (one.meta, other.relied)
    assert both.updated == [*one.updated, *other.updated]


def test_what_workers_tell_adds_up():
    one = Tally(chunks=2, embedded=1, skipped=[Skipped("x", "bad")], notes={("a", "b"): None}, models={"m": None})
    one.items["image"] += 2
    one.seconds["load"] += 1.5
    whole = Tally()
    for _ in range(2):
        add_tally(whole, pack_tally(one))
    report = whole.report()
    assert (report.items, report.chunks, report.embedded) == ({"image": 4}, 4, 2)
    assert report.skipped == (Skipped("x", "bad"),) * 2
    assert (report.notes, report.models, report.seconds) == ((("a", "b"),), ("m",), {"load": 3.0})


@pytest.mark.parametrize(
    "engine", ["spark", "ray:", "ray://", "Ray", "rays:auto", "ray:head", "ray://head", "ray:head:no"]
)
def test_an_unknown_engine_is_told_with_those_there_are(engine):
    with pytest.raises(InvalidSetting, match=r"it is 'ray' \(on this machine\), 'ray:auto' or 'ray://HOST:10001'"):
        address_of(engine)


def test_workers_fit_into_what_there_is():
    assert crew_for({"CPU": 2, "memory": 100e9}, servers=False).workers == 2
    assert crew_for({"CPU": 16, "memory": 9e9}, servers=False).cpus == 4  # memory for four
    gpu = crew_for({"CPU": 32, "GPU": 2, "memory": 500e9}, servers=True)
    assert (gpu.workers, gpu.cpus, gpu.gpus) == (8, 4, 0.25)
    assert crew_for({"CPU": 256, "memory": 1e15}, servers=True).writers == 9
    assert crew_for({"CPU": 256, "memory": 1e15}, servers=False).writers == 1
