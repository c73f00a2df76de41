"""The waveform panel: a recording, its utterances to be played, its transcript beside them."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from traitlets import Instance

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.render import plain, waveform
from mmrag_nb.notebook.render.escape import escape, name, one_line
from mmrag_nb.notebook.render.media import KINDS
from mmrag_nb.notebook.render.quantities import count, number
from mmrag_nb.results import Hit
from mmrag_nb.types import Chunk, Item

from .live import Act, LivePanel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from mmrag_nb.rag import MultimodalRAG

MOST = 300
"""Utterances that are listed at a time: those around the chosen one."""
_TEXT = 400
"""Characters of an utterance that are listed."""

LOOK = """
.mmrag .mm-recording {position:relative;margin:0 0 4px}
.mmrag .mm-recording .mm-wave {height:72px}
.mmrag .mm-recording span {position:absolute;top:0;bottom:0;border-radius:3px;cursor:pointer}
.mmrag .mm-recording span:hover {background:color-mix(in srgb, var(--mm-audio) 18%, transparent)}
.mmrag .mm-clock {display:flex;justify-content:space-between;margin:0 0 6px;color:var(--mm-soft);font-size:12px;
  font-variant-numeric:tabular-nums}
.mmrag ol.mm-transcript {max-height:22em;overflow:auto;margin:8px 0 10px;list-style:none}
.mmrag .mm-transcript li {margin:0;border-inline-start:3px solid transparent;padding-inline-start:6px}
.mmrag .mm-transcript li.mm-chosen {border-color:var(--mm-audio);background:var(--mm-wash)}
.mmrag .mm-transcript :is(button.mm-plain, p) {display:grid;grid-template-columns:8.5em 1fr;width:100%;margin:0;
  padding:3px 4px}
section.mmrag .mm-transcript button[aria-pressed] {border-color:transparent;color:inherit;background:none;
  font-weight:400}
.mmrag .mm-transcript time {color:var(--mm-soft);font-size:12px;
  font-variant-numeric:tabular-nums}
@container (max-width:520px) {.mmrag .mm-transcript :is(button.mm-plain, p) {grid-template-columns:1fr}}
@media print {.mmrag ol.mm-transcript {max-height:none}}
"""


class WaveformPanel(LivePanel):
    """One recording of the index.

    Parameters
    ----------
    of
        What to show: a :class:`~mmrag_nb.results.Hit` (its utterance is chosen), an item, or an item's name.
    rag
        The index it is in.

    Raises
    ------
    MMRagError
        It is no recording.
    UnknownName
        Nothing of that name is in the index.
    """

    item = Instance(Item, allow_none=True, help="The recording.")
    selected = Instance(Chunk, allow_none=True, help="The utterance that was chosen, played last.")

    def __init__(self, of: Hit | Item | str | PathLike[str], rag: MultimodalRAG) -> None:
        self._rag = rag
        self._chunks: list[Chunk] = []
        self._hit: Hit | None = None
        self._play = False  # whether the player starts by itself: after a click, not when the panel opens
        super().__init__("waveform panel", LOOK)
        self.observe(self._selection, "selected")
        self.show(of)

    def show(self, of: Hit | Item | str | PathLike[str]) -> None:
        """Show another recording."""
        hit = of if isinstance(of, Hit) else None
        item = hit.item if hit else self._rag.item(of)  # type: ignore[arg-type]
        if item.modality != "audio":
            raise MMRagError(f"{item.name} is no recording but {item.modality}: a waveform shows sound")
        chunks = self._rag.chunks(item)
        spoken = [chunk for chunk in chunks if chunk.start is not None]
        chosen = hit.chunk if hit and hit.chunk in spoken else next(iter(spoken), None)
        self.set_trait("selected", None)
        self._chunks, self._hit, self._play = spoken, hit, False
        self._facts = self._rag.facts(item)
        self.item = item
        self.selected = chosen
        self.refresh()

    def play(self, ordinal: int) -> None:
        """Choose the utterance that is chunk ``ordinal`` of the recording, and play it.

        Raises
        ------
        MMRagError
            The recording has no such utterance.
        """
        chosen = next((chunk for chunk in self._chunks if chunk.ordinal == ordinal), None)
        if chosen is None:
            raise MMRagError(
                f"the recording has no utterance {ordinal}: it has {count(len(self._chunks), 'utterance')}"
            )
        self._play = True
        if chosen == self.selected:
            self.refresh()
        self.selected = chosen

    # -- how it looks ----------------------------------------------------------------------------------------------

    def draw(self, *, live: bool) -> dict[str, str]:
        """Return the recording, the player and the transcript."""
        if self.item is None:
            return {}
        return {
            "recording": self._recording(live=live),
            "player": self._player(live=live),
            "words": self._transcript(live=live),
        }

    def text(self) -> str:
        """Return the recording as one line of blocks, and its transcript."""
        if self.item is None:
            return "no recording"
        shown = self._as_hit()
        lines = [f"{self._time(c)}  {one_line(c.text) or '(no words)'}" for c in self._listed()]
        return plain.joined(
            f"{one_line(self.item.name)} · {count(len(self._chunks), 'utterance')}",
            waveform.sparkline(shown, plain.WIDTH) if shown else "",
            "\n".join(plain.wrapped(line, hanging="    ") for line in lines),
        )

    def _recording(self, *, live: bool) -> str:
        assert self.item is not None
        seconds = number(self._facts.get("seconds")) or 0.0
        shown = self._as_hit()
        spots = ""
        if live and seconds > 0:
            # for the mouse alone: the transcript has the same as buttons
            spots = "".join(
                f'<span data-mm-act="play" data-mm-target="{chunk.ordinal}" title="{escape(self._time(chunk))}" '
                f'style="left:{100 * start / seconds:.2f}%;width:{100 * (end - start) / seconds:.2f}%"></span>'
                for chunk in self._chunks
                for start, end in [_bounds(chunk)]
            )
        wave = waveform.svg(shown) if shown else ""
        head = (
            f'<div class="mm-head" role="heading" aria-level="3">{name(self.item.name, self.item.uri)} '
            f"<small>{count(len(self._chunks), 'utterance')}</small></div>"
        )
        if not wave:
            return f'{head}<p class="mm-none">no waveform is kept of this recording</p>'
        return (
            f'{head}<div class="mm-recording mm-audio">{wave}{spots}</div>'
            f'<div class="mm-clock" aria-hidden="true"><span>0:00</span><span>{_clock(seconds)}</span></div>'
        )

    def _player(self, *, live: bool) -> str:
        if self.item is None or self.selected is None:
            return '<p class="mm-none">no utterance was found in this recording</p>'
        clip = self._rag.previews(self.item, self.selected.ordinal).get("clip")
        if clip is None or clip.mime not in KINDS["clip"]:
            return '<p class="mm-none">no clip is kept of this utterance</p>'
        label = escape(f"play {one_line(self.item.name)}, {self._time(self.selected)}")
        uri = f"data:{clip.mime};base64,{b64encode(clip.data).decode('ascii')}"
        return f'<audio controls{" autoplay" if live and self._play else ""} src="{uri}" aria-label="{label}"></audio>'

    def _transcript(self, *, live: bool) -> str:
        rows = []
        for chunk in self._listed():
            words = one_line(chunk.text)[:_TEXT] or "no words were heard"
            said = f'<time>{escape(self._time(chunk))}</time> <span dir="auto">{escape(words)}</span>'
            if not live:
                said = f"<p>{said}</p>"
            else:
                said = (
                    f'<button type="button" class="mm-plain" data-mm-act="play" data-mm-target="{chunk.ordinal}">'
                    f"{said}</button>"
                )
            chosen = ' class="mm-chosen"' if not live and chunk == self.selected else ""
            rows.append(f'<li data-mm-one data-mm-key="{chunk.ordinal}"{chosen}>{said}</li>')
        left_out = len(self._chunks) - len(rows)
        more = f'<p class="mm-none">{count(left_out, "other utterance")} not listed</p>' if left_out else ""
        roving = " data-mm-roving" if live else ' tabindex="0"'
        return f'<ol class="mm-transcript" role="list" aria-label="transcript"{roving}>{"".join(rows)}</ol>{more}'

    def _listed(self) -> list[Chunk]:
        at = self._chunks.index(self.selected) if self.selected in self._chunks else 0
        first = max(0, min(at - MOST // 2, len(self._chunks) - MOST))
        return self._chunks[first : first + MOST]

    def _as_hit(self) -> Hit | None:
        """The chosen utterance in the form that the cards' waveform is drawn from."""
        if self.item is None or self.selected is None:
            return None
        previews = self._rag.previews(self.item, self.selected.ordinal)
        return Hit(1, 0.0, None, 0.0, self.selected, self.item, facts=self._facts, previews=previews)

    @staticmethod
    def _time(chunk: Chunk) -> str:
        start, end = _bounds(chunk)
        return f"{_clock(start)}–{_clock(end)}"

    # -- what a reader does ----------------------------------------------------------------------------------------

    def acts(self) -> Mapping[str, Callable[[Act], None]]:
        """Return the one act: to play an utterance."""
        return {"play": self._on_play}

    def _on_play(self, act: Act) -> None:
        self.play(int(act.target[:9]) if act.target.isdecimal() else -1)

    def _selection(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self.chosen = {"play": str(change["new"].ordinal)}
            self.refresh()


def _bounds(chunk: Chunk) -> tuple[float, float]:
    start = chunk.start or 0.0
    return start, max(start, chunk.end if chunk.end is not None else start)


def _clock(seconds: float) -> str:
    """``0:04.5``; from ten minutes on, without tenths."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}:{rest:04.1f}" if seconds < 600 else f"{minutes:.0f}:{int(rest):02d}"
