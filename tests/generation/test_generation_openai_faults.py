"""Each injected fault of a Chat Completions server: the right error, in time, the requests counted, the key unseen."""

import pytest
from facing import assert_it_ends_as_it_has_to, limits
from openai_faults import FAULTS
from openai_server import CANARY, MODEL

from mmrag_nb.generation.keys import Secret
from mmrag_nb.generation.openai import OpenAIGenerator


@pytest.fixture(scope="module", autouse=True)
def _imported():
    """The SDK's import is not the server's fault."""
    import openai  # noqa: F401


def test_there_are_enough_faults_and_each_has_a_name_of_its_own():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 20


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_ends_as_it_has_to(openai_server, prompt, fault, said_aside):
    key = Secret(CANARY, "OPENAI_API_KEY")
    generator = OpenAIGenerator(MODEL, key=key, base_url=openai_server.url, **limits(fault))
    assert_it_ends_as_it_has_to(fault, generator, openai_server, prompt, key=CANARY, said_aside=said_aside)
