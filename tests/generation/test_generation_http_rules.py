"""What a server says over HTTP is read the same way whoever it is."""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from mmrag_nb.generation.attempts import Failure
from mmrag_nb.generation.http_rules import late, one_line, passing, redacted, retry_after, unreadable, when
from mmrag_nb.generation.keys import Secret


def test_what_passes_is_tried_again_and_no_refusal_is():
    assert all(passing(status) for status in (408, 429, 500, 502, 503, 504, 520, 529))
    assert not any(passing(status) for status in (301, 400, 401, 403, 404, 413, 422, 501, 505))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00"}, 0.0),
        ({"Retry-After": "9" * 400}, float("inf")),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_the_time_to_come_back_is_a_number_or_a_date(headers, seconds):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    "written",
    [
        lambda soon: format_datetime(soon, usegmt=True),
        lambda soon: format_datetime(soon.replace(tzinfo=None)),
        lambda soon: format_datetime(soon.replace(tzinfo=None)).removesuffix(" -0000"),
        lambda soon: format_datetime(soon.astimezone(timezone(timedelta(hours=5)))),
    ],
    ids=["GMT", "-0000", "no zone", "another zone"],
)
def test_a_date_is_in_utc_where_it_names_no_zone(written):
    soon = datetime.now(tz=timezone.utc).replace(microsecond=0) + timedelta(minutes=1)
    assert 30 < retry_after({"Retry-After": written(soon)}) <= 60


@pytest.mark.parametrize(
    ("wait", "told"), [(None, "later"), (0.4, "in 0 s"), (90.0, "in 90 s"), (1e9, "later"), (float("inf"), "later")]
)
def test_when_to_ask_again_is_said_as_far_as_it_helps(wait, told):
    assert when(wait) == told


def test_a_failure_is_told_in_one_line_without_tags_and_without_the_key():
    said = Failure("<html><b>502</b>\n\nno  gateway for s3cret </html>", status=502)
    assert redacted(said, Secret("s3cret")) == Failure("502 no gateway for [key]", status=502)
    assert redacted(said, None).message == "502 no gateway for s3cret"
    assert one_line("x" * 400) == "x" * 299 + "…"
    assert unreadable(ValueError("{" * 200)).message.endswith("…)")


def test_what_was_late_says_whether_it_had_begun():
    assert str(late("Gemini", 60.0, begun=False)).startswith("Gemini did not answer within 60 s: ")
    assert str(late("Gemini", 0.5, begun=True)).startswith("Gemini was still writing after 0.5 s: ")
