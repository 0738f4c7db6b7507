"""Answers in the contract's shape, and the ways a fault bends them.

Owns JSON shapes and the carrying out of a fault on an answer. Knows no queue; `server` calls it last.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.kvid.contract import ERRORS, ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.kvid.books import Job
    from sandbox.kvid.faults import Fault

DEFAULT_RETRY_AFTER_S = 2
FILLER = b"\x00" * 65_536


def build_success(data: dict[str, Any]) -> web.Response:
    return web.json_response({"success": True, "data": data})


def build_error(error: ApiError, status: int | None = None) -> web.Response:
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    body = {"success": False, "error": {"code": error.code, "message": error.message}}
    return web.json_response(body, status=status or error.status, headers=headers)


def build_status(job: Job) -> dict[str, Any]:
    data: dict[str, Any] = {
        "job_id": job.job_id,
        "status": job.status,
        "image_type": job.generation.image_type,
        "prompt": job.generation.prompt,
        "created_at": _text(job),
    }
    if job.error_message is not None:
        data["error_message"] = job.error_message
    return data


def build_result(job: Job, base_url: str, fault: Fault | None) -> dict[str, Any]:
    links = [f"{base_url}/images/{picture.name}" for picture in job.pictures]
    images = [
        {
            "url": link,
            "width": picture.width,
            "height": picture.height,
            "size": picture.size_bytes,
            "type": picture.content_type,
        }
        for link, picture in zip(links, job.pictures, strict=True)
    ]
    first = job.pictures[0]
    data: dict[str, Any] = {
        "job_id": job.job_id,
        "status": job.status,
        "result_url": links[0],
        "width": first.width,
        "height": first.height,
        "size": first.size_bytes,
        "type": first.content_type,
        "used_credit": job.used_credit,
        "prompt": job.generation.prompt,
        "created_at": _text(job),
    }
    shape = fault.result_shape if fault else None
    if shape == "images" or (shape is None and len(links) > 1):
        data["images"] = images
    if shape == "result_urls":
        data["result_urls"] = links
    if shape in {"images", "result_urls"}:
        del data["result_url"]
    if fault is not None and fault.used_credit != "as priced":
        data["used_credit"] = fault.used_credit
    if data["used_credit"] is None:
        del data["used_credit"]
    return data


def _text(job: Job) -> str:
    return job.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def answer_with_fault(
    request: web.Request, fault: Fault, work: Callable[[], Awaitable[web.Response]]
) -> web.StreamResponse:
    """Do the work or not, and say of it what the fault wants to be heard."""
    if not fault.after:
        await asyncio.sleep(fault.delay_s)
        if fault.replaces_answer:
            return await _replace(request, fault)
    response = await work()
    if fault.after:
        await asyncio.sleep(fault.delay_s)
        if fault.replaces_answer:
            return await _replace(request, fault)
    response = _bend(response, fault)
    return await _cut(request, response) if fault.cut else response


async def _replace(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.drop:
        return _drop(request)
    if fault.redirect is not None:
        return web.Response(status=302, headers={"Location": fault.redirect})
    if fault.size_bytes is not None:
        return await _stream_filler(request, fault.size_bytes)
    if fault.status is not None and fault.code is None:
        is_text = isinstance(fault.body, str)
        body = fault.body if is_text else json.dumps(fault.body)
        kind = "text/plain" if is_text else "application/json"
        headers = {"content-type": kind} | {name.lower(): text for name, text in fault.headers.items()}
        response = web.Response(status=fault.status, body=body.encode(), headers=headers)
    else:
        response = _build_code(fault)
    return await _cut(request, response) if fault.cut else response


def _build_code(fault: Fault) -> web.Response:
    code = fault.code or ""
    status, message = ERRORS.get(code, (fault.status or 500, "Unknown"))
    body = {"success": False, "error": {"code": code, "message": fault.message or message}}
    headers = {"Retry-After": str(DEFAULT_RETRY_AFTER_S)} if code == "RATE_LIMITED" else {}
    return web.json_response(body, status=fault.status or status, headers=headers | fault.headers)


def _bend(response: web.Response, fault: Fault) -> web.Response:
    if response.content_type != "application/json" or not isinstance(response.body, bytes):
        return response
    answer = json.loads(response.body)
    data = answer.get("data")
    if not isinstance(data, dict):
        return response
    if fault.job_id is not None:
        data["job_id"] = fault.job_id
    data.update(fault.set)
    for name in fault.remove:
        data.pop(name, None)
    return web.json_response(answer, status=response.status)


def _drop(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut(request: web.Request, response: web.Response) -> web.StreamResponse:
    body = response.body if isinstance(response.body, bytes) else b""
    half = web.StreamResponse(
        status=response.status, headers={"Content-Type": response.headers["Content-Type"]}
    )
    half.content_length = max(len(body), 2)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # unlike abort(), what was written still leaves
    return half


async def _stream_filler(request: web.Request, size_bytes: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    response.content_length = size_bytes
    await response.prepare(request)
    for start in range(0, size_bytes, len(FILLER)):
        await response.write(FILLER[: size_bytes - start])
    return response
