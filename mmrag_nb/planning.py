"""What indexing would do, how long it would take and how large the index would grow: told before anything is done.

No figure is taken from a table. A few of the very items are tried (:mod:`mmrag_nb.trial`), and what they took is
carried over to the rest: by the number of pictures, the bytes of texts and the seconds of sounds. Where that needs a
model that is not on this machine, it is said that it cannot be told.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from .errors import MMRagError
from .loaders.excerpt import size
from .loading import up_to_date
from .parts import loader_name
from .presets import NONE
from .registry import entry, modality_of, names
from .reports import Plan, Planned, Skipped
from .settings import model_entry
from .trial import Trial, try_out
from .types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .protocols import Progress
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Modality, Resolved, Source

_NAMES = {"image": "pictures", "audio": "sounds", "pdf": "PDFs"}
"""What is said for several things of a loader, where it is not the loader's name with an s."""


class Planning:
    """One dry run over an index, which is read but not written.

    Parameters
    ----------
    parts, catalog, settings
        As for :class:`~mmrag_nb.indexing.Indexing`. Models that are on this machine are loaded, and stay in memory.
    progress
        Told of each step.
    """

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings, progress: Progress | None) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._progress: Progress = progress or _silent
        self._skipped: list[Skipped] = []
        self._remarks: list[str] = []

    def run(
        self,
        sources: Sequence[Source],
        *,
        records: bool = False,
        columns: Mapping[str, str] | None = None,
        ignore: Sequence[str] = (),
    ) -> Plan:
        """Tell what indexing ``sources`` would do; ``records``, ``columns`` and ``ignore`` are as for indexing.

        Raises
        ------
        InvalidSetting, IndexMismatch, ModelUnavailable
            What indexing would raise, as far as that needs no download.
        """
        from .sources.outline import addresses

        local, fetched, refused = addresses(sources, modality_of=modality_of, columns=columns)
        self._skipped += refused
        start = time.perf_counter()
        how = {"records": records, "columns": columns or {}, "ignore": [*self._settings.ignore, *ignore]}
        items = self._resolved(local, fetched, how)
        seconds: Counter[str] = Counter()
        if items:
            seconds["resolve"] += time.perf_counter() - start  # type: ignore[assignment]
        needed = {name: self._needed(name) for name in names("loader") if items.get(name)}
        absent = self._absent(set().union(*needed.values()))
        told = [name for name in needed if not absent & needed[name]]
        ways = self._ways({kind for name in told for kind in entry("loader", name).makes}) if told else []
        parts, vectors, tried = list[Planned](), Counter[str](), 0
        for name in needed:
            part, trial, scale = self._kind(name, items[name], ways if name in told else [])
            parts.append(part)
            tried += trial.tried
            seconds.update(part.seconds)
            vectors.update({space: round(scale * size) for space, size in trial.vectors.items()})
        kinds = _by_modality(parts)
        new = sum(kind.new for kind in kinds)
        self._remark(absent, needed)
        return Plan(
            tuple(kinds),
            seconds=dict(seconds),
            vectors=dict(vectors),
            basis=f"measured on {tried:,} of {new:,} items" if tried else "",
            models=tuple(self._models(ways, absent, kinds)),
            skipped=tuple(self._skipped),
            fetched=tuple(fetched),
            remarks=tuple(self._remarks),
        )

    def _resolved(
        self, sources: Sequence[Source], fetched: list[str], options: Mapping[str, Any]
    ) -> dict[str, list[Resolved]]:
        """The items, by the loader that reads them; addresses in tables are added to those ``fetched``."""
        from .sources.outline import expected, fetchable
        from .sources.resolve import resolve

        how: dict[str, Any] = {"modality_of": modality_of, **options}
        total = expected(sources, **how).total()
        items: dict[str, list[Resolved]] = {}
        told: list[str] = []
        for place, one in enumerate(resolve(sources, **how, instead=told.append), 1):
            self._progress("opening sources", place, max(place, total))
            if isinstance(one, Skipped):
                self._skipped.append(one)
            else:
                self._remarks += [f"{name}: {remark}" for name, remark in one.remarks if remark.startswith("columns: ")]
                items.setdefault(loader_name(one), []).append(one)
        more, refused = fetchable(told)
        fetched += more
        self._skipped += refused
        return items

    # -- models ----------------------------------------------------------------------------------------------------

    def _needed(self, loader: str) -> set[str]:
        """The settings whose models would work on what that loader reads."""
        reader = "clip" if self._settings.chosen("text") == NONE else "text"
        made = entry("loader", loader).makes
        needed = {reader} | {model for kind, model in (("image", "clip"), ("audio", "speech")) if kind in made}
        return {model for model in needed if self._settings.chosen(model) != NONE}

    def _absent(self, models: set[str]) -> set[str]:
        """Those of ``models`` that would have to be downloaded."""
        absent = set()
        for model in models:
            kind, name, argument = model_entry(model, self._settings.chosen(model))
            if entry(kind, name).takes_model and argument:
                from .models.kept import is_kept

                if not is_kept(argument):
                    absent.add(model)
        return absent

    def _ways(self, made: Collection[Modality]) -> list[Way]:
        with self._offline():
            ways = self._parts.ways(self._progress, pictures="image" in made, sounds="audio" in made)
        for way in ways:
            self._catalog.holds(way.encoder.space, way.encoder.fingerprint)
        return ways

    def _offline(self) -> AbstractContextManager[None]:
        """No model is downloaded in here; nothing is imported for that where all models ship with the package."""
        choices = [model_entry(model, self._settings.chosen(model)) for model in ("clip", "text", "speech")]
        if not any(argument and entry(kind, name).takes_model for kind, name, argument in choices if name != NONE):
            return nullcontext()
        from .models.kept import hub_off

        return hub_off()

    def _models(self, ways: Sequence[Way], absent: set[str], kinds: Sequence[Planned]) -> list[str]:
        """The models that would work, and which of them are still to come."""
        here = [way.encoder.description for way in ways]
        if any(kind.modality == "audio" and kind.new for kind in kinds) and "speech" not in absent:
            with self._offline():
                transcriber = self._parts.transcriber(self._progress)
            here += [transcriber.description] if transcriber else []
        return [
            *dict.fromkeys(here),
            *(f"{self._settings.chosen(model)} (to be downloaded)" for model in sorted(absent)),
        ]

    # -- items -----------------------------------------------------------------------------------------------------

    def _kind(self, loader: str, items: Sequence[Resolved], ways: Sequence[Way]) -> tuple[Planned, Trial, float]:
        """The plan for the items of one loader, the trial it rests on, and how often that goes into the whole."""
        modality = items[0].item.modality
        there = self._known(items, ways)
        new = [one for one in items if one.item.id not in there]
        known = len(items) - len(new)
        weights: list[float] = [1.0] * len(new)
        if loader == "audio":
            new, weights = self._sounds(new, heard=bool(ways))
        elif loader != "image":
            weights = [float(max(1, size(one.content))) for one in new]
        if not new:
            return Planned(modality, 0, known), Trial(), 0.0
        trial = Trial()
        if ways:
            self._progress(f"trying some of {len(new):,} {_NAMES.get(loader, f'{loader}s')}", 0, None)
            trial = try_out(loader, new, weights, self._parts, self._settings)
        self._skipped += trial.skipped
        left = len(new) - len(trial.skipped)
        if not trial.weight:
            if ways:
                self._remarks.append(f"none of the {_NAMES.get(loader, f'{loader}s')} tried could be measured")
            return Planned(modality, left, known, left if loader == "image" else None, None), trial, 0.0
        scale = sum(weights) / trial.weight
        return (
            Planned(
                modality,
                left,
                known,
                left if loader == "image" else max(left, round(scale * trial.chunks)),
                round(scale * trial.growth),
                {stage: scale * seconds for stage, seconds in trial.seconds.items()},
            ),
            trial,
            scale,
        )

    def _known(self, items: Sequence[Resolved], ways: Sequence[Way]) -> set[str]:
        """Ids of the items that are in the index already."""
        if not ways:  # by their content; by which models they were embedded cannot be compared
            return set(self._catalog.found([one.item.id for one in items]))
        return set(up_to_date(items, self._catalog, self._parts, self._settings, ways))

    def _sounds(self, sounds: Sequence[Resolved], *, heard: bool) -> tuple[list[Resolved], list[float]]:
        """Those that can be indexed, and their seconds; the rest is told."""
        from .loaders.audio import MAX_SECONDS
        from .loaders.excerpt import sound_seconds

        try:
            with self._offline():
                if heard and sounds:
                    self._parts.transcriber(self._progress)
        except MMRagError as error:
            self._skipped += [Skipped(one.item.uri, str(error)) for one in sounds]
            return [], []
        taken: list[Resolved] = []
        lengths: list[float | None] = []
        for place, one in enumerate(sounds):
            self._progress("measuring sounds", place, len(sounds))
            try:
                seconds = sound_seconds(one.content)
            except MMRagError as error:
                self._skipped.append(Skipped(one.item.uri, str(error)))
                continue
            if (seconds or 0) > MAX_SECONDS:
                limit = f"at most {MAX_SECONDS / 3600:g} hours: cut it into parts"
                self._skipped.append(Skipped(one.item.uri, f"too long: {limit}"))
                continue
            taken.append(one)
            lengths.append(seconds)
        known = [seconds for seconds in lengths if seconds is not None]
        usual = sum(known) / len(known) if known else 1.0  # where a header does not say
        return taken, [max(0.01, usual if seconds is None else seconds) for seconds in lengths]

    def _remark(self, absent: set[str], needed: Mapping[str, set[str]]) -> None:
        """Say what cannot be told, and what to do about it."""
        if absent:
            models = " and ".join(self._settings.chosen(model) for model in sorted(absent))
            kinds = " and ".join(_NAMES.get(name, f"{name}s") for name in needed if absent & needed[name])
            self._remarks.append(
                f"{models}: not on this machine, so to be downloaded first. How long {kinds} take and how large they "
                "get cannot be told before. Index one of them, then ask again; or choose models that ship with the "
                'package, %config MMRag.preset = "offline"'
            )


def _by_modality(parts: Sequence[Planned]) -> list[Planned]:
    """One row for each modality, several loaders' parts added up."""
    rows: dict[Modality, Planned] = {}
    for part in parts:
        row = rows.get(part.modality)
        if row is not None:
            chunks = None if None in {row.chunks, part.chunks} else (row.chunks or 0) + (part.chunks or 0)
            growth = None if None in {row.growth, part.growth} else (row.growth or 0) + (part.growth or 0)
            seconds = Counter(row.seconds)
            seconds.update(part.seconds)
            part = Planned(part.modality, row.new + part.new, row.known + part.known, chunks, growth, dict(seconds))  # noqa: PLW2901
        rows[part.modality] = part
    return [rows[modality] for modality in MODALITIES if modality in rows]


def _silent(stage: str, done: int, total: int | None) -> None:
    """Report progress to nobody."""
