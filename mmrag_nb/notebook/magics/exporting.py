"""``%mmrag_export`` and ``%mmrag_import``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import column_kinds, out, parse, unquoted, words
from mmrag_nb.notebook.progress import ProgressLine
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.reports import ExportReport, ImportReport


@magics_class
class ExportMagics(SessionMagics):
    """What takes the index elsewhere, and brings vectors in."""

    @no_var_expand
    @magic_arguments()
    @argument("path", nargs="?", metavar="PARQUET", help="A file that ends in .parquet, or a new folder.")
    @argument("--form", choices=("parquet", "datasets"), default="parquet", help="A file, or a folder of datasets.")
    @argument("--overwrite", action="store_true", help="Replace what is there.")
    @argument("--no-thumbnails", action="store_true", help="Leave the pictures out.")
    @out("report")
    @line_magic
    @one_line
    def mmrag_export(self, line: str) -> ExportReport | None:
        """Write the index with its vectors for other programs, one row a chunk.

        A Parquet file is read by pandas, by DuckDB, and by datasets.load_dataset; a folder by datasets.load_from_disk.
        %mmrag_import brings the file in again.

        Examples::

            %mmrag_export lesson.parquet
            %mmrag_export lesson --form datasets --overwrite
        """
        options = parse(self.mmrag_export, line)
        if options is None:
            return None
        path = unquoted(options.path or "").strip()
        if not path:
            raise UsageError("name the file: %mmrag_export lesson.parquet")
        with ProgressLine(self.shell) as progress:
            report = self._session.rag.export(
                path,
                form=options.form,
                thumbnails=not options.no_thumbnails,
                overwrite=options.overwrite,
                progress=progress,
            )
        return self._session.give(report, options.out)

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument(
        "files", nargs="*", metavar="VECTORS", help="A .npy file or {{array}}, and its table; or an exported .parquet."
    )
    @argument("-m", "--model", default="", metavar="CLIP", help="What made the vectors; the setting clip where absent.")
    @argument("--columns", type=column_kinds, metavar="KINDS", help='What columns are: "photo=path sentence=caption".')
    @argument("--no-check", action="store_true", help="Do not compare a few with what the model makes itself.")
    @argument("--no-thumbnails", action="store_true", help="Do not read the pictures to show them.")
    @out("report")
    @line_magic
    @one_line
    def mmrag_import(self, line: str, local_ns: dict[str, Any] | None = None) -> ImportReport | None:
        """Take over CLIP vectors that are there already, with a table that says of what they are.

        The table is a CSV, a Parquet file or {{dataframe}} with as many rows, in the same order: a column path (or url,
        id) or text says what a vector is of, caption is searchable text, the others are metadata.

        Examples::

            %mmrag_import vectors.npy table.csv
            %mmrag_import {{vectors}} {{frame}} --model openai/clip-vit-large-patch14
            %mmrag_import lesson.parquet
        """
        options = parse(self.mmrag_import, line)
        if options is None:
            return None
        given = [self._value(unquoted(word), local_ns) for word in words(options.files)]
        if not 1 <= len(given) <= 2:
            raise UsageError("name the vectors and their table: %mmrag_import vectors.npy table.csv")
        with ProgressLine(self.shell) as progress:
            report = self._session.rag.import_vectors(
                *given,
                model=options.model,
                columns=options.columns,
                thumbnails=not options.no_thumbnails,
                check=not options.no_check,
                progress=progress,
            )
        return self._session.give(report, options.out)
