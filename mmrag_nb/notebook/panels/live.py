"""What all panels are: pages that Python renders and a reader acts on.

A panel is written in Python alone. It subclasses :class:`LivePanel` and says how its *regions* look, as HTML made by
the same escaping renderers as the cards', and which *acts* the reader has. ``live.js`` draws regions and reports acts;
it is the same for all panels.

Shown in a notebook, a panel leaves two outputs: the live view, and a self-contained picture of its state, kept up to
date, which is what a saved notebook shows where there is no kernel. The live view hides the picture while it lives.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
from traitlets import Bool, Dict, Unicode

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.render.escape import escape, one_line
from mmrag_nb.notebook.render.style import STYLE, section

from .controls import CONTROLS
from .twin import Twin, still
from .uploads import Dropped, Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LOG = logging.getLogger(__name__)
_BUG = "this is a bug of mmrag_nb; the kernel's log has the traceback"


@dataclass(frozen=True)
class Act:
    """What a reader did. It comes from a page: every value is to be checked."""

    name: str
    target: str = ""
    """``data-mm-target`` of what was clicked."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Of the form or control, by name: ``str``, ``bool``, or a list of ``str`` for checkboxes that have values."""
    files: tuple[Dropped, ...] = ()
    """What was dropped or chosen."""


class LivePanel(anywidget.AnyWidget):
    """Base of the panels.

    A subclass gives :meth:`draw`, :meth:`acts` and :meth:`text`, and calls :meth:`refresh` where its state changes.

    Parameters
    ----------
    label
        What the panel is, for screen readers: ``"ask panel"``.
    look
        CSS beside the rules that all results share; each selector begins with ``.mmrag``.
    """

    aside: ClassVar[frozenset[str]] = frozenset()
    """Acts that may take long. A kernel hears one act after the other; each of these has a thread of its own, so that
    others are heard meanwhile: the one that stops it, above all, as a thread hears nothing of the kernel's interrupt.
    """

    _esm = Path(__file__).with_name("live.js").read_text(encoding="utf-8")

    regions = Dict().tag(sync=True)
    """HTML by name, in the order in which it stands."""
    growing = Dict().tag(sync=True)
    """Regions in place of those of the same name, while they grow: sent by themselves, not with all the others."""
    chosen = Dict().tag(sync=True)
    """Act to target: which of the act's buttons is shown as pressed. Nothing is redrawn when this changes."""
    status = Unicode().tag(sync=True)
    """One line that tells how it stands."""
    failed = Bool(default_value=False).tag(sync=True)
    """Whether ``status`` tells of a failure."""
    busy = Bool(default_value=False).tag(sync=True)
    label = Unicode().tag(sync=True)
    look = Unicode().tag(sync=True)
    twin = Unicode().tag(sync=True)
    """Class name that the live view and its picture share."""

    def __init__(self, label: str, look: str = "", **traits: Any) -> None:
        self._working = 0
        self._lock = RLock()
        self._followers: list[Callable[[], None]] = []
        self._uploads = Uploads()
        self._own_look = CONTROLS + look
        super().__init__(label=label, look=STYLE + self._own_look, **traits)
        self.twin = f"mm-{self.model_id}"
        self._twin = Twin(self.twin, self.picture, self.text)
        self.on_msg(self._received)

    # -- what a panel gives ----------------------------------------------------------------------------------------

    def draw(self, *, live: bool) -> dict[str, str]:  # noqa: ARG002 -- text has no controls to leave out
        """Return the regions: names, in order, to HTML. Not ``live``: without what needs a kernel."""
        return {"text": f"<pre>{escape(self.text())}</pre>"}

    def acts(self) -> Mapping[str, Callable[[Act], None]]:
        """Return what a reader can do: names, as in ``data-mm-act``, to methods. There is nothing else they reach."""
        return {}

    def text(self) -> str:
        """Return the state for a terminal of 80 to 100 columns."""
        return self.label

    def still(self) -> str:
        """Return the picture of the state: one self-contained section, at most 400 kB."""
        return section(self.label, "\n".join(filter(None, self.draw(live=False).values())), self._own_look)

    # -- what a panel uses -----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw again. The picture follows when the work in hand is done, as it costs more."""
        with self._lock:  # the last to be drawn is the last to be shown
            self.regions = self.draw(live=True)
        if not self._working:
            self._renew()

    def tell(self, status: str, *, failed: bool = False) -> None:
        """Set the line that tells how it stands."""
        self.failed = failed
        self.status = one_line(status)

    @contextmanager
    def working(self, status: str = "") -> Iterator[None]:
        """Show that the panel works, from begin to end of a ``with``; the picture is renewed at the end.

        What is raised within is told and raised.
        """
        with self._lock:
            if not self._working:
                self.tell(status)
            self._working += 1
            self.busy = True
        try:
            yield
        except KeyboardInterrupt:
            self.tell("interrupted", failed=True)
            raise
        except Exception as error:
            self.tell(str(error) or type(error).__name__, failed=True)
            raise
        finally:
            with self._lock:
                self._working -= 1
                over = not self._working
                self.busy = not over
            if over:
                self._renew()

    def on_renewed(self, follow: Callable[[], None]) -> None:
        """Call ``follow`` whenever the picture may have changed."""
        self._followers.append(follow)

    # -- showing ---------------------------------------------------------------------------------------------------

    def _ipython_display_(self, **_: object) -> None:
        if not self.regions:
            self.refresh()
        self._twin.show(self.model_id)

    def picture(self) -> str:
        """Return :meth:`still` so that the panel's live view hides it, wherever on the page both stand."""
        return still(self.twin, self.still())

    def _renew(self) -> None:
        """Bring the picture in the notebook up to date, and that of which it is a part."""
        self._twin.renew()
        for follow in self._followers:
            follow()

    # -- hearing ---------------------------------------------------------------------------------------------------

    def _received(self, _: object, message: Any, buffers: list[Any]) -> None:
        if isinstance(message, dict) and "act" in message:
            self._through(message, partial(self._hear, message, buffers))

    def _hear(self, message: dict[str, Any], buffers: list[Any]) -> bool:
        """Do what the message asks for; whether that is through, or goes on aside."""
        act = self._act(message, buffers)
        if act is None:
            return True
        if act.name not in self.aside:
            return self._do(act)
        # in this context, as what is displayed there belongs to the cell that this message names
        run = partial(copy_context().run, self._through, message, partial(self._do, act))
        Thread(target=run, name=f"{self.label}: {act.name}", daemon=True).start()
        return False

    def _do(self, act: Act) -> bool:
        with self.working():
            self.acts()[act.name](act)
        return True

    def _through(self, message: Mapping[str, Any], work: Callable[[], bool]) -> None:
        """Work, and tell the page when that is through; what goes wrong is told, as nobody sees what a handler raises.

        ``work`` returns whether it is through.
        """
        through, ok = True, False
        try:
            through = work()
            ok = True
        except MMRagError as error:
            self.tell(str(error), failed=True)
        except KeyboardInterrupt:
            pass  # told already
        except Exception as error:  # noqa: BLE001 - it is logged, and told
            _LOG.exception("%s: %s failed", self.label, message["act"])
            self.tell(f"{type(error).__name__}: {error} ({_BUG})", failed=True)
        finally:
            if through:
                self.send({"done": message.get("n"), "ok": ok})

    def _act(self, message: dict[str, Any], buffers: list[Any]) -> Act | None:
        """What the message asks for; ``None`` where that is unknown, or not all of it has come."""
        name, values, part = str(message["act"]), message.get("values"), message.get("part")
        if name not in self.acts():
            return None
        if isinstance(part, dict):
            files = self._uploads.take(part, buffers)
            return None if files is None else Act(name, files=files)
        return Act(name, str(message.get("target", "")), values if isinstance(values, dict) else {})
