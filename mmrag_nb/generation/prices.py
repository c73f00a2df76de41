"""What a model costs, by genai-prices' list of the providers' own prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def dollars(api: str, model: str, tokens_in: int, tokens_out: int, price: Mapping[str, float]) -> float | None:
    """What a request costs, US dollars; 0 where nothing is billed, ``None`` where no price is known.

    Parameters
    ----------
    api
        Address of the API that bills; empty where nothing is billed.
    model
        As the provider calls it.
    tokens_in, tokens_out
        Tokens sent and written.
    price
        Dollars per million tokens, ``input`` and ``output``, which goes before any list.
    """
    if not api:
        return 0.0
    if price:
        return (tokens_in * price["input"] + tokens_out * price["output"]) / 1e6
    try:
        from genai_prices import Usage, calc_price
    except ModuleNotFoundError:
        return None
    try:
        found = calc_price(Usage(input_tokens=tokens_in, output_tokens=tokens_out), model, provider_api_url=api)
    except LookupError:  # the model, or the provider, is not in the list
        return None
    return float(found.total_price)
