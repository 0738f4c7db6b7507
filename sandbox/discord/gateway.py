"""Owns the gateway websocket: opcodes, close codes, identify and resume. Sends text frames, never compressed.

Who gets which event is decided by `sessions`.
Source: Discord developer docs, "Gateway" and "Opcodes and Status Codes", read 2026-11-22.
"""

import asyncio
import json
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.discord.core import Core, get_core
from sandbox.discord.outbox import Outbox
from sandbox.discord.render_places import render_guild_create, render_member, render_user
from sandbox.discord.sessions import ALL_INTENTS, Intent, Session
from sandbox.discord.state import Guild, Json

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 8, 9, 10, 11
UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, AUTHENTICATION_FAILED = 4001, 4002, 4003, 4004
ALREADY_AUTHENTICATED, RATE_LIMITED, TIMED_OUT = 4005, 4008, 4009
INVALID_SHARD, INVALID_INTENTS, DISALLOWED_INTENTS = 4010, 4013, 4014
FRAME_BYTES_MAX = 4096
FRAMES_PER_MINUTE_MAX = 120


class _Close(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Connection:
    """One websocket of the bot from HELLO to its end."""

    def __init__(self, core: Core, outbox: Outbox, url: str) -> None:
        self._core = core
        self._outbox = outbox
        self._url = url
        self._session: Session | None = None
        self._frames_at_s: deque[float] = deque(maxlen=FRAMES_PER_MINUTE_MAX)

    def greet(self) -> None:
        interval = self._core.settings.heartbeat_interval_ms
        self._outbox.send({"op": HELLO, "s": None, "t": None, "d": {"heartbeat_interval": interval}})

    def receive(self, text: str) -> None:
        """Handle one frame.

        Raises: _Close with Discord's close code.
        """
        now_s = self._core.clock.now_s()
        full = len(self._frames_at_s) == FRAMES_PER_MINUTE_MAX
        if full and now_s - self._frames_at_s[0] < 60:
            raise _Close(RATE_LIMITED, "You are being rate limited.")
        self._frames_at_s.append(now_s)
        if len(text.encode()) > FRAME_BYTES_MAX:
            raise _Close(DECODE_ERROR, "Error while decoding payload.")
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _Close(DECODE_ERROR, "Error while decoding payload.") from error
        if not isinstance(frame, dict) or not isinstance(frame.get("op"), int):
            raise _Close(DECODE_ERROR, "Error while decoding payload.")
        self._handle(frame["op"], frame.get("d"))

    def _handle(self, opcode: int, data: Any) -> None:
        if opcode == HEARTBEAT:
            self._outbox.send({"op": HEARTBEAT_ACK, "s": None, "t": None, "d": None})
        elif opcode == IDENTIFY:
            self._identify(_as_object(data))
        elif opcode == RESUME:
            self._resume(_as_object(data))
        elif opcode not in (PRESENCE, VOICE, REQUEST_MEMBERS):
            raise _Close(UNKNOWN_OPCODE, "Unknown opcode.")
        elif self._session is None:
            raise _Close(NOT_AUTHENTICATED, "Not authenticated.")
        elif opcode == REQUEST_MEMBERS:
            self._send_members(self._session, _as_object(data))

    def _require_token(self, data: Json) -> None:
        if self._session is not None:
            raise _Close(ALREADY_AUTHENTICATED, "Already authenticated.")
        token = str(data.get("token", "")).removeprefix("Bot ")
        if token != self._core.settings.bot_token:
            raise _Close(AUTHENTICATION_FAILED, "Authentication failed.")

    def _identify(self, data: Json) -> None:
        self._require_token(data)
        intents = data.get("intents")
        if not isinstance(intents, int) or isinstance(intents, bool) or not 0 <= intents <= ALL_INTENTS:
            raise _Close(INVALID_INTENTS, "Invalid intent(s).")
        settings = self._core.settings
        privileged = (
            (Intent.MESSAGE_CONTENT, settings.message_content_intent_allowed),
            (Intent.GUILD_MEMBERS, settings.members_intent_allowed),
            (Intent.GUILD_PRESENCES, settings.presences_intent_allowed),
        )
        if any(intents & intent and not allowed for intent, allowed in privileged):
            raise _Close(DISALLOWED_INTENTS, "Disallowed intent(s).")
        shard, count = _parse_shard(data.get("shard"))
        if not self._core.starts.take(shard):
            self._core.books.gateway["identify_refused"] += 1
            self._refuse_session()
            return
        self._core.books.gateway["identify"] += 1
        session = Session(intents=intents, shard=shard, shard_count=count)
        self._core.sessions.add(session)
        self._attach(session)
        self._welcome(session, has_shard=data.get("shard") is not None)

    def _welcome(self, session: Session, *, has_shard: bool) -> None:
        core = self._core
        guilds = self._guilds_of(session)
        ready: Json = {
            "v": 10,
            "user": render_user(core.bot) | {"verified": True, "mfa_enabled": True, "email": None},
            "session_type": "normal",
            "session_id": session.id,
            "resume_gateway_url": self._url,
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
            "private_channels": [],
            "relationships": [],
            "user_settings": {},
            "application": {"id": core.settings.application_id, "flags": 1 << 23},
            "_trace": [],
        }
        if has_shard:
            ready["shard"] = [session.shard, session.shard_count]
        session.send_event("READY", ready)
        for guild in guilds:
            # Without the GUILDS intent Discord sends no GUILD_CREATE; clients then never get a cache.
            if session.intents & Intent.GUILDS:
                session.send_event("GUILD_CREATE", render_guild_create(core.world, guild, core.bot_id))

    def _guilds_of(self, session: Session) -> list[Guild]:
        guilds = self._core.world.guilds.values()
        return [one for one in guilds if self._core.bot_id in one.members and session.serves(one.id)]

    def _attach(self, session: Session) -> None:
        core = self._core
        was_online = core.sessions.online
        session.outbox, session.lost_at_s, self._session = self._outbox, None, session
        if not was_online:
            core.pages.send_to_all("BOT_ONLINE", {"online": True, "bot": render_user(core.bot)})

    def _resume(self, data: Json) -> None:
        self._require_token(data)
        session = self._core.sessions.find(str(data.get("session_id")))
        sequence = data.get("seq")
        missed = session.replay[0]["s"] - 1 if session and session.replay else 0
        known = session is not None and isinstance(sequence, int) and missed <= sequence <= session.sequence
        if session is None or not known:
            self._core.books.gateway["resume_refused"] += 1
            self._refuse_session()
            return
        self._core.books.gateway["resume"] += 1
        if session.outbox is not None:
            session.outbox.close_soon(4000, "Session resumed elsewhere.")
        self._attach(session)
        for frame in list(session.replay):
            if frame["s"] > (sequence or 0):
                self._outbox.send(frame)
        session.send_event("RESUMED", {"_trace": []})

    def _refuse_session(self) -> None:
        self._outbox.send({"op": INVALID_SESSION, "s": None, "t": None, "d": False})

    def _send_members(self, session: Session, data: Json) -> None:
        core = self._core
        guild = core.world.guilds.get(str(data.get("guild_id")))
        if guild is None or core.bot_id not in guild.members:
            return
        wanted = data.get("user_ids")
        ids = [str(one) for one in wanted] if isinstance(wanted, list) else [str(wanted)] if wanted else None
        query = str(data.get("query") or "").lower()
        members = []
        for member in guild.members.values():
            user = core.world.users[member.user_id]
            if (ids is None and user.username.startswith(query)) or (ids is not None and user.id in ids):
                members.append(render_member(member, user))
        body: Json = {
            "guild_id": guild.id,
            "members": members[:100],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [one for one in ids or () if one not in guild.members],
        }
        if data.get("nonce"):
            body["nonce"] = data["nonce"]
        session.send_event("GUILD_MEMBERS_CHUNK", body)

    def end(self, *, for_good: bool) -> None:
        """Leave the session resumable, unless the client itself closed it for good."""
        core, session = self._core, self._session
        if session is None or session.outbox is not self._outbox:
            return
        session.outbox, session.lost_at_s = None, core.clock.now_s()
        if for_good:
            core.sessions.remove(session)
        if not core.sessions.online:
            core.pages.send_to_all("BOT_ONLINE", {"online": False, "bot": render_user(core.bot)})


def _as_object(data: Any) -> Json:
    if not isinstance(data, dict):
        raise _Close(DECODE_ERROR, "Error while decoding payload.")
    return data


def _parse_shard(value: Any) -> tuple[int, int]:
    if value is None:
        return 0, 1
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int) for one in value):
        shard, count = value
        if 0 <= shard < count:
            return shard, count
    raise _Close(INVALID_SHARD, "Invalid shard.")


async def handle_gateway(request: web.Request) -> web.WebSocketResponse:
    core = get_core(request)
    socket = web.WebSocketResponse(max_msg_size=64 * 1024, compress=False)
    await socket.prepare(request)
    outbox = Outbox(socket)
    connection = Connection(core, outbox, build_gateway_url(request))
    connection.greet()
    patience_s = core.settings.heartbeat_interval_ms / 1000 * 1.5
    for_good = False
    try:
        while True:
            message = await socket.receive(timeout=patience_s)
            if message.type is WSMsgType.TEXT:
                connection.receive(message.data)
            elif message.type is WSMsgType.BINARY:
                connection.receive(message.data.decode("utf-8", "replace"))
            else:
                for_good = message.type is WSMsgType.CLOSE and message.data in (1000, 1001)
                break
    except _Close as refusal:
        outbox.close_soon(refusal.code, refusal.reason)
        await _drain(socket)
    except TimeoutError:
        outbox.close_soon(TIMED_OUT, "Session timed out.")
        await _drain(socket)
    finally:
        connection.end(for_good=for_good)
        await outbox.stop()
    return socket


async def _drain(socket: web.WebSocketResponse) -> None:
    """Read on until the close frame has gone out and come back, within a second."""
    try:
        async with asyncio.timeout(1):
            while not socket.closed:
                await socket.receive()
    except (TimeoutError, RuntimeError):
        return


def build_gateway_url(request: web.Request) -> str:
    return f"ws://{request.host}/gateway"
