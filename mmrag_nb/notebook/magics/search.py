"""``%mmrag_search``, ``%%mmrag_search`` and ``%mmrag_similar``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import parse, words
from mmrag_nb.notebook.session import one_line
from mmrag_nb.results import Hits

from .retrieving import RetrievalMagics, asking, finding

if TYPE_CHECKING:
    from collections.abc import Iterable


def _parted(text: str) -> list[str]:
    if text.endswith(","):
        raise argparse.ArgumentTypeError("write them without blanks between, or quote them: --unlike tomato.jpg,2")
    return [text] if text.startswith("{{") else [part.strip() for part in text.split(",") if part.strip()]


@magics_class
class SearchMagics(RetrievalMagics):
    """What retrieves without answering."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @asking("hits")
    @line_cell_magic
    @one_line
    def mmrag_search(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Hits | None:
        """Find what fits a question, a picture or a spoken question; no answer is written.

        Examples::

            %mmrag_search a red apple -k 10
            %mmrag_search a red apple --only image,audio
            %mmrag_search --image photos/apple.jpg --out alike
            %mmrag_search --audio question.wav
            %mmrag_search this, but in red --image shoe.jpg
            %mmrag_search --image shoe.jpg --audio in_red.wav --balance 0.3
            %mmrag_search a gift --where "species == 'rose' and price < 50"
            %mmrag_search a red apple --strategy separate
        """
        options = parse(self.mmrag_search, line)
        if options is None:
            return None
        asked = self._asked(options, cell, local_ns, "mmrag_search")
        rag = self._ready(
            pictures=options.image is not None, voice=options.audio is not None, strategy=options.strategy
        )
        return self._session.give(rag.search(**asked), options.out)

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument(
        "examples",
        nargs="*",
        metavar="EXAMPLE",
        help="Names of items or records, numbers of hits, {{expr}}, or one path of a picture or sound.",
    )
    @argument(
        "--unlike",
        type=_parted,
        action="extend",
        default=[],
        metavar="EXAMPLES",
        help="What hits are to be unlike, with commas: tomato.jpg,2. Can be repeated.",
    )
    @finding("hits")
    @line_magic
    @one_line
    def mmrag_similar(self, line: str, local_ns: dict[str, Any] | None = None) -> Hits | None:
        """Find more like something in the index, or several things, or like a picture or sound that is not in it.

        A number is a hit of the last result. Several examples count alike: who looked at these, may like those. Quote
        what has blanks.

        Examples::

            %mmrag_similar 2
            %mmrag_similar apple.jpg "my pear.jpg" --unlike tomato.jpg
            %mmrag_similar 1 3 --unlike 2 -k 10
            %mmrag_similar {{answer.hits[0]}} --only image --where "price < 50"
            %mmrag_similar photos/new.jpg --strategy separate
        """
        options = parse(self.mmrag_similar, line)
        if options is None:
            return None
        to = self._examples(words(options.examples), local_ns)
        if not to:
            raise UsageError("similar to what? name an item or a hit's number: %mmrag_similar apple.jpg")
        found = {"unlike": self._examples(options.unlike, local_ns), **self._found(options, local_ns)}
        rag = self._ready(strategy=options.strategy)
        return self._session.give(rag.similar(to[0] if len(to) == 1 else to, **found), options.out)

    def _examples(self, said: Iterable[str], local_ns: dict[str, Any] | None) -> list[Any]:
        """What the words stand for: hits by their number, names, and the values of ``{{expressions}}``."""
        examples: list[Any] = []
        for word in said:
            one = self._session.hit(int(word)) if word.isdecimal() else self._thing(word, local_ns)
            examples += one if isinstance(one, (list, Hits)) else [one]
        return examples
