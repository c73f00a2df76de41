"""How fairly pictures and sentences compete in an index of the offline preset: ``python tests/bench/mixed_preset.py``.

OpenMoji's drawings, a style that the shipped model never saw, are indexed as pictures, sentences about other emoji as
texts. Every question is the name of an emoji, put as "which picture shows NAME?" or as "NAME"; the answer is its
picture, or the sentence that names it. The bound ranks each question among the answer's own modality only.
Needs npm, which fetches the drawings, and the extra ``train``.
"""

import sys

import numpy as np
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.training.emoji.drawings import load_drawings
from mmrag_nb.training.emoji.names import load_emoji
from mmrag_nb.training.emoji.packages import cache_folder
from mmrag_nb.training.emoji.sets import find_set

POOLS = ((250, 250), (200, 20), (20, 200), (20, 20), (5, 5), (2, 1))
SENTENCES = (
    "Yesterday we talked about the {} for an hour.",
    "She wrote a short note on the {}.",
    "He keeps a {} at home.",
)


def pool(pictures, sentences, names, pixels, rng):
    """Shares of questions answered first, raw, calibrated and bound, for both kinds of answer."""
    chosen = rng.permutation(sorted(pixels))[: pictures + sentences].tolist()
    shown, told = chosen[:pictures], chosen[pictures:]
    with MultimodalRAG(preset="offline") as rag:
        rag.index([{"image": Image.fromarray(pixels[k]), "emoji": k} for k in shown])
        rag.index([{"text": SENTENCES[k % 3].format(names[k].name), "emoji": k} for k in told])
        outcome = {}
        for kind, answers in (("image", shown), ("text", told)):
            firsts = []
            for k in rng.permutation(answers)[:60].tolist():
                question = f"which picture shows {names[k].name}?" if k % 2 else names[k].name
                row = []
                for raw in (True, False):
                    hits = [
                        (hit.item.metadata["emoji"], hit.item.modality) for hit in rag.search(question, 100, raw=raw)
                    ]
                    row.append(bool(hits) and hits[0] == (k, kind))
                own = [emoji for emoji, modality in hits if modality == kind]
                firsts.append([*row, bool(own) and own[0] == k])
            outcome[kind] = np.mean(firsts, axis=0)
        return (outcome["image"] + outcome["text"]) / 2, outcome


def main():
    cache = cache_folder()
    names = load_emoji(cache)
    drawings = load_drawings(find_set("openmoji"), names, cache)
    pixels = {}
    for row, k in enumerate(drawings.emoji.tolist()):
        picture = Image.fromarray(drawings.pixels[row]).convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        pixels.setdefault(k, np.asarray(Image.alpha_composite(white, picture).convert("RGB")))
    rng = np.random.default_rng(0)
    print("| pictures + sentences | raw R@1 | calibrated R@1 | bound | share | image R@1 (bound) | text R@1 (bound) |")
    print("|---|---|---|---|---|---|---|")
    shares = []
    for pictures, sentences in POOLS:
        rounds = [pool(pictures, sentences, names, pixels, rng) for _ in range(max(1, 60 // (pictures + sentences)))]
        raw, calibrated, bound = np.mean([one for one, _ in rounds], axis=0)
        image = np.mean([kinds["image"] for _, kinds in rounds], axis=0)
        text = np.mean([kinds["text"] for _, kinds in rounds], axis=0)
        shares.append(calibrated / bound)
        print(
            f"| {pictures} + {sentences} | {raw:.3f} | {calibrated:.3f} | {bound:.3f} | {shares[-1]:.3f} "
            f"| {image[1]:.3f} ({image[2]:.3f}) | {text[1]:.3f} ({text[2]:.3f}) |",
            flush=True,
        )
    print(f"\nshare of the bound: mean over pools {np.mean(shares):.3f}, worst {min(shares):.3f}")


if __name__ == "__main__":
    sys.exit(main())
