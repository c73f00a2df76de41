"""Generators for tests: they fit the seam, and write what they are told to."""

from itertools import count

from mmrag_nb.types import Generation

_number = count()
_chosen = {}


def writing(rag, writer):
    """Let ``writer`` write for ``rag``, by way of the settings; the test uses the fixture ``writers_listed``."""
    name = f"writer-{next(_number)}"
    _chosen[name] = writer
    rag.settings.generator = f"local:{name}"
    return writer


def chosen(name):
    """The writer that a setting names; the registry leads here."""
    return _chosen[name]


class Writer:
    """Writes ``pieces`` one by one; what is an exception among them is raised.

    Each prompt is kept in ``prompts``.
    """

    description = "a writer for tests"
    model = "writer"
    takes = frozenset({"image", "audio"})
    side = 0
    api = ""
    instant = False

    def __init__(self, *pieces, **whole):
        self.pieces = pieces or ("Written ", "[1].")
        self.whole = whole
        self.prompts = []

    def tokens(self, prompt):
        return 10

    def stream(self, prompt):
        self.prompts.append(prompt)
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
        yield Generation("".join(self.pieces), self.model, **self.whole)


class Billed(Writer):
    """Sends what it is asked to somebody who wants money for it."""

    api = "https://example.org/v1"


class Closing(Writer):
    """Tells whether its stream was closed, and how many pieces were taken."""

    closed = False
    taken = 0

    def stream(self, prompt):
        self.flow = self.flowing(prompt)  # held here, it is not closed by being forgotten
        return self.flow

    def flowing(self, prompt):
        try:
            for piece in super().stream(prompt):
                self.taken += 1
                yield piece
        finally:
            self.closed = True
