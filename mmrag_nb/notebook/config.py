"""``%config MMRag``: the settings as IPython shows and sets them."""

from __future__ import annotations

from typing import Any

from traitlets.config import Configurable

from mmrag_nb.errors import UnknownName
from mmrag_nb.settings import Settings


class MMRag(Settings, Configurable):
    """Choices of the mmrag_nb magics. A model left empty is the preset's."""

    def update_config(self, config: Any) -> None:
        """Take over what ``%config`` was given, once it is known that there are such settings."""
        known = self.trait_names(config=True)
        for name in config.get(type(self).__name__, {}):
            if name not in known:  # traitlets would only warn, from somewhere inside IPython
                raise UnknownName("setting", name, known)
        super().update_config(config)
