import pytest

from mmrag_nb.generation.citations import ABSENT, cited
from mmrag_nb.generation.extractive import LONGEST, WINDOW, ExtractiveGenerator, sentences
from mmrag_nb.types import Evidence, Prompt

NOVEL = (
    "All Quiet on the Western Front (German: Im Westen nichts Neues, lit. 'In the West, nothing new') is a "
    "semi-autobiographical novel by Erich Maria Remarque, a German veteran of World War I. The book describes the "
    "soldiers' physical and mental trauma during the war. It is billed by some as \"the greatest war novel of all "
    'time".[1]'
)
SPEECH = (
    "i recorded a more complex audio file but i'm going to re record with a simpler one because it was surprisingly "
    "difficult my favorite harvest is charlotte carlin to local how to work to iowa tour"
)
MUSEUM = (
    "Welcome to the museum. The café is at the back. The fire extinguisher hangs beside the door! "
    "Dr. Ines Roth founded the house in 1912, with 42 photographs."
)


def text(number, words, title="notes.txt"):
    return Evidence(number, title, "text", words)


def audio(number, words, title="talk.mp3, 11.9-16.0 s"):
    return Evidence(number, title, "audio", words)


def image(number, title, caption=""):
    return Evidence(number, title, "image", caption)


def ask(question, *evidence):
    *pieces, whole = ExtractiveGenerator().stream(Prompt(question, "", evidence))
    assert "".join(pieces) == whole.text
    return whole.text


LORENZ = image(3, "Lorenz_Ro28-200px.png")


@pytest.mark.parametrize(
    ("question", "evidence", "number", "words"),
    [
        ("who is my favorite harpist?", (text(1, NOVEL), audio(2, SPEECH), LORENZ), 2, "my favorite harvest is"),
        ("who is my favorite harpist?", (LORENZ, text(1, NOVEL), audio(2, "my favorite harvest is throw")), 2, "throw"),
        ("show me the Lorenz attractor", (text(1, NOVEL), audio(2, SPEECH), LORENZ), 3, "The picture Lorenz_Ro28"),
        ("who wrote All Quiet on the Western Front?", (audio(1, SPEECH), text(2, NOVEL)), 2, "Erich Maria Remarque"),
        ("what is called the greatest war novel?", (audio(1, SPEECH), text(2, NOVEL)), 2, "billed by some"),
        ("where is the fire extinguisher?", (text(1, "Fires are hot."), text(2, MUSEUM)), 2, "beside the door!”"),
        ("who founded the museum's house?", (text(1, MUSEUM), text(2, NOVEL)), 1, "Dr. Ines Roth founded"),
        ("how many photographs were there", (text(1, NOVEL), text(2, MUSEUM)), 2, "42 photographs"),
        ("a red apple", (image(1, "x.jpg"), image(2, "p.jpg", "two red apples on a table")), 2, "captioned “two red"),
        (
            "谁是我最喜欢的竖琴家?",
            (text(1, "西线无战事是一部小说。"), text(2, "你好。我最喜欢的竖琴家是卡罗兰。")),
            2,
            "“我最喜",
        ),
        ("When does the garden open?", (text(1, MUSEUM), audio(2, "the guarden opens at nine")), 2, "at nine"),
        (
            "how do butterflies fly?",
            (image(1, "wing.png"), text(2, "Bread is baked daily.")),
            1,
            "The picture wing.png",
        ),
        ("what is it?", (image(1, "wing.png"), text(2, NOVEL)), 1, "The picture wing.png"),
        ("what does it sound like?", (audio(1, "", "hum.wav, 0.0-2.0 s"),), 1, "The recording hum.wav"),
    ],
)
def test_the_best_sentence_is_quoted_and_cited(question, evidence, number, words):
    said = ask(question, *evidence)
    assert words in said
    assert cited(said, [e.number for e in evidence])[0] == number


def test_where_nothing_answers_it_says_so_and_points_to_the_nearest():
    said = ask("quantum chromodynamics lattice?", text(1, NOVEL, "Wiki.txt"), LORENZ)
    assert said == f"{ABSENT} The sources hold no sentence that answers this; closest is Wiki.txt [1]."


def test_a_question_without_words():
    assert "no sentence" in ask("???", text(1, NOVEL))


def test_no_evidence():
    assert ask("why?") == f"{ABSENT} The sources hold nothing on this."


def test_the_retrieved_order_decides_between_equals():
    same = "The garden opens at nine."
    assert ask("when does the garden open?", text(4, same, "a"), text(2, same, "b")).startswith(f"“{same}” [4]")


def test_two_sentences_at_most_and_the_second_only_if_it_is_as_good():
    assert ask("garden opens", *[text(n, f"The garden opens at {n}.") for n in range(1, 6)]).count("“") == 2
    assert ask("garden opens at nine", text(1, "The garden opens at nine."), text(2, "Nine cats.")).count("“") == 1


def test_long_speech_is_cut_around_the_match():
    words = [f"filler{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(200)]
    words[120:123] = ["favorite", "harpist", "turlough"]
    quote = ask("who is my favorite harpist?", audio(1, " ".join(words)))
    assert quote.startswith("“… ")
    assert quote.endswith(" …” [1]")
    inside = quote.removeprefix("“… ").removesuffix(" …” [1]").split()
    assert len(inside) == WINDOW
    assert 3 <= inside.index("favorite") <= 10
    assert "turlough" in inside


@pytest.mark.parametrize("place", [0, 1, 198, 199])
def test_a_match_at_either_end_of_long_speech_is_inside_the_quote(place):
    words = ["filler"] * 200
    words[place] = "harpist"
    quote = ask("which harpist?", audio(1, " ".join(words)))
    assert "harpist" in quote
    assert ("“… " in quote) == (place > 100)


def test_short_sentences_are_quoted_whole():
    said = " ".join(["word"] * (LONGEST - 1) + ["harpist"])
    assert ask("which harpist?", text(1, said)) == f"“{said}” [1]"


def test_what_is_quoted_cannot_cite():
    said = ask(
        "which harpist?", text(1, "The harpist [2] plays `well [3].", "a [2].txt"), text(2, "x `y"), text(3, "z")
    )
    assert cited(said, [1, 2, 3]) == (1,)
    assert cited(ask("unknown?", text(1, "words", "a [2].txt"), text(2, "more")), [1, 2]) == (1,)


def test_the_same_question_gives_the_same_answer():
    evidence = (text(1, NOVEL), audio(2, SPEECH), LORENZ, text(4, MUSEUM))
    assert len({ask("the war, the harp or the door?", *evidence) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("whole", "split"),
    [
        (NOVEL, 3),
        ("J. S. Bach lived, e.g. in Leipzig. He died (cf. Fig. 3).", 2),
        ("你好。再见!  Bye", 3),
        ("a title\n\nand then a text\nover two lines", 2),
        ("no punctuation at all", 1),
        ("The U.S. Army and, z.B., Dr. Roth came at 9 p.m. They left.", 2),
        ("「さようなら。」と言った。Bye.", 3),
        ("e.g. " * 40_000, 1),
        (" \n ... \n", 0),
    ],
)
def test_sentences_end_where_people_would_say(whole, split):
    assert len(sentences(whole)) == split


@pytest.mark.cases
def test_the_seed_articles_case(cases):
    said = ask(
        "who is my favorite harpist?",
        LORENZ,
        text(1, (cases / "warfield" / "Wiki.txt").read_text(encoding="utf-8"), "Wiki.txt"),
        audio(2, SPEECH, "audio.mp3, 0.0-25.9 s"),
    )
    assert "my favorite harvest is charlotte carlin" in said
    assert cited(said, [1, 2, 3]) == (2,)
