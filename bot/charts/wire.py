"""What the painter and its worker process say to each other (pure).

Owns both forms: a request is one line of JSON, an answer a kind, a length and that many bytes. Must not
know the plotting library, processes or Discord.
"""

from __future__ import annotations

import json
import struct
from datetime import date
from typing import TYPE_CHECKING, assert_never

from bot.charts.values import (
    REPORT_DAYS_MAX,
    ReportChart,
    ReportDay,
    UsageChart,
    build_report_window,
    build_usage_window,
    check_amount,
)

if TYPE_CHECKING:
    from bot.charts.values import Chart

ANSWER_HEAD = struct.Struct(">cI")
PICTURE, FAILURE = b"P", b"F"
# A day is a date and at most four numbers of 64 bits.
REQUEST_BYTES_MAX = 120 * REPORT_DAYS_MAX
ANSWER_BYTES_MAX = 512 * 1024
FAILURE_CHARACTERS_MAX = 4_000


def build_request(chart: Chart) -> bytes:
    """Only days that are drawn are sent, so that a request has a bound.

    Raises: ValueError for what cannot be drawn, as the windows in `values` do.
    """
    match chart:
        case UsageChart(days=days, today=today, limit_credits=limit):
            shown: list[list[str | int]] = [
                [day.isoformat(), n] for day, n in build_usage_window(days, today=today)
            ]
            if limit is not None:
                check_amount(limit)
            said = {"chart": "usage", "days": shown, "today": today.isoformat(), "limit": limit}
        case ReportChart(days=report):
            window = build_report_window(report)
            shown = [[d.day.isoformat(), d.delivered, d.failed, d.refused, d.credits] for d in window]
            said = {"chart": "report", "days": shown}
        case _:
            assert_never(chart)
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def read_request(line: bytes) -> Chart:
    said = json.loads(line)
    if said["chart"] == "usage":
        days = [(date.fromisoformat(day), amount) for day, amount in said["days"]]
        return UsageChart(days=days, today=date.fromisoformat(said["today"]), limit_credits=said["limit"])
    return ReportChart(
        days=[
            ReportDay(
                day=date.fromisoformat(day), delivered=delivered, failed=failed, refused=refused, credits=used
            )
            for day, delivered, failed, refused, used in said["days"]
        ]
    )


def build_answer(kind: bytes, data: bytes) -> bytes:
    return ANSWER_HEAD.pack(kind, len(data)) + data
