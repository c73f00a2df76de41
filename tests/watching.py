"""All that leaves a shell: what is displayed, printed, logged and warned of, and what a look behind it would find."""

import logging
import threading
import traceback
import warnings
from contextlib import contextmanager


class Watch(logging.Handler):
    """Remembers everything that leaves a shell: what is displayed, printed, logged, warned of, and how it is shown."""

    def __init__(self, shell, printed, warned):
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.shell, self._printed, self._warned = shell, printed, warned
        self.told = []

    def emit(self, record):
        self.told += [("a log", self.format(record)), ("a log's record", repr(vars(record)))]

    def publish(self, data, metadata=None, **more):
        self.told += [(f"a display, {kind}", str(text)) for kind, text in data.items()]
        self.told.append(("a display's data", repr((metadata, more))))

    def run(self, cell):
        """Run a cell, and look at what is left of it as closely as can be."""
        ran = self.shell.run_cell(cell, store_history=True)
        if ran.error_in_exec is None:
            bundle, _ = self.shell.display_formatter.format(ran.result)
            self.told += [(f"the result, {kind}", str(text)) for kind, text in bundle.items()]
            self.keep("the result", ran.result)
        else:
            self.shown(ran.error_in_exec.__context__ or ran.error_in_exec)  # ours, before it is made one line
        return ran

    def shown(self, error):
        """Show an exception in each of ``%xmode``'s ways, as if nothing of ours had shortened it."""
        if error is None:
            return
        for mode in self.shell.InteractiveTB.valid_modes:
            self.shell.run_line_magic("xmode", mode)
            self.shell.showtraceback((type(error), error, error.__traceback__))
        self.shell.run_line_magic("xmode", "Context")
        whole = traceback.TracebackException.from_exception(error, capture_locals=True)
        self.told.append(("a traceback with its variables", "".join(whole.format())))
        self.keep("an error", error)
        if getattr(error, "answer", None) is not None:
            self.keep("an error's answer", error.answer)

    def keep(self, place, value):
        self.told += [(f"{place}, repr", repr(value)), (f"{place}, variables", repr(getattr(value, "__dict__", "")))]

    @property
    def all(self):
        self.told += [("standard output or error", text) for text in self._printed()]
        self.told += [("a warning", str(one)) for one in self._warned]
        return self.told


@contextmanager
def watching(shell, printed, patch):
    root = logging.getLogger()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        watch = Watch(shell, printed, warned)
        patch.setattr(shell.display_pub, "publish", watch.publish)
        patch.setattr(threading, "excepthook", threading.__excepthook__)  # pytest has its own
        patch.setattr(root, "level", logging.DEBUG)
        root.addHandler(watch)
        try:
            yield watch
        finally:
            root.removeHandler(watch)
            forget(shell)


def forget(shell):
    """Drop what cells returned, so that what one test has found is not for the next to find.

    ``%reset`` would collect all garbage, twice.
    """
    shell.user_ns["Out"].clear()
    for name in [name for name in shell.user_ns if name[:1] == "_" and name[1:].isdecimal()]:
        del shell.user_ns[name]
    shell.user_ns.update(dict.fromkeys(("_", "__", "___"), ""))
