"""Logging of the process: structlog events, JSON where nobody reads along, colours on a terminal.

One event is one line: a name `noun.verb_past`, then fields. Libraries that use stdlib logging come out
in the same form. Secrets are cut out here as the last line of defence, whatever a caller passes.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, cast

import structlog

from db.engine import is_outage

if TYPE_CHECKING:
    from collections.abc import Collection, MutableMapping

    from structlog.typing import FilteringBoundLogger, Processor

# Interaction tokens travel in URL paths, so they turn up in library errors.
_TOKEN_IN_PATH = re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w.\-%~=]+")
_HIDDEN = "[hidden]"


def get_logger(name: str) -> FilteringBoundLogger:
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def tell_failed_round(log: FilteringBoundLogger, event: str, error: Exception) -> None:
    """Say that one round of a loop failed: a bug with its trace, an outage of the database in a line.

    Every loop of every process meets an outage at every round, and none of their traces says more than that.
    """
    if is_outage(error):
        log.warning(event, error=repr(error), cause="database away")
    else:
        log.error(event, exc_info=error)


class SecretFilter:
    """A structlog processor that replaces each known secret, and interaction tokens in paths."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= 6]

    def clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _TOKEN_IN_PATH.sub(rf"\1{_HIDDEN}", text)

    def _clean_value(self, value: object, depth: int = 0) -> object:
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, (bool, int, float)) or value is None:
            return value
        if depth < 4 and isinstance(value, dict):
            return {self.clean(str(key)): self._clean_value(item, depth + 1) for key, item in value.items()}
        if depth < 4 and isinstance(value, (list, tuple)):
            return [self._clean_value(item, depth + 1) for item in value]
        return self.clean(repr(value))

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for key, value in event.items():
            event[key] = self._clean_value(value)
        return event


def configure(*, level: str, log_format: str, secrets: Collection[str]) -> None:
    """Set up structlog and stdlib logging for this process; `log_format` is auto, json or console."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # The text of a trace is made before the filter, so that it is filtered too.
    last: list[Processor] = [structlog.processors.format_exc_info, SecretFilter(secrets)]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in (
        "discord.client",
        "discord.gateway",
        "discord.http",
        "alembic",
        "sqlalchemy",
        "aiohttp.access",
    ):
        logging.getLogger(chatty).setLevel(max(logging.getLevelName(level), logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
