"""Loading is instant, the house's walls stand, and every name leads somewhere."""

import json
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import pytest

from mmrag_nb import insight, registry, results
from mmrag_nb.errors import NotInstalled, UnknownName

HEAVY = ("torch", "transformers", "sklearn", "scipy", "matplotlib", "ipywidgets", "pandas", "av", "pydub", "PIL")


def fresh(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_importing_the_package_loads_nothing_heavy():
    loaded = json.loads(fresh("import sys, json, mmrag_nb; print(json.dumps(sorted(sys.modules)))"))
    assert not [name for name in (*HEAVY, "numpy", "IPython", "traitlets") if name in loaded]


def test_loading_the_extension_loads_nothing_heavy():
    code = """
import sys, json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "mmrag_nb")
assert shell.find_line_magic("mmrag_ask") and shell.find_cell_magic("mmrag_index")
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    loaded = json.loads(fresh(code))
    assert not [name for name in loaded if name.split(".")[0] in HEAVY]


def test_importing_the_package_costs_next_to_nothing():
    def seconds(code):
        start = time.perf_counter()
        fresh(code)
        return time.perf_counter() - start

    # The least of several: what else the machine does only ever adds.
    bare = min(seconds("print(0)") for _ in range(5))
    ours = min(seconds("import mmrag_nb; print(0)") for _ in range(5))
    assert ours - bare < 0.05


@pytest.mark.skipif(find_spec("importlinter") is None, reason="import-linter is not installed")
def test_the_walls_between_packages_stand():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("kind", "name"), sorted(registry._ENTRIES))
def test_every_registered_name_leads_to_something(kind, name):
    try:
        assert callable(registry.find(kind, name))
    except NotInstalled as error:
        pytest.skip(str(error))


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'memory'"):
        registry.find("store", "memroy")


def shown():
    """All kinds of results, wherever they are defined: those that live beside what makes them, too."""
    beside = (module.name for module in iter_modules(insight.__path__, f"{insight.__name__}."))
    for name in (*beside, "mmrag_nb.reports", "mmrag_nb.generation.templates"):
        import_module(name)
    found, waiting = [], [results.Shown]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        found += kinds
        waiting += kinds
    return sorted(found, key=lambda kind: kind.__name__)


def test_all_kinds_of_results_are_known_here():
    assert {"Answer", "Comparison", "EmbeddingMap", "Hit", "Hits", "Why"} < {kind.__name__ for kind in shown()}


@pytest.mark.parametrize("result", shown(), ids=lambda one: one.__name__)
def test_every_result_has_its_renderer(result):
    renderer = import_module(result._renderer)
    assert callable(renderer.html)
    assert callable(renderer.text)


@pytest.mark.parametrize(
    ("name", "media_type", "modality"),
    [
        ("a.TXT", "", "text"),
        ("a.jpeg", "", "image"),
        ("a.mp3", "", "audio"),
        ("a", "image/png", "image"),
        ("page", "text/html; charset=utf-8", "text"),
        ("a.zip", "", None),
        (".txt", "", None),
    ],
)
def test_what_a_file_is_loaded_as(name, media_type, modality):
    assert registry.modality_of(name, media_type) == modality
