"""Owns the control endpoints for load and for chaos: fault rates, and the books to compare with.

For tests and for the curious; never part of Discord.
"""

from aiohttp import web

from sandbox.discord.control import read_form, read_number, read_path
from sandbox.discord.core import get_core
from sandbox.discord.errors import ApiError
from sandbox.discord.fault_rates import RATE_KINDS, RATES_MAX, FaultRate
from sandbox.discord.middleware import answer_json

DELAY_S_MAX = 300.0


async def add_fault_rate(request: web.Request) -> web.Response:
    """Shape: `rate` is the share of the matching requests that meets one of `kinds`; `method`, `path_regex` choose."""
    core = get_core(request)
    form = await read_form(request)
    kinds = tuple(map(str, form.array("kinds", fewest=1, most=len(RATE_KINDS), required=True)))
    for kind in kinds:
        if kind not in RATE_KINDS:
            form.error("kinds", "BASE_TYPE_CHOICES", f"Value must be one of {RATE_KINDS}.")
    seed = form.integer("seed", lowest=0, highest=2**53, default=0)
    upload_bytes_max = form.integer("upload_bytes_max", lowest=0, highest=2**31, default=0)
    form.problems.raise_if_any()
    method = form.data.get("method")
    rate = FaultRate(
        rate=read_number(form, "rate", 0.0, 1.0),
        kinds=kinds,
        seed=seed or 0,
        method=str(method).upper() if method else None,
        path=read_path(form),
        delay_s=read_number(form, "delay_s", 2.0, DELAY_S_MAX),
        retry_after_s=read_number(form, "retry_after_s", 1.0, DELAY_S_MAX),
        upload_bytes_max=upload_bytes_max or 0,
    )
    if not core.fault_rates.add(rate):
        raise ApiError(
            400, 50035, f"At most {RATES_MAX} fault rates; DELETE /control/fault-rate forgets them"
        )
    return answer_json({"rate": rate.rate, "kinds": list(kinds)})


async def clear_fault_rates(request: web.Request) -> web.Response:
    get_core(request).fault_rates.clear()
    return web.Response(status=204)


async def get_books(request: web.Request) -> web.Response:
    """What happened since the start or the last reset."""
    return answer_json(get_core(request).books.render())


def build_routes() -> list[web.RouteDef]:
    return [
        web.post("/control/fault-rate", add_fault_rate),
        web.delete("/control/fault-rate", clear_fault_rates),
        web.get("/control/books", get_books),
    ]
