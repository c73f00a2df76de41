"""Real IPython shells with the extension loaded, one at a time."""

from contextlib import contextmanager

from IPython.core.interactiveshell import InteractiveShell


@contextmanager
def started():
    """A shell of its own, offline; it takes its folder from ``IPYTHONDIR``."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "mmrag_nb")
    shell.run_line_magic("config", 'MMRag.preset = "offline"')
    yield shell
    if "mmrag_nb" in shell.extension_manager.loaded:
        shell.run_line_magic("unload_ext", "mmrag_nb")
    InteractiveShell.clear_instance()


def fails(shell, capsys, cell):
    """The one line that a failing cell prints."""
    capsys.readouterr()
    assert not shell.run_cell(cell, store_history=True).success
    printed = capsys.readouterr()
    lines = [line for line in (printed.out + printed.err).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0]
