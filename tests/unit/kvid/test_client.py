import json
import logging

import pytest

from bot.kvid import (
    ImageToImage,
    InvalidFieldError,
    JobStatus,
    KvidClient,
    KvidError,
    KvidInvalidPrompt,
    KvidJobNotFound,
    KvidProtocolError,
    KvidRateLimited,
    KvidServerError,
    KvidUnauthorized,
    KvidUnreachable,
    TextToImage,
)
from bot.kvid.client import KEY_CHECK_JOB_ID
from tests.unit.kvid.conftest import API_KEY, Clock
from tests.unit.kvid.samples import JOB_ID
from tests.unit.kvid.server import ScriptedKvid, as_json, drop, plain, raw, sample

REQUEST = TextToImage(prompt="a star over Seoul")
RATE_LIMITED = {"success": False, "code": "RATE_LIMITED", "message": "Too many requests"}


async def test_all_calls_of_a_job_share_one_connection_and_carry_the_key(
    client: KvidClient, kvid: ScriptedKvid, clock: Clock
) -> None:
    kvid.script(
        sample("submit_accepted"),
        sample("status_processing"),
        sample("status_completed"),
        sample("result_one"),
    )
    job = await client.submit(REQUEST)
    first, second = await client.fetch_status(job.job_id), await client.fetch_status(job.job_id)
    result = await client.fetch_result(job.job_id)
    assert (first.status, second.status) == (JobStatus.PROCESSING, JobStatus.COMPLETED)
    assert result.used_credit == 8
    assert [(asked.method, asked.target) for asked in kvid.asked] == [
        ("POST", "/ai/generation/text-to-image/generate-async"),
        ("GET", f"/ai/generation/status?jobId={JOB_ID}"),
        ("GET", f"/ai/generation/status?jobId={JOB_ID}"),
        ("GET", f"/ai/generation/result?jobId={JOB_ID}"),
    ]
    assert {asked.headers["api-key"] for asked in kvid.asked} == {API_KEY}
    assert len({asked.connection for asked in kvid.asked}) == 1
    assert json.loads(kvid.asked[0].body) == {"prompt": "a star over Seoul", "product_code": "shop-1"}
    assert clock.slept_s == []


async def test_an_edit_is_submitted_to_its_own_endpoint(client: KvidClient, kvid: ScriptedKvid) -> None:
    kvid.script(sample("submit_accepted_range"))
    job = await client.submit(ImageToImage(prompt="별", source_urls=("https://a.example/1.png",)))
    assert job.estimated_time_s == (10.0, 20.0)
    assert kvid.asked[0].target == "/ai/generation/image-to-image/generate-async"
    assert "별".encode() in kvid.asked[0].body


class TestQuestionsAreRepeated:
    @pytest.mark.parametrize("name", ["error_server", "error_502_html", "error_503_empty", "error_429_html"])
    async def test_a_passing_failure_is_waited_out(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock, name: str
    ) -> None:
        kvid.script(sample(name), sample(name), sample("status_processing"))
        report = await client.fetch_status(JOB_ID)
        assert report.status is JobStatus.PROCESSING
        assert clock.slept_s == [0.5, 1.0]

    async def test_a_broken_connection_is_waited_out(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock
    ) -> None:
        # Twice for one wait: aiohttp itself repeats a GET once, at once, when a connection breaks.
        kvid.script(drop, drop, sample("status_processing"))
        report = await client.fetch_status(JOB_ID)
        assert report.status is JobStatus.PROCESSING
        assert clock.slept_s == [0.5]

    async def test_the_attempts_are_bounded(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock
    ) -> None:
        kvid.script(*[sample("error_server")] * 3)
        with pytest.raises(KvidServerError):
            await client.fetch_result(JOB_ID)
        assert len(kvid.asked) == 3
        assert clock.slept_s == [0.5, 1.0]

    async def test_retry_after_is_honoured(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock
    ) -> None:
        kvid.script(sample("error_rate_limited"), sample("error_rate_limited_date"), sample("result_one"))
        await client.fetch_result(JOB_ID)
        assert clock.slept_s == [7.5, 12.5]

    async def test_a_long_retry_after_is_handed_to_the_caller(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock
    ) -> None:
        kvid.script(plain(429, headers={"Retry-After": "3600"}))
        with pytest.raises(KvidRateLimited) as caught:
            await client.fetch_status(JOB_ID)
        assert caught.value.retry_after_s == 3600
        assert clock.slept_s == []

    @pytest.mark.parametrize(
        "name", ["malformed_cut", "malformed_html", "error_job_not_found", "error_403", "error_redirect"]
    )
    async def test_what_waiting_cannot_mend_is_not_repeated(
        self, client: KvidClient, kvid: ScriptedKvid, name: str
    ) -> None:
        kvid.script(sample(name))
        with pytest.raises(KvidError):
            await client.fetch_status(JOB_ID)
        assert len(kvid.asked) == 1


class TestSubmitsAreNotRepeatedBlindly:
    @pytest.mark.parametrize(
        "failure",
        [
            drop,
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
            raw(b"nonsense\r\n\r\n"),
            sample("error_server"),
            sample("error_503_empty"),
            sample("malformed_html"),
            sample("malformed_empty"),
            sample("submit_without_job"),
            sample("error_redirect"),
            plain(200, b" " * 1_048_577),
        ],
        ids=["drop", "cut", "no-http", "500", "503", "html", "empty", "no-job", "redirect", "too-large"],
    )
    async def test_an_unclear_outcome_is_said_and_not_sent_again(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock, failure: object
    ) -> None:
        assert callable(failure)
        kvid.script(sample("status_processing"), failure)
        await client.fetch_status(JOB_ID)  # so that the submit goes out on a kept-alive connection
        with pytest.raises(KvidError) as caught:
            await client.submit(REQUEST)
        assert caught.value.outcome_unknown
        assert "outcome_unknown=True" in str(caught.value)
        assert len(kvid.asked) == 2
        assert clock.slept_s == []

    async def test_a_refusal_is_certain(self, client: KvidClient, kvid: ScriptedKvid) -> None:
        kvid.script(sample("error_invalid_prompt"))
        with pytest.raises(KvidInvalidPrompt) as caught:
            await client.submit(REQUEST)
        assert not caught.value.outcome_unknown
        assert len(kvid.asked) == 1

    async def test_a_429_of_kvid_itself_is_waited_out(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock
    ) -> None:
        kvid.script(as_json(429, RATE_LIMITED), sample("error_rate_limited"), sample("submit_accepted"))
        assert (await client.submit(REQUEST)).job_id == JOB_ID
        assert clock.slept_s == [0.5, 7.5]

    async def test_a_429_of_somebody_else_is_not(self, client: KvidClient, kvid: ScriptedKvid) -> None:
        kvid.script(sample("error_429_html"))
        with pytest.raises(KvidRateLimited) as caught:
            await client.submit(REQUEST)
        assert not caught.value.outcome_unknown
        assert len(kvid.asked) == 1

    async def test_a_connection_that_never_was_is_tried_again(
        self, clock: Clock, unused_tcp_port: int
    ) -> None:
        async with KvidClient(
            base_url=f"http://127.0.0.1:{unused_tcp_port}",
            api_key=API_KEY,
            sleep=clock.sleep,
            random=lambda: 0.5,
            monotonic=clock.monotonic,
        ) as client:
            with pytest.raises(KvidUnreachable) as caught:
                await client.submit(REQUEST)
        assert not caught.value.outcome_unknown
        assert not caught.value.request_sent
        assert clock.slept_s == [0.25, 0.5, 1.0]


class TestKeyCheck:
    @pytest.mark.parametrize(
        "name",
        ["error_job_not_found", "error_404_empty", "error_missing_parameters", "error_unknown_code_400"],
    )
    async def test_a_job_that_is_not_there_means_that_the_key_is_accepted(
        self, client: KvidClient, kvid: ScriptedKvid, name: str
    ) -> None:
        kvid.script(sample(name))
        await client.check_key()
        assert kvid.asked[0].target == f"/ai/generation/status?jobId={KEY_CHECK_JOB_ID}"

    async def test_an_answer_for_that_job_is_accepted_too(
        self, client: KvidClient, kvid: ScriptedKvid
    ) -> None:
        kvid.script(as_json(200, {"success": True, "data": {"job_id": KEY_CHECK_JOB_ID, "status": "queued"}}))
        await client.check_key()

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("error_401", KvidUnauthorized),
            ("error_403", KvidUnauthorized),
            ("error_404_html", KvidProtocolError),
            ("malformed_html", KvidProtocolError),
        ],
    )
    async def test_a_refused_key_and_a_wrong_address_are_told(
        self, client: KvidClient, kvid: ScriptedKvid, name: str, kind: type[KvidError]
    ) -> None:
        kvid.script(sample(name))
        with pytest.raises(kind):
            await client.check_key()


async def test_an_unknown_status_is_logged_once(
    client: KvidClient,
    kvid: ScriptedKvid,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(40):
        word = "upscaling" if number < 3 else f"phase {number}"
        kvid.script(as_json(200, {"job_id": JOB_ID, "status": word}))
        report = await client.fetch_status(JOB_ID)
        assert (report.status, report.raw_status) == (JobStatus.UNKNOWN, word)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "'upscaling'" in warnings[0].getMessage()
    assert len(warnings) == 32


async def test_a_lost_job_is_told_as_such(client: KvidClient, kvid: ScriptedKvid) -> None:
    kvid.script(sample("error_job_not_found"))
    with pytest.raises(KvidJobNotFound):
        await client.fetch_result(JOB_ID)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("base_url", {"base_url": "kvid.ai"}),
        ("base_url", {"base_url": "https://api.kvid.ai/?a=1"}),
        ("base_url", {"base_url": "https://api.kvid.ai/#a"}),
        ("base_url", {"base_url": "https://user:word@api.kvid.ai"}),
        ("api_key", {"api_key": ""}),
        ("api_key", {"api_key": "a\r\nHost: b"}),
        ("product_code", {"product_code": " "}),
    ],
)
def test_settings_that_could_not_be_sent_are_refused_without_showing_them(
    field: str, settings: dict[str, str]
) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        KvidClient(
            base_url=settings.get("base_url", "https://api.kvid.ai"),
            api_key=settings.get("api_key", "k"),
            product_code=settings.get("product_code"),
        )
    assert str(caught.value) == f"{field}: malformed"


async def test_a_closed_client_says_so_and_can_be_closed_again(
    client: KvidClient, kvid: ScriptedKvid
) -> None:
    kvid.script(sample("status_processing"))
    await client.fetch_status(JOB_ID)
    await client.close()
    await client.close()
    with pytest.raises(RuntimeError):
        await client.fetch_status(JOB_ID)


def chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize(
    "answer",
    [
        plain(400, API_KEY.encode()),
        plain(200, f"<html>{API_KEY}".encode()),
        as_json(200, {"status": API_KEY}),
        as_json(403, {"error": {"code": "BAD_KEY", "message": f"the key {API_KEY} is not known"}}),
        raw(b"nonsense\r\n\r\n"),
        drop,
        plain(200, b" " * 1_048_577),
    ],
    ids=["400", "html", "no-job", "403", "no-http", "drop", "too-large"],
)
async def test_the_key_never_shows(
    client: KvidClient, kvid: ScriptedKvid, caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    caplog.set_level(logging.DEBUG)
    assert callable(answer)
    kvid.script(answer)
    with pytest.raises(KvidError) as caught:
        await client.submit(REQUEST)
    shown = [repr(client), str(client), caplog.text]
    for error in chain(caught.value):
        shown += [repr(error), str(error), repr(error.args)]
    assert not [text for text in shown if API_KEY in text or REQUEST.prompt in text]


async def test_no_prompt_and_no_key_is_logged_while_trying_again(
    client: KvidClient, kvid: ScriptedKvid, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kvid.script(sample("error_rate_limited"), sample("submit_accepted"))
    await client.submit(REQUEST)
    assert "kvid submit: KvidRateLimited on try 1, again in 7.50 s" in caplog.text
    assert API_KEY not in caplog.text
    assert REQUEST.prompt not in caplog.text
