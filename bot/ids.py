"""Identifiers of our own, made before their first use so that a repeated write is recognised."""

from __future__ import annotations

import secrets

JOB_ID_PATTERN = r"[0-9a-f]{20}"
SEED_MAX = 2**31 - 1


def new_job_id() -> str:
    """20 hex characters: fits a message nonce (25) with a suffix, and a custom_id (100)."""
    return secrets.token_hex(10)


def new_transfer_id() -> str:
    """32 hex characters, as many as the column holds."""
    return secrets.token_hex(16)


def new_incident_id() -> str:
    """Short enough for a member to read aloud to a moderator."""
    return secrets.token_hex(4)


def new_seed() -> int:
    """A seed we know, so that a result can always be repeated."""
    return secrets.randbelow(SEED_MAX) + 1
