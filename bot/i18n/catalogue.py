"""The texts members read: one TOML file a language, looked up by dotted key.

`{name}` in a text is filled from the parameters; nothing in a parameter is ever read as a pattern. A
language or key that is missing falls back on English, so a half-translated file is never a failure. Numbers
of credits are written out here, so that a refusal reads the same whether it is told at once or later.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

DEFAULT_LANGUAGE = "en"
# Filled with numbers of credits; `needed` brings its unit along, as a single one has another word.
COUNTS = frozenset({"left", "limit", "held", "granted"})
NEEDED = "needed"


class Catalogue:
    def __init__(self, texts: dict[str, dict[str, str]]) -> None:
        self._texts = texts

    @classmethod
    def load(cls) -> Catalogue:
        """All `*.toml` beside this module; the file's name is the language."""
        texts: dict[str, dict[str, str]] = {}
        for entry in resources.files("bot.i18n").iterdir():
            if entry.name.endswith(".toml"):
                texts[entry.name.removesuffix(".toml")] = _flatten(tomllib.loads(entry.read_text("utf-8")))
        return cls(texts)

    def languages(self) -> list[str]:
        return sorted(self._texts)

    def keys(self, language: str = DEFAULT_LANGUAGE) -> set[str]:
        return set(self._texts[language])

    def text(self, locale: str, key: str, /, **params: object) -> str:
        """The text of `key` for a Discord locale such as `ko` or `en-US`. **Raises** KeyError: no such key."""
        language = locale.split("-", 1)[0]
        text = self._texts.get(language, {}).get(key)
        if text is None:
            text = self._texts[DEFAULT_LANGUAGE][key]
        return text.format(**self._write(locale, params)) if params else text

    def _write(self, locale: str, params: dict[str, object]) -> dict[str, object]:
        """Numbers of credits as members read them; what is written already stays as it is."""
        counts = {name: value for name, value in params.items() if isinstance(value, int)}
        written: dict[str, object] = {name: write_number(counts[name]) for name in counts.keys() & COUNTS}
        if NEEDED in counts:
            unit = "unit.credit_one" if counts[NEEDED] == 1 else "unit.credit_many"
            written[NEEDED] = self.text(locale, unit, n=write_number(counts[NEEDED]))
        return params | written


def write_number(value: int) -> str:
    """A number that any language reads: thousands apart by a narrow space that does not break."""
    return f"{value:,}".replace(",", "\u202f")


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value).strip()
    return flat
