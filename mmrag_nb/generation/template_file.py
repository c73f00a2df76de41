"""One prompt's file: YAML of four keys, read with a word on each mistake and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mmrag_nb.errors import InvalidSetting, nearest
from mmrag_nb.types import Example

from .citations import cited, declined, invalid
from .prompt import RULES

if TYPE_CHECKING:
    from pathlib import Path

    Node = Any
    """``yaml.nodes.Node``, which has no types."""

LARGEST = 65_536
"""Bytes of a file: about 16,000 tokens, which go with every question."""
KEYS = ("description", "instructions", "rules", "examples")
_LONGEST_KEY = 40
_OF_AN_EXAMPLE = ("question", "evidence", "answer")


class TemplateFile:
    """What a prompt's file says.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InvalidSetting
        It cannot be read or is no prompt; one line has the file, the line in it, what is wrong and what is right.
    """

    description: str
    instructions: str
    """Whole: where the file has no rules of its own, the package's follow."""
    examples: tuple[Example, ...]

    def __init__(self, path: Path) -> None:
        self._path = path
        root = self._root(self._text())
        if root is None:
            self._fail(0, "is empty: write at least 'instructions: |' and below it, indented, what is to be done")
        said = self._mapping(root, KEYS, "a prompt")
        if "instructions" not in said:
            self._fail(0, "has no instructions: write 'instructions: |' and below it, indented, what is to be done")
        described = self._words(said["description"], "description") if "description" in said else ""
        self.description = " ".join(described.split())
        task = self._words(said["instructions"], "instructions")
        own = self._words(said["rules"], "rules") if "rules" in said else ""
        self.instructions = f"{task}\n{own or RULES}"
        self.examples = tuple(
            self._example(node, n, strict=not own) for n, node in enumerate(self._list(said.get("examples")), start=1)
        )

    def _text(self) -> str:
        try:
            if self._path.stat().st_size > LARGEST:
                self._fail(0, f"is too large: a prompt goes with every question and has at most {LARGEST:,} bytes")
            data = self._path.read_bytes()
        except OSError as error:
            raise InvalidSetting(f"prompt {self._path}: cannot be read ({error.strerror})") from None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._fail(line, "is no text in UTF-8: save it as one")
        if "\0" in text:
            self._fail(text[: text.index("\0")].count("\n") + 1, "is binary: a prompt is a text in YAML")
        return text

    def _root(self, text: str) -> Node | None:
        import yaml  # type: ignore[import-untyped]

        try:
            # Only composed, never constructed: no tag makes an object, and an alias costs nothing.
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = " ".join(f"{error.problem or error.context}".split())
            self._fail(
                mark.line + 1 if mark else 0,
                f"is no YAML here ({what}): put a text that has ': ' in it, or begins with [ or {{ or a quote, on "
                "lines of its own, indented, below '|'",
            )
        except yaml.reader.ReaderError as error:
            line = text[: error.position].count("\n") + 1
            self._fail(
                line, f"holds a character that YAML does not take (U+{ord(text[error.position]):04X}): remove it"
            )
        except RecursionError:
            self._fail(0, f"is nested too deep: a prompt has {', '.join(KEYS)}, and nothing deeper than an example")

    def _example(self, node: Node, n: int, *, strict: bool) -> Example:
        what = f"example {n}"
        said = self._mapping(node, _OF_AN_EXAMPLE, what)
        for key in ("question", "answer"):
            if key not in said:
                self._fail(_line(node), f"{what} has no {key}: an example has {', '.join(_OF_AN_EXAMPLE)}")
        evidence = tuple(
            self._words(one, f"{what}'s evidence") for one in self._list(said.get("evidence"), f"{what}'s evidence")
        )
        answer = self._words(said["answer"], f"{what}'s answer")
        there = range(1, len(evidence) + 1)
        wrong = invalid(answer, there)
        if wrong:
            self._fail(
                _line(said["answer"]),
                f"{what}'s answer cites [{wrong[0]}], and its evidence is {_numbers(len(evidence))}: cite no other",
            )
        if strict and not cited(answer, there) and not declined(answer)[0]:
            self._fail(
                _line(said["answer"]),
                f"{what}'s answer cites nothing, and so would all answers: write [1] after what rests on the first "
                "evidence, or begin with [none]",
            )
        return Example(self._words(said["question"], f"{what}'s question"), evidence, answer)

    def _mapping(self, node: Node, known: tuple[str, ...], what: str) -> dict[str, Node]:
        right = f"{what} has {', '.join(known)}, each as 'key: text'"
        if node.id != "mapping":
            self._fail(_line(node), f"is a {_KINDS[node.id]} where {right}")
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = str(key.value)[:_LONGEST_KEY] if key.id == "scalar" else "?"
            if name not in known:
                near = nearest(name, known)
                hint = f"did you mean {near!r}? " if near else ""
                self._fail(_line(key), f"unknown key {name!r}: {hint}{what} has {', '.join(known)}")
            if name in found:
                self._fail(_line(key), f"{name!r} stands there twice: join the two")
            found[name] = value
        return found

    def _list(self, node: Node | None, what: str = "examples") -> list[Node]:
        if node is None:
            return []
        if node.id != "sequence":
            self._fail(_line(node), f"{what} is no list: begin each entry with '- ' on a line of its own")
        return list(node.value)

    def _words(self, node: Node, what: str) -> str:
        if node.id != "scalar":
            self._fail(_line(node), f"{what} is a {_KINDS[node.id]}: write a text, below '|' where it has brackets")
        text = str(node.value).strip()
        if not text or node.tag == "tag:yaml.org,2002:null":
            hint = "; without the key the package's rules hold" if what == "rules" else ""
            self._fail(_line(node), f"{what} is empty: write it, or leave the key out{hint}")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self._fail(_line(node), f"{what} holds half a character (\\ud800 to \\udfff): no provider takes that")
        return text

    def _fail(self, line: int, what: str) -> NoReturn:
        where = f", line {line}" if line else ""
        raise InvalidSetting(f"prompt {self._path}{where}: {what}")


_KINDS = {"scalar": "text", "sequence": "list", "mapping": "set of keys"}


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _numbers(n: int) -> str:
    return "none" if n == 0 else "1" if n == 1 else f"1 to {n}"
