"""Figures: what is drawn is what was given, on the caller's axes, whatever the labels hold."""

import json
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from mmrag_nb.errors import InvalidSetting, MMRagError, UnknownName
from mmrag_nb.notebook.render import style
from mmrag_nb.plots import palette
from mmrag_nb.plots.embedding_map import embedding_map
from mmrag_nb.plots.evaluation_curve import evaluation_curve
from mmrag_nb.plots.modality_gap import modality_gap
from mmrag_nb.plots.similarity import similarity, similarity_of
from mmrag_nb.plots.training_curves import training_curves
from mmrag_nb.plots.waveform import waveform
from mmrag_nb.results import Hit, Hits
from mmrag_nb.types import MODALITIES, Chunk, Item, Preview

RNG = np.random.default_rng(5)
PEAKS = bytes([10, 20, 40, 200, 255, 180, 30, 10])
POINTS = np.vstack([RNG.normal((0, 0), 0.2, (20, 2)), RNG.normal((3, 4), 0.2, (30, 2))])
KINDS = ["text"] * 20 + ["image"] * 30
COSINES = {"text–text": RNG.normal(0.75, 0.05, 900), "text–image": RNG.normal(0.2, 0.03, 300)}
HISTORY = {"train loss": [3.0, 2.0, 1.5, 1.2, 1.0, 0.9], "val loss": {2: 2.1, 4: 1.4, 6: 1.8}}
RECALLS = {"raw": [0.0, 0.1, 0.2], "calibrated": {1: 0.5, 3: 0.9}}
SIMILARITIES = np.array([[0.2, 0.79, 0.47], [0.31, 0.4, 0.35]])

FIGURES = {
    "waveform": lambda **more: waveform(PEAKS, seconds=8, marks=[(3, 5, "hit 1")], words=[(3, 4, "harp")], **more),
    "similarity": lambda **more: similarity(
        SIMILARITIES, queries=["a", "b"], chunks=["x", "y", "z"], modalities=["image", "text", "text"], **more
    ),
    "embedding_map": lambda **more: embedding_map(
        POINTS, modalities=KINDS, labels=[f"{i}.x" for i in range(50)], query=(1, 1), **more
    ),
    "modality_gap": lambda **more: modality_gap(COSINES, **more),
    "training_curves": lambda **more: training_curves(HISTORY, **more),
    "evaluation_curve": lambda **more: evaluation_curve(RECALLS, candidates=100, **more),
}

HOSTILE = [
    r"$\frac{1}{0}$ costs $5",
    "$\\undefined$",
    "a\nb\tc\r\nd",
    "x" * 10_000,
    "\x00\x1b[31m\x07",
    "photo\u202egpj.exe",
    "\ud83d undecodable",
    "<script>alert(1)</script>&amp;",
    "_hidden %d {0} \\",
    "",
]


@pytest.fixture(autouse=True)
def _agg():
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return Figure(figsize=(8, 5)).subplots()


def said(ax):
    """All words of a drawing, by where they stand."""
    return [text.get_text() for text in ax.findobj(Text) if text.get_text() and text.get_visible()]


def line(ax, label):
    (found,) = [one for one in ax.get_lines() if one.get_label() == label]
    return found.get_xdata(), found.get_ydata()


def stretch(ax, patch):
    """From where to where a patch reaches along x, in the data's units."""
    box = patch.get_window_extent().transformed(ax.transData.inverted())
    return box.x0, box.x1


def hit(rank=1, *, name="talk.mp3", modality="audio", ordinal=0, cosine=0.2, start=None, end=None, **more):
    item = Item(id=name, uri=f"/media/{name}", modality=modality)
    chunk = Chunk(name, ordinal, modality, start=start, end=end)
    return Hit(rank=rank, score=2.5, cosine=cosine, lexical=0.0, chunk=chunk, item=item, **more)


def sound(**more):
    return hit(
        start=3.0,
        end=5.0,
        facts={"seconds": 8.0},
        previews={"peaks": Preview("application/octet-stream", PEAKS)},
        **more,
    )


# all figures


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_given_axes_are_drawn_on_and_returned_and_pyplot_hears_nothing(draw, ax):
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    assert draw(ax=ax) is ax
    assert ax.get_title(loc="left")
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_without_axes_there_is_one_new_figure(draw):
    import matplotlib.pyplot as plt

    ax = draw()
    assert isinstance(ax, Axes)
    assert [plt.figure(n) for n in plt.get_fignums()] == [ax.figure]


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_all_words_are_large_enough_for_a_slide(draw):
    ax = draw()
    ax.figure.canvas.draw()
    small = [(t.get_text(), t.get_size()) for t in ax.figure.findobj(Text) if t.get_text() and t.get_size() < 11]
    assert not small


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_dark_figure_has_the_dark_palette(draw):
    figure = Figure(figsize=(8, 5), facecolor=palette.DARK["bg"])
    ax = draw(ax=figure.subplots())
    title = next(text for text in ax.findobj(Text) if text.get_text() == ax.get_title(loc="left"))
    assert to_hex(title.get_color()) == palette.DARK["ink"]


def test_colours_are_the_cards():
    for ours, cards in ((palette.LIGHT, style.LIGHT), (palette.DARK, style.DARK)):
        assert {name: cards.get(name) for name in ours} == ours


def test_every_modality_has_a_colour_and_a_shape_of_its_own():
    assert set(palette.MARKERS) == set(MODALITIES)
    assert len(set(palette.MARKERS.values())) == len({palette.LIGHT[kind] for kind in MODALITIES}) == len(MODALITIES)


def test_series_never_look_alike():
    names = ["text–image", "image", "images", "text", "shared", "a", "b", "c", "d", "e", "f"]
    drawn = palette.looks(names, palette.LIGHT)
    assert len(set(map(str, drawn))) == len(names)
    assert drawn[0].colour == palette.LIGHT["image"]
    assert drawn[3].colour == palette.LIGHT["text"]


def test_importing_the_plots_imports_nothing_heavy():
    code = """
import sys, json
import mmrag_nb.plots.waveform, mmrag_nb.plots.similarity, mmrag_nb.plots.embedding_map, mmrag_nb.plots.modality_gap
import mmrag_nb.plots.training_curves, mmrag_nb.plots.evaluation_curve
print(json.dumps([name for name in ("matplotlib", "numpy", "IPython") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def hostile(n):
    return [HOSTILE[i % len(HOSTILE)] for i in range(n)]


WITH_HOSTILE_LABELS = {
    "waveform": lambda: waveform(
        PEAKS,
        seconds=20,
        marks=[(2 * i, 2 * i + 1, t) for i, t in enumerate(HOSTILE)],
        words=[(1, 2, t) for t in HOSTILE],
    ),
    "hit": lambda: waveform(
        hit(name="".join(HOSTILE[:2]), facts={"seconds": 8}, previews={"peaks": Preview("", PEAKS)})
    ),
    "similarity": lambda: similarity(RNG.normal(size=(10, 10)), queries=HOSTILE, chunks=HOSTILE, name=HOSTILE[3]),
    "embedding_map": lambda: embedding_map(POINTS, modalities=KINDS, labels=hostile(50), query=(0, 0)),
    "modality_gap": lambda: modality_gap({text: [i / 10, i / 10 + 0.05] for i, text in enumerate(HOSTILE)}),
    "training_curves": lambda: training_curves({text: [i, i + 1.0] for i, text in enumerate(HOSTILE)}),
    "evaluation_curve": lambda: evaluation_curve({text: [i / 10] for i, text in enumerate(HOSTILE)}, name=HOSTILE[0]),
}


@pytest.mark.parametrize("draw", WITH_HOSTILE_LABELS.values(), ids=WITH_HOSTILE_LABELS)
def test_labels_are_words_whatever_they_hold(draw):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        ax = draw()
        if ax.get_legend_handles_labels()[1]:
            ax.legend().remove()  # what a caller may add reads the labels, too: as mathematics, where it can
        ax.figure.canvas.draw()
    words = "".join(said(ax))
    assert not {"\x00", "\x1b", "\u202e", "\ud83d", "\t", "\r"} & set(words)
    assert max(len(row) for one in said(ax) for row in one.split("\n")) < 100
    width, height = ax.figure.get_size_inches() * ax.figure.dpi
    box = ax.get_window_extent()
    assert box.width > 0.3 * width  # the labels left the drawing its room
    assert box.height > 0.3 * height


def test_a_legend_shows_the_labels_as_they_are():
    ax = evaluation_curve({r"$\frac{1}{0}$": [0.2, 0.4]})
    (entry,) = ax.legend().get_texts()
    ax.figure.canvas.draw()
    assert entry._preprocess_math(entry.get_text()) == (r"$\frac{1}{0}$", False)


def test_a_dollar_sign_is_a_dollar_sign():
    ax = evaluation_curve({"$x^2$": [0.2, 0.4]})
    assert any("$x^2$" in words for words in said(ax))
    assert not [t for t in ax.findobj(Text) if "$x^2$" in t.get_text() and t.get_parse_math()]


def test_in_a_notebook_a_figure_shows_once():
    pytest.importorskip("ipykernel")
    from nbclient import execute
    from nbformat.v4 import new_code_cell, new_notebook

    code = "from mmrag_nb.plots.evaluation_curve import evaluation_curve as curve"
    cells = [
        code,
        'curve({"a": [0.1, 0.2]})',
        'ax = curve({"a": [0.1, 0.2]})',
        'import matplotlib.pyplot as plt\n_, ax = plt.subplots()\ncurve({"a": [0.1, 0.2]}, ax=ax);',
    ]
    ran = execute(new_notebook(cells=[new_code_cell(cell) for cell in cells]), timeout=120)
    shown = [sum("image/png" in out.get("data", {}) for out in cell.outputs) for cell in ran.cells]
    assert shown == [0, 1, 1, 1]


# waveform


def test_a_waveform_is_the_loudness_over_seconds(ax):
    waveform(PEAKS, seconds=8, ax=ax)
    heights = [bar.get_height() / 2 for bar in ax.patches]
    np.testing.assert_allclose(heights, np.array(list(PEAKS)) / 255)
    assert [bar.get_x() + bar.get_width() / 2 for bar in ax.patches] == pytest.approx(np.arange(8) + 0.5)
    assert ax.get_xlabel() == "time (s)"
    assert ax.get_xlim() == (0, 8)
    assert ax.get_title(loc="left") == "8.0 s of sound"


def test_samples_are_pooled_to_their_highest_amplitudes(ax):
    samples = np.zeros(16_000, np.float32)
    samples[8_000] = -0.5  # quiet, and all there is
    waveform(samples, seconds=1, ax=ax)
    bars = ax.patches
    assert len(bars) <= 150
    loud = [bar for bar in bars if bar.get_height()]
    assert [bar.get_height() for bar in loud] == [2.0]
    assert loud[0].get_x() == pytest.approx(0.5, abs=0.01)


def test_the_lowest_sixteen_bit_sample_is_the_loudest(ax):
    waveform(np.array([-32768, 16384], np.int16), seconds=1, ax=ax)
    assert [bar.get_height() for bar in ax.patches] == [2.0, 1.0]


def test_marks_are_shaded_and_named(ax):
    waveform(PEAKS, seconds=8, marks=[(3, 5, "hit 1")], ax=ax)
    assert stretch(ax, ax.patches[0]) == pytest.approx((3, 5))
    lit = [i for i, bar in enumerate(ax.patches[1:]) if to_hex(bar.get_facecolor()) == palette.LIGHT["audio"]]
    assert lit == [3, 4]
    assert "hit 1" in said(ax)
    assert ax.get_title(loc="left") == "3.0 to 5.0 s of 8.0 s match"


def test_words_stand_at_their_seconds_without_hiding_each_other(ax):
    words = [(i * 0.25, i * 0.25 + 0.2, f"utterance{i}") for i in range(30)]
    waveform(PEAKS, seconds=8, words=words, ax=ax)
    written = [t for t in ax.texts if t.get_text().startswith("utterance")]
    assert written
    assert written[0].get_position()[0] == pytest.approx(0.1)
    boxes = [t.get_window_extent() for t in written]
    assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.overlaps(other)]
    assert f"{len(written)} of 30 words have room" in ax.get_xlabel()


def test_a_hit_brings_its_sound_its_length_and_its_stretch(ax):
    waveform(sound(), ax=ax)
    assert ax.get_xlim() == (0, 8)
    assert stretch(ax, ax.patches[0]) == pytest.approx((3, 5))
    assert ax.get_title(loc="left") == "talk.mp3: 3.0 to 5.0 s of 8.0 s match"


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (b"", {"seconds": 1}, "nothing in it"),
        (np.array([0.1, np.nan]), {"seconds": 1}, "1 of 2 numbers are NaN"),
        (np.zeros((5, 2)), {"seconds": 1}, r"shape \(5, 2\)"),
        ("talk.mp3", {"seconds": 1}, "not an array of numbers"),
        (PEAKS, {}, "length is unknown"),
        (PEAKS, {"seconds": float("nan")}, "length is unknown"),
        (PEAKS, {"seconds": 0}, "length is unknown"),
        (PEAKS, {"seconds": 8, "marks": [(5, 3, "x")]}, "5 to 3 s is no stretch"),
        (PEAKS, {"seconds": 8, "marks": [(9, 10, "x")]}, "of a sound of 8 s"),
        (PEAKS, {"seconds": 8, "words": [(1, float("nan"), "x")]}, "no stretch"),
        (PEAKS, {"seconds": 8, "words": ["harp!"]}, r"not \(start, end, text\)"),
        (hit(name="cat.png", modality="image"), {}, "cat.png has no waveform, it is image"),
    ],
)
def test_what_is_no_waveform_is_told(given, more, message):
    refused(waveform, message, given, **more)


def refused(draw, message, *given, error=InvalidSetting, **more):
    """One line, before any figure is there."""
    import matplotlib.pyplot as plt

    with pytest.raises(error, match=message) as raised:
        draw(*given, **more)
    assert isinstance(raised.value, MMRagError)
    assert "\n" not in str(raised.value)
    assert plt.get_fignums() == []


# similarity


def test_cells_are_the_numbers_and_say_them(ax):
    similarity(SIMILARITIES, queries=["a", "b"], chunks=["x", "y", "z"], name="cosine, raw", ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), SIMILARITIES)
    assert {"0.20", "0.79", "0.47", "0.31", "0.40", "0.35"} <= set(said(ax))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y", "z"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert ax.figure.axes[1].get_ylabel() == "cosine, raw"


def test_columns_are_grouped_by_modality_and_bear_its_colour(ax):
    similarity(SIMILARITIES, queries=["a", "b"], chunks=["x", "y", "z"], modalities=["image", "text", "text"], ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), SIMILARITIES[:, [1, 2, 0]])
    assert [(t.get_text(), t.get_color()) for t in ax.get_xticklabels()] == [
        ("y", palette.LIGHT["text"]),
        ("z", palette.LIGHT["text"]),
        ("x", palette.LIGHT["image"]),
    ]
    assert {"text", "image"} <= set(said(ax))
    assert ax.get_title(loc="left") == "The best match is a text for all 2 queries"
    best = [(round(p.get_x() + 0.46), round(p.get_y() + 0.46)) for p in ax.patches]
    assert best == [(0, 0), (0, 1)]


def test_numbers_stand_out_from_their_cells(ax):
    similarity([[0.0, 1.0]], queries=["q"], chunks=["x", "y"], ax=ax)
    dark, light = (next(t for t in ax.texts if t.get_text() == words) for words in ("0.00", "1.00"))
    assert sum(to_rgba(dark.get_color())[:3]) > 2.5
    assert sum(to_rgba(light.get_color())[:3]) < 0.5


def test_what_was_not_found_is_left_blank(ax):
    similarity([[0.5, np.nan]], queries=["q"], chunks=["x", "y"], ax=ax)
    assert ax.images[0].get_array().mask.tolist() == [[False, True]]
    assert "nan" not in "".join(said(ax)).lower()
    assert "–" in said(ax)


def test_a_thousand_chunks_are_drawn_without_a_thousand_names(ax):
    similarity(RNG.normal(size=(60, 1000)), queries=["q"] * 60, chunks=["c"] * 1000, ax=ax)
    assert ax.images[0].get_array().shape == (60, 1000)
    assert not ax.texts
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("1,000 chunks", "60 queries")


def test_hits_of_several_questions_make_one_matrix(ax):
    wiki = hit(1, name="wiki.txt", modality="text", cosine=0.79, calibrated=3.0)
    apple = hit(2, name="apple.jpg", modality="image", cosine=0.2, calibrated=4.0)
    lexical_only = hit(2, name="wiki.txt", modality="text", ordinal=3, cosine=None)
    asked = [Hits((wiki, apple), "who?"), Hits((hit(1, name="apple.jpg", modality="image"), lexical_only), "what?")]
    similarity_of(asked, ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["wiki.txt", "wiki.txt #4", "apple.jpg"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["who?", "what?"]
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, [[0.79, np.nan, 0.2], [np.nan, np.nan, 0.2]])
    calibrated = similarity_of(asked[0], score="calibrated")
    np.testing.assert_array_equal(calibrated.images[0].get_array(), [[3.0, 4.0]])
    assert calibrated.get_title(loc="left") == "The best match is an image"
    assert "σ" in calibrated.figure.axes[1].get_ylabel()


@pytest.mark.parametrize(
    ("matrix", "more", "message"),
    [
        (np.zeros((0, 3)), {}, "nothing in it"),
        (np.zeros(3), {}, r"shape \(3,\); give cosines \(queries, chunks\)"),
        (np.full((2, 3), np.nan), {}, "NaN only"),
        (np.full((2, 3), np.inf), {}, "infinite"),
        (SIMILARITIES, {"queries": ["a"]}, "queries: 1 for 2 rows"),
        (SIMILARITIES, {"chunks": ["a"]}, "chunks: 1 for 3 columns"),
        (SIMILARITIES, {"modalities": ["text"]}, "modalities: 1 for 3 columns"),
    ],
)
def test_what_is_no_similarity_is_told(matrix, more, message):
    refused(similarity, message, matrix, **{"queries": ["a", "b"], "chunks": ["x", "y", "z"], **more})


def test_unknown_scores_and_empty_hits_are_told():
    refused(similarity_of, "did you mean 'cosine'", Hits((sound(),)), score="cosin", error=UnknownName)
    refused(similarity_of, "no hit has a cosine", Hits(()))
    refused(similarity_of, "no hit has a cosine", [Hits((hit(cosine=None),))])


# embedding map


def test_points_lie_where_they_are_in_the_colour_and_shape_of_their_modality(ax):
    embedding_map(POINTS, modalities=KINDS, query=(1, 2), ax=ax)
    texts, images, query = ax.collections
    np.testing.assert_array_equal(texts.get_offsets(), POINTS[:20])
    np.testing.assert_array_equal(images.get_offsets(), POINTS[20:])
    np.testing.assert_array_equal(query.get_offsets(), [(1, 2)])
    assert to_hex(texts.get_facecolor()[0]) == palette.LIGHT["text"]
    assert to_hex(images.get_facecolor()[0]) == palette.LIGHT["image"]
    shapes = [len(one.get_paths()[0].vertices) for one in (texts, images, query)]
    assert len(set(shapes)) == 3
    assert {"text (20)", "image (30)", "query"} <= set(said(ax))
    assert "map units" in ax.get_xlabel()
    assert ax.get_aspect() == 1


def test_the_gap_is_the_distance_of_the_centroids(ax):
    embedding_map(POINTS, modalities=KINDS, ax=ax)
    (gap,) = ax.get_lines()
    ends = np.array(gap.get_data()).T
    np.testing.assert_allclose(ends, [POINTS[:20].mean(axis=0), POINTS[20:].mean(axis=0)])
    length = f"{np.linalg.norm(ends[1] - ends[0]):.2f}"
    assert length in said(ax)
    assert ax.get_title(loc="left") == f"Text and image lie {length} apart on this map"


def test_the_gap_can_be_left_out():
    assert not embedding_map(POINTS, modalities=KINDS, gap=False).get_lines()
    assert not embedding_map(POINTS, modalities=["text"] * 50).get_lines()


def test_names_are_few_nearest_the_query_and_hide_nothing(ax):
    names = [f"file{i}.txt" for i in range(50)]
    embedding_map(POINTS, modalities=KINDS, labels=names, query=(0, 0), ax=ax)
    written = [t for t in ax.texts if t.get_text() in names]
    assert 1 <= len(written) <= 12
    nearest = [names[i] for i in np.argsort(np.linalg.norm(POINTS, axis=1))]
    order = [nearest.index(t.get_text()) for t in written]
    assert order == sorted(order)
    assert order[0] < 5
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.overlaps(other)]
    dots = ax.transData.transform(POINTS)
    assert not [1 for t in written if t.get_window_extent().count_contains(dots)]


def test_thousands_of_points_are_named_by_their_modality_and_the_query_all_the_same():
    many = np.vstack([RNG.normal(0, 1, (2000, 2)), RNG.normal(0.5, 1, (2000, 2))])
    ax = embedding_map(many, modalities=["text"] * 2000 + ["audio"] * 2000, labels=["x"] * 4000, query=(0, 0))
    assert {"text (2,000)", "audio (2,000)", "query"} <= set(said(ax))


@pytest.mark.parametrize(
    ("points", "more", "message", "error"),
    [
        (np.zeros((0, 2)), {}, "nothing in it", InvalidSetting),
        (np.zeros((50, 3)), {}, r"shape \(50, 3\); give places \(chunks, 2\)", InvalidSetting),
        (np.full((50, 2), np.nan), {}, "100 of 100 numbers are NaN", InvalidSetting),
        (POINTS, {"modalities": ["text"]}, "modalities: 1 for 50 points", InvalidSetting),
        (POINTS, {"modalities": ["txt"] * 50}, "unknown modality 'txt': did you mean 'text'", UnknownName),
        (POINTS, {"labels": ["x"]}, "labels: 1 for 50 points", InvalidSetting),
        (POINTS, {"query": (1, 2, 3)}, r"query: an array of shape \(3,\)", InvalidSetting),
        (POINTS, {"query": (1, np.nan)}, "query: 1 of 2 numbers are NaN", InvalidSetting),
    ],
)
def test_what_is_no_map_is_told(points, more, message, error):
    refused(embedding_map, message, points, **{"modalities": KINDS, **more}, error=error)


# modality gap


def test_the_bars_are_shares_over_the_same_bins(ax):
    modality_gap(COSINES, ax=ax)
    outlines = [patch for patch in ax.patches if not patch.get_fill()]
    assert [patch.get_label() for patch in outlines] == list(COSINES)
    (one, other) = [patch.get_data() for patch in outlines]
    np.testing.assert_array_equal(one.edges, other.edges)
    assert 12 <= len(one.values) <= 60
    for drawn, values in zip((one, other), COSINES.values(), strict=True):
        assert np.nansum(drawn.values) == pytest.approx(100)
        counts = np.histogram(values, drawn.edges)[0]
        np.testing.assert_allclose(np.nan_to_num(drawn.values), counts * 100 / len(values))
    assert ax.get_xlabel() == "cosine similarity"
    assert "%" in ax.get_ylabel()


def test_the_means_and_their_distance_are_marked(ax):
    modality_gap(COSINES, ax=ax)
    high, low = (values.mean() for values in COSINES.values())
    assert sorted(one.get_xdata()[0] for one in ax.get_lines()) == pytest.approx([low, high])
    assert {f"text–text {high:.2f}", f"text–image {low:.2f}", f"{high - low:.2f}"} <= set(said(ax))
    assert ax.get_title(loc="left") == f"text–text cosines lie {high - low:.2f} above text–image"


def test_names_of_close_means_do_not_hide_each_other(ax):
    modality_gap({f"{n}–{n}": RNG.normal(0.5, 0.02, 200) for n in ("text", "image", "audio", "video", "else")}, ax=ax)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text()]
    assert len(boxes) == 9
    assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.overlaps(other)]
    assert max(box.y1 for box in boxes) <= ax.get_window_extent().y1


def test_one_value_is_a_distribution_too():
    assert "0.50 on average" in modality_gap({"text–text": [0.5]}).get_title(loc="left")


@pytest.mark.parametrize(
    ("cosines", "message"),
    [
        ({}, "nothing to draw"),
        ({"text–text": []}, "text–text: nothing in it"),
        ({"text–text": [0.1, np.nan]}, "text–text: 1 of 2 numbers are NaN"),
        ({"text–text": [0.1, 37.0]}, "from 0.1 to 37; cosines lie between -1 and 1"),
        ({"text–text": "many"}, "not an array of numbers"),
    ],
)
def test_what_are_no_cosines_is_told(cosines, message):
    refused(modality_gap, message, cosines)


# training and evaluation


def test_curves_are_drawn_over_their_steps_and_the_best_validation_is_marked(ax):
    training_curves(HISTORY, ax=ax)
    assert [list(part) for part in line(ax, "train loss")] == [[1, 2, 3, 4, 5, 6], HISTORY["train loss"]]
    assert [list(part) for part in line(ax, "val loss")] == [[2, 4, 6], [2.1, 1.4, 1.8]]
    assert [list(part) for part in line(ax, "best")] == [[4], [1.4]]
    train, val = (next(one for one in ax.get_lines() if one.get_label() == name) for name in HISTORY)
    assert train.get_color() == val.get_color()
    assert (train.get_linestyle(), val.get_linestyle()) == ("--", "-")
    assert {"train loss", "val loss", "best 1.4"} <= set(said(ax))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")
    assert ax.get_title(loc="left") == "val loss is best at step 4: 1.4"


def test_a_log_of_steps_is_read_too(ax):
    rows = [
        {"epoch": 1, "train_recall": 0.3, "note": "warm up", "done": False},
        {"epoch": 2, "train_recall": 0.5, "val_recall": 0.4},
        {"epoch": 3, "train_recall": 0.7, "val_recall": 0.35},
    ]
    training_curves(rows, ax=ax)
    assert [list(part) for part in line(ax, "val_recall")] == [[2, 3], [0.4, 0.35]]
    assert ax.get_title(loc="left") == "val_recall is best at epoch 2: 0.4"
    assert len(ax.get_lines()) == 3


def test_what_best_means_can_be_said():
    assert "is best at step 2: 9" in training_curves({"heat": [1, 9, 3]}).get_title(loc="left")
    assert "is best at step 1: 1" in training_curves({"heat": [1, 9, 3]}, best="lowest").get_title(loc="left")
    with pytest.raises(InvalidSetting, match="give 'lowest' or 'highest'"):
        training_curves(HISTORY, best="middle")


def test_a_training_that_broke_leaves_a_hole(ax):
    training_curves({"loss": [3.0, np.nan, 1.0, np.inf]}, ax=ax)
    assert ax.get_title(loc="left") == "loss is best at step 3: 1"


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "nothing to draw"),
        ([], "nothing to draw"),
        ([{"note": "hello"}], "nothing to draw"),
        (["loss"], "'loss' is no mapping"),
        ({"loss": []}, "loss: nothing in it"),
        ({"loss": [np.nan]}, "loss: no number in it"),
        ({"loss": ["low"]}, "loss: not an array of numbers"),
    ],
)
def test_what_is_no_history_is_told(history, message):
    refused(training_curves, message, history)


def test_recall_is_drawn_over_k_with_chance_below(ax):
    evaluation_curve(RECALLS, candidates=100, ax=ax)
    assert [list(part) for part in line(ax, "raw")] == [[1, 2, 3], [0.0, 0.1, 0.2]]
    assert [list(part) for part in line(ax, "calibrated")] == [[1, 3], [0.5, 0.9]]
    k, chance = line(ax, "chance")
    np.testing.assert_allclose(chance, k / 100)
    assert ax.get_xscale() == "log"
    assert list(ax.get_xticks()) == [1, 2]
    assert "%" in ax.get_ylabel()
    assert {"raw 20%", "calibrated 90%", "chance, 1 of 100"} <= set(said(ax))
    assert ax.get_title(loc="left") == "calibrated leads with 50% at k = 1"


def test_names_at_the_lines_ends_do_not_hide_each_other():
    ax = evaluation_curve({f"setting {i}": [0.5, 0.700 + 0.001 * i] for i in range(8)})
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert len(boxes) == 8
    assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.overlaps(other)]
    assert max(box.x1 for box in boxes) <= ax.figure.bbox.x1  # the layout made room for them


@pytest.mark.parametrize(
    ("recalls", "more", "message"),
    [
        ({}, {}, "nothing to draw"),
        ({"raw": []}, {}, "raw: nothing in it"),
        ({"raw": [0.1, np.nan]}, {}, "raw: 1 of 2 numbers are NaN"),
        ({"raw": [10, 50]}, {}, "from 10 to 50; shares lie between 0 and 1"),
        ({"raw": {0: 0.1}}, {}, "k counts chunks from 1"),
        ({"raw": {1.5: 0.1}}, {}, "k counts chunks from 1"),
        ({"raw": [0.1]}, {"candidates": 0}, "candidates=0"),
    ],
)
def test_what_is_no_recall_is_told(recalls, more, message):
    refused(evaluation_curve, message, recalls, **more)
