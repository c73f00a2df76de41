"""``%mmrag_prompt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.generation.templates import copy_template, template, templates
from mmrag_nb.notebook.arguments import out, parse, unquoted
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.generation.templates import Copied, Template, Templates


@magics_class
class PromptMagics(SessionMagics):
    """What tells how answers are asked for."""

    @no_var_expand
    @magic_arguments()
    @argument("which", nargs="?", metavar="PROMPT", help="A prompt's name, or the path of its file; all if absent.")
    @argument("--copy", type=unquoted, metavar="YAML", help="Write its file there, NAME.yaml, to be changed.")
    @argument("--force", action="store_true", help="Let --copy write over a file that is there.")
    @out("prompt")
    @line_magic
    @one_line
    def mmrag_prompt(self, line: str) -> Templates | Template | Copied | None:
        """Show the prompts that can be chosen, one of them as it is sent, or copy one to make your own of it.

        A prompt is a file in YAML: what the model is told to do, and worked examples. NAME.yaml is looked for beside
        the notebook, in a folder prompts there, and among those that are shipped.

        Examples::

            %mmrag_prompt
            %mmrag_prompt flower_expert
            %mmrag_prompt flower_expert --copy my_expert.yaml
            %config MMRag.prompt = "my_expert"
        """
        options = parse(self.mmrag_prompt, line)
        if options is None:
            return None
        name = unquoted(options.which or "")
        if options.force and options.copy is None:
            raise UsageError("--force goes with --copy FILE: it lets that write over a file")
        if options.copy is not None:
            chosen = name or self._session.settings.prompt
            return self._session.give(copy_template(chosen, options.copy, force=options.force), options.out)
        shown = template(name) if name else templates(self._session.settings.prompt)
        return self._session.give(shown, options.out)
