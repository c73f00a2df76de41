"""``%mmrag_index`` and ``%%mmrag_index``."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.arguments import column_kinds, out, parse
from mmrag_nb.notebook.progress import ProgressLine
from mmrag_nb.notebook.session import one_line
from mmrag_nb.settings import CLEAN

from .base import SessionMagics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmrag_nb.jobs.job import Job
    from mmrag_nb.reports import IndexReport, Plan
    from mmrag_nb.settings import Settings


@magics_class
class IndexMagics(SessionMagics):
    """What fills the index."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("sources", nargs="*", metavar="SOURCE", help="A path, glob, folder, URL or {{expr}}, then key=value.")
    @argument("--dry-run", action="store_true", help="Tell what would be done, how long and how large, and do nothing.")
    @argument("--records", action="store_true", help="Every folder that holds files is one record, scored as a whole.")
    @argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PATTERNS",
        help='What folders leave out, for this run: "*.tmp,drafts/".',
    )
    @argument(
        "--background",
        action="store_true",
        help="Go on with the next cell meanwhile: %%mmrag_status tells how far it is, %%mmrag_stop ends it.",
    )
    @argument(
        "--engine",
        default="",
        metavar="ENGINE",
        help="Who does the work of a large corpus, into an index in Milvus: ray, ray:auto or ray://HOST:10001.",
    )
    @argument("--prune", action="store_true", help="Take out of the index what these folders no longer hold.")
    @argument(
        "--columns", type=column_kinds, metavar="KINDS", help='What tables\' columns hold: "photo=image id=ignore".'
    )
    @argument(
        "--clean",
        choices=CLEAN,
        help="For this run: what to do with blurred, blank and doubled pictures, silent sounds and unclean texts.",
    )
    @out("report")
    @line_cell_magic
    @one_line
    def mmrag_index(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> IndexReport | Plan | Job | None:
        """Index pictures, sound and text: one source a line.

        A source is a path, a glob, a folder, an http(s) URL, or a Python object in double braces. What follows as
        key=value is its metadata; caption= is searchable text. What is in the index already is not embedded again; what
        a file held before it changed is replaced; files that are gone are told, and with --prune taken out.

        Things that belong together are a record: a row of a DataFrame, of a CSV or Parquet file, a dict of lists, or
        with --records a folder. What the columns of a table hold is guessed and told; --columns says it: text, image,
        audio, video, path, url, metadata or ignore.

        With --background the cell is through at once, and the next can ask for what is in the index by then; how far it
        is stands below the cell. Of several such cells one is at work, the others follow in order.

        Examples::

            %%mmrag_index
            photos/*.jpg
            talk.mp3   speaker="D. Warfield"
            https://example.org/Wiki.txt
            {{my_picture}}   caption="a red apple"

            %mmrag_index notes.md --out report
            %mmrag_index photos/*.jpg --dry-run
            %mmrag_index shop/ --records
            %mmrag_index notes/ --ignore "*.tmp,drafts/"
            %mmrag_index notes/ --prune
            %mmrag_index photos/ --clean skip
            %mmrag_index lectures/ --background
            %mmrag_index archive/ --engine ray
            %mmrag_index {{df}}
            %mmrag_index shop/products.csv --columns "photo=image note=text internal=ignore"
        """
        options = parse(self.mmrag_index, line)
        if options is None:
            return None
        from mmrag_nb.sources.parse import parse_sources

        sources = parse_sources(
            "\n".join([options.sources, cell or ""]), partial(self._session.evaluate, local_ns=local_ns)
        )
        if not sources:
            raise UsageError("nothing to index: name a source a line, such as photos/*.jpg (see %mmrag_index?)")
        rag = self._session.rag
        how = {"records": options.records, "columns": options.columns, "ignore": ",".join(options.ignore)}
        if options.background:
            if options.dry_run:
                raise UsageError("--dry-run does nothing that could go on in the background: leave one of them out")
            with _cleaning(rag.settings, options.clean):
                job = rag.index_in_background(sources, **how, prune=options.prune, engine=options.engine)
            return self._session.give(job, options.out)
        if options.dry_run:
            with _cleaning(rag.settings, options.clean), ProgressLine(self.shell) as progress:
                plan = rag.plan(sources, **how, progress=progress)
            return self._session.give(plan, options.out)
        try:
            with _cleaning(rag.settings, options.clean), ProgressLine(self.shell) as progress:
                report = rag.index(sources, **how, prune=options.prune, engine=options.engine, progress=progress)
        except (KeyboardInterrupt, MMRagError) as error:
            if rag.report is not None and (rag.report.items or isinstance(error, KeyboardInterrupt)):
                display(rag.report)  # what was committed before stays
            raise
        self._session.warm()
        return self._session.give(report, options.out)


@contextmanager
def _cleaning(settings: Settings, how: str | None) -> Iterator[None]:
    """Set ``clean`` for one run, where a flag says so."""
    before = settings.clean
    settings.clean = how or before
    try:
        yield
    finally:
        settings.clean = before
