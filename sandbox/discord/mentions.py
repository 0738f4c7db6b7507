"""Owns who a message mentions and who would be notified, with `allowed_mentions` really applied.

Pure. Source: Discord developer docs, "Allowed Mentions Object", read 2026-11-22.
"""

import re
from dataclasses import dataclass
from typing import Any

from sandbox.discord.errors import Problems
from sandbox.discord.forms import Form
from sandbox.discord.state import Channel, Guild, World

CODE = re.compile(r"```.*?```|``.*?``|`[^`\n]*`", re.DOTALL)
USER = re.compile(r"<@!?(\d{1,20})>")
ROLE = re.compile(r"<@&(\d{1,20})>")
EVERYONE = re.compile(r"@(?:everyone|here)\b")
PARSE = ("users", "roles", "everyone")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedMentions:
    parse: frozenset[str] = frozenset(PARSE)
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    replied_user: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    everyone: bool = False
    in_text: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()


def parse_allowed_mentions(form: Form | None, *, default_parse: frozenset[str]) -> AllowedMentions:
    if form is None:
        return AllowedMentions(parse=default_parse)
    parse = form.array("parse", most=1521)
    for index, value in enumerate(parse):
        if value not in PARSE:
            form.problems.add(
                (*form.path, "parse", index),
                "BASE_TYPE_CHOICES",
                "Value must be one of ('roles', 'users', 'everyone').",
            )
    users = _ids(form, "users")
    roles = _ids(form, "roles")
    for key, ids in (("users", users), ("roles", roles)):
        if ids and key in parse:
            form.error(
                "parse",
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{key}"] and {key}: [ids...] are mutually exclusive.',
            )
    return AllowedMentions(
        parse=frozenset(str(one) for one in parse),
        users=users,
        roles=roles,
        replied_user=form.boolean("replied_user"),
    )


def _ids(form: Form, key: str) -> frozenset[str]:
    ids = form.array(key, most=100)
    for index, value in enumerate(ids):
        _check_snowflake(value, form.problems, (*form.path, key, index))
    return frozenset(str(one) for one in ids)


def _check_snowflake(value: Any, problems: Problems, path: tuple[str | int, ...]) -> None:
    if not str(value).isdecimal() or isinstance(value, bool) or len(str(value)) > 20:
        problems.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')


def find_mentions(
    world: World,
    channel: Channel,
    text: str,
    allowed: AllowedMentions,
    *,
    replied_to: str | None,
    may_mention_everyone: bool,
) -> Mentions:
    """Mentions inside code are text; a mention that is not allowed is text as well."""
    plain = CODE.sub(" ", text)
    guild = world.guilds[channel.guild_id] if channel.guild_id else None
    present = set(guild.members) if guild else set(channel.recipients)
    named = dict.fromkeys(one for one in USER.findall(plain) if one in world.users)
    in_text = [one for one in named if "users" in allowed.parse or one in allowed.users]
    users = list(in_text)
    if replied_to is not None and allowed.replied_user and replied_to not in users:
        users.append(replied_to)
    roles = _find_roles(guild, plain, allowed)
    everyone = "everyone" in allowed.parse and may_mention_everyone and bool(EVERYONE.search(plain))
    notified = [one for one in users if one in present]
    if guild is not None:
        reached = (one for one in guild.members.values() if everyone or set(roles) & set(one.roles))
        notified += [one.user_id for one in reached]
    return Mentions(
        users=tuple(users),
        roles=tuple(roles),
        everyone=everyone,
        in_text=tuple(in_text),
        notified=tuple(dict.fromkeys(notified)),
    )


def _find_roles(guild: Guild | None, plain: str, allowed: AllowedMentions) -> list[str]:
    if guild is None:
        return []
    named = dict.fromkeys(one for one in ROLE.findall(plain) if one in guild.roles)
    return [one for one in named if "roles" in allowed.parse or one in allowed.roles]
