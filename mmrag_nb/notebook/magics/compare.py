"""``%mmrag_compare``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.arguments import out, parse
from mmrag_nb.notebook.session import one_line
from mmrag_nb.registry import names

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.insight.comparison import Comparison


@magics_class
class CompareMagics(SessionMagics):
    """What sets ways of searching side by side."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("question", nargs="*", metavar="QUESTION", help="What is asked; {{expr}} where a variable holds it.")
    @argument(
        "--with",
        dest="variants",
        action="append",
        metavar="SETTING=VALUE",
        help='A column with other settings than now, several in quotes: "clip=emoji, text=words". Can be repeated.',
    )
    @argument("--image", metavar="PICTURE", help="Ask with a picture, with or without words: a path or {{expr}}.")
    @argument("-k", type=int, metavar="K", help="How many hits each column finds.")
    @out("comparison")
    @line_magic
    @one_line
    def mmrag_compare(self, line: str, local_ns: dict[str, Any] | None = None) -> Comparison | None:
        """Search by several settings, side by side: who moved where, and why.

        Without --with, by every strategy: shared, grounded and separate. What the index lacks for one is computed once.

        Examples::

            %mmrag_compare which picture shows a red apple?
            %mmrag_compare in red --image shoe.jpg
            %mmrag_compare a red apple --with grounded
            %mmrag_compare a red apple --with raw=true --with lexical_weight=0
            %mmrag_compare a red apple --with strategy=shared --with "clip=emoji, text=none" -k 10
        """
        options = parse(self.mmrag_compare, line)
        if options is None:
            return None
        image = None if options.image is None else self._value(options.image, local_ns)
        alone = image is not None and not options.question
        question = "" if alone else self._question(options.question, local_ns, "mmrag_compare")
        self._load(options.variants, pictures=image is not None)
        comparison = self._session.rag.compare(question, options.variants, options.k, image=image)
        return self._session.give(comparison, options.out)

    def _load(self, variants: list[str] | None, *, pictures: bool) -> None:
        """Load and compute what the strategies need, which is told; the column of one that cannot work says why."""
        from mmrag_nb.variants import changes

        named = names("strategy") if variants is None else [changes(one).get("strategy") for one in variants]
        for strategy in dict.fromkeys([None, *named]):
            with suppress(MMRagError):
                self._ready(pictures=pictures, strategy=strategy)
