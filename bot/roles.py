"""Which part of the work one process does, and which shards of the gateway it holds.

Owns what can be asked of `kvid-bot run`, and whether it fits together. Knows nothing of how it is done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.settings import SettingsError
from db.urls import parse_url

# More than the largest bot there is needs.
SHARDS_MAX = 10_000
_SHARDS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})/([0-9]{1,5})", re.ASCII)


class Role(StrEnum):
    # Everything, in one process that has the database to itself.
    ALL = "all"
    # Discord's gateway: takes requests in.
    GATEWAY = "gateway"
    # Works on jobs and shows them; any number, on any machine.
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """Shape: from `first` to `last`, both included, of `count`."""

    first: int
    last: int
    count: int

    @property
    def ids(self) -> list[int]:
        return list(range(self.first, self.last + 1))


def parse_shards(text: str) -> Shards:
    """Read `a-b/n`. **Raises** ValueError with the mend."""
    found = _SHARDS.fullmatch(text.strip())
    if found is None:
        raise ValueError("shards are written a-b/n, such as 0-3/8: the shards 0 to 3 of 8")
    first, last, count = (int(number) for number in found.groups())
    if not first <= last < count <= SHARDS_MAX:
        raise ValueError(
            f"shards a-b/n need a <= b < n <= {SHARDS_MAX}: they are counted from 0, so the last of 8 is 7"
        )
    return Shards(first=first, last=last, count=count)


def check_role(role: Role, shards: Shards | None, database_url: str) -> None:
    """**Raises** SettingsError when the process could not work as asked."""
    problems = []
    if shards is not None and role is not Role.GATEWAY:
        mend = "leave it away" if role is Role.WORKER else "add --role gateway, or leave it away"
        problems.append(f"--shards is for --role gateway alone. With --role {role}, {mend}.")
    if role is not Role.ALL and parse_url(database_url).drivername == "sqlite":
        problems.append(
            f"--role {role} needs a database that several processes can share. Set DATABASE_URL to "
            "postgresql://user:password@host/name; on SQLite, `kvid-bot run` alone does everything."
        )
    if problems:
        raise SettingsError(problems)
