"""PDF: ``python tests/bench/pdf.py [PAGES]`` prints pages a second by stage, and the peak of memory.

The document is the real market report of the cases folder over and over (where that is absent: a page of made-up text),
the scans are pictures of a page of text. Each part runs in a process of its own, so that peaks do not mix; the
decoder's process is counted beside it.
"""

import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1])]

import pdfs  # noqa: E402
from conftest import CASES  # noqa: E402

PAGES = 500
SCANS = 4


def report(pages):
    """A document of ``pages`` pages."""
    real = next(iter(sorted((CASES / "pdf").glob("*.pdf"))), None)
    if real is None:
        print("no real report: made-up pages")
        words = "The harbour was built by the brothers who traded in timber and tar. " * 60
        return pdfs.pdf([pdfs.text_page(pdfs.paragraph(words, 60, 780, 90))] * pages)
    import io

    import pypdfium2

    whole = pypdfium2.PdfDocument.new()
    one = pypdfium2.PdfDocument(real)
    for at in range(pages):
        whole.import_pages(one, [at % len(one)])
    out = io.BytesIO()
    whole.save(out)
    return out.getvalue()


def loading(path):
    """Pages a second of each stage, by the processor's time: on a machine that is busy otherwise they stay the same."""
    from mmrag_nb.isolation import calling
    from mmrag_nb.loaders import pdf
    from mmrag_nb.loaders.passages import passages
    from mmrag_nb.models.words import WordsEncoder

    words = WordsEncoder()
    seconds = Counter()
    pages = 0

    def clocked(stage, work, *given):
        start = time.process_time()
        made = work(*given)
        seconds[stage] += time.process_time() - start
        return made

    for said, blobs in calling.stream(
        "mmrag_nb.loaders.pdf_pages:pages", path, pdf.LIMITS, first=0, most=pdf.MAX_PAGES
    ):
        if blobs:
            picture = clocked("previews", pdf._picture, said["size"], blobs[0])
            clocked("previews", pdf._previews, picture)
            clocked("passages", passages, said["text"], 77, words.count_tokens)
            pages += 1
    calling.close()
    decoder = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds["draw, read, order"] = decoder.ru_utime + decoder.ru_stime
    for stage, took in seconds.items():
        print(f"{stage:>18}: {pages / took:7.1f} pages/s")


def indexing(path):
    from mmrag_nb import MultimodalRAG

    with TemporaryDirectory() as folder:
        index = Path(folder) / "x.mmrag"
        with MultimodalRAG(preset="offline", path=index) as rag:
            start = time.perf_counter()
            done = rag.index([path])
            took = time.perf_counter() - start
            pages = len(rag._catalog._rows("SELECT 1 FROM chunks WHERE modality = 'image'"))
        size = index.stat().st_size  # once closed, all of it is in this file
    print(f"{'index':>18}: {pages / took:7.2f} pages/s, {took:.1f} s, {size / pages / 1e3:,.0f} kB a page")
    for stage, one in done.seconds.items():
        print(f"{stage:>18}: {one:7.1f} s")


def scans(path):
    from importlib.util import find_spec

    if find_spec("rapidocr") is None:
        print("scans: skipped, rapidocr is not installed")
        return
    indexing(path)


def main():
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else PAGES
    with TemporaryDirectory() as folder:
        long, scanned = Path(folder) / "long.pdf", Path(folder) / "scans.pdf"
        long.write_bytes(report(pages))
        lines = [f"Line {n}: the harbour was built in {1800 + n} by two brothers." for n in range(24)]
        scanned.write_bytes(pdfs.scans([pdfs.scan_picture(lines)] * SCANS))
        for part, path in (("loading", long), ("indexing", long), ("scans", scanned)):
            print(f"-- {part}, {path.stat().st_size / 1e6:.1f} MB", flush=True)
            subprocess.run([sys.executable, HERE, "--part", part, path], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        globals()[sys.argv[2]](Path(sys.argv[3]))
        from mmrag_nb.isolation import calling

        calling.close()
        peaks = [resource.getrusage(who).ru_maxrss / 1e3 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        print(f"{'peak':>18}: {peaks[0]:,.0f} MB, decoder {peaks[1]:,.0f} MB")
    else:
        main()
