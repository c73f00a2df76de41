"""Words as they are compared: which count, whose language they are, which deny."""

from __future__ import annotations

import re
import unicodedata

from .numbers import SPELT

_CJK = "぀-ヿ㐀-鿿가-힯"
_WORD = re.compile(rf"\d+(?:[.,:]\d+)*|[{_CJK}]+|[^\W\d_{_CJK}]+(?:['’][^\W\d_{_CJK}]+)?")
_FUNCTION_WORDS = {
    "en": """a about above after again all also am an and any are as at be because been before being below
        between both but by can could did do does doing down during each either few for from further had has
        have having he her here hers him his how i if in into is it its itself just may me might more most
        must my nor not now of off on once only or other our out over own same shall she should since so
        some such than that the their them then there these they this those through to too under until up
        upon us very was we were what when where whether which while who whom whose why will with within
        without would yet you your however according says said states mentions describes shows called named
        known""",
    "de": """der die das den dem des ein eine einen einem einer eines und oder aber ist sind war waren wird wurde wurden
        werden hat haben hatte im in am an auf aus bei mit nach seit von vom zu zum zur für durch über unter als wie
        auch noch nur sehr sich er sie es wir ihr sein seine ihre dass daß wenn weil dort dieser diese dieses man
        nicht""",
    "fr": """le la les l un une des du de d et ou mais est sont était étaient a ont avait dans en sur sous avec pour par
        sans au aux ce cet cette ces qui que qu où dont il elle ils elles on se son sa ses leur leurs plus très aussi
        comme ne pas""",
    "es": """el la los las un una unos unas y o pero es son era eran fue ha han en con por para sin sobre del de al que
        quien como más muy también se su sus lo le les este esta estos estas no""",
    "it": """il lo la i gli le un uno una e o ma è sono era erano fu ha hanno in con per su di del della dei delle al
        alla che chi come più molto anche si suo sua suoi questo questa non""",
    "pt": """o a os as um uma e ou mas é são era eram foi tem em no na nos nas com por para sem sobre de do da dos das
        ao que quem como mais muito também se seu sua este esta não""",
    "nl": """de het een en of maar is zijn was waren wordt werd heeft hebben in op aan met van voor door bij uit naar
        over onder als ook nog niet die dat deze dit er hij zij ze hun""",
}
_OF = {language: frozenset(said.split()) for language, said in _FUNCTION_WORDS.items()}
_DENYING = frozenset(
    "never none nobody nothing neither cannot kein keine keinen nie jamais nunca mai niet geen".split()
)
_STOP = frozenset({"yes", "ok"}).union(_DENYING, *_OF.values())
_NOT = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|nicht|kein(?:e[mnrs]?)?|nie|ohne|pas|jamais|sans"
    r"|nunca|sin|mai|senza|niet|geen|não|sem|не|нет)\b|n['’]t\b|[不没沒未]",
    re.IGNORECASE,
)
_APOSTROPHE = re.compile(r"['’].*")


def words(text: str) -> list[tuple[str, int, int]]:
    """Each word or number of ``text`` with its characters [from, to)."""
    return [(found[0], found.start(), found.end()) for found in _WORD.finditer(text)]


def content(text: str) -> list[str]:
    """The words that say what ``text`` is about, folded: no capitals, accents or possessives.

    Scripts written without spaces give pairs of neighbouring characters. Numbers are left to
    :mod:`mmrag_nb.generation.numbers`.
    """
    found: list[str] = []
    for word in _WORD.findall(text):
        if re.match(f"[{_CJK}]", word):
            found += [word[i : i + 2] for i in range(len(word) - 1)] or [word]
            continue
        lower = word.casefold()
        if lower[0].isdigit() or lower in SPELT or lower in _STOP or _APOSTROPHE.sub("", lower) in _STOP:
            continue
        folded = _folded(_APOSTROPHE.sub("", lower) if lower.endswith(("'s", "’s")) else re.sub("['’]", "", lower))
        found.append(folded)
    return found


def language(text: str) -> str:
    """The language of ``text`` by its commonest words, or its script; empty where that is not plain."""
    if len(re.findall(f"[{_CJK}]", text)) * 3 > len(text.strip()):
        return "cjk"
    said = [word.casefold() for word in _WORD.findall(text)]
    counts = {name: sum(word in common for word in said) for name, common in _OF.items()}
    first, second = sorted(counts, key=counts.__getitem__, reverse=True)[:2]
    return first if counts[first] >= 2 and counts[first] > counts[second] else ""


def names(text: str) -> list[str]:
    """The words of ``text`` that are names by their capitals.

    The first word of a sentence has one anyway: it counts only where another follows, as in ``Ines Roth``.
    """
    said = words(text)
    capital = [word[0].isupper() and len(word) > 1 and word.casefold() not in _STOP for word, _, _ in said]
    found = []
    for at, (word, start, end) in enumerate(said):
        first = not at or text[:start].rstrip()[-1:] in {*'.!?:“„«("'}
        followed = at + 1 < len(said) and capital[at + 1] and not text[end : said[at + 1][1]].strip()
        if capital[at] and (followed or not first):
            found.append(word)
    return found


def negations(text: str) -> list[str]:
    """The words of ``text`` that deny."""
    return [found[0].lower() for found in _NOT.finditer(text)]


def _folded(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
