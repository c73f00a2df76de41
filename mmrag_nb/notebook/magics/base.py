"""What all our magics are: magics that share one session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics

if TYPE_CHECKING:
    from mmrag_nb.notebook.session import Session


class SessionMagics(Magics):
    """Magics of one shell, over its session's index."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session
