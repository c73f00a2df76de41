"""Real words and real media under the offline preset: ``python tests/bench/real_media.py [INDEX]``.

One index holds the captions that people wrote for nine photographs, as texts, eleven recordings of people speaking and
a sonnet read aloud, both as pocketsphinx understands them. Each recording's reference sentence is asked, and has to
find the recording; each line of the sonnet is asked, and has to find its seconds. Everything is measured by every
strategy, calibrated (with the words' channel) and raw. Twelve questions of ours, written while reading the report (a
PDF of five pages), each have to find the page. INDEX keeps what was understood for the next run; else it is kept for
this one only.
"""

import csv
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mmrag_nb import MultimodalRAG
from mmrag_nb.bench import machine
from mmrag_nb.errors import MMRagError

ROOT = Path(__file__).parents[2]
CASES = Path(os.environ.get("MMRAG_CASES", ROOT.parent / "shared" / "cases"))
STRATEGIES = ("shared", "grounded", "separate")
SONNET = "sonnet001.mp3"
REPORT = "Argus-Market-Digest-June-2024.pdf"
PAGES = (
    ("Who said that one should take a fork in the road?", 1),
    ("How much did Nvidia's shares lose on Thursday?", 1),
    ("How many niche acquisitions were there in FY24 to date?", 1),
    ("How many deals exceeded 100 million dollars?", 2),
    ("What were the bookings of Managed Services?", 2),
    ("What were fiscal 3Q24 North American revenues?", 3),
    ("Which country's strength offset weak French results?", 3),
    ("What is Moody's credit rating of the company?", 4),
    ("When is the chief financial officer going to retire?", 4),
    ("In which city is Accenture based?", 4),
    ("At which price did ACN close on June 20?", 5),
    ("Who is the parent company of Argus Research?", 5),
)
"""Questions, and the page that answers."""
ALSO = {"How many niche acquisitions were there in FY24 to date?": 2}
"""Questions that another page answers as well."""
DEEPEST = 100


def rows(file):
    with (CASES / file).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))


def sources(spoken):
    captions = [{"text": row["caption"], "picture": row["image"]} for row in rows("coco9/captions.tsv")]
    recordings = [str(CASES / "speech" / row["file"]) for row in spoken]
    return [*captions, *recordings, str(CASES / "sonnet" / SONNET), str(CASES / "pdf" / REPORT)]


def lines():
    """(begin, end, words) of each line of the sonnet, without the number that is read first."""
    text = (CASES / "sonnet" / "sonnet001.vtt").read_text(encoding="utf-8")
    cues = re.findall(r"(\d+):(\d+):([\d.]+) --> (\d+):(\d+):([\d.]+)\n(.+)", text)
    timed = [(_seconds(cue[:3]), _seconds(cue[3:6]), cue[6]) for cue in cues]
    return [cue for cue in timed if not cue[2].isdecimal()]


def _seconds(clock):
    hours, minutes, seconds = map(float, clock)
    return 3600 * hours + 60 * minutes + seconds


def recording_ranks(rag, spoken, **how):
    """The rank of each recording among all items, asked with what is said in it."""
    ranks = []
    for row in spoken:
        found = dict.fromkeys(hit.item.name for hit in rag.search(row["reference"], DEEPEST, **how))
        ranks.append(list(found).index(row["file"]) + 1 if row["file"] in found else np.inf)
    return np.array(ranks)


def line_overlaps(rag, **how):
    """For each line: intersection over union of its seconds and its best hit's, and whether its middle is inside.

    0 and no where the best hit is anything but the sonnet.
    """
    outcome = []
    for begin, end, words in lines():
        hit = rag.search(words, 1, **how)[0]
        if hit.item.name != SONNET:
            outcome.append((0.0, False))
            continue
        start, stop = hit.chunk.start, hit.chunk.end
        outcome.append((_overlap(begin, end, start, stop), start <= (begin + end) / 2 < stop))
    return np.array(outcome)


def page_found(rag, question, page, **how):
    """Whether the best hit is on the page that answers."""
    hit = rag.search(question, 1, **how)[0]
    return hit.item.name == REPORT and hit.chunk.page in {page, ALSO.get(question)}


def bound(rag):
    """The most that any of the sonnet's passages could reach for each line, on average: one often holds two lines."""
    item = rag.item(SONNET)
    stored = rag._catalog.records(rag._catalog.chunk_ids(item.id)).values()
    spans = [(one.chunk.start, one.chunk.end) for one in stored]
    best = [max(_overlap(begin, end, *span) for span in spans) for begin, end, _ in lines()]
    return len(spans), float(np.mean(best))


def _overlap(begin, end, start, stop):
    return max(0.0, min(end, stop) - max(begin, start)) / (max(end, stop) - min(begin, start))


def measure(rag, spoken):
    ways = [(strategy, raw) for strategy in STRATEGIES for raw in (False, True)]
    ranks, overlaps = {}, {}
    for strategy, raw in ways:
        how = {"strategy": strategy, "raw": raw}
        try:
            ranks[strategy, raw], overlaps[strategy, raw] = (
                recording_ranks(rag, spoken, **how),
                line_overlaps(rag, **how),
            )
        except MMRagError as error:
            print(f"{strategy}: {error}")
    names = [f"{strategy}{', raw' * raw}" for strategy, raw in ranks]

    print(f"\n## Recordings: {len(spoken)} reference sentences, the rank of the recording among all items\n")
    print(f"| | R@1 | R@5 | MRR |\n{'|---' * 4}|")
    for name, rank in zip(names, ranks.values(), strict=True):
        first, five = (f"{(rank <= k).mean():.3f} ({(rank <= k).sum()})" for k in (1, 5))
        print(f"| {name} | {first} | {five} | {(1 / rank).mean():.3f} |")
    print(f"\n| said | heard | {' | '.join(names)} |\n{'|---' * (2 + len(names))}|")
    heard = {}
    for chunk in rag.items():
        if chunk.modality == "audio":
            heard[chunk.name] = " / ".join(rag._catalog.texts(chunk.id))
    for at, row in enumerate(spoken):
        each = " | ".join("-" if np.isinf(rank[at]) else f"{rank[at]:.0f}" for rank in ranks.values())
        print(f"| {row['reference']} | {heard.get(row['file'], '')} | {each} |")

    print(f"\n## The sonnet: {len(lines())} lines, the seconds of the best hit against those of the line\n")
    print(f"| | hit overlaps the line | middle of the line inside the hit | IoU, mean | IoU, median |\n{'|---' * 5}|")
    for name, outcome in zip(names, overlaps.values(), strict=True):
        iou, inside = outcome[:, 0], outcome[:, 1]
        print(
            f"| {name} | {(iou > 0).mean():.3f} ({(iou > 0).sum()}) | {inside.mean():.3f} ({inside.sum():.0f}) "
            f"| {iou.mean():.3f} | {np.median(iou):.3f} |"
        )
    print(f"\n## The report: {len(PAGES)} questions, whether the best hit is on the page\n")
    print(f"| | right page first | missed |\n{'|---' * 3}|")
    for name, (strategy, raw) in zip(names, ranks, strict=True):
        missed = [page for question, page in PAGES if not page_found(rag, question, page, strategy=strategy, raw=raw)]
        print(f"| {name} | {len(PAGES) - len(missed)} | {'pages ' * bool(missed)}{', '.join(map(str, missed))} |")
    passages, most = bound(rag)
    print(f"\nThe sonnet was cut at its pauses into {passages} passages; the best one for each line: IoU {most:.3f}.")


def main(path=None):
    if not CASES.is_dir():
        return f"no folder of cases at {CASES} (set MMRAG_CASES)"
    spoken = rows("speech/truth.tsv")
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        MultimodalRAG(preset="offline", path=path or Path(folder) / "real.mmrag") as rag,
    ):
        # Every recording is to be ranked: near-duplicates shown once would hide one of two.
        rag.settings.fold = False
        print(str(rag.index(sources(spoken))).split("\n", 1)[0])
        print(f"{rag.status().chunks} chunks")
        measure(rag, spoken)
    print("\n" + " · ".join(f"{name} {value}" for name, value in machine.facts().items()))
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
