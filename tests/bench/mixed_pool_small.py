"""How fairly one, three or ten items of a kind compete: ``python tests/bench/mixed_pool_small.py``.

The shared benchmark's measure (see ``mixed_pool.py`` there) with the shipped calibrator, for pools with 1, 3 and 10
items of one kind beside 20 and 200 of the other, and for two kinds of background queries:

- real photographs and captions: the background are captions, or *simulated* questions. There are no weights to embed
  real ones with, so captions are pushed by one offset common to all and by noise of their own, as questions differ from
  captions in their wording; both sizes are set by hand, not measured.
- drawings and sentences in the space of the model that ships: the background are *real* lines, the captions or the
  questions among those in the package. Needs npm, which fetches the drawings, and the extra ``train``; ``--emoji``.

The benchmark lies in ``$MMRAG_BENCH``, or in ``../shared/bench`` beside the repository.
"""

import os
import runpy
import sys
from pathlib import Path

import numpy as np
from mixed_pool_scorer import Scorer

BENCH = Path(os.environ.get("MMRAG_BENCH", Path(__file__).parents[2].parent / "shared" / "bench"))
FEW, MANY = (1, 3, 10), (20, 200)
POOLS = [pool for many in MANY for few in FEW for pool in ((many, few), (few, many))]
PARAPHRASE, OFFSET = 0.8, 0.5
"""Cosine of a simulated question to its caption before, and length of, the push that all questions share."""


def row(title, ranks, bound):
    """Print one pool; return the share of the bound."""
    first, best = ({kind: np.mean(each[kind] < 1) for kind in each} for each in (ranks, bound))
    share = sum(first.values()) / sum(best.values())
    cells = " | ".join(f"{first[kind]:.3f} ({best[kind]:.3f})" for kind in ("image", "text"))
    print(f"| {title} | {share:.3f} | {cells} |", flush=True)
    return share


def table(title, measure):
    """Print all pools. ``measure`` (pictures, texts) returns ranks and bounds."""
    print(f"\n{title}\n\n| pictures + texts | share | image R@1 (bound) | text R@1 (bound) |\n|---|---|---|---|")
    shares = [row(f"{pictures} + {texts}", *measure(pictures, texts)) for pictures, texts in POOLS]
    print(f"\nshare of the bound: mean over pools {np.mean(shares):.3f}, worst {min(shares):.3f}")


def photographs():
    """Real photographs and captions, by the shared benchmark's own loop."""
    shared = runpy.run_path(str(BENCH / "mixed_pool.py"))
    data = np.load(BENCH / "clip_vectors.npz", allow_pickle=False)
    image, text, captions = data["image"][:-100], data["text"][:-100], data["text"][-100:]
    rng = np.random.default_rng(0)
    offset = shared["unit"](rng.standard_normal(text.shape[1]))
    pushed = shared["paraphrases"](captions, text, PARAPHRASE, rng) + OFFSET * offset
    questions = shared["unit"](pushed).astype(np.float32)

    def measured(background):
        def measure(pictures, texts):
            rounds = max(4, 2000 // (pictures + texts))
            return shared["run"](Scorer, image, text, background, pictures, texts, rounds)

        return measure

    table("Photographs, the background being captions", measured(captions))
    table("Photographs, the background being simulated questions", measured(questions))


def drawings():
    """Drawings and sentences in the space of the model that ships."""
    from mixed_preset import SENTENCES  # what follows needs the extra train
    from PIL import Image

    from mmrag_nb.assets.background import background
    from mmrag_nb.models.emoji import EmojiEncoder
    from mmrag_nb.training.emoji.drawings import load_drawings
    from mmrag_nb.training.emoji.names import load_emoji
    from mmrag_nb.training.emoji.packages import cache_folder
    from mmrag_nb.training.emoji.sets import find_set

    encoder, cache = EmojiEncoder(), cache_folder()
    names = load_emoji(cache)
    loaded = load_drawings(find_set("openmoji"), names, cache)
    emoji, rows = np.unique(loaded.emoji, return_index=True)
    white = Image.new("RGBA", loaded.pixels.shape[2:0:-1], "white")
    drawn = [Image.alpha_composite(white, Image.fromarray(loaded.pixels[i]).convert("RGBA")) for i in rows]
    image = encoder.embed_images([picture.convert("RGB") for picture in drawn])
    text = encoder.embed_texts([SENTENCES[k % 3].format(names[k].name) for k in emoji])
    asked = encoder.embed_texts([f"which picture shows {names[k].name}?" if k % 2 else names[k].name for k in emoji])
    lines = background()
    kinds = {
        "questions": [line for line in lines if line.endswith("?")][:100],
        "captions and statements": [line for line in lines if not line.endswith("?")][:100],
        "what the model brings": list(encoder.background),
    }

    def measured(bank):
        def measure(pictures, texts, rounds=20):
            rng = np.random.default_rng(0)
            ranks, bound = ({"image": [], "text": []} for _ in range(2))
            for _ in range(rounds):
                chosen = rng.permutation(len(emoji))[: pictures + texts]
                scorer = Scorer()
                scorer.fit(bank, image[chosen[:pictures]], text[chosen[pictures:]])
                scores = np.concatenate(scorer.score(asked[chosen]), axis=1)
                right = scores.diagonal()[:, None]  # row and column i are of the same emoji
                own = np.repeat(("image", "text"), (pictures, texts))
                for kind in ranks:
                    mine = own == kind
                    within = (scores[mine][:, mine] > right[mine]).sum(1)
                    bound[kind] += list(within)
                    ranks[kind] += list(within + (scores[mine][:, ~mine] >= right[mine]).sum(1))
            return ({kind: np.array(each[kind]) for kind in each} for each in (ranks, bound))

        return measure

    for kind, bank in kinds.items():
        table(f"Drawings, the background being {kind} ({len(bank)})", measured(encoder.embed_texts(bank)))


def main():
    """Print the tables."""
    if "--emoji" in sys.argv[1:]:
        drawings()
    elif (BENCH / "mixed_pool.py").exists():
        photographs()
    else:
        print(f"no mixed_pool.py in {BENCH}: set MMRAG_BENCH to its folder, or measure drawings with --emoji")


if __name__ == "__main__":
    sys.exit(main())
