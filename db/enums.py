"""The closed word lists of the tables, and the sets of job states that queries ask for.

Owns every string that is stored as a choice. Knows nothing of tables, so that pure modules may import it.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    RESERVED = "reserved"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"


WAITING = frozenset({JobState.RESERVED})
AT_KVID = frozenset({JobState.SUBMITTING, JobState.SUBMITTED})
TO_DELIVER = frozenset({JobState.SUCCEEDED, JobState.DELIVERING})
OPEN = WAITING | AT_KVID | TO_DELIVER
TERMINAL = frozenset(JobState) - OPEN


class JobKind(StrEnum):
    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_TO_IMAGE = "image_to_image"


class Surface(StrEnum):
    """Where the request came from."""

    INTERACTION = "interaction"
    MESSAGE = "message"


class DeliveryMode(StrEnum):
    """Where the result goes: a message of its own, or the interaction's response."""

    CHANNEL = "channel"
    INTERACTION = "interaction"


class TransferKind(StrEnum):
    """What a line of the ledger does; the first four are about a job, the others about a member's account."""

    RESERVE = "reserve"
    SETTLE = "settle"
    VOID = "void"
    REFUND = "refund"
    GRANT = "grant"
    GIVE = "give"
    EXPIRE = "expire"
    CORRECT = "correct"
    RESET = "reset"


class BalanceScope(StrEnum):
    """Whose credits are counted: one channel's, one member's everywhere, one member's in one server, one server's."""

    CHANNEL = "channel"
    MEMBER = "member"
    MEMBERSHIP = "membership"
    SERVER = "server"


class BalancePeriod(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    EVER = "ever"


class AuditAction(StrEnum):
    """What a moderator, a member or the operator changed."""

    SETTING = "setting"
    MEMBER_CAP = "member_cap"
    BLOCK = "block"
    UNBLOCK = "unblock"
    PASS = "pass"  # noqa: S105 - leave to pass the word lists once
    GRANT = "grant"
    ROLE_GRANT = "role_grant"
    CORRECT = "correct"
    GIVE = "give"
    RESET = "reset"
    REFUND = "refund"
    HIDE = "hide"
    AUTOMOD = "automod"
    EXPORT = "export"


class Breaker(StrEnum):
    """Whether jobs are sent to kvid: as usual, not at all, or one to see whether it answers again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class AccountRefusal(StrEnum):
    """Why kvid refuses us as a whole: our account has no credits, or our key is not accepted."""

    EMPTY = "empty"
    KEY = "key"
