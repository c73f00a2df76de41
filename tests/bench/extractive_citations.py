"""What the extractive generator cites: ``python tests/bench/extractive_citations.py``.

Fifty questions (``extractive_pairs.tsv``) about texts written for them: short passages, speech without full stops,
captions of pictures, pairs of texts about similar things. Each names the text that holds the answer and words of the
sentence that is the answer; four have no answer there. They are asked of the generator alone, which is given the right
text among four others or among all, in an order drawn for each question; and from end to end, through retrieval,
offline, with and without the setting ``abstain``.

*Precision* is the share of citations that name the right text, *recall* the share of answerable questions whose right
text is cited, both of answers that do not abstain. *Right sentence* counts answers that quote the words. *Abstained*
counts answers that say that nothing answers the question: rightly of the four, wrongly of the others. Nothing was
fitted to these questions, and nothing may be.
"""

import random
from pathlib import Path

from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.generation.citations import cited, declined
from mmrag_nb.generation.extractive import ExtractiveGenerator
from mmrag_nb.types import Evidence, Prompt

PAIRS = Path(__file__).with_name("extractive_pairs.tsv")
GIVEN = 5
WRITTEN = {
    "lifeboat": (
        "The lifeboat station at Carrow Head was opened in 1881. Its first coxswain was Agnes Tully, a pilot's "
        "widow. In her the village had the rowing boat Hope, which saved 214 people before a motor boat replaced "
        "it in 1926."
    ),
    "cafe": (
        "The harbour café stands behind the fish market. It opens at seven for the fishermen and closes at three "
        "on Sundays. Besides fish there is always a lentil soup for those who eat no meat."
    ),
    "lake": (
        "Lake Varn is 138 metres deep and never freezes. Char and burbot live in it, and nothing else. At the "
        "north shore swimming is forbidden because of strong currents near the outflow."
    ),
    "orm": (
        "Lake Orm is shallow and warm. A path of eleven kilometres leads around it. Rowing boats can be rented at "
        "the inn from May to September."
    ),
    "olives": (
        "The oldest olive trees on the island are said to be nine hundred years old. The harvest takes place "
        "between October and December, depending on the weather. Nothing is thrown away: the stones are burnt to "
        "heat the mill."
    ),
    "router": (
        "To reset the device, press the button at the back with a pin for ten seconds. An orange light shows that "
        "there is no connection to the provider. In houses with many networks, channel 11 is often the least "
        "crowded."
    ),
    "violin": (
        "A bow that is played daily should be rehaired once a year. Rosin, the resin of pine trees, gives the "
        "hair its grip. Heat softens the glue, so an instrument left in a hot car may come apart."
    ),
    "organ": (
        "The organ of St Olaf has 2,340 pipes on three manuals. It was repaired by the Martens brothers in 1974. "
        "In the largest pipe they found a bird's nest and a prayer book."
    ),
    "chess": (
        "Lindqvist beat Moreau in the final of the chess tournament. The longest game of the week lasted seven "
        "hours and ended in a draw. The winner was given 4,000 crowns and a clock."
    ),
    "ethanol": (
        "Ethanol boils at 78 degrees Celsius and mixes with water in any proportion. Its vapour catches fire "
        "easily, which is why it is stored away from flames."
    ),
    "oster": (
        "The library of Oster opens at ten on weekdays. Six books may be borrowed for four weeks. For every day "
        "that a book is late, twenty cents are due."
    ),
    "wester": (
        "The library of Wester opens at noon and stays open until eight. Readers may take home eight books at a "
        "time. There is no fine, but a letter."
    ),
}
SPOKEN = {
    "grandmother": (
        "well my grandmother she always baked on saturdays poppy seed cake mostly and the whole street could "
        "smell it and my grandfather he had worked at the glass works before the war and after that he kept "
        "rabbits and there was a dog too we called him bruno because he was brown as a bear"
    ),
    "bus": (
        "so the last night bus leaves from the station at twenty past midnight and a day ticket is six euros "
        "fifty if you buy it from the driver and when it rains everybody waits under the bridge because there is "
        "no shelter"
    ),
    "forest": (
        "the first rule is never eat a mushroom that you do not know a beech tree you can tell by its smooth grey "
        "bark even in winter and the whole forest is looked after by two rangers and one of them is me"
    ),
}
SEEN = {
    "bicycle": "a red bicycle leaning against a white wall",
    "cat": "a cat asleep on a window sill",
    "market": "a market stall with oranges and lemons",
    "kite": "a boy flying a kite on the beach",
}


def pairs():
    """(question, the text that answers it or nothing, words of the answer) each."""
    lines = PAIRS.read_text(encoding="utf-8").splitlines()[1:]
    return [tuple(line.split("\t")) for line in lines]


def evidence(number, name):
    """A text as a generator is given it."""
    modality = "image" if name in SEEN else "audio" if name in SPOKEN else "text"
    return Evidence(number, name, modality, {**WRITTEN, **SPOKEN, **SEEN}[name], score=1.0)


def alone(of):
    """(answer, names of what it cites, whether it abstains) of the generator, given ``of`` texts for each question."""
    names = [*WRITTEN, *SPOKEN, *SEEN]
    for place, (question, right, _) in enumerate(pairs()):
        chance = random.Random(place)
        others = chance.sample([name for name in names if name != right], of - bool(right))
        given = [*others, *([right] if right else [])]
        chance.shuffle(given)
        sent = tuple(evidence(number, name) for number, name in enumerate(given, start=1))
        *_, whole = ExtractiveGenerator().stream(Prompt(question, "", sent))
        absent, text = declined(whole.text)
        yield text, [given[number - 1] for number in cited(text, range(1, of + 1))], absent


def whole(*, abstain):
    """The same from end to end."""
    with MultimodalRAG(preset="offline", abstain=abstain) as rag:
        rag.index([{"text": text, "name": name} for name, text in {**WRITTEN, **SPOKEN}.items()])
        colours = ("red", "grey", "orange", "blue")
        drawn = {name: Image.new("RGB", (64, 48), colour) for name, colour in zip(SEEN, colours, strict=True)}
        rag.index([{"image": drawn[name], "caption": text, "name": name} for name, text in SEEN.items()])
        for question, _, _ in pairs():
            answer = rag.ask(question, k=GIVEN)
            names = dict.fromkeys(hit.item.metadata["name"] for hit in answer.citations.values())
            yield answer.text, list(names), answer.abstained


def report(name, answers):
    """Print the figures of one way of asking, and what went wrong."""
    asked = list(zip(pairs(), answers, strict=True))
    answerable = [(pair, answer) for pair, answer in asked if pair[1]]
    given = sum(len(names) for _, (_, names, absent) in asked if not absent)
    right = sum(pair[1] in names for pair, (_, names, absent) in answerable if not absent)
    quoted = sum(pair[2].lower() in text.lower() for pair, (text, _, absent) in answerable if not absent)
    wrongly = sum(absent for _, (_, _, absent) in answerable)
    rightly = sum(absent for pair, (_, _, absent) in asked if not pair[1])
    none = len(asked) - len(answerable)
    print(
        f"\n## {name}\n\n| precision | recall | right sentence | abstained rightly | abstained wrongly |\n{'|---' * 5}|"
    )
    figures = [(right, given), (right, len(answerable)), (quoted, len(answerable)), (rightly, none)]
    cells = [f"{part / of:.2f} ({part} of {of})" for part, of in [*figures, (wrongly, len(answerable))]]
    print(f"| {' | '.join(cells)} |\n")
    for (question, document, words), (text, names, absent) in asked:
        if (document and words.lower() not in text.lower()) or (not document and not absent):
            print(f"- {question} -> {', '.join(names) or 'nothing'} (right: {document or 'none'}): {text[:110]}")


def main():
    every = len(WRITTEN) + len(SPOKEN) + len(SEEN)
    report(f"the generator alone, given {GIVEN} texts", alone(GIVEN))
    report(f"the generator alone, given all {every} texts", alone(every))
    report("from end to end, offline", whole(abstain=True))
    report("from end to end, offline, abstain off", whole(abstain=False))


if __name__ == "__main__":
    main()
