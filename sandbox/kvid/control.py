"""The control endpoints: the books, the fault script, settings at run time, a fresh start.

Owns what only the person at this machine may ask: not part of the contract, and for loopback callers alone.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.kvid.contract import ApiError
from sandbox.kvid.keys import FAULT_RATES, FAULTS, WORKS
from sandbox.kvid.settings import KvidSettings

if TYPE_CHECKING:
    from sandbox.kvid.books import Job

_NUMBERS = {"balance_credits", "concurrency", "render_s", "queue_max", "requests_per_s"}
_FLAGS = {"held", "quick_pictures", "prepared_pictures"}
JOBS_PER_PAGE_MAX = 5_000


def add_control_routes(app: web.Application) -> None:
    app.router.add_get("/control/books", _books)
    app.router.add_post("/control/fault", _add_fault)
    app.router.add_delete("/control/fault", _clear_faults)
    app.router.add_post("/control/fault-rate", _add_fault_rate)
    app.router.add_delete("/control/fault-rate", _clear_fault_rates)
    app.router.add_post("/control/settings", _change_settings)
    app.router.add_post("/control/reset", _reset)


def check_loopback(request: web.Request) -> None:
    try:
        is_local = ip_address(request.remote or "").is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ApiError("NOT_FOUND")


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise ApiError("INVALID_PARAMETERS", "The body is not valid JSON") from error
    if not isinstance(body, dict):
        raise ApiError("INVALID_PARAMETERS", "The body must be a JSON object")
    return body


async def _books(request: web.Request) -> web.Response:
    """Every job ever submitted, in pages: `after` the job's number, at most `limit`."""
    check_loopback(request)
    after, limit = _read_whole(request, "after", 0), _read_whole(request, "limit", JOBS_PER_PAGE_MAX)
    works = request.app[WORKS]
    books = works.books
    jobs = books.list_jobs(after=after, limit=min(limit, JOBS_PER_PAGE_MAX))
    return web.json_response(
        {
            "balance_credits": books.balance_credits,
            "held_credits": books.held_credits,
            "charged_credits": books.charged_credits,
            "submits": books.submits,
            "faults": dict(books.faults),
            "requests": dict(books.requests),
            "jobs_lost": books.submits - books.jobs_kept,
            "waiting": works.waiting,
            "rendering": works.rendering,
            "jobs": [_describe(job) for job in jobs],
            "next": jobs[-1].number if jobs and jobs[-1].number < books.submits else None,
        }
    )


def _read_whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise ApiError("INVALID_PARAMETERS", f"{name} must be a whole number")
    return int(text)


def _describe(job: Job) -> dict[str, Any]:
    return {
        "number": job.number,
        "job_id": job.job_id,
        "image_type": job.generation.image_type,
        "status": job.status,
        "held_credits": job.held_credits,
        "charged_credits": job.charged_credits,
        "used_credit": job.used_credit,
        "error_message": job.error_message,
        "forgotten": job.forgotten,
        "fault": job.fault and job.fault.kind,
        "seed": job.seed,
        "parameters": job.parameters,
        "images": [picture.name for picture in job.pictures],
        "status_asks": job.status_asks,
        "result_asks": job.result_asks,
        "downloads": job.downloads,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at and job.started_at.isoformat(),
        "ended_at": job.ended_at and job.ended_at.isoformat(),
    }


async def _add_fault(request: web.Request) -> web.Response:
    check_loopback(request)
    request.app[FAULTS].add(await _read_object(request))
    return web.json_response({"success": True})


async def _clear_faults(request: web.Request) -> web.Response:
    """The waiting ones and the rates."""
    check_loopback(request)
    request.app[FAULTS].clear()
    request.app[FAULT_RATES].clear()
    return web.json_response({"success": True})


async def _add_fault_rate(request: web.Request) -> web.Response:
    check_loopback(request)
    request.app[FAULT_RATES].add(await _read_object(request))
    return web.json_response({"success": True})


async def _clear_fault_rates(request: web.Request) -> web.Response:
    check_loopback(request)
    request.app[FAULT_RATES].clear()
    return web.json_response({"success": True})


async def _change_settings(request: web.Request) -> web.Response:
    check_loopback(request)
    body = await _read_object(request)
    changes: dict[str, Any] = {}
    for name, value in body.items():
        if name == "api_keys" and isinstance(value, list) and all(isinstance(key, str) for key in value):
            changes[name] = frozenset(value)
        elif name in _FLAGS and isinstance(value, bool):
            changes[name] = value
        elif name in _NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
            is_whole = next(item for item in fields(KvidSettings) if item.name == name).type == "int"
            if is_whole and not isinstance(value, int):
                raise ApiError("INVALID_PARAMETERS", f"{name} must be a whole number")
            changes[name] = value
        else:
            raise ApiError("INVALID_PARAMETERS", f"{name} cannot be changed like this")
    works = request.app[WORKS]
    try:
        settings = replace(works.settings, **changes)
    except ValueError as error:
        raise ApiError("INVALID_PARAMETERS", str(error)) from error
    works.change(settings)
    if "balance_credits" in changes:
        works.books.balance_credits = settings.balance_credits
    return web.json_response({"success": True})


async def _reset(request: web.Request) -> web.Response:
    check_loopback(request)
    request.app[FAULTS].clear()
    request.app[FAULT_RATES].clear()
    request.app[WORKS].reset()
    return web.json_response({"success": True})
