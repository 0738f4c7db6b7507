"""What is counted and timed in this process, in Prometheus' form.

Owns every metric's name, labels and buckets, in a registry of its own. Labels have few values each: no ids of
members, servers or jobs, and no words of theirs. What is counted from the database instead is `bot.gauges`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.values import Job

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Seconds: from one fast request to the longest that any stage may take.
_REQUEST_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_S = (0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900, 3600)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._finished = self._counter(
            "jobs_finished", "Jobs that ended in this process, by state and reason", "state", "failure"
        )
        self._stage = self._histogram(
            "job_stage_seconds", "How long jobs stood in each stage of their life", _STAGE_S, "stage"
        )
        self._recovered = self._counter(
            "jobs_recovered", "Jobs taken over from an earlier or a dead owner, by their state then", "state"
        )
        self._kvid = self._histogram(
            "kvid_request_seconds", "How long kvid took to answer", _REQUEST_S, "call"
        )
        self._kvid_errors = self._counter(
            "kvid_errors", "What kvid refused or broke, by its code", "call", "code"
        )
        self._discord = self._histogram(
            "discord_request_seconds",
            "How long Discord took to answer, by what it was for",
            _REQUEST_S,
            "call",
        )
        self._discord_errors = self._counter(
            "discord_errors", "What Discord refused or broke, by status and code", "call", "status", "code"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace="kvid_bot", registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, namespace="kvid_bot", buckets=buckets, registry=self.registry)

    def job_finished(self, job: Job, stages_s: Mapping[str, float] | None = None) -> None:
        """Units: seconds by stage; none of a job on which no work was done."""
        self._finished.labels(job.state.value, job.failure or "none").inc()
        for stage, spent_s in (stages_s or {}).items():
            self._stage.labels(stage).observe(spent_s)

    def job_recovered(self, job: Job) -> None:
        self._recovered.labels(job.state.value).inc()

    def kvid_answered(self, call: str, spent_s: float) -> None:
        self._kvid.labels(call).observe(spent_s)

    def kvid_failed(self, call: str, code: str) -> None:
        self._kvid_errors.labels(call, code).inc()

    def discord_tried(self, call: str, spent_s: float, error: BaseException | None) -> None:
        self._discord.labels(call).observe(spent_s)
        if isinstance(error, discord.HTTPException):
            self._discord_errors.labels(call, str(error.status), str(error.code)).inc()
        elif error is not None:
            self._discord_errors.labels(call, type(error).__name__, "0").inc()

    def render(self) -> bytes:
        """Everything, in Prometheus' text form."""
        return generate_latest(self.registry)
