"""One cache of compiled statements for all databases of a session.

SQLAlchemy keeps it for each engine, so every test would compile its fifty statements anew, which costs more than
running them. What is compiled depends on the kind of database and on nothing else of an engine of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import sqlalchemy

from db import connections

if TYPE_CHECKING:
    from sqlalchemy import Engine

STATEMENTS_MAX = 2_000


class SharedStatements(dict[Any, Any]):
    """SQLAlchemy's `compiled_cache`, whose keys begin with the engine's own dialect."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= STATEMENTS_MAX:
            self.clear()
        super().__setitem__((key[0].name, *key[1:]), value)


SHARED = SharedStatements()


def create_engine(*arguments: Any, **options: Any) -> Engine:
    engine = sqlalchemy.create_engine(*arguments, **options)
    engine.update_execution_options(compiled_cache=SHARED)
    return engine


def pytest_configure() -> None:
    patch.object(connections, "create_engine", create_engine).start()
