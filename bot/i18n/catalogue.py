"""The texts members read: one TOML file a language, looked up by dotted key.

`{name}` in a text is filled from the parameters; nothing in a parameter is ever read as a pattern. A
language or key that is missing falls back on English, so a half-translated file is never a failure.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

DEFAULT_LANGUAGE = "en"


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
        return text.format(**params) if params else text


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value).strip()
    return flat
