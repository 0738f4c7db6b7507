"""Owns the fault script: what the next matching bot requests are answered instead of, or after, the work."""

import re
from dataclasses import dataclass

FAULTS_MAX = 100
TOO_LARGE_CODE = 40005
SCOPES = ("user", "shared", "global")


@dataclass(slots=True, kw_only=True)
class Fault:
    """Shape: `action` is `status`, `drop` or `delay`; `after` does the work first and spoils only the answer.

    A 429 names the `scope` user, shared or global; without `via` it is the answer of the firewall in front, and
    with `silent` no header says how long to wait. Requests whose files have at most `over_bytes` are spared.
    """

    method: str | None
    path: re.Pattern[str]
    action: str
    status: int = 500
    code: int = 0
    message: str = "Internal Server Error"
    retry_after_s: float = 1.0
    scope: str = "user"
    via: bool = True
    silent: bool = False
    over_bytes: int = -1
    delay_s: float = 0.0
    after: bool = False
    times: int = 1

    @property
    def kind(self) -> str:
        """The name under which the books count it."""
        suffix = "_after" if self.after else ""
        if self.action == "drop":
            return f"reset{suffix}"
        if self.action == "delay":
            return "slow"
        if self.code == TOO_LARGE_CODE:
            return "too_large"
        if self.status == 429 and not self.via:
            return "429_no_via"
        scope = "" if self.scope == "user" else f"_{self.scope}"
        return f"{self.status}{scope if self.status == 429 else ''}{suffix}"


class Faults:
    """Faults in the order they were asked for; each is used up by matching requests."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)
        del self._faults[:-FAULTS_MAX]

    def clear(self) -> None:
        self._faults.clear()

    def take(self, method: str, *paths: str, upload_bytes: int = 0) -> Fault | None:
        """The next fault for a request; its path may be written with or without the API prefix."""
        for fault in self._faults:
            if fault.method not in (None, method) or not any(fault.path.search(path) for path in paths):
                continue
            if upload_bytes <= fault.over_bytes:
                continue
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
            return fault
        return None
