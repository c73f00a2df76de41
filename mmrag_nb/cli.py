"""``mmrag-nb``: a demonstration, a look at what is installed, and measurements."""

from __future__ import annotations

import argparse
import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .bench import commands as bench_commands
from .errors import MMRagError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="mmrag-nb", description="Multimodal RAG in a notebook.")
    parser.add_argument("--version", action="version", version=f"mmrag-nb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="index the shipped pictures, sound and texts offline and ask about them")
    demo.add_argument("--html", type=Path, default=Path("mmrag-demo.html"), metavar="FILE", help="page to write")
    commands.add_parser("doctor", help="say what is installed, which device serves, which keys are set")
    prompts = commands.add_parser("prompts", help="list the prompts, or show one as it is sent")
    prompts.add_argument("name", nargs="?", metavar="NAME", help="a prompt's name, or the path of its file")
    export = commands.add_parser("export", help="write an index with its vectors for other programs")
    export.add_argument("file", metavar="FILE", help="an index, lesson.mmrag")
    export.add_argument("out", metavar="OUT", help="lesson.parquet, or a new folder with --form datasets")
    export.add_argument("--form", choices=("parquet", "datasets"), default="parquet", help="a file, or a folder")
    export.add_argument("--overwrite", action="store_true", help="replace what is there")
    verify = commands.add_parser("verify", help="say whether an index file is what was written, and what to do if not")
    verify.add_argument("file", metavar="FILE", help="an index, lesson.mmrag")
    compact = commands.add_parser("compact", help="make an index file as small as what is in it")
    compact.add_argument("file", metavar="FILE", help="an index, lesson.mmrag")
    bench_commands.declare(commands.add_parser("bench", help="measure what is promised, on this machine"))
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a redirected console may know no sparkline
    try:
        if options.command == "bench":
            return _bench(options)
        if options.command == "prompts":
            return _prompts(options.name)
        with_files = {"export": _export, "verify": _verify, "compact": _compact}
        if options.command in with_files:
            return with_files[options.command](options)
        return _demo(options.html) if options.command == "demo" else _doctor()
    except MMRagError as error:
        print(f"mmrag-nb: {error}", file=sys.stderr)
        return 1


def _demo(page: Path) -> int:
    """Index the shipped media, ask what lies in sound, picture and text, show where it was found."""
    from .assets.demo.media import demo_sources, questions
    from .rag import MultimodalRAG

    if not page.parent.is_dir():
        raise MMRagError(f"there is no folder {page.parent} to write {page.name} to")
    if page.is_dir():
        raise MMRagError(f"{page} is a folder: name a file in it, --html {page / 'mmrag-demo.html'}")
    start = time.perf_counter()
    rag = MultimodalRAG(preset="offline")
    print("Indexing the demo media, offline (preset 'offline', no network, no key) ...")
    report = rag.index(demo_sources())
    print(f"{report}\n")
    shown = [report._repr_html_()]
    found = 0
    for question in questions():
        answer = rag.ask(question["question"], k=3)
        right = bool(answer.hits) and answer.hits[0].item.name == question["file"]
        found += right
        print(f"{answer}\n")
        shown.append(answer._repr_html_())
    asked = len(questions())
    try:
        page.write_text(_page(shown), encoding="utf-8")
    except OSError as error:
        raise MMRagError(f"cannot write {page}: {error.strerror}") from error
    seconds = time.perf_counter() - start
    print(f"{found} of {asked} questions: the medium that holds the answer came first ({seconds:.1f} s in all).")
    print(f"The same with pictures and sound: {page.resolve()}")
    return 0 if found == asked else 1


def _page(sections: Sequence[str]) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>mmrag_nb: demo</title><style>:root{color-scheme:light dark}body{max-width:56rem;margin:2rem auto;"
        "padding:0 1rem;font-family:system-ui,sans-serif}main{display:grid;gap:2.5rem;"
        "grid-template-columns:minmax(0,1fr)}h1,h1+p{margin:0;padding:0 12px}</style></head><body><main>"
        "<div><h1>mmrag_nb: demo</h1><p>Questions whose answers lie in a recording, a picture and a text; under each "
        f"answer what it rests on, and every score.</p></div>{''.join(sections)}</main></body></html>\n"
    )


def _doctor() -> int:
    from .doctor import examine

    for line in examine():
        print(line)
    return 0


def _prompts(name: str | None) -> int:
    from .generation.templates import template, templates

    print(template(name) if name else templates())
    return 0


def _export(options: argparse.Namespace) -> int:
    from .rag import MultimodalRAG

    with MultimodalRAG.open(options.file) as rag:
        print(rag.export(options.out, form=options.form, overwrite=options.overwrite))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from .catalog.verifying import verify_file
    from .keeping import existing

    found = verify_file(Path(existing(options.file)))
    print(found)
    return 0 if found.ok else 1


def _compact(options: argparse.Namespace) -> int:
    from .rag import MultimodalRAG

    with MultimodalRAG.open(options.file) as rag:
        print(rag.compact())
    return 0


def _bench(options: argparse.Namespace) -> int:
    for line in bench_commands.lines(options):
        print(line, flush=True)
    return 0
