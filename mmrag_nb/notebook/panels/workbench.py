"""The workbench: the index, questions to it, what the chosen hit is, and how all scored, as one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipywidgets import VBox
from traitlets import HasTraits, Instance, link

from mmrag_nb.notebook.render import plain
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.notebook.render.place import kind
from mmrag_nb.notebook.render.style import STYLE
from mmrag_nb.results import Answer, Hit

from .ask import AskPanel
from .similarity import SimilarityPanel
from .twin import Twin, still

if TYPE_CHECKING:
    from mmrag_nb.rag import MultimodalRAG

    from .live import LivePanel

_LEFT_OUT = '<p class="mmrag">The {label} is left out of this picture: it would exceed {room} kB.</p>'


class Workbench(HasTraits):
    """All panels over one index: what is asked in one is seen in the others.

    Parameters
    ----------
    rag
        The index.

    Attributes
    ----------
    index, ask, similarity
        The panels.
    box
        The ``ipywidgets.VBox`` that holds them, to be put among other widgets.
    """

    answer = Instance(Answer, allow_none=True, help="The answer that is shown.")
    selected = Instance(Hit, allow_none=True, help="The hit that the reader chose; its detail is shown.")

    def __init__(self, rag: MultimodalRAG) -> None:
        from .index import IndexPanel

        super().__init__()
        self._rag = rag
        self.index = IndexPanel(rag)
        self.ask = AskPanel(rag)
        self.similarity = SimilarityPanel()
        self._detail: LivePanel | None = None
        self.box = VBox(self._panels())
        self._twin = Twin(f"mm-{self.box.model_id}", self._pictures, self._text)
        link((self.ask, "answer"), (self, "answer"))
        link((self.ask, "selected"), (self, "selected"))
        link((self.similarity, "selected"), (self, "selected"))
        self.observe(self._answered, "answer")
        self.observe(self._selected, "selected")
        for panel in self._panels():
            panel.on_renewed(self._renew)

    def _panels(self) -> list[LivePanel]:
        """The panels, from top to bottom."""
        return [panel for panel in (self.index, self.ask, self._detail, self.similarity) if panel is not None]

    def _answered(self, _: object) -> None:
        self.similarity.show(self.answer if self.answer is not None else ())

    def _selected(self, _: object) -> None:
        before, self._detail = self._detail, self._detail_of(self.selected)
        self.box.children = self._panels()
        if self._detail is not None:
            self._detail.on_renewed(self._renew)
        if before is not None:
            before.close()
        self._renew()

    def _detail_of(self, hit: Hit | None) -> LivePanel | None:
        """What shows more of ``hit`` than its card: a sound with its words, a picture among the others."""
        if hit is None:
            return None
        if hit.item.modality == "audio":
            from .waveform import WaveformPanel

            return WaveformPanel(hit if kind(hit) == "audio" else hit.item, self._rag)
        if hit.item.modality == "image":
            from .image_grid import ImageGridPanel

            others = [one.item for one in self.answer.hits if one.item.modality == "image"] if self.answer else []
            grid = ImageGridPanel(self._rag, list({item.id: item for item in (hit.item, *others)}.values()))
            grid.selected = hit.item
            return grid
        return None

    # -- showing ---------------------------------------------------------------------------------------------------

    def _ipython_display_(self, **_: object) -> None:
        self._twin.show(self.box.model_id)

    def _renew(self) -> None:
        if not any(panel.busy for panel in self._panels()):  # else it follows when the work is done
            self._twin.renew()

    def _pictures(self) -> str:
        """The panels' pictures, those first that matter most, as far as there is room; their style is said once."""
        pictures: dict[LivePanel, str] = {}
        room = ROOM
        for panel in sorted(self._panels(), key=lambda one: one is not self.ask):
            picture = panel.picture()
            size = len(picture.encode()) - (len(STYLE) if pictures else 0)
            if size > room:
                picture, size = still(panel.twin, _LEFT_OUT.format(label=panel.label, room=ROOM // 1000)), 0
            pictures[panel] = picture
            room -= size
        first, *rest = "\n".join(pictures[panel] for panel in self._panels()).split(STYLE)
        return STYLE.join([first, "".join(rest)]) if rest else first

    def _text(self) -> str:
        return plain.joined(*(panel.text() for panel in self._panels()))
