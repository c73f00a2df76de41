"""``%config MMRag``: the settings as IPython shows and sets them."""

from __future__ import annotations

from traitlets.config import Configurable

from mmrag_nb.settings import Settings


class MMRag(Settings, Configurable):
    """Choices of the mmrag_nb magics. A model left empty is the preset's."""
