import json
from datetime import UTC, datetime

import pytest

from bot.kvid import (
    ImageSize,
    ImageToImage,
    JobResult,
    JobStatus,
    KvidAccountEmpty,
    KvidError,
    KvidInvalidParameters,
    KvidInvalidPrompt,
    KvidJobFailed,
    KvidJobNotCompleted,
    KvidJobNotFound,
    KvidProtocolError,
    KvidRateLimited,
    KvidSafetyRefused,
    KvidServerError,
    KvidUnauthorized,
    KvidUnreachable,
    ResultImage,
    StatusReport,
    SubmittedJob,
    TextToImage,
)
from bot.kvid.wire import (
    Answer,
    WireRequest,
    build_result,
    build_status,
    build_submit,
    is_outcome_unknown,
    parse_result,
    parse_status,
    parse_submit,
    sniff_content_type,
)
from tests.unit.kvid import samples
from tests.unit.kvid.samples import JOB_ID, RESULT_URL

CREATED_AT = datetime(2026, 4, 21, 10, tzinfo=UTC)


def submit_body(request: TextToImage | ImageToImage, product_code: str | None = None) -> dict[str, object]:
    wire_request = build_submit(request, api_key="k", product_code=product_code)
    assert wire_request.body is not None
    body: dict[str, object] = json.loads(wire_request.body)
    return body


class TestRequests:
    def test_a_text_to_image_job_is_sent_as_the_contract_shows_it(self) -> None:
        request = TextToImage(
            prompt="K-pop idol wearing a colorful stage outfit, professional photography",
            negative_prompt="blurry, low quality, distorted",
            size=ImageSize(width=1024, height=1024),
            steps=50,
            guidance=7.5,
            safety_checker=True,
        )
        wire_request = build_submit(request, api_key="the-key", product_code=None)
        assert (wire_request.method, wire_request.target) == (
            "POST",
            "/ai/generation/text-to-image/generate-async",
        )
        assert wire_request.headers["api-key"] == "the-key"
        assert wire_request.headers["Content-Type"] == "application/json"
        assert submit_body(request) == {
            "prompt": "K-pop idol wearing a colorful stage outfit, professional photography",
            "negative_prompt": "blurry, low quality, distorted",
            "image_size": {"width": 1024, "height": 1024},
            "num_inference_steps": 50,
            "guidance_scale": 7.5,
            "enable_safety_checker": True,
        }

    def test_every_other_parameter_has_the_name_of_the_contract(self) -> None:
        request = TextToImage(
            prompt="별", aspect_ratio="16:9", seed=0, image_count=4, output_format="png", safety_checker=False
        )
        assert submit_body(request, "shop-1") == {
            "prompt": "별",
            "aspect_ratio": "16:9",
            "seed": 0,
            "num_images": 4,
            "output_format": "png",
            "enable_safety_checker": False,
            "product_code": "shop-1",
        }

    def test_what_is_left_open_is_not_sent(self) -> None:
        assert submit_body(TextToImage(prompt="a")) == {"prompt": "a"}

    def test_one_source_is_image_url_and_several_are_image_urls(self) -> None:
        one = ImageToImage(prompt="a", source_urls=("https://a.example/1.png",))
        two = ImageToImage(prompt="a", source_urls=("https://a.example/1.png", "https://a.example/2.png"))
        assert submit_body(one) == {"prompt": "a", "image_url": "https://a.example/1.png"}
        assert submit_body(two) == {
            "prompt": "a",
            "image_urls": ["https://a.example/1.png", "https://a.example/2.png"],
        }
        assert build_submit(one, api_key="k", product_code=None).target == (
            "/ai/generation/image-to-image/generate-async"
        )

    @pytest.mark.parametrize(("build", "name"), [(build_status, "status"), (build_result, "result")])
    def test_questions_carry_the_job_id_escaped(self, build: object, name: str) -> None:
        assert callable(build)
        request = build("img&x=1 #/", api_key="the-key")
        assert isinstance(request, WireRequest)
        assert (request.method, request.target) == (
            "GET",
            f"/ai/generation/{name}?jobId=img%26x%3D1+%23%2F",
        )
        assert (request.headers["api-key"], request.body) == ("the-key", None)


class TestAnswers:
    @pytest.mark.parametrize(
        ("name", "job"),
        [
            (
                "submit_accepted",
                SubmittedJob(job_id=JOB_ID, status=JobStatus.QUEUED, estimated_time_s=(10, 10)),
            ),
            (
                "submit_accepted_range",
                SubmittedJob(job_id=JOB_ID, status=JobStatus.QUEUED, estimated_time_s=(10, 20)),
            ),
            (
                "submit_accepted_bare",
                SubmittedJob(job_id=JOB_ID, status=JobStatus.QUEUED, estimated_time_s=None),
            ),
        ],
    )
    def test_an_accepted_submit_is_read(self, name: str, job: SubmittedJob) -> None:
        assert parse_submit(samples.answer(name)) == job

    @pytest.mark.parametrize(
        ("name", "status", "raw_status", "error_message"),
        [
            ("status_processing", JobStatus.PROCESSING, "processing", None),
            ("status_queued_bare", JobStatus.QUEUED, "queued", None),
            ("status_completed", JobStatus.COMPLETED, "completed", None),
            ("status_failed", JobStatus.FAILED, "failed", "The model ran out of memory"),
            ("status_canceled", JobStatus.CANCELED, "canceled", None),
            ("status_unknown_word", JobStatus.UNKNOWN, "upscaling", None),
        ],
    )
    def test_every_status_is_read_and_an_unknown_one_keeps_its_word(
        self, name: str, status: JobStatus, raw_status: str, error_message: str | None
    ) -> None:
        assert parse_status(samples.answer(name), job_id=JOB_ID) == StatusReport(
            job_id=JOB_ID,
            status=status,
            raw_status=raw_status,
            error_message=error_message,
            created_at=CREATED_AT,
        )

    @pytest.mark.parametrize("name", ["result_one", "result_bare"])
    def test_a_result_with_one_picture_is_read(self, name: str) -> None:
        image = ResultImage(
            url=RESULT_URL, width=1024, height=1024, size_bytes=524288, content_type="image/jpeg"
        )
        assert parse_result(samples.answer(name), job_id=JOB_ID) == JobResult(
            job_id=JOB_ID, images=(image,), used_credit=8, created_at=CREATED_AT
        )

    def test_several_addresses_keep_their_order_and_share_what_the_job_says(self) -> None:
        result = parse_result(samples.answer("result_urls"), job_id=JOB_ID)
        assert [image.url for image in result.images] == [RESULT_URL, RESULT_URL.replace(".jpg", "_2.jpg")]
        assert {(image.width, image.size_bytes, image.content_type) for image in result.images} == {
            (1024, None, "image/jpeg")
        }
        assert result.used_credit == 16

    def test_several_pictures_keep_what_each_says_of_itself(self) -> None:
        result = parse_result(samples.answer("result_images"), job_id=JOB_ID)
        first, second = result.images
        assert (first.width, first.height, first.size_bytes, first.content_type) == (
            512,
            768,
            1000,
            "image/png",
        )
        assert (second.width, second.size_bytes, second.content_type) == (1024, None, "image/webp")


SUBMIT_ERRORS: list[tuple[str, type[KvidError], str | None, int, bool]] = [
    ("error_invalid_prompt", KvidInvalidPrompt, "INVALID_PROMPT", 400, False),
    ("error_missing_parameters", KvidInvalidParameters, "MISSING_PARAMETERS", 400, False),
    ("error_invalid_parameters", KvidInvalidParameters, "INVALID_PARAMETERS", 400, False),
    ("error_insufficient_credits", KvidAccountEmpty, "INSUFFICIENT_CREDITS", 402, False),
    ("error_insufficient_credit", KvidAccountEmpty, "INSUFFICIENT_CREDIT", 402, False),
    ("error_402_empty", KvidAccountEmpty, None, 402, False),
    ("error_402_other_code", KvidAccountEmpty, "INVALID_PARAMETERS", 402, False),
    ("error_safety", KvidSafetyRefused, "SAFETY_CHECK_FAILED", 422, False),
    ("error_rate_limited", KvidRateLimited, "RATE_LIMITED", 429, False),
    ("error_429_html", KvidRateLimited, None, 429, False),
    ("error_server", KvidServerError, "SERVER_ERROR", 500, True),
    ("error_500_refusal", KvidSafetyRefused, "SAFETY_CHECK_FAILED", 500, True),
    ("error_502_html", KvidServerError, None, 502, True),
    ("error_503_empty", KvidServerError, None, 503, True),
    ("error_401", KvidUnauthorized, None, 401, False),
    ("error_403", KvidUnauthorized, None, 403, False),
    ("error_job_not_found", KvidJobNotFound, "JOB_NOT_FOUND", 404, False),
    ("error_404_empty", KvidJobNotFound, None, 404, False),
    ("error_404_html", KvidProtocolError, None, 404, False),
    ("error_job_not_completed", KvidJobNotCompleted, "JOB_NOT_COMPLETED", 400, False),
    ("error_job_failed", KvidJobFailed, "JOB_FAILED", 400, False),
    ("error_unknown_code_400", KvidInvalidParameters, "PROMPT_TOO_FANCY", 400, False),
    ("error_unknown_status", KvidProtocolError, "TEAPOT", 418, False),
    ("error_in_200", KvidSafetyRefused, "SAFETY_CHECK_FAILED", 200, False),
    ("error_unknown_in_200", KvidProtocolError, "TEAPOT", 200, True),
    ("error_redirect", KvidProtocolError, None, 302, True),
    ("malformed_empty", KvidProtocolError, None, 200, True),
    ("malformed_html", KvidProtocolError, None, 200, True),
    ("malformed_cut", KvidProtocolError, None, 200, True),
    ("malformed_list", KvidProtocolError, None, 200, True),
    ("malformed_data_list", KvidProtocolError, None, 200, True),
    ("malformed_nan", KvidProtocolError, None, 200, True),
    ("submit_without_job", KvidProtocolError, None, 200, True),
]


class TestErrors:
    @pytest.mark.parametrize(("name", "kind", "code", "http_status", "outcome_unknown"), SUBMIT_ERRORS)
    def test_every_error_has_its_class_code_and_certainty(
        self, *, name: str, kind: type[KvidError], code: str | None, http_status: int, outcome_unknown: bool
    ) -> None:
        with pytest.raises(KvidError) as caught:
            parse_submit(samples.answer(name))
        error = caught.value
        assert (type(error), error.code, error.http_status) == (kind, code, http_status)
        assert is_outcome_unknown(error) is outcome_unknown

    @pytest.mark.parametrize("name", [name for name, *_ in SUBMIT_ERRORS if not name.startswith("submit")])
    def test_questions_meet_the_same_errors(self, name: str) -> None:
        kind = next(kind for case, kind, *_ in SUBMIT_ERRORS if case == name)
        with pytest.raises(kind):
            parse_status(samples.answer(name), job_id=JOB_ID)
        with pytest.raises(kind):
            parse_result(samples.answer(name), job_id=JOB_ID)

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("status_other_job", KvidProtocolError),
            ("status_without_status", KvidProtocolError),
        ],
    )
    def test_a_status_of_another_job_or_of_none_is_refused(self, name: str, kind: type[KvidError]) -> None:
        with pytest.raises(kind):
            parse_status(samples.answer(name), job_id=JOB_ID)

    @pytest.mark.parametrize(
        ("name", "kind", "excerpt"),
        [
            ("result_other_job", KvidProtocolError, "success"),
            ("result_without_pictures", KvidProtocolError, "success"),
            ("result_hostile_url", KvidProtocolError, "success"),
            ("result_still_processing", KvidJobNotCompleted, "processing"),
            ("result_of_failed_job", KvidJobFailed, "The model ran out of memory"),
            ("status_canceled", KvidJobFailed, "canceled"),
            ("status_unknown_word", KvidJobNotCompleted, "unknown"),
        ],
    )
    def test_a_result_without_pictures_says_why(self, name: str, kind: type[KvidError], excerpt: str) -> None:
        with pytest.raises(kind) as caught:
            parse_result(samples.answer(name), job_id=JOB_ID)
        assert excerpt in caught.value.excerpt

    @pytest.mark.parametrize(
        ("name", "wait_s"),
        [("error_rate_limited", 7.0), ("error_rate_limited_date", 12.0), ("error_429_html", None)],
    )
    def test_the_retry_hint_is_kept(self, name: str, wait_s: float | None) -> None:
        with pytest.raises(KvidRateLimited) as caught:
            parse_submit(samples.answer(name))
        assert caught.value.retry_after_s == wait_s

    @pytest.mark.parametrize(
        ("name", "excerpt"),
        [
            ("error_safety", "Rejected by the safety filter"),
            ("error_insufficient_credit", "INSUFFICIENT_CREDIT"),
            ("error_502_html", "<html> <head><title>502 Bad Gateway</title></head> </html>"),
            ("error_503_empty", ""),
        ],
    )
    def test_the_excerpt_is_the_message_or_else_the_body(self, name: str, excerpt: str) -> None:
        with pytest.raises(KvidError) as caught:
            parse_submit(samples.answer(name))
        assert caught.value.excerpt == excerpt

    def test_an_unreachable_submit_is_unknown_only_if_it_left(self) -> None:
        assert is_outcome_unknown(KvidUnreachable(request_sent=True))
        assert not is_outcome_unknown(KvidUnreachable(request_sent=False))
        assert is_outcome_unknown(KvidProtocolError())

    def test_excerpts_show_neither_key_nor_prompt(self) -> None:
        key, prompt = "key-0123456789", 'a "별" 소녀'
        echoed = {"message": f"bad {key} {prompt}", "key": key, "prompt": prompt, "negative_prompt": "x y"}
        for ascii_only in (True, False):
            for body in (json.dumps(echoed, ensure_ascii=ascii_only), json.dumps({"data": [echoed]})):
                answer = Answer(http_status=200, body=body.encode() + b"<", secrets=(key, prompt))
                with pytest.raises(KvidProtocolError) as caught:
                    parse_submit(answer)
                assert "bad *** ***" in caught.value.excerpt
                assert "x y" not in caught.value.excerpt
                assert key not in repr(caught.value) + str(answer)
        with pytest.raises(KvidSafetyRefused) as refused:
            parse_submit(
                Answer(
                    http_status=422,
                    body=json.dumps({"error": {"message": f"no: {prompt}"}}).encode(),
                    secrets=(key, prompt),
                )
            )
        assert refused.value.excerpt == "no: ***"

    def test_a_bare_failed_job_with_an_error_of_its_own_is_a_status(self) -> None:
        body = {"job_id": JOB_ID, "status": "failed", "error": "out of memory"}
        report = parse_status(Answer(http_status=200, body=json.dumps(body).encode()), job_id=JOB_ID)
        assert report.status is JobStatus.FAILED


def test_every_sample_is_used() -> None:
    used = {name for name, *_ in SUBMIT_ERRORS} | {
        name for name in samples.names() if name.startswith(("submit_", "status_", "result_", "error_rate_"))
    }
    assert used == set(samples.names())


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"\xff\xd8\xff\xe0JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"GIF89a", None),
        (b"<html>", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_images_are_told_by_their_first_bytes(data: bytes, content_type: str | None) -> None:
    assert sniff_content_type(data) == content_type
