"""Owns what every bot request passes: the log, the body, faults, the token, rate limits, and errors as JSON.

Order: log, body, fault, token, rate limit, handler. Pages and control endpoints get only the errors as JSON.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.discord.body import Body, read_body
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import ApiError, not_found, unauthorized
from sandbox.discord.faults import Fault
from sandbox.discord.ratelimit import Verdict
from sandbox.discord.request_log import describe_body

API_PREFIX = "/api/v10"
BODY: web.RequestKey[Body] = web.RequestKey("body", Body)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
VERBS = {"GET": "read", "PATCH": "edit", "DELETE": "delete"}
OPEN_ROUTES = ("/interactions/", "/webhooks/", "/gateway")


def answer_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer whose type is exactly `application/json`, as Discord's is."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def answer_error(error: ApiError, headers: dict[str, str] | None = None) -> web.Response:
    return answer_json(error.build_body(), error.status, headers)


def find_route(request: web.Request) -> str:
    """The route as Discord's OpenAPI description writes it."""
    resource = request.match_info.route.resource
    path = request.path if resource is None else resource.canonical
    return path.removeprefix(API_PREFIX)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return answer_error(error)
    except web.HTTPMethodNotAllowed:
        return answer_error(ApiError(405, 0, "405: Method Not Allowed"))
    except web.HTTPNotFound:
        return answer_error(not_found())


@web.middleware
async def own_page_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep foreign web pages, and for /control other machines, away from a server that asks no password.

    Raises: ApiError 403.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise ApiError(403, 0, "403: Forbidden")
    if request.path.startswith("/control/") and not _is_loopback(request.remote):
        raise ApiError(403, 0, "403: Forbidden")
    return await handler(request)


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return False


@web.middleware
async def bot_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Everything under /api/v10."""
    core = get_core(request)
    route = find_route(request)
    path = request.path.removeprefix(API_PREFIX)
    entry = core.log.add(method=request.method, path=path, route=route, query=dict(request.query))
    fault: Fault | None = None
    try:
        body = await _read(core, request)
    except ApiError as error:
        response: web.StreamResponse = answer_error(error)
    else:
        request[BODY] = body
        describe_body(entry, body)
        fault = _take_fault(core, request, path, body)
        response = await _answer(core, request, handler, route, fault)
    is_broken = fault is not None and fault.action == "drop"
    entry["status"] = None if is_broken else response.status
    is_shared = response.headers.get("X-RateLimit-Scope") == "shared"
    core.books.note_status(entry["status"], is_shared=is_shared)
    if is_broken and request.transport is not None:
        request.transport.abort()
    return response


async def _answer(
    core: Core, request: web.Request, handler: Handler, route: str, fault: Fault | None
) -> web.StreamResponse:
    if fault is None:
        return await _work(core, request, handler, route)
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.action == "delay":
        return await _work(core, request, handler, route)
    if fault.after:
        await _work(core, request, handler, route)
    return answer_fault(fault)


async def _work(core: Core, request: web.Request, handler: Handler, route: str) -> web.StreamResponse:
    """The work itself; every refusal becomes its answer, and the books hear how it ended."""
    headers: dict[str, str] = {}
    refused_with: str | None = None
    try:
        headers = _check_admission(core, request, route)
        response = await handler(request)
    except _Limited as limited:
        response, refused_with = answer_limited(limited.verdict), "429"
    except ApiError as error:
        response, refused_with = answer_error(error), f"{error.status} {error.code}"
    except web.HTTPMethodNotAllowed:
        response = answer_error(ApiError(405, 0, "405: Method Not Allowed"))
    except web.HTTPNotFound:
        response = answer_error(not_found())
    response.headers.extend(headers)
    _note_answer(core, request, refused_with)
    return response


def _note_answer(core: Core, request: web.Request, refused_with: str | None) -> None:
    """Tell the books what was done with an interaction, if that is what the request was about."""
    match = request.match_info
    token = match.get("interaction_token") or match.get("webhook_token")
    interaction_id = core.interactions.find_id(token) if token else None
    if interaction_id is None:
        return
    if "interaction_token" in match:
        value = request[BODY].value
        how = f"callback {value.get('type') if isinstance(value, dict) else None}"
    elif request.method == "POST":
        how = "followup"
    else:
        target = "message" if "message_id" in match else "original"
        how = f"{VERBS.get(request.method, request.method)} {target}"
    core.books.note_answer(interaction_id, how, refused_with)


def _take_fault(core: Core, request: web.Request, path: str, body: Body) -> Fault | None:
    upload_bytes = sum(len(one.data) for one in body.files.values())
    fault = core.faults.take(request.method, path, request.path, upload_bytes=upload_bytes)
    if fault is None:
        fault = core.fault_rates.take(request.method, path, request.path, upload_bytes=upload_bytes)
    if fault is not None:
        core.books.faults[fault.kind] += 1
    return fault


async def _read(core: Core, request: web.Request) -> Body:
    settings = core.settings
    return await read_body(
        request,
        request_bytes_max=settings.bot_request_bytes_max,
        file_bytes_max=settings.bot_file_bytes_max,
    )


class _Limited(Exception):
    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict


def _check_admission(core: Core, request: web.Request, route: str) -> dict[str, str]:
    if request.match_info.http_exception is not None:
        return {}
    is_open = route.startswith(OPEN_ROUTES) and route != "/gateway/bot"
    if not is_open and request.headers.get("Authorization") != f"Bot {core.settings.bot_token}":
        raise unauthorized()
    match = request.match_info
    major = next((match[key] for key in ("webhook_token", "channel_id", "guild_id") if key in match), "")
    major = match.get("interaction_token", major)
    verdict = core.limits.check(request.method, route, major, counts_globally=not is_open)
    if verdict.retry_after_s is not None:
        raise _Limited(verdict)
    return verdict.headers


def answer_limited(verdict: Verdict, scope: str = "user") -> web.Response:
    wait_s = round(verdict.retry_after_s or 0, 3)
    headers = dict(verdict.headers) | {"Retry-After": str(int(wait_s) + 1), "Via": "1.1 google"}
    headers["X-RateLimit-Scope"] = "global" if verdict.is_global else scope
    if verdict.is_global:
        headers["X-RateLimit-Global"] = "true"
    value = {
        "message": "You are being rate limited.",
        "retry_after": wait_s,
        "global": verdict.is_global,
        "code": 0,
    }
    return answer_json(value, 429, headers)


def answer_fault(fault: Fault) -> web.Response:
    response = _build_answer(fault)
    if fault.silent:
        response.headers.pop("Retry-After", None)
    return response


def _build_answer(fault: Fault) -> web.Response:
    if fault.status != 429 or fault.action == "drop":
        return answer_json({"message": fault.message, "code": fault.code}, fault.status)
    if not fault.via:
        # What the firewall in front of Discord says to an address that it has had enough of.
        headers = {"Retry-After": str(math.ceil(fault.retry_after_s))}
        return web.Response(status=429, text="error code: 1015", headers=headers)
    if fault.scope == "global":
        return answer_limited(Verdict(headers={}, retry_after_s=fault.retry_after_s, is_global=True))
    window = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Bucket": "fault"}
    window["X-RateLimit-Reset-After"] = f"{fault.retry_after_s:.3f}"
    return answer_limited(Verdict(headers=window, retry_after_s=fault.retry_after_s), fault.scope)
