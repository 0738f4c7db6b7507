"""The local kvid's HTTP side: the contract's four endpoints and the pictures they link to.

Owns routes and the key check. Rules live in `contract`, jobs in `works`, misbehaviour in `faults`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from sandbox.kvid.answers import answer_with_fault, build_error, build_result, build_status, build_success
from sandbox.kvid.contract import ApiError, parse_submit
from sandbox.kvid.control import add_control_routes
from sandbox.kvid.fault_rates import FaultRates
from sandbox.kvid.faults import FaultError, FaultScript, parse_header
from sandbox.kvid.keys import FAULT_RATES, FAULTS, GATE, WORKS
from sandbox.kvid.rate import RequestGate
from sandbox.kvid.settings import KvidSettings
from sandbox.kvid.works import Works

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sandbox.kvid.books import Job
    from sandbox.kvid.contract import ImageType
    from sandbox.kvid.faults import Endpoint, Fault

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = 256 * 1024
SHUTDOWN_S = 1.0  # a request that a fault holds back must not hold back the end
FAULT_HEADER = "x-sandbox-fault"
PREFIX = "/ai/generation"


def create_app(settings: KvidSettings | None = None) -> web.Application:
    """The whole local kvid, to be served by a runner; each application has its own account and queue."""
    settings = settings or KvidSettings()
    app = web.Application(middlewares=[_speak_contract], client_max_size=BODY_BYTES_MAX)
    app[FAULTS] = FaultScript()
    app[FAULT_RATES] = FaultRates()
    app[GATE] = RequestGate()

    async def open_works(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(auto_decompress=True) as session:
            app[WORKS] = Works(settings, session)
            yield
            await app[WORKS].close()

    app.cleanup_ctx.append(open_works)
    app.router.add_post(f"{PREFIX}/text-to-image/generate-async", _submit_text)
    app.router.add_post(f"{PREFIX}/image-to-image/generate-async", _submit_edit)
    app.router.add_get(f"{PREFIX}/status", _status)
    app.router.add_get(f"{PREFIX}/result", _result)
    app.router.add_get("/images/{name}", _image)
    add_control_routes(app)
    return app


async def run(host: str, port: int, settings: KvidSettings | None = None) -> None:
    """Serve until cancelled. Raises: OSError when the port is taken."""
    runner = web.AppRunner(
        create_app(settings), handle_signals=False, access_log=None, shutdown_timeout=SHUTDOWN_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound_port = runner.addresses[0][1]
        shown_host = f"[{host}]" if ":" in host else host
        print(f"Local kvid: http://{shown_host}:{bound_port}", flush=True)  # noqa: T201 - the one line a caller waits for
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


@web.middleware
async def _speak_contract(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal, ours or the framework's, leaves in the contract's shape."""
    try:
        return await handler(request)
    except ApiError as error:
        return build_error(error)
    except FaultError as error:
        return build_error(ApiError("INVALID_PARAMETERS", str(error)))
    except web.HTTPRequestEntityTooLarge as error:
        return build_error(ApiError("INVALID_PARAMETERS", "The body is too large"), status=error.status)
    except web.HTTPNotFound:
        return build_error(ApiError("NOT_FOUND"))
    except web.HTTPMethodNotAllowed:
        return build_error(ApiError("METHOD_NOT_ALLOWED"))
    except Exception:
        logger.exception("request.failed")
        return build_error(ApiError("SERVER_ERROR"))


async def _answer(
    request: web.Request, endpoint: Endpoint, work: Callable[[Fault | None], Awaitable[web.Response]]
) -> web.StreamResponse:
    header = request.headers.get(FAULT_HEADER)
    books = request.app[WORKS].books
    if header is not None:
        fault: Fault | None = parse_header(header)
    else:
        fault = request.app[FAULTS].take(endpoint) or request.app[FAULT_RATES].take(endpoint)
    if fault is not None:
        books.faults[fault.kind] += 1
    outcome = "broken"
    try:
        if fault is None:
            response: web.StreamResponse = await work(None)
        else:
            response = await answer_with_fault(request, fault, lambda: work(fault))
        if fault is None or not (fault.drop or fault.cut):
            outcome = str(response.status)
    except ApiError as error:
        outcome = error.code
        raise
    finally:
        books.requests[f"{endpoint} {outcome}"] += 1
    return response


def _check_caller(request: web.Request) -> None:
    """Raises: ApiError for a missing or unknown key, and above the request rate."""
    settings = request.app[WORKS].settings
    key = request.headers.get("api-key", "")
    if not key:
        raise ApiError("UNAUTHORIZED")
    if key not in settings.api_keys:
        raise ApiError("FORBIDDEN")
    request.app[GATE].check(settings.requests_per_s)


async def _submit_text(request: web.Request) -> web.StreamResponse:
    return await _submit(request, "text-to-image")


async def _submit_edit(request: web.Request) -> web.StreamResponse:
    return await _submit(request, "image-to-image")


async def _submit(request: web.Request, image_type: ImageType) -> web.StreamResponse:
    async def work(fault: Fault | None) -> web.Response:
        _check_caller(request)
        body = await _read_json(request)
        works = request.app[WORKS]
        job = works.submit(parse_submit(body, image_type), body, fault)
        return build_success(
            {
                "job_id": job.job_id,
                # The contract's answer says "queued" even when a place is free at once.
                "status": "queued",
                "message": "Job submitted",
                "estimated_time": works.estimate(job),
                "image_type": image_type,
            }
        )

    return await _answer(request, "submit", work)


async def _read_json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        raise ApiError("INVALID_PARAMETERS", "Content-Type must be application/json")
    try:
        return json.loads(await request.read(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("INVALID_PARAMETERS", "The body is not valid JSON") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _read_job_id(request: web.Request) -> str:
    job_id = request.query.get("jobId", "")
    if not job_id:
        raise ApiError("MISSING_PARAMETERS", "jobId is required")
    return job_id


def _find_job(request: web.Request, fault: Fault | None) -> Job:
    """Raises: ApiError."""
    works = request.app[WORKS]
    job = works.books.get_job(_read_job_id(request))
    if fault is not None:
        works.seal_fate(job, fault)
        if fault.forget:
            works.books.forget(job)
            raise ApiError("JOB_NOT_FOUND")
    return job


async def _status(request: web.Request) -> web.StreamResponse:
    async def work(fault: Fault | None) -> web.Response:
        _check_caller(request)
        job = _find_job(request, fault)
        job.status_asks += 1
        return build_success(build_status(job))

    return await _answer(request, "status", work)


async def _result(request: web.Request) -> web.StreamResponse:
    async def work(fault: Fault | None) -> web.Response:
        _check_caller(request)
        job = _find_job(request, fault)
        job.result_asks += 1
        if job.status in {"failed", "canceled"}:
            raise ApiError("JOB_FAILED", job.error_message)
        if job.status != "completed":
            raise ApiError("JOB_NOT_COMPLETED")
        settings = request.app[WORKS].settings
        base_url = (settings.base_url or f"{request.scheme}://{request.host}").rstrip("/")
        return build_success(build_result(job, base_url, fault or job.fault))

    return await _answer(request, "result", work)


async def _image(request: web.Request) -> web.StreamResponse:
    async def work(_: Fault | None) -> web.Response:
        found = request.app[WORKS].books.find_picture(request.match_info["name"])
        if found is None:
            raise ApiError("NOT_FOUND", "No such image")
        job, picture, data = found
        job.downloads += 1
        headers = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=data, content_type=picture.content_type, headers=headers)

    return await _answer(request, "download", work)
