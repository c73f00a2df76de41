"""What a model costs, by genai-prices' list of what the providers ask for.

The list comes with that package, and is read only where something is billed; nothing is fetched.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def dollars(api: str, model: str, usage: Mapping[str, int], price: Mapping[str, float]) -> float | None:
    """What a request costs, US dollars; 0 where nothing is billed, ``None`` where no price is known.

    That is what the list says for now, the tier for long prompts included. What a free quota or a cache of the
    provider's saves is not taken off.

    Parameters
    ----------
    api
        Address of the API that bills; empty where nothing is billed.
    model
        As the provider calls it.
    usage
        ``input_tokens``, ``output_tokens``; ``input_audio_tokens`` of the first are sound, which many price apart.
    price
        Dollars per million tokens, ``input`` and ``output``, which goes before any list.
    """
    if not api:
        return 0.0
    sent, written = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    if price:
        return (sent * price["input"] + written * price["output"]) / 1e6
    if not listed():
        return None
    from genai_prices import Usage, calc_price

    sound = min(sent, usage.get("input_audio_tokens", 0))
    counted = Usage(input_tokens=sent, output_tokens=written, input_audio_tokens=sound)
    try:
        found = calc_price(counted, model, provider_api_url=api)
    except LookupError:  # the model, or the provider, is not in the list
        return None
    return float(found.total_price)


def listed() -> bool:
    """Whether there is a list: genai-prices is installed."""
    return find_spec("genai_prices") is not None
