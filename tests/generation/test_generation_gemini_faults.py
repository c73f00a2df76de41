"""Each injected fault, over both of Google's SDKs: the right error, in time, the requests counted, the key unseen."""

import pytest
from facing import assert_it_ends_as_it_has_to, limits
from gemini_faults import FAULTS, of_legacy

from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.generation.gemini_legacy import GeminiLegacyGenerator
from mmrag_nb.generation.keys import Secret

CANARY = "AIza-canary/7+x%Zq=9"


@pytest.fixture(params=[GeminiGenerator, GeminiLegacyGenerator], ids=["google-genai", "google-generativeai"])
def kind(request):
    if not request.param.installed():
        pytest.skip(f"{request.param.sdk} is not installed")
    return request.param


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_ends_as_it_has_to(kind, server, prompt, fault, said_aside):
    fault = of_legacy(fault) if kind is GeminiLegacyGenerator else fault
    key = Secret(CANARY, "GOOGLE_API_KEY")
    generator = kind("gemini-flash-latest", key=key, base_url=server.url, **limits(fault))
    generator._prepare()  # the SDK's import is not the server's fault
    # requests tells nobody of a connection before the head of the reply has come
    hangs_up = kind is GeminiGenerator or fault.script[-1].before is None
    assert_it_ends_as_it_has_to(
        fault, generator, server, prompt, key=CANARY, said_aside=said_aside, hangs_up=hangs_up, leaves=2.0
    )
