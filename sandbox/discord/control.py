"""Owns the control endpoints: the clock, faults, permissions, the gateway's mishaps, and what was sent so far.

For tests and for the curious; never part of Discord.
"""

import re
from typing import Any

from aiohttp import web

from sandbox.discord.body import read_body
from sandbox.discord.core import get_core
from sandbox.discord.errors import Problems, invalid_field, unknown_channel
from sandbox.discord.faults import SCOPES, Fault
from sandbox.discord.forms import Form
from sandbox.discord.interaction_start import sweep
from sandbox.discord.middleware import answer_json
from sandbox.discord.permissions import Permission
from sandbox.discord.places import announce_channel, announce_reset, set_bot_membership
from sandbox.discord.state import Overwrite
from sandbox.discord.world import build_world

BODY_BYTES_MAX = 64 * 1024
SHARDS_MAX = 64
ADVANCE_S_MAX = 400 * 86_400


async def read_form(request: web.Request) -> Form:
    body = await read_body(request, request_bytes_max=BODY_BYTES_MAX, file_bytes_max=0)
    return Form(body.as_object(), Problems())


def read_number(form: Form, key: str, default: float, highest: float = ADVANCE_S_MAX) -> float:
    """A number from 0 to `highest`.

    Raises: ApiError 50035.
    """
    value = form.data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        raise invalid_field((key,), "NUMBER_TYPE_COERCE", f"Must be a number from 0 to {highest}.")
    return float(value)


def read_path(form: Form) -> re.Pattern[str]:
    """Which paths are meant.

    Raises: ApiError 50035.
    """
    try:
        return re.compile(str(form.data.get("path_regex", "")))
    except re.error as error:
        raise invalid_field(("path_regex",), "STRING_TYPE_REGEX", str(error)) from error


async def move_clock(request: web.Request) -> web.Response:
    core = get_core(request)
    core.clock.advance(read_number(await read_form(request), "advance_s", 0))
    sweep(core)
    core.announce_state()
    return answer_json({"clock_offset_s": core.clock.offset_s})


async def add_fault(request: web.Request) -> web.Response:
    """Shape: `status` alone answers it; `drop` closes the connection; `delay_s` answers late; `after` works first.

    Of a 429, `scope` says whose limit it was, `via` false makes it the firewall's in front of Discord, and
    `silent` hides the time to wait. With `over_bytes` only requests with more bytes of files are met.
    """
    core = get_core(request)
    form = await read_form(request)
    data = form.data
    path = read_path(form)
    wants_drop = data.get("drop") is True or data.get("status") == "drop"
    action = "drop" if wants_drop else "status" if data.get("status") else "delay"
    status = form.integer("status", lowest=200, highest=599) if action == "status" else None
    times = form.integer("times", lowest=1, highest=1000, default=1)
    code = form.integer("code", lowest=0, highest=1_000_000, default=0)
    over_bytes = form.integer("over_bytes", lowest=0, highest=ADVANCE_S_MAX)
    after, silent = form.boolean("after"), form.boolean("silent")
    via, scope = form.boolean("via", default=True), str(data.get("scope", "user"))
    if scope not in SCOPES:
        form.error("scope", "BASE_TYPE_CHOICES", f"Value must be one of {SCOPES}.")
    form.problems.raise_if_any()
    method = data.get("method")
    fault = Fault(
        method=str(method).upper() if method else None,
        path=path,
        action=action,
        status=status or 500,
        code=code or 0,
        message=str(data.get("message", "Injected fault")),
        retry_after_s=read_number(form, "retry_after_s", 1.0),
        scope=scope,
        via=via,
        silent=silent,
        over_bytes=-1 if over_bytes is None else over_bytes,
        delay_s=read_number(form, "delay_s", 0),
        after=after,
        times=times or 1,
    )
    core.faults.add(fault)
    return answer_json({"times": fault.times, "action": fault.action})


async def clear_faults(request: web.Request) -> web.Response:
    """The waiting ones and the rates."""
    core = get_core(request)
    core.faults.clear()
    core.fault_rates.clear()
    return web.Response(status=204)


async def set_permissions(request: web.Request) -> web.Response:
    core = get_core(request)
    form = await read_form(request)
    channel = core.world.channels.get(str(form.data.get("channel_id")))
    if channel is None or channel.guild_id is None:
        raise unknown_channel()
    if "bot_member" in form.data:
        set_bot_membership(core, core.world.guilds[channel.guild_id], member=form.boolean("bot_member"))
    if "allow" in form.data or "deny" in form.data:
        # A thread has no overwrites of its own: its parent's count.
        target = core.world.channels[channel.parent_id or ""] if channel.is_thread else channel
        bot_id = core.bot_id
        allow, deny = read_bits(form, "allow"), read_bits(form, "deny")
        target.overwrites[bot_id] = Overwrite(id=bot_id, type=1, allow=allow, deny=deny)
        announce_channel(core, target)
    core.announce_state()
    return web.Response(status=204)


def read_bits(form: Form, key: str) -> int:
    """Permissions by their names.

    Raises: ApiError 50035.
    """
    bits = 0
    for name in map(str, form.array(key, most=64)):
        if name not in Permission.__members__:
            raise invalid_field((key,), "BASE_TYPE_CHOICES", f"Unknown permission {name!r}.")
        bits |= Permission[name]
    return bits


async def disturb_gateway(request: web.Request) -> web.Response:
    """Shape: `shards` names those that are meant, all without it; `double` sends the next `times` events twice."""
    core = get_core(request)
    form = await read_form(request)
    action = form.data.get("action")
    code = form.integer("code", lowest=1000, highest=4999, default=4000)
    times = form.integer("times", lowest=1, highest=100_000, default=1)
    shards = form.array("shards", most=SHARDS_MAX) if "shards" in form.data else None
    form.problems.raise_if_any()
    if action not in ("close", "reconnect", "invalid_session", "double"):
        raise invalid_field(("action",), "BASE_TYPE_CHOICES", "close, reconnect, invalid_session or double")
    sessions = [one for one in core.sessions.connected() if shards is None or one.shard in shards]
    if action == "double":
        core.sessions.doubled[str(form.data.get("event", "INTERACTION_CREATE"))] = times or 1
        return answer_json({"sessions": len(sessions)})
    for session in sessions:
        outbox = session.outbox
        if outbox is None:
            continue
        if action == "reconnect":
            outbox.send({"op": 7, "s": None, "t": None, "d": None})
        elif action == "invalid_session":
            outbox.send({"op": 9, "s": None, "t": None, "d": form.boolean("resumable")})
        else:
            outbox.close_soon(code or 4000, "closed by request")
        resumable = form.boolean("resumable", default=action != "invalid_session")
        if not resumable:
            core.sessions.remove(session)
    return answer_json({"sessions": len(sessions)})


async def list_requests(request: web.Request) -> web.Response:
    since = request.query.get("since", "0")
    number = int(since) if since.isdecimal() and len(since) < 16 else 0
    return answer_json({"requests": get_core(request).log.since(number)})


async def list_messages(request: web.Request) -> web.Response:
    core = get_core(request)
    wanted: Any = request.query.get("channel_id")
    messages = [
        core.render_for_page(message, None)
        for channel_id, kept in core.world.messages.items()
        if wanted in (None, "", channel_id)
        for message in kept.values()
    ]
    return answer_json({"messages": sorted(messages, key=lambda one: int(one["id"]))})


async def reset(request: web.Request) -> web.Response:
    """Back to the start, but for the bot's session and the commands it registered."""
    core = get_core(request)
    before = core.world
    core.interactions.clear()
    core.faults.clear()
    core.fault_rates.clear()
    core.books.clear()
    core.sessions.doubled.clear()
    core.limits.clear()
    core.nonces.clear()
    core.cdn.clear()
    core.clock.reset()
    core.starts.reset()
    core.world = build_world(core.settings)
    announce_reset(core, before)
    core.announce_state()
    return web.Response(status=204)


def build_routes() -> list[web.RouteDef]:
    return [
        web.post("/control/clock", move_clock),
        web.post("/control/fault", add_fault),
        web.delete("/control/fault", clear_faults),
        web.post("/control/permissions", set_permissions),
        web.post("/control/gateway", disturb_gateway),
        web.get("/control/requests", list_requests),
        web.get("/control/messages", list_messages),
        web.post("/control/reset", reset),
    ]
