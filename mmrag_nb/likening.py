"""How near an answer's sentence comes to what it cites, as the strategy in force sees both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .errors import MMRagError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .finding import Finding
    from .results import Hit


def likeness(sentence: str, hits: Sequence[Hit], finding: Finding) -> float | None:
    """Standard deviations by which ``sentence``, as a question, lies nearer to the best of ``hits`` than chance.

    Zero is what one arbitrary question in twenty exceeds, see :mod:`mmrag_nb.retrieval.calibration`. ``None`` where no
    model in force sees them, or what it saw is gone.
    """
    chunks = finding.chunks_of(hits)
    try:
        probes, _ = finding.probes(finding.text(sentence))
    except MMRagError:  # the index was emptied meanwhile, or other models were chosen
        return None
    scores = [probe.scale.score(probe.cosines(chunks)) for probe in probes if chunks]
    known = np.concatenate(scores) if scores else np.empty(0)
    known = known[~np.isnan(known)]
    return float(known.max()) if len(known) else None
