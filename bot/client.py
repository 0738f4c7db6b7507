"""The Discord client: intents, extensions by name, command sync, and the one place that answers errors.

Buttons and modals are routed here to the handlers that cogs register, so that all of them, and every
command, pass the same boundary. Knows the services it hands to the cogs, never the cogs themselves.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import answer_privately, is_answered_elsewhere
from bot.automod import AutoMod
from bot.delivery import Delivery
from bot.discord_retry import (
    ANSWER,
    DISCORD_ERRORS,
    RATE_LIMIT_WAIT_MAX_S,
    Retry,
    describe,
    was_cut_short,
)
from bot.errors import AppError
from bot.ids import new_incident_id
from bot.log import get_logger
from bot.log_channel import LogChannel
from bot.other_versions import build_refusal
from db.engine import is_outage
from db.queries import commands as command_queries

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable

    from bot.caps.service import Caps
    from bot.charts.painter import Painter
    from bot.clock import Clock
    from bot.i18n import Catalogue
    from bot.identify import IdentifyTurns
    from bot.jobs.service import Jobs
    from bot.roles import Shards
    from db.engine import Database

    ButtonHandler = Callable[[discord.Interaction[Any], str], Awaitable[None]]
    ModalHandler = Callable[[discord.Interaction[Any], str, dict[str, list[str]]], Awaitable[None]]
    ComponentHandler = Callable[[discord.Interaction[Any], str, list[str]], Awaitable[None]]

log = get_logger(__name__)

EXTENSIONS = (
    "cogs._components",
    "cogs.imagine",
    "cogs.edit",
    "cogs.usage",
    "cogs.studio",
    "cogs.gift",
    "cogs.moderate",
    "cogs.guilds",
)
# What is typed into these fields of a window is quoted back when it is refused.
QUOTED_FIELDS = ("prompt", "typed", "reason", "days")
VALUES_MAX = 25
# Without privileged intents: replies that ping the bot, mentions and direct messages still carry their text.
INTENTS = discord.Intents(
    guilds=True, guild_messages=True, dm_messages=True, auto_moderation_configuration=True
)


class Tree(app_commands.CommandTree["KvidBot"]):
    async def on_error(
        self, interaction: discord.Interaction[KvidBot], error: app_commands.AppCommandError, /
    ) -> None:
        await interaction.client.answer_error(interaction, getattr(error, "original", error))


class KvidBot(commands.AutoShardedBot):
    def __init__(
        self,
        *,
        database: Database,
        jobs: Jobs,
        caps: Caps,
        painter: Painter,
        catalogue: Catalogue,
        clock: Clock,
        dev_guild_id: int | None,
        shards: Shards | None = None,
        identify_turns: IdentifyTurns | None = None,
        syncs_commands: bool = True,
    ) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=INTENTS,
            tree_cls=Tree,
            allowed_mentions=discord.AllowedMentions.none(),
            # Results are looked up in the database, so nothing needs to be cached.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_ratelimit_timeout=RATE_LIMIT_WAIT_MAX_S,
            **_shard_options(shards),
        )
        self.database = database
        self.jobs = jobs
        self.caps = caps
        self.painter = painter
        self.catalogue = catalogue
        self.clock = clock
        self.retry = Retry(clock, on_cut_short=self._end_global_wait)
        self.delivery = Delivery(self, catalogue, clock)
        self.delivery.cards.messages.remember = jobs.remember_card
        self.automod = AutoMod(self, database, caps.policies, clock, is_ours=self.has_shard_of)
        self.log_channel = LogChannel(self, database, clock)
        caps.policies.on_entry = self.log_channel.wake
        self._dev_guild_id = dev_guild_id
        self._identify_turns = identify_turns
        self._identify_buckets: int | None = None
        self._syncs_commands = syncs_commands
        self._buttons: dict[str, ButtonHandler] = {}
        self._button_ids: re.Pattern[str] | None = None
        self._modals: dict[str, ModalHandler] = {}
        self._components: dict[str, ComponentHandler] = {}

    @property
    def user_id(self) -> int:
        return self.user.id if self.user is not None else 0

    def _end_global_wait(self) -> None:
        """A request cut short while it waits for a global limit would leave discord.py waiting for it for ever."""
        self.http._global_over.set()  # noqa: SLF001 - discord.py has no public way to it

    async def setup_hook(self) -> None:
        for extension in EXTENSIONS:
            await self.load_extension(extension)
        if self._syncs_commands:
            await self.sync_commands()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait until this shard may identify; with other processes that have shards of the same application."""
        if self._identify_turns is None:
            await super().before_identify_hook(shard_id, initial=initial)
            return
        if self._identify_buckets is None:
            limits = await self.fetch_session_start_limits()
            self._identify_buckets = max(1, limits.max_concurrency)
        await self._identify_turns.wait((shard_id or 0) % self._identify_buckets)

    def has_shard_of(self, guild_id: int) -> bool:
        """Whether events of the server come to this process. **Source**: Discord, "Sharding", the formula."""
        return self.shard_ids is None or (guild_id >> 22) % (self.shard_count or 1) in self.shard_ids

    async def on_message(self, message: discord.Message, /) -> None:
        """Messages are never prefix commands; the edit cog listens for replies by itself."""

    # --- command registration ---

    async def sync_commands(self, *, force: bool = False) -> bool:
        """Register the commands when their hash changed; True when Discord was told."""
        guild = discord.Object(self._dev_guild_id) if self._dev_guild_id is not None else None
        if guild is not None:
            self.tree.copy_global_to(guild=guild)
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands(guild=guild)]
        for menu_type in (discord.AppCommandType.message, discord.AppCommandType.user):
            payload += [
                menu.to_dict(self.tree) for menu in self.tree.get_commands(guild=guild, type=menu_type)
            ]
        digest = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
        # The application is part of the scope: another token means another application to tell.
        scope = f"{self.application_id}:{self._dev_guild_id or 'global'}"
        known = await self.database.read(lambda c: command_queries.find_sync_hash(c, scope))
        if known == digest and not force:
            return False
        synced = await self.tree.sync(guild=guild)
        await self.database.transaction(lambda c: command_queries.set_sync_hash(c, scope, digest))
        log.info("commands.synced", scope=scope, count=len(synced))
        return True

    # --- buttons, panels and modals ---

    def on_button(self, action: str, handler: ButtonHandler) -> None:
        self._buttons[action] = handler

    def add_buttons(self, kind: type[discord.ui.DynamicItem[Any]], custom_ids: re.Pattern[str]) -> None:
        """Buttons that discord.py finds by their custom_ids, also those sent before a restart."""
        self.add_dynamic_items(kind)
        self._button_ids = custom_ids

    def on_modal(self, prefix: str, handler: ModalHandler) -> None:
        """Modals whose custom_id is `prefix:<rest>` go to `handler(interaction, rest, values by custom_id)`."""
        self._modals[prefix] = handler

    def on_component(self, prefix: str, handler: ComponentHandler) -> None:
        """Buttons and selects whose custom_id is `prefix:<rest>` go to `handler(interaction, rest, values)`.

        Shape: `values` are what was chosen in a select; `rest` may have colons of its own.
        """
        self._components[prefix] = handler

    async def run_button(self, action: str, interaction: discord.Interaction[Any], job_id: str) -> None:
        try:
            await self._buttons[action](interaction, job_id)
        except Exception as error:  # noqa: BLE001 - this is the boundary
            await self.answer_error(interaction, error)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        try:
            run = self._find_run(interaction)
            if run is not None:
                await run()
        except Exception as error:  # noqa: BLE001 - this is the boundary
            await self.answer_error(interaction, error)

    def _find_run(self, interaction: discord.Interaction[Any]) -> Callable[[], Awaitable[None]] | None:
        """What a window or a panel's part is for; buttons of results are discord.py's to find.

        **Raises** AppError for what only another version knows.
        """
        data: Any = interaction.data or {}
        custom_id = str(data.get("custom_id", ""))
        if interaction.type is discord.InteractionType.modal_submit:
            prefix, _, rest = custom_id.rpartition(":")
            submitted = self._modals.get(prefix)
            values = collect_values(data.get("components", []))
            if submitted is None:
                raise build_refusal(custom_id)
            return partial(submitted, interaction, rest, values)
        if interaction.type is discord.InteractionType.component:
            prefix, _, rest = custom_id.partition(":")
            used = self._components.get(prefix)
            chosen = [str(value) for value in (data.get("values") or [])[:VALUES_MAX]]
            if used is not None:
                return partial(used, interaction, rest, chosen)
            if self._button_ids is None or not self._button_ids.fullmatch(custom_id):
                raise build_refusal(custom_id)
        return None

    # --- errors ---

    def text(self, locale: discord.Locale | str, key: str, **params: object) -> str:
        return self.catalogue.text(str(locale), key, **params)

    def texts(self, locale: discord.Locale | str) -> Callable[..., str]:
        """`text` for one reader."""
        return partial(self.catalogue.text, str(locale))

    def explain(self, locale: discord.Locale | str, error: BaseException) -> str:
        """What to tell the member: the message of an AppError, or an incident number for anything else."""
        if isinstance(error, AppError):
            return self.text(locale, error.key, **error.params)
        if isinstance(error, app_commands.CheckFailure):
            return self.text(locale, "error.not_allowed")
        if is_outage(error):
            log.warning("database.away", error=repr(error))
            return self.text(locale, "error.one_moment")
        if was_cut_short(error):
            log.warning("interaction.cut_short", error=describe(error))
            return self.text(locale, "error.try_again")
        incident = new_incident_id()
        log.error("incident.opened", incident=incident, exc_info=error)
        return self.text(locale, "error.bug", incident=incident)

    async def answer_error(self, interaction: discord.Interaction[Any], error: BaseException) -> None:
        """Tell the one who pressed, privately, whatever has been answered so far."""
        if is_answered_elsewhere(error):
            # The same event twice, or two processes on one shard: whoever was first does the work.
            log.info("interaction.answered_elsewhere", interaction=interaction.id)
            return
        content = self.explain(interaction.locale, error)
        layout = self.delivery.layouts.refusal(content, typed_words(interaction))
        try:
            await self.retry.call("refusal", lambda: answer_privately(interaction, layout), ANSWER)
        except DISCORD_ERRORS as failed:
            log.warning("interaction.answer_failed", error=describe(failed))


def _shard_options(shards: Shards | None) -> dict[str, Any]:
    return {} if shards is None else {"shard_ids": shards.ids, "shard_count": shards.count}


def typed_words(interaction: discord.Interaction[Any]) -> str | None:
    """The words that came with a command or a window, if any."""
    data: Any = interaction.data or {}
    if interaction.type is discord.InteractionType.modal_submit:
        values = collect_values(data.get("components", []))
        typed = [values[name][0].strip() for name in QUOTED_FIELDS if values.get(name)]
        return " · ".join(one for one in typed if one) or None
    options = (
        data.get("options", []) if interaction.type is discord.InteractionType.application_command else []
    )
    prompts = [option.get("value") for option in options if option.get("name") == "prompt"]
    return prompts[0] if prompts and isinstance(prompts[0], str) else None


def collect_values(components: object, depth: int = 0) -> dict[str, list[str]]:
    """The values of a submitted modal by custom_id, through labels and rows; what has another shape is left out."""
    values: dict[str, list[str]] = {}
    if depth > 3 or not isinstance(components, list):
        return values
    for component in components[:10]:
        if not isinstance(component, dict):
            continue
        custom_id = component.get("custom_id")
        if isinstance(custom_id, str):
            found = component.get("values", [component.get("value")])
            some = found if isinstance(found, list) else []
            values[custom_id] = [str(value) for value in some if value is not None]
        values |= collect_values(component.get("components") or [component.get("component")], depth + 1)
    return values
