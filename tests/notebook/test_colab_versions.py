"""The quickstart under Colab's IPython, ipywidgets and ipykernel, and as a page whose JavaScript is off."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
nbconvert = pytest.importorskip("nbconvert")

ROOT = Path(__file__).parents[2]
COLAB = {"ipython": "7.34.0", "ipywidgets": "7.7.1", "ipykernel": "6.17.1"}
NEEDED = ["backcall", "decorator", "ipython-genutils", "nest-asyncio", "pickleshare", "widgetsnbextension<4"]
"""What those three import and their successors do without; all else is that of the tests' own environment."""
TELL_VERSIONS = """
import json, IPython, ipykernel, ipywidgets
print(json.dumps({module.__name__.lower(): module.__version__ for module in (IPython, ipykernel, ipywidgets)}))
"""


def made(folder):
    """Make an environment in ``folder``: Colab's versions before what the tests' own environment has; its Python."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = [*(f"{name}=={version}" for name, version in COLAB.items()), *NEEDED]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", *wanted]
    done = subprocess.run(pip, capture_output=True, timeout=240, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no pip"]
        pytest.skip(f"Colab's versions cannot be installed here: {last[0][:200]}")
    own = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    beyond = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    Path(own, "beyond.pth").write_text(beyond, encoding="utf-8")
    return python


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Name of a kernel with Colab's versions, known to Jupyter; its environment is kept between runs."""
    key = hashlib.sha256(json.dumps([sys.prefix, sys.version, COLAB, NEEDED]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mmrag_nb" / "tests"
    folder = cache / f"colab-{key}"
    told = folder / "python.txt"  # written last: an environment without it is half made
    if not told.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        told.write_text(str(made(folder)), encoding="utf-8")
    jupyter = tmp_path_factory.mktemp("jupyter-path")
    spec = jupyter / "kernels" / "colab-versions" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [told.read_text(encoding="utf-8"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(jupyter))
        patch.setenv("IPYTHONDIR", str(jupyter / "ipython"))
        yield "colab-versions"


@pytest.fixture(scope="module")
def run(kernel, tmp_path_factory):
    """The quickstart, run there, and the versions that the kernel told."""
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(TELL_VERSIONS))
    folder = {"metadata": {"path": str(tmp_path_factory.mktemp("colab"))}}
    nbclient.NotebookClient(notebook, kernel_name=kernel, timeout=240, resources=folder).execute()
    (told,) = notebook.cells.pop().outputs
    return notebook, json.loads(told.text)


def cards_in(notebook):
    """How many cards are in a notebook's outputs."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return sum(
        out.data["text/html"].count('<section class="mmrag') for out in outputs if "text/html" in out.get("data", {})
    )


def test_the_quickstart_runs(run):
    notebook, versions = run
    assert versions == COLAB
    nbformat.validate(notebook)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    assert cards_in(notebook) >= 6


@pytest.mark.browser
def test_its_page_shows_the_same_cards_without_javascript(run, browser, tmp_path):
    page, _ = nbconvert.HTMLExporter().from_notebook_node(run[0])
    path = tmp_path / "quickstart.html"
    path.write_text(page, encoding="utf-8")
    with browser.tab(path.as_uri(), scripts=False):
        browser.size(1000, 8000)
        browser.screenshot("colab-nbconvert-without-javascript")
        cards, text, pictures, drawings, players = browser.driver.execute_script(
            "const cards = Array.from(document.querySelectorAll('section.mmrag'));"
            "const all = (kind) => cards.flatMap((card) => Array.from(card.querySelectorAll(kind)));"
            "return [cards.map((card) => card.offsetHeight), cards.map((card) => card.innerText).join('\\n'),"
            "all('img').map((img) => img.naturalWidth * img.offsetHeight),"
            "all('svg').map((svg) => svg.clientHeight), all('audio[controls]').map((player) => player.offsetHeight)]"
        )
    assert len(cards) == cards_in(run[0])
    assert len(pictures) >= 5
    assert len(drawings) >= 2
    assert players
    assert all([*cards, *pictures, *drawings, *players])
    for part in ("no_such_file.jpg", "thursday at nine", "drawing_04.png", "raw cosine", "hashed n-grams"):
        assert part in text
