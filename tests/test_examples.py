"""The examples in docstrings do what they show."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["mmrag_nb.rag", "mmrag_nb.registry"])
def test_examples(module):
    outcome = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert outcome.attempted
    assert not outcome.failed
