"""The fault script: how the local kvid is told to misbehave.

Owns reading a fault, and which request it hits. Knows nothing of HTTP or of jobs: `answers` and `works` carry
it out. A fault comes from the request header `x-sandbox-fault` (this request only) or from
`POST /control/fault` (the next n requests of an endpoint). It is a JSON object with any of the fields of
`Fault`, an error code, or one of the short words below.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from sandbox.kvid.contract import ERRORS

Endpoint = Literal["submit", "status", "result", "download"]
JobFate = Literal["fail", "cancel", "hang"]
ResultShape = Literal["result_url", "result_urls", "images"]
ENDPOINTS = (*get_args(Endpoint), "any")

RULES_MAX = 100
DELAY_S_MAX = 300.0
DOWNLOAD_BYTES_MAX = 200 * 1024 * 1024


class FaultError(ValueError):
    """A fault that nobody could carry out; says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One misbehaviour. The fields combine.

    Shape:
        code          answer this error of the contract, with its HTTP status and Retry-After where it has one
        status, body, headers   answer exactly this; a body that is no text is sent as JSON
        message       the error's message, or the failed job's error_message
        delay_s       wait first
        drop          close the connection without an answer
        cut           send the head of the answer and half of its body, then close
        after         do the work first, then misbehave: the caller only loses the answer
        job_id        put this job id into the answer
        set, remove   overwrite or delete fields of the answer's `data`
        job           "fail", "cancel" or "hang": what becomes of the job
        forget        the job is unknown from now on to whoever asks for it; the books still have it
        used_credit   report (and, given at submit, charge) this; null leaves the field out
        result_shape  "result_url", "result_urls" or "images": the only field the result's links come in
        redirect      answer 302 to this address
        size_bytes    a download of that many bytes
    """

    code: str | None = None
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    message: str | None = None
    delay_s: float = 0.0
    drop: bool = False
    cut: bool = False
    after: bool = False
    job_id: str | None = None
    set: dict[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    job: JobFate | None = None
    forget: bool = False
    used_credit: int | Literal["as priced"] | None = "as priced"
    result_shape: ResultShape | None = None
    redirect: str | None = None
    size_bytes: int | None = None

    @property
    def replaces_answer(self) -> bool:
        return self.drop or any(
            value is not None for value in (self.code, self.status, self.redirect, self.size_bytes)
        )

    @property
    def kind(self) -> str:
        """The name under which the books count it."""
        if self.drop:
            return "reset_after" if self.after else "reset"
        if self.cut:
            return "half_body"
        if self.job is not None:
            return _FATE_KINDS[self.job]
        if self.forget:
            return "forgotten"
        if self.job_id is not None:
            return "wrong_job"
        if self.code is not None or self.status is not None:
            return self._status_kind
        return "slow" if self.delay_s else "other"

    @property
    def _status_kind(self) -> str:
        status = self.status or ERRORS.get(self.code or "", (500, ""))[0]
        says_when = self.code == "RATE_LIMITED" or "retry-after" in {name.lower() for name in self.headers}
        return "429_bare" if status == 429 and not says_when else str(status)


_FATE_KINDS = {"fail": "job_failed", "cancel": "job_canceled", "hang": "never_finishes"}

SHORT_WORDS: dict[str, Fault] = {
    "drop": Fault(drop=True),
    "drop-after": Fault(drop=True, after=True),
    "cut": Fault(cut=True),
    "fail": Fault(job="fail"),
    "cancel": Fault(job="cancel"),
    "hang": Fault(job="hang"),
    "forget": Fault(forget=True),
    "html": Fault(
        status=502,
        body="<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>",
        headers={"content-type": "text/html"},
    ),
    "empty": Fault(status=200, body="", headers={"content-type": "application/json"}),
    "truncated-json": Fault(
        status=200,
        body='{"success": true, "data": {"job_id": "img_1',
        headers={"content-type": "application/json"},
    ),
}

_KINDS: dict[str, tuple[type, ...]] = {
    "code": (str,), "status": (int,), "headers": (dict,), "message": (str,), "delay_s": (int, float), "drop": (bool,),
    "cut": (bool,), "after": (bool,), "job_id": (str,), "set": (dict,), "remove": (list,), "job": (str,),
    "forget": (bool,), "used_credit": (int, type(None)), "result_shape": (str,), "redirect": (str,),
    "size_bytes": (int,),
}  # fmt: skip


def parse_header(text: str) -> Fault:
    """Raises: FaultError."""
    if text in SHORT_WORDS:
        return SHORT_WORDS[text]
    if text in ERRORS:
        return Fault(code=text)
    try:
        return parse_fault(json.loads(text))
    except json.JSONDecodeError as error:
        raise FaultError("x-sandbox-fault must be a JSON object, an error code or a short word") from error


def parse_fault(value: Any) -> Fault:
    """Raises: FaultError."""
    if isinstance(value, str):
        return parse_header(value)
    if not isinstance(value, dict):
        raise FaultError("a fault must be a JSON object")
    known = {item.name for item in fields(Fault)}
    for name, item in value.items():
        if name not in known:
            raise FaultError(f"a fault has no field {name!r}")
        kinds = _KINDS.get(name)
        if kinds and (not isinstance(item, kinds) or (isinstance(item, bool) and bool not in kinds)):
            raise FaultError(f"{name} has the wrong type")
    fault = Fault(**{**value, **({"remove": tuple(value["remove"])} if "remove" in value else {})})
    _check(fault)
    return fault


def _check(fault: Fault) -> None:
    if fault.code is not None and fault.status is None and fault.code not in ERRORS:
        raise FaultError(f"an unknown code needs a status beside it: {fault.code!r}")
    if fault.status is not None and not 200 <= fault.status <= 599:
        raise FaultError("status must be from 200 to 599")
    if not 0 <= fault.delay_s <= DELAY_S_MAX:
        raise FaultError(f"delay_s must be from 0 to {DELAY_S_MAX}")
    for text in (*fault.headers, *fault.headers.values(), fault.redirect or ""):
        if not isinstance(text, str) or not text.isprintable():
            raise FaultError("headers and redirect must be printable text")
    if isinstance(fault.used_credit, int) and fault.used_credit < 0:
        raise FaultError("used_credit cannot be negative; use set for nonsense")
    if fault.job is not None and fault.job not in get_args(JobFate):
        raise FaultError("job must be fail, cancel or hang")
    if fault.result_shape is not None and fault.result_shape not in get_args(ResultShape):
        raise FaultError("result_shape must be result_url, result_urls or images")
    if fault.size_bytes is not None and not 0 <= fault.size_bytes <= DOWNLOAD_BYTES_MAX:
        raise FaultError(f"size_bytes must be from 0 to {DOWNLOAD_BYTES_MAX}")


@dataclass(slots=True, kw_only=True)
class Rule:
    endpoint: str
    fault: Fault
    times: int
    skip: int


class FaultScript:
    """The rules set by the control endpoint, oldest first; each request is hit by at most one of them."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, body: Any) -> None:
        """Raises: FaultError."""
        if not isinstance(body, dict) or set(body) - {"endpoint", "fault", "times", "skip"}:
            raise FaultError("the body must be an object with endpoint, fault, times and skip")
        endpoint, times, skip = body.get("endpoint", "any"), body.get("times", 1), body.get("skip", 0)
        if not isinstance(endpoint, str) or endpoint not in ENDPOINTS:
            raise FaultError(f"endpoint must be one of {', '.join(ENDPOINTS)}")
        if type(times) is not int or times < 1 or type(skip) is not int or skip < 0:
            raise FaultError("times must be at least 1 and skip at least 0")
        if len(self._rules) >= RULES_MAX:
            raise FaultError(f"at most {RULES_MAX} faults can wait")
        self._rules.append(
            Rule(endpoint=endpoint, fault=parse_fault(body.get("fault")), times=times, skip=skip)
        )

    def clear(self) -> None:
        self._rules.clear()

    def take(self, endpoint: Endpoint) -> Fault | None:
        for rule in self._rules:
            if rule.endpoint not in {endpoint, "any"}:
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            rule.times -= 1
            if not rule.times:
                self._rules.remove(rule)
            return rule.fault
        return None
