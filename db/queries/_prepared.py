"""Statements whose text is made once for each dialect, for the few that every decision runs.

Owns what SQLAlchemy would else do anew for each call, which costs more than the statement does. Errors and
events stay SQLAlchemy's. Must not know what a statement is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from db.models.base import read_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, CursorResult, Dialect, Executable


class Prepared:
    """The statement that `build` makes for a dialect's name.

    Shape: every parameter is given at every run, None included, and none stands for a list; results are as the
    driver reads them, so see `read_time`.
    """

    def __init__(self, build: Callable[[str], Executable]) -> None:
        self._build = build
        self._made: dict[str, _Made] = {}

    def run(self, c: Connection, params: Mapping[str, Any]) -> CursorResult[Any]:
        made = self._made.get(c.dialect.name)
        if made is None:
            made = self._made[c.dialect.name] = _Made(self._build(c.dialect.name), c.dialect)
        return c.exec_driver_sql(made.text, made.encode(params))


def read_time(value: Any) -> datetime | None:
    """What a column of `UtcDateTime` holds, out of what the driver read."""
    return None if value is None else read_utc(value)


class _Made:
    """A statement's text for one driver, and how that driver wants the parameters."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        assert "POSTCOMPILE" not in self.text, "a parameter for a list has a text of its own each time"  # noqa: S101 - a bug
        # The numbers and words that stand in the statement's own expressions are parameters as well.
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        encoders = {
            name: encode
            for bind, name in compiled.bind_names.items()
            if (encode := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        self._fixed = {
            name: encoders[name](value) if name in encoders else value for name, value in fixed.items()
        }
        self._encoders = [(name, encode) for name, encode in encoders.items() if name not in fixed]
        # None where the driver takes parameters by name.
        self._order: list[str] | None = compiled.positiontup

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any] | tuple[Any, ...]:
        values = {**self._fixed, **params}
        for name, encode in self._encoders:
            values[name] = encode(values[name])
        return values if self._order is None else tuple([values[name] for name in self._order])
