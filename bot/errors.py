"""Errors that a member can act on.

Owns the one family whose text reaches members: a catalogue key and the values that go into it.
Knows no language and no Discord; `bot.client` turns a key into a private message in the reader's language.
"""

from __future__ import annotations


class AppError(Exception):
    """Something the member can mend; `key` names the message in the catalogue, `params` fill it."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key)
        self.key = key
        self.params = params

    def __str__(self) -> str:
        return f"{self.key} {self.params}" if self.params else self.key


class Refused(AppError):
    """A rule of the server or the operator says no; `job_id` among the params names the refused job."""


class NotEnoughCredits(Refused):
    """A cap or a budget of our own is reached; never raised for the operator's kvid account."""


class IntakeClosed(AppError):
    """No new work is taken now: stopping, or kvid refuses us."""


class SourceRefused(AppError):
    """The picture to edit is missing, too large, or no picture."""


class CannotPost(AppError):
    """The bot lacks a permission in the channel where the result would go."""
