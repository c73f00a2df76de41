"""One server, one browser and one Lab for all browser tests; and the quickstart, run once."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """A real JupyterLab in a real browser."""
    pytest.importorskip("jupyterlab", reason='browser tests need JupyterLab: pip install "mmrag-nb[lab]"')
    from lab import Lab, served

    with served(tmp_path_factory.mktemp("jupyter")) as (url, token, root):
        yield Lab(browser, url, token, root)


@dataclass(frozen=True)
class Run:
    """A notebook that was run from an empty kernel and saved, its kernel shut down."""

    path: str
    """For ``lab.open``."""
    fetched: list[str]
    """Addresses outside the server that were asked for meanwhile."""
    complaints: list[str]
    """Errors on the browser's console meanwhile."""


@pytest.fixture(scope="session")
def quickstart(lab):
    """The quickstart, run."""
    path = Path(shutil.copy(NOTEBOOKS / "quickstart.ipynb", lab.root)).name
    lab.load()  # what other pages have left on the console is theirs
    lab.open(path)
    assert not any(cell["outputs"] for cell in lab.cells())
    lab.run_all()
    lab.save()
    run = Run(path, lab.fetched(), lab.browser.complaints())
    lab.shut_down_kernel()
    return run
