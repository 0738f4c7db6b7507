"""Owns the control endpoints for load and for chaos: a larger world, fault rates, session starts, the books.

For tests and for the curious; never part of Discord.
"""

from aiohttp import web

from sandbox.discord.control import SHARDS_MAX, read_form, read_number, read_path
from sandbox.discord.core import get_core
from sandbox.discord.errors import ApiError, invalid_field
from sandbox.discord.fault_rates import RATE_KINDS, RATES_MAX, FaultRate
from sandbox.discord.growth import CHANNELS_MAX, MEMBERS_MAX, SERVERS_MAX, grow_world
from sandbox.discord.middleware import answer_json
from sandbox.discord.session_starts import CONCURRENCY_MAX

DELAY_S_MAX = 300.0
RECORDS_PER_PAGE_MAX = 5000


async def enlarge_world(request: web.Request) -> web.Response:
    """Shape: `servers` with `channels` each, and `members` of several of them; those that are missing are made."""
    core = get_core(request)
    form = await read_form(request)
    servers = form.integer("servers", lowest=0, highest=SERVERS_MAX, default=0)
    members = form.integer("members", lowest=0, highest=MEMBERS_MAX, default=0)
    channels = form.integer("channels", lowest=1, highest=CHANNELS_MAX, default=3)
    form.problems.raise_if_any()
    grown = grow_world(core, servers=servers or 0, members=members or 0, channels=channels or 1)
    core.announce_state()
    return answer_json(grown)


async def set_session_starts(request: web.Request) -> web.Response:
    """Shape: `shards`, `max_concurrency`, `identify_interval_s`, `remaining`; what is not named stays."""
    core = get_core(request)
    form = await read_form(request)
    starts = core.starts
    shards = form.integer("shards", lowest=1, highest=SHARDS_MAX, default=starts.shards)
    concurrency = form.integer(
        "max_concurrency", lowest=1, highest=CONCURRENCY_MAX, default=starts.max_concurrency
    )
    remaining = form.integer("remaining", lowest=0, highest=starts.total, default=starts.remaining)
    form.problems.raise_if_any()
    starts.interval_s = read_number(form, "identify_interval_s", starts.interval_s or 0.0, DELAY_S_MAX)
    starts.shards, starts.max_concurrency = shards or 1, concurrency or 1
    starts.remaining = remaining or 0
    return answer_json({"shards": starts.shards, "session_start_limit": starts.render()})


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
    """What happened since the start or the last reset, in pages: `after_message`, `after_interaction`, `limit`."""
    numbers = _read_numbers(request, "after_message", "after_interaction")
    return answer_json(get_core(request).books.render(**numbers))


async def list_changes(request: web.Request) -> web.Response:
    """Shape: `after` is the last `revision` seen; a message that changed twice since is told once, as it stands.

    `after_failures` is how many of the unanswered interactions are known.
    """
    numbers, books = _read_numbers(request, "after", "after_failures"), get_core(request).books
    limit = numbers["limit"]
    messages = books.list_changes(after=numbers["after"], limit=limit)
    return answer_json(
        {
            "messages": messages,
            "failures": books.list_failures(after=numbers["after_failures"], limit=limit),
        }
    )


def _read_numbers(request: web.Request, *names: str) -> dict[str, int]:
    numbers = {**dict.fromkeys(names, 0), "limit": RECORDS_PER_PAGE_MAX}
    for key in numbers:
        given = request.query.get(key)
        if given is None:
            continue
        if not given.isdecimal() or len(given) > 9:
            raise invalid_field((key,), "NUMBER_TYPE_COERCE", "Must be a whole number.")
        numbers[key] = int(given)
    return numbers | {"limit": min(numbers["limit"], RECORDS_PER_PAGE_MAX)}


def build_routes() -> list[web.RouteDef]:
    return [
        web.post("/control/world", enlarge_world),
        web.post("/control/session-start", set_session_starts),
        web.post("/control/fault-rate", add_fault_rate),
        web.delete("/control/fault-rate", clear_fault_rates),
        web.get("/control/books", get_books),
        web.get("/control/books/changes", list_changes),
    ]
