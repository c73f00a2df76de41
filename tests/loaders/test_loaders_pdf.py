"""PDF to pages and passages: what is on them, and what cannot be read is told."""

import re
import zlib
from contextlib import suppress

import pdfs
import pytest
from matplotlib import pyplot as plt
from PIL import ImageStat

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders import pdf as loading
from mmrag_nb.loaders.lines import Box
from mmrag_nb.loaders.pdf import SECTION, PdfLoader
from mmrag_nb.loaders.pdf_letters import Letter, unreadable, words
from mmrag_nb.loaders.pdf_words import noted, placed
from mmrag_nb.types import Preview

GOOD = "A good page with enough words to be read as text, so that nobody takes it for a scan."


def count(text):
    return 2 + len(re.findall(r"\w+|\S", text))


def load(data, **options):
    return PdfLoader(60, count, **options).load(data, "a.pdf")


def texts(item, page=None):
    return [chunk.text for chunk in item.chunks if chunk.modality == "text" and page in {None, chunk.page}]


def pictures(item):
    return [chunk for chunk in item.chunks if chunk.modality == "image"]


def page(text=GOOD, **options):
    return pdfs.text_page(pdfs.paragraph(text, 60, 760, 80), **options)


def test_each_page_is_a_picture_and_its_passages():
    item = load(pdfs.pdf([page("The first page tells of herrings. " * 20), page("The second tells of boats.")]))
    assert [chunk.page for chunk in pictures(item)] == [1, 2]
    assert item.chunks[0].modality == "image"
    assert len(texts(item, 1)) > 1
    assert texts(item, 2) == ["The second tells of boats."]
    assert all(count(text) <= 60 for text in texts(item))
    assert (item.facts["pages"], item.facts["scanned"]) == (2, 0)
    assert (item.reached, item.of, item.unit) == (2, 2, "pages")


def test_a_pages_picture_has_its_previews_and_no_alpha():
    (picture,) = pictures(load(pdfs.pdf([page()])))
    assert picture.pixels.mode == "RGB"
    assert 1000 <= max(picture.pixels.size) <= 1400
    assert set(picture.previews) == {"thumbnail", "proxy", "page"}


def test_columns_are_read_one_after_the_other_though_the_file_has_them_row_by_row():
    left = pdfs.paragraph(
        "Herrings swim in the cold northern sea, and boats go out for them at dawn. " * 4, 60, 700, 40
    )
    right = pdfs.paragraph(
        "Cranes lift the barrels on to the quay, where merchants weigh and buy them. " * 4, 320, 700, 40
    )
    mixed = [line for pair in zip(left, right, strict=True) for line in pair]
    read = " ".join(texts(load(pdfs.pdf([pdfs.text_page(mixed)]))))
    assert read.rindex("Herrings") < read.index("Cranes")


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_page_comes_upright(degrees):
    upright = load(pdfs.pdf([page()]))
    turned = load(pdfs.pdf([page()], page=f"/Rotate {degrees}"))
    assert texts(turned) == texts(upright)
    assert pictures(turned)[0].pixels.size == pictures(upright)[0].pixels.size
    assert _darkest_part(turned) == _darkest_part(upright) == "top"


@pytest.mark.parametrize("turned", ["0 1 -1 0", "0 -1 1 0", "-1 0 0 -1"])
def test_a_page_whose_text_lies_on_its_side_is_turned(turned):
    at = {"0 1 -1 0": (100, 100), "0 -1 1 0": (400, 700), "-1 0 0 -1": (400, 300)}[turned]
    item = load(pdfs.pdf([pdfs.text_page([(*at, GOOD[:40])], turned=turned)]))
    assert texts(item) == [GOOD[:40]]
    (words_,) = (placed(chunk.previews["placed"]) for chunk in item.chunks if chunk.modality == "text")
    lefts = [box[2] for box in words_]
    assert lefts == sorted(lefts), "its words go from left to right on the picture"


def _darkest_part(item):
    picture = pictures(item)[0].pixels.convert("L")
    halves = [picture.crop((0, y, picture.width, y + picture.height // 2)) for y in (0, picture.height // 2)]
    top, bottom = (ImageStat.Stat(half).mean[0] for half in halves)
    return "top" if top < bottom else "bottom"


def test_words_are_where_the_picture_shows_them():
    item = load(pdfs.pdf([pdfs.text_page([(300, 421, "Midway"), (60, 60, "corner and more words to read")])]))
    picture = pictures(item)[0].pixels.convert("L")
    for chunk in item.chunks[1:]:
        for start, end, left, top, right, bottom in placed(chunk.previews["placed"]):
            box = [left * picture.width, top * picture.height, right * picture.width, bottom * picture.height]
            assert picture.crop(tuple(map(round, box))).getextrema()[0] < 100, chunk.text[start:end]
    found = {chunk.text[a:b]: box for chunk in item.chunks[1:] for a, b, *box in placed(chunk.previews["placed"])}
    assert found["Midway"][0] == pytest.approx(300 / 595, abs=0.01)
    assert found["Midway"][1] < 0.5 < found["Midway"][3] + 0.01


def test_the_crop_box_is_the_page():
    lines = [(200, 500, "only this part of the page is shown to readers")]
    item = load(pdfs.pdf([pdfs.text_page(lines)], page="/CropBox [150 450 450 550]"))
    width, height = pictures(item)[0].pixels.size
    assert width / height == pytest.approx(3, abs=0.02)
    first = placed(item.chunks[1].previews["placed"])[0]
    assert first[2] == pytest.approx(50 / 300, abs=0.02)


def test_text_of_other_programs_is_read(tmp_path):
    figure = plt.figure(figsize=(6, 4))
    figure.text(0.1, 0.8, "Fishing efficiency by office and flow", fontsize=14)
    figure.savefig(tmp_path / "figure.pdf")
    plt.close(figure)
    assert texts(load(tmp_path / "figure.pdf")) == ["Fishing efficiency by office and flow"]


# -- scans -------------------------------------------------------------------------------------------------------------


def test_a_picture_without_text_is_a_scan():
    item = load(pdfs.scans([pdfs.scan_picture(["Invoice 4711"]), pdfs.scan_picture(["Page two"])]))
    assert [chunk.scan for chunk in item.chunks] == [True, True]
    assert all(1600 <= max(chunk.pixels.size) <= 2000 for chunk in item.chunks)
    assert item.facts["scanned"] == 2


def test_a_stamp_on_a_scan_does_not_make_it_a_text():
    whole = _with_picture(b"q 595 0 0 842 0 0 cm /X Do Q " + pdfs.text_page([(60, 20, "scanned by the library")]))
    item = load(whole)
    assert pictures(item)[0].scan
    assert texts(item) == ["scanned by the library"]


def test_a_small_picture_beside_text_makes_no_scan():
    whole = _with_picture(b"q 100 0 0 100 60 60 cm /X Do Q " + page())
    assert not pictures(load(whole))[0].scan


def _with_picture(content):
    pixels = zlib.compress(bytes(range(256)) * 16)
    image = b"<< /Type /XObject /Subtype /Image /Width 64 /Height 64 /BitsPerComponent 8 /ColorSpace /DeviceGray "
    image += b"/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(pixels), pixels)
    return pdfs.pdf([content], page="", more={8: image}, resources="/XObject << /X 8 0 R >>")


def test_letters_that_stand_for_nothing_known_are_no_text():
    to_unicode = b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
    to_unicode += b"1 beginbfrange <20> <7E> <E020> endbfrange endcmap"
    stream = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(to_unicode), to_unicode)
    item = load(pdfs.pdf([page()], more={8: stream}, font="/ToUnicode 8 0 R"))
    assert pictures(item)[0].scan
    assert texts(item) == []
    assert any("page 1: no text that can be read" in note for note in item.notes)


# -- letters -----------------------------------------------------------------------------------------------------------


def letters(text, width=5.0):
    return [Letter(ord(c), Box(n * width, 0, (n + 1) * width, 10)) for n, c in enumerate(text)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("of\ufb01ce \ufb02ow e\ufb03cient", ["office", "flow", "efficient"]),
        ("a\x00b\x07c\u200bd\ufeff", ["abcd"]),
        ("non\u00a0breaking\u2003blanks", ["non", "breaking", "blanks"]),
        ("con\x02", ["con-"]),
        ("x² ½ Ω", ["x²", "½", "Ω"]),
        ("\ue010\ue011ab", ["ab"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("\ufefb", ["لا"]),
        ("港口Lindqvist史", ["港", "口", "Lindqvist", "史"]),
    ],
)
def test_letters_become_words(written, read):
    assert [word.text for word in words(letters(written))] == read


def test_letters_far_apart_are_not_one_word():
    apart = [*letters("ab"), *(Letter(ord(c), Box(200 + n, 0, 205 + n, 10)) for n, c in enumerate("cd"))]
    assert [word.text for word in words(apart)] == ["ab", "cd"]


def test_unknown_letters_are_counted():
    assert unreadable([*letters("ab\ue000\ufffd"), Letter(ord("c"), Box(0, 0, 1, 1), known=False)]) == 3


# -- what an index keeps -----------------------------------------------------------------------------------------------


def test_places_of_words_survive_the_index():
    kept = noted([(0, 3, 0.1, 0.2, 0.3, 0.4), (4, 7, 0.5, 0.2, 0.6, 0.4)], 4, 9)["placed"]
    assert placed(kept) == ((0, 3, 0.5, 0.2, 0.6, 0.4),)


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{}",
        b"[[1]]",
        b"[1,2]",
        b"null",
        b'[["a",1,0,0,1,1]]',
        b"[[0,1,0,0,9,1]]",
        b"[[0,1,NaN,0,1,1]]",
        b"[" * 9999,
        b"[" + b"[0,1,0,0,1,1]," * 80_000 + b"[0,1,0,0,1,1]]",
    ],
)
def test_nonsense_in_an_index_places_nothing(kept):
    assert placed(Preview("application/json", kept)) == ()


# -- what is left out is told ------------------------------------------------------------------------------------------


def test_blank_pages_are_left_out_and_told():
    item = load(pdfs.pdf([page(), b"", b"", page(), b""]))
    assert [chunk.page for chunk in pictures(item)] == [1, 4]
    assert item.notes == ("pages 2-3, 5: blank, left out",)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (pdfs.pdf([b"", b""]), "empty: nothing on its 2 pages"),
        (pdfs.pdf([]), "empty: it has no pages"),
        (b"hello, this is no PDF at all " * 20, "no PDF: it begins with"),
        (b"%PDF-1.4 and then nothing of use " * 20, "damaged PDF"),
        (pdfs.pdf([page()]).replace(b"/MediaBox [0 0 595 842]", b"/Hidden 12345678901234"), ""),
    ],
)
def test_what_holds_nothing_is_refused(data, why):
    if not why:
        assert load(data).chunks, "without a size of its own, a page has the usual one"
        return
    with pytest.raises(LoadError, match=re.escape(why)) as caught:
        load(data)
    assert "\n" not in str(caught.value)


def test_a_part_of_a_file_gives_chunks_or_a_load_error():
    whole = pdfs.pdf([page()] * 3)
    for share in (0.05, 0.3, 0.6, 0.9, 0.99):
        with suppress(LoadError):
            assert load(whole[: int(len(whole) * share)]).chunks


def test_one_damaged_page_does_not_cost_the_others():
    whole = pdfs.pdf(
        [page("The first page is whole, and has words enough."), page(), page("So is the last page of it.")]
    )
    broken = whole.replace(b"102 0 obj\n<<", b"102 0 obj\n[[", 1)
    item = load(broken)
    assert [chunk.page for chunk in pictures(item)] == [1, 3]
    assert any(note.startswith("page 2 left out: ") for note in item.notes)


def test_a_page_that_crashes_its_decoder_does_not_cost_the_others():
    """Forms that draw forms that draw forms: a billion in the end."""
    more = {
        number: b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >> "
        b"/Length 60 >>\nstream\n%s\nendstream" % (number + 1, b"/X Do " * 10)
        for number in range(50, 60)
    }
    more[60] = b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 18 >>\nstream\n0 0 m 100 100 l S \nendstream"
    whole = pdfs.pdf([page(), b"/X Do", page()], more=more, resources="/XObject << /X 50 0 R >>")
    item = load(whole)
    assert [chunk.page for chunk in pictures(item)] == [1, 3]
    assert any(note.startswith("page 2 left out: ") for note in item.notes)


def test_too_many_lost_pages_end_it(monkeypatch):
    def crashing(target, content, limits, *, first, most):
        yield {"pages": 50}, ()
        raise LoadError("damaged: its decoder crashed")

    monkeypatch.setattr(loading, "stream", crashing)
    with pytest.raises(LoadError, match="crashed"):
        load(pdfs.pdf([page()]))


def test_pages_beyond_the_limit_are_told():
    item = load(pdfs.pdf([page()] * 5), max_pages=3)
    assert [chunk.page for chunk in pictures(item)] == [1, 2, 3]
    assert any("first 3 of 5 pages" in note for note in item.notes)


def test_too_many_bytes_are_refused():
    with pytest.raises(LoadError, match="too large"):
        load(pdfs.pdf([page()]), max_bytes=100)


@pytest.mark.parametrize("size", [(14_400, 14_400), (1e7, 1e7), (20_000, 3), (3, 20_000), (0.5, 0.5)])
def test_pages_of_any_size_give_pictures_of_the_usual_one(size):
    item = load(pdfs.pdf([b"0 0 m %g %g l S" % size + page(GOOD, turned="1 0 0 1")], size=size))
    assert max(pictures(item)[0].pixels.size) <= 2000


def test_what_a_document_would_start_is_not_started():
    scripted = "/OpenAction << /S /JavaScript /JS (while(1){}) >> /Names << /JavaScript << /Names [(a) 91 0 R] >> >>"
    item = load(pdfs.pdf([page()], catalog=scripted))
    assert texts(item)


def test_what_is_filled_into_a_form_is_read():
    more = {
        90: b"<< /Fields [91 0 R] /DA (/F1 12 Tf) /DR << /Font << /F1 3 0 R >> >> >>",
        91: b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Marta Ek the harpist) /Rect [60 400 300 420] "
        b"/P 100 0 R /F 4 /DA (/F1 12 Tf 0 g) /AP << /N 92 0 R >> >>",
    }
    drawn = b"/Tx BMC BT /F1 12 Tf 2 5 Td (Marta Ek the harpist) Tj ET EMC"
    more[92] = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 240 20] /Resources << /Font << /F1 3 0 R >> >> /Length %d >>\n"
    )
    more[92] = more[92] % len(drawn) + b"stream\n" + drawn + b"\nendstream"
    item = load(pdfs.pdf([page()], catalog="/AcroForm 90 0 R", page="/Annots [91 0 R]", more=more))
    assert any("Marta Ek the harpist" in text for text in texts(item))


# -- sections ----------------------------------------------------------------------------------------------------------


def test_sections_hold_a_few_pages_each_and_make_up_the_whole():
    data = pdfs.pdf([page(f"Page {n} is about something else altogether.") for n in range(1, 2 * SECTION + 4)])
    parts = list(PdfLoader(60, count).sections(data, ""))
    assert [part.reached for part in parts] == [SECTION, 2 * SECTION, 2 * SECTION + 3]
    assert [part.of for part in parts] == [2 * SECTION + 3] * 3
    whole = load(data)
    assert tuple(chunk.text for part in parts for chunk in part.chunks) == tuple(chunk.text for chunk in whole.chunks)


def test_blank_pages_at_the_begin_wait_for_a_page_that_is_none():
    parts = list(PdfLoader(60, count).sections(pdfs.pdf([b""] * (SECTION + 1) + [page()]), ""))
    assert [chunk.page for chunk in parts[0].chunks if chunk.modality == "image"] == [SECTION + 2]


def test_closing_early_stops_the_decoder():
    parts = PdfLoader(60, count).sections(pdfs.pdf([page()] * (3 * SECTION)), "")
    next(parts)
    parts.close()


# -- real files --------------------------------------------------------------------------------------------------------


def test_a_market_report(cases):
    item = load(cases / "pdf" / "Argus-Market-Digest-June-2024.pdf")
    assert [chunk.page for chunk in pictures(item)] == [1, 2, 3, 4, 5]
    assert not item.notes
    whole = " ".join(" ".join(text.split()) for text in texts(item, 1))
    assert "Yogi Berra famously said “When you come to a fork in the road, take it.”" in whole
    assert "Dow Jones Industrial Average higher by 0.77% but the Nasdaq" in whole


def test_a_password_is_told(cases):
    with pytest.raises(LoadError, match=r"encrypted: .* save it without a password"):
        load(cases / "hostile" / "doc_password.pdf")


def test_a_real_rotated_page(cases):
    item = load(cases / "hostile" / "doc_rotated-page-90.pdf")
    assert " ".join(texts(item)).split()[:4] == ["Hello", "World", "Test", "Text"]
    assert _darkest_part(item) == "top"
