"""Generators for tests: they fit the seam, and write what they are told to."""

from mmrag_nb.types import Generation


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
