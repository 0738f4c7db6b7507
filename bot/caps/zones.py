"""Time zones of servers: which one a new server begins with, and which a moderator may mean. Pure.

Discord tells a server's language, not its place; the zone of most of that language's speakers is a first guess
that moderators change. **Source** of the locales: Discord developer docs, Reference, Locales (read 2026-11-23).
"""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

CHOICES_MAX = 25
UTC_NAME = "UTC"
_ZONES = {
    "bg": "Europe/Sofia",
    "cs": "Europe/Prague",
    "da": "Europe/Copenhagen",
    "de": "Europe/Berlin",
    "el": "Europe/Athens",
    "en-GB": "Europe/London",
    "en-US": "America/New_York",
    "es-419": "America/Mexico_City",
    "es-ES": "Europe/Madrid",
    "fi": "Europe/Helsinki",
    "fr": "Europe/Paris",
    "hi": "Asia/Kolkata",
    "hr": "Europe/Zagreb",
    "hu": "Europe/Budapest",
    "id": "Asia/Jakarta",
    "it": "Europe/Rome",
    "ja": "Asia/Tokyo",
    "ko": "Asia/Seoul",
    "lt": "Europe/Vilnius",
    "nl": "Europe/Amsterdam",
    "no": "Europe/Oslo",
    "pl": "Europe/Warsaw",
    "pt-BR": "America/Sao_Paulo",
    "ro": "Europe/Bucharest",
    "ru": "Europe/Moscow",
    "sv-SE": "Europe/Stockholm",
    "th": "Asia/Bangkok",
    "tr": "Europe/Istanbul",
    "uk": "Europe/Kyiv",
    "vi": "Asia/Ho_Chi_Minh",
    "zh-CN": "Asia/Shanghai",
    "zh-TW": "Asia/Taipei",
}


def zone_of_locale(locale: str | None) -> str:
    """The zone a server of this language begins with; UTC where the language says nothing."""
    return _ZONES.get(locale or "", UTC_NAME)


@cache
def list_zones() -> tuple[str, ...]:
    """All zones that a moderator may choose, by name; the old aliases without a place are left out."""
    places = {
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))
    }
    return (UTC_NAME, *sorted(places))


def find_zone(typed: str) -> str | None:
    """The zone that was typed, in its own spelling."""
    wanted = typed.strip().replace(" ", "_").casefold()
    return next((name for name in list_zones() if name.casefold() == wanted), None)


def suggest_zones(typed: str, first: str) -> list[str]:
    """Zones whose name contains what was typed: those that begin with it (or whose city does) come first.

    Shape: at most 25; with nothing typed `first` and the zones of the locales.
    """
    wanted = typed.strip().replace(" ", "_").casefold()
    if not wanted:
        usual = [UTC_NAME, *sorted(set(_ZONES.values()))]
        return [first, *(name for name in usual if name != first)][:CHOICES_MAX]
    found = [name for name in list_zones() if wanted in name.casefold()]

    def distance(name: str) -> tuple[bool, str]:
        city = name.rpartition("/")[2].casefold()
        return not (city.startswith(wanted) or name.casefold().startswith(wanted)), name

    return sorted(found, key=distance)[:CHOICES_MAX]
