"""Times as SQLite keeps them: the very texts that SQLAlchemy writes, and the same moment again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import DateTime
from sqlalchemy.dialects import sqlite

from db.models.base import UtcDateTime, read_utc, render_utc

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# A day from either end, so that every one of them exists in UTC, too.
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001 - bounds are naive


@given(moments)
def test_a_time_is_written_as_sqlalchemy_writes_it_and_read_back(moment: datetime) -> None:
    write = DateTime(timezone=True).dialect_impl(sqlite.dialect()).bind_processor(sqlite.dialect())
    assert write is not None
    text = render_utc(moment)
    assert text is not None
    assert text == write(moment.astimezone(UTC))
    assert read_utc(text) == moment
    assert read_utc(text).tzinfo is UTC


def test_a_column_writes_times_so_and_refuses_those_without_a_zone() -> None:
    column = UtcDateTime().dialect_impl(sqlite.dialect())
    write = column.bind_processor(sqlite.dialect())
    assert write is not None
    assert write(None) is None
    assert write(datetime(2026, 11, 28, 9, 5, tzinfo=UTC)) == "2026-11-28 09:05:00.000000"
    with pytest.raises(ValueError, match="aware"):
        write(datetime(2026, 11, 28))  # noqa: DTZ001 - what is refused
