"""One server's settings as a decision needs them: the policy in its time zone, its word filter compiled.

Owns when a filter is compiled anew, and which zone counts before one is chosen. Must not know the database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.caps.values import Policy
from bot.caps.zones import zone_of_locale
from bot.safety.words import WordFilter, WordList

AUTOMOD_LIST = "AutoMod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One server's settings as of `version` (0: none stored), with its word filter built.

    Shape: `zoned` when its time zone was chosen, by the server's language or by moderators.
    """

    policy: Policy
    version: int
    words: WordFilter
    zoned: bool


def build_default(locale: str | None) -> Loaded:
    """The settings of a server that has none stored."""
    return in_zone(build_loaded(Policy(), 0, None, zoned=False), locale)


def build_loaded(policy: Policy, version: int, known: Loaded | None, *, zoned: bool) -> Loaded:
    """Compile a server's words, unless they are those of what is known."""
    if known is not None and _words_of(known.policy) == _words_of(policy):
        return Loaded(policy=policy, version=version, words=known.words, zoned=zoned)
    imported = None
    if policy.automod_action is not None and policy.automod_words:
        imported = WordList(name=AUTOMOD_LIST, action=policy.automod_action, words=policy.automod_words)
    words = WordFilter.build(
        policy.word_lists,
        policy.allowed_words,
        imported=imported,
        imported_allowed=policy.automod_allowed if imported is not None else (),
    )
    return Loaded(policy=policy, version=version, words=words, zoned=zoned)


def in_zone(loaded: Loaded, locale: str | None) -> Loaded:
    """In the first zone of the server's language, as long as nobody has chosen one."""
    if loaded.zoned or locale is None:
        return loaded
    return replace(loaded, policy=replace(loaded.policy, time_zone=zone_of_locale(locale)))


def _words_of(policy: Policy) -> tuple[object, ...]:
    """All that a filter is compiled from."""
    return (
        policy.word_lists,
        policy.allowed_words,
        policy.automod_action,
        policy.automod_words,
        policy.automod_allowed,
    )
