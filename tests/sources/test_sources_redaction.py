"""What must not be shown of an address is not shown."""

import pytest

from mmrag_nb.sources.redaction import brief, redact


@pytest.mark.parametrize(
    "url",
    [
        "https://h/a?key=HIDE",
        "https://h/a?x=1&api_key=HIDE&y=2",
        "https://h/a?apikey=HIDE",
        "https://h/a?access_token=HIDE",
        "https://h/a#access_token=HIDE",
        "https://h/a?X-Amz-Signature=HIDE",
        "https://h/a?X-Amz-Credential=HIDE%2F20240501",
        "https://h/a?sv=2024&sig=HIDE%3D",
        "https://h/a?AWSAccessKeyId=HIDE",
        "https://h/a?GoogleAccessId=HIDE@x.com",
        "https://h/a?Password=HIDE",
        "https://h/a?%6bey=HIDE",
        "https://h/a?q=AKIAHIDE0123456789AB",
        "https://h/a?jwt=eyHIDE.x.y",
        "https://HIDE:HIDE@h/a",
        "https://HIDE@h/a",
        "ftp://HIDE:a@b@h/a",
    ],
)
def test_secrets(url):
    assert "HIDE" not in redact(url)
    assert redact(url).startswith(url.partition("://")[0])
    assert "HIDE" not in redact(f"see '{url}' and more")


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/wiki/Lorenz?title=Lorenz_attractor&oldid=123456789",
        "https://h/a?author=Anna&keyword=harp&design=new&monkeys=3",
        "https://h/@user/a.jpg",
        "https://h/a?key=",
        "a@b.jpg",
        "photos/what?.jpg",
    ],
)
def test_the_rest_stays(text):
    assert redact(text) == text


def test_brief():
    assert brief("a\n  b") == "a b"
    assert brief("x" * 200, 10) == "x" * 9 + "…"
