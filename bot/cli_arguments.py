"""What several verbs of the command line take: how it is read, and what is said when it cannot be."""

from __future__ import annotations

import argparse


def parse_id(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 19 and 1 <= int(text) < 2**63:
        return int(text)
    raise argparse.ArgumentTypeError(
        "an id is a number, such as 123456789012345678: in Discord, turn on developer mode, then Copy ID"
    )
