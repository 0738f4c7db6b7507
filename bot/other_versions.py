"""What is said to a press or a window that no handler of this version knows: how to open a new one (pure).

A card outlives the version that drew it, and while a fleet is upgraded two versions answer side by side. What a
custom_id begins with says which kind of card it is: letters, then the number of its version.
"""

from __future__ import annotations

from bot.errors import AppError

OPENED_BY = {
    "gift": "/gift",
    "grant": "/studio grant",
    "help": "/usage",
    "member": "/studio member",
    "picture": "Moderate picture",
    "report": "/studio report",
    "studio": "/studio settings",
    "m": "Edit image",
    "v": "/imagine",
}


def build_refusal(custom_id: str) -> AppError:
    """The answer to a custom_id, which may be anything."""
    opener = OPENED_BY.get(custom_id.partition(":")[0].rstrip("0123456789"))
    if opener is None:
        return AppError("window.unknown")
    return AppError("window.other_version", opener=opener)
