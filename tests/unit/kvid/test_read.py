from datetime import UTC, datetime
from typing import Any

import pytest

from bot.kvid import JobStatus, read

URL = "https://cdn.kvid.ai/a.jpg"


@pytest.mark.parametrize(
    ("value", "range_s"),
    [
        ("10s", (10, 10)),
        ("10-20s", (10, 20)),
        ("10s - 20s", (10, 20)),
        ("20–10 seconds", (10, 20)),
        ("2.5 sec", (2.5, 2.5)),
        (12, (12, 12)),
        (1.5, (1.5, 1.5)),
        ("0-86400s", (0, 86400)),
        ("86401s", None),
        ("soon", None),
        ("-5s", None),
        ("", None),
        (None, None),
        (True, None),
        (float("inf"), None),
        (["10s"], None),
        ("9" * 4000, None),
    ],
)
def test_the_expected_time_is_a_range_or_unknown(value: Any, range_s: tuple[float, float] | None) -> None:
    assert read.estimated_time_s(value) == range_s


@pytest.mark.parametrize(
    ("value", "used"),
    [(8, 8), (0, 0), (8.0, 8), (7.5, 8), (-1, None), (True, None), ("8", None), (None, None), (10**7, None)],
)
def test_used_credit_is_whole_and_plausible_or_unknown(value: Any, used: int | None) -> None:
    assert read.credits_used(value) == used


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-04-21T10:00:00Z", datetime(2026, 4, 21, 10, tzinfo=UTC)),
        ("2026-04-21T19:00:00+09:00", datetime(2026, 4, 21, 10, tzinfo=UTC)),
        ("2026-04-21T10:00:00", datetime(2026, 4, 21, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1_777_360_165, None),
    ],
)
def test_times_are_aware_utc_or_unknown(value: Any, moment: datetime | None) -> None:
    assert read.moment(value) == moment


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (" COMPLETED ", JobStatus.COMPLETED),
        ("cancelled", JobStatus.CANCELED),
        ("canceled", JobStatus.CANCELED),
        ("upscaling", JobStatus.UNKNOWN),
        (None, JobStatus.UNKNOWN),
        (3, JobStatus.UNKNOWN),
    ],
)
def test_a_status_is_read_in_any_spelling(value: Any, status: JobStatus) -> None:
    assert read.job_status(value) is status


@pytest.mark.parametrize(
    "value",
    [None, "", 7, "a b", "a\n", "별", "a" * 201],
    ids=["none", "empty", "number", "space", "line", "hangul", "long"],
)
def test_a_job_id_is_short_printable_ascii(value: Any) -> None:
    assert read.job_id(value) is None
    assert read.job_id("img_1-2.3:4") == "img_1-2.3:4"


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        ({"error": {"code": "A_B", "message": "m"}}, "A_B", "m"),
        ({"code": "A_B", "message": "m"}, "A_B", "m"),
        ({"error": "A_B"}, "A_B", "A_B"),
        ({"error": "something went wrong"}, None, "something went wrong"),
        ({"error": "Bad", "code": "A_B"}, "A_B", "Bad"),
        ({"error": {"code": 7, "message": None}}, None, None),
        ({"error": {"code": "A_B"}}, "A_B", "A_B"),
        ({}, None, None),
    ],
)
def test_all_forms_of_an_error_body_are_read(
    payload: dict[str, Any], code: str | None, message: str | None
) -> None:
    assert read.error_code_and_message(payload) == (code, message)


def test_the_first_usable_form_of_pictures_counts() -> None:
    forms: list[dict[str, Any]] = [
        {"images": [URL]},
        {"images": [], "result_urls": [URL]},
        {"images": [{"href": URL}], "result_urls": [URL + "?2", 7], "result_url": URL},
        {"images": [URL] * 17, "result_url": URL},
        {"images": {"url": URL}, "result_urls": None, "result_url": URL},
    ]
    for data in forms:
        assert [image.url for image in read.result_images(data)] == [URL]


def test_one_byte_size_is_not_said_of_several_pictures() -> None:
    one = read.result_images({"result_urls": [URL], "size": 9})
    two = read.result_images({"result_urls": [URL, URL + "?2"], "size": 9})
    assert [image.size_bytes for image in (*one, *two)] == [9, None, None]


@pytest.mark.parametrize(
    "body", [b'{"seed": NaN}', b'{"seed": -Infinity}', b"[]", b"", b"{", b'"\xff"', b"7"]
)
def test_only_a_json_object_by_the_standard_is_one(body: bytes) -> None:
    assert read.json_object(body) is None
    assert read.json_object(b'\n {"seed": 1}') == {"seed": 1}


def test_absurd_details_of_a_picture_are_unknown() -> None:
    data = {"result_url": URL, "width": -1, "height": 10**9, "size": True, "type": 7}
    (image,) = read.result_images(data)
    assert (image.width, image.height, image.size_bytes, image.content_type) == (None, None, None, None)
    (image,) = read.result_images({"result_url": URL, "type": " "})
    assert image.content_type is None


def test_an_excerpt_is_one_short_printable_line() -> None:
    assert read.excerpt("a\n\tb\x00c\u202e") == "a b c"
    assert read.excerpt(b"\xff\xfe") == "\ufffd\ufffd"
    cut = read.excerpt("x" * 1000)
    assert len(cut) == read.EXCERPT_CHARS_MAX
    assert cut.endswith("…")


def test_no_half_secret_is_left_by_the_cut() -> None:
    secret = "s3cret-key"
    for padding in range(10_220, 10_245):
        assert "s3cret" not in read.excerpt(" " * padding + secret, secrets=(secret,))


def test_a_prompt_of_a_letter_does_not_blot_out_the_excerpt() -> None:
    assert read.excerpt("bad prompt", secrets=("a", "")) == "bad prompt"


def test_a_message_is_text_or_nothing() -> None:
    assert read.message("why", secrets=()) == "why"
    assert read.message(" ", secrets=()) is None
    assert read.message({"why": 1}, secrets=()) is None
