"""Owns AutoMod's rules: their shape, keeping them on the server, and the events about them. It filters nothing.

Source: Discord developer docs, "Auto Moderation" and "Gateway Events", and Discord's OpenAPI description, read
2026-11-23: rules and their events are only for bots with Manage Server.
"""

from sandbox.discord.clock import Clock
from sandbox.discord.core import Core
from sandbox.discord.errors import not_found
from sandbox.discord.forms import Form, length_problem
from sandbox.discord.permissions import Permission, compute_guild_permissions
from sandbox.discord.places import tell_bot
from sandbox.discord.sessions import Intent
from sandbox.discord.state import Guild, Json

KEYWORD, SPAM, KEYWORD_PRESET, MENTION_SPAM, MEMBER_PROFILE = 1, 3, 4, 5, 6
MESSAGE_SEND, MEMBER_UPDATE = 1, 2
# Rules of one trigger type that a server may have.
RULES_MAX = {KEYWORD: 6, SPAM: 1, KEYWORD_PRESET: 1, MENTION_SPAM: 1, MEMBER_PROFILE: 1}
# Entries, and characters of each.
KEYWORDS, PATTERNS, ALLOWED, ALLOWED_BESIDE_PRESETS = (1000, 60), (10, 260), (100, 60), (1000, 60)
ACTIONS_MAX, EXEMPT_ROLES_MAX, EXEMPT_CHANNELS_MAX = 5, 20, 50


def may_read_rules(core: Core, guild: Guild) -> bool:
    return bool(compute_guild_permissions(guild, core.bot_id) & Permission.MANAGE_GUILD)


def get_rule(guild: Guild, rule_id: str) -> Json:
    """Raises: ApiError 404; Discord's list of codes names none for rules."""
    rule = guild.automod_rules.get(rule_id)
    if rule is None:
        raise not_found()
    return rule


def check_rule(form: Form, guild: Guild, clock: Clock, old: Json | None) -> Json:
    """One rule, completed with defaults; a change keeps what it does not name.

    Raises: ApiError 50035.
    """
    form = Form({**(old or {}), **form.data}, form.problems, form.path)
    form.text("name", shortest=1, longest=100, required=True)
    kind = form.choice("trigger_type", tuple(RULES_MAX))
    event = MEMBER_UPDATE if kind == MEMBER_PROFILE else MESSAGE_SEND
    form.choice("event_type", (MESSAGE_SEND, MEMBER_UPDATE), required=False)
    actions = form.children("actions", most=ACTIONS_MAX)
    for action in actions:
        action.choice("type", (1, 2, 3, 4))
    metadata = _check_metadata(form.child("trigger_metadata") or Form({}, form.problems), kind)
    same = [one for one in guild.automod_rules.values() if one["trigger_type"] == kind and one is not old]
    if kind and len(same) >= RULES_MAX[kind]:
        form.error(
            "trigger_type", "AUTO_MODERATION_MAX_RULES_OF_TYPE_EXCEEDED", "Too many rules of this type"
        )
    rule: Json = {
        "id": old["id"] if old else clock.make_id(),
        "guild_id": guild.id,
        "creator_id": guild.owner_id,
        "name": form.data.get("name"),
        "event_type": form.data.get("event_type") or event,
        "trigger_type": kind,
        "trigger_metadata": metadata,
        "actions": [{"metadata": {}, **one.data} for one in actions] or [{"type": 1, "metadata": {}}],
        "enabled": form.boolean("enabled", default=True),
        "exempt_roles": [str(one) for one in form.array("exempt_roles", most=EXEMPT_ROLES_MAX)],
        "exempt_channels": [str(one) for one in form.array("exempt_channels", most=EXEMPT_CHANNELS_MAX)],
    }
    form.problems.raise_if_any()
    return rule


def _check_metadata(form: Form, kind: int | None) -> Json:
    if kind in (KEYWORD, MEMBER_PROFILE):
        return {
            "keyword_filter": _texts(form, "keyword_filter", KEYWORDS),
            "regex_patterns": _texts(form, "regex_patterns", PATTERNS),
            "allow_list": _texts(form, "allow_list", ALLOWED),
        }
    if kind == KEYWORD_PRESET:
        presets = form.array("presets", most=3)
        return {"presets": presets, "allow_list": _texts(form, "allow_list", ALLOWED_BESIDE_PRESETS)}
    if kind == MENTION_SPAM:
        most = form.integer("mention_total_limit", lowest=1, highest=50, default=20)
        raids = form.boolean("mention_raid_protection_enabled")
        return {"mention_total_limit": most, "mention_raid_protection_enabled": raids}
    return {}


def _texts(form: Form, key: str, limits: tuple[int, int]) -> list[str]:
    most, longest = limits
    texts = form.array(key, most=most)
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not 1 <= len(text) <= longest:
            form.problems.add((*form.path, key, index), *length_problem(1, longest))
    return texts


def put_rule(core: Core, guild: Guild, rule: Json) -> None:
    is_new = rule["id"] not in guild.automod_rules
    guild.automod_rules[rule["id"]] = rule
    announce_rule(core, guild, "CREATE" if is_new else "UPDATE", rule)


def remove_rule(core: Core, guild: Guild, rule_id: str) -> None:
    """Raises: ApiError 404."""
    rule = get_rule(guild, rule_id)
    del guild.automod_rules[rule_id]
    announce_rule(core, guild, "DELETE", rule)


def announce_rule(core: Core, guild: Guild, change: str, rule: Json) -> None:
    if may_read_rules(core, guild):
        event = f"AUTO_MODERATION_RULE_{change}"
        tell_bot(core, guild, event, rule, Intent.AUTO_MODERATION_CONFIGURATION)
