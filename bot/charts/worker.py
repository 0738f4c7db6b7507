"""The process that draws: reads requests from its standard input and answers on its standard output.

It exists because the plotting library would stay in the bot's memory for good and hold its event loop up
while drawing. It ends when its input ends, so it never outlives the bot. `painter` starts it.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, assert_never

from bot.charts.draw import draw_report_chart, draw_usage_chart
from bot.charts.values import ReportChart, UsageChart
from bot.charts.wire import (
    FAILURE,
    FAILURE_CHARACTERS_MAX,
    PICTURE,
    REQUEST_BYTES_MAX,
    build_answer,
    read_request,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    from bot.charts.values import Chart


def draw(chart: Chart) -> bytes:
    match chart:
        case UsageChart():
            return draw_usage_chart(chart.days, limit_credits=chart.limit_credits, today=chart.today)
        case ReportChart():
            return draw_report_chart(chart.days)
        case _:
            assert_never(chart)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends; a request that cannot be drawn is answered with its trace."""
    while line := requests.readline(REQUEST_BYTES_MAX):
        try:
            answer = build_answer(PICTURE, draw(read_request(line)))
        except Exception:  # noqa: BLE001 - the bot logs it; one wrong request must not end the process
            trace = traceback.format_exc()[-FAILURE_CHARACTERS_MAX:]
            answer = build_answer(FAILURE, trace.encode("utf-8", "replace"))
        answers.write(answer)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
