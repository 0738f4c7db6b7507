"""The answer of /studio export: what is in the file, and what is not."""

from __future__ import annotations

import re
from datetime import UTC

import pytest

from bot.caps.report_values import ExportKind, ReportPeriod, find_span
from bot.caps.reports import Exported
from cogs import _report_render
from tests.unit.usage_parts import TODAY, text


@pytest.mark.parametrize(("kind", "left_out"), [(kind, rows) for kind in ExportKind for rows in (0, 1234)])
def test_an_export_says_what_is_in_it_and_what_is_not(kind: ExportKind, left_out: int) -> None:
    exported = Exported(
        kind=kind, span=find_span(ReportPeriod.DAYS_7, TODAY, UTC), data=b"", rows=5678, left_out=left_out
    )
    shown = _report_render.export_text(text, exported)
    assert "**5\u202f678** rows" in shown
    assert ("Prompts are not in it" in shown) == (kind is ExportKind.LEDGER)
    assert ("**1\u202f234** older rows did not fit" in shown) == bool(left_out)
    assert re.fullmatch(
        r"(ledger|audit-log)-2026-11-17-2026-11-23\.csv", _report_render.export_name(exported)
    )


def test_an_empty_export_is_said_to_be_empty() -> None:
    span = find_span(ReportPeriod.TODAY, TODAY, UTC)
    exported = Exported(kind=ExportKind.LEDGER, span=span, data=b"", rows=0, left_out=0)
    assert "no file" in _report_render.export_text(text, exported)
