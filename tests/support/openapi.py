"""Checks what the bot sent against Discord's own OpenAPI description, where that file lies beside the project."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator

SPECIFICATION = Path(__file__).parents[3] / "shared" / "reference" / "discord-openapi.json"


def is_present() -> bool:
    return SPECIFICATION.is_file()


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SPECIFICATION.read_text("utf-8"))
    # discord.py sends ids as integers, which Discord takes.
    document["components"]["schemas"]["SnowflakeType"] = {"type": ["string", "integer"]}
    return document


@cache
def _validator(path: str, method: str) -> Draft202012Validator | None:
    operation = _operations().get((method.upper(), _shape(path)))
    content = (operation or {}).get("requestBody", {}).get("content", {})
    schema = (content.get("application/json") or content.get("multipart/form-data") or {}).get("schema")
    if schema is None:
        return None
    return Draft202012Validator({**schema, "components": _document()["components"]})


@cache
def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), _shape(path)): operation
        for path, operations in _document()["paths"].items()
        for method, operation in operations.items()
        if method in {"get", "put", "post", "patch", "delete"}
    }


def _shape(path: str) -> str:
    """A templated path without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def find_problems(requests: list[dict[str, Any]]) -> list[str]:
    """One line for each body that Discord's description does not allow, or route it does not know."""
    problems: list[str] = []
    for request in requests:
        key = (request["method"], _shape(request["route"]))
        if key not in _operations():
            problems.append(f"{request['method']} {request['route']}: no such route")
            continue
        body = request["body"]
        if body is None:
            continue
        validator = _validator(request["route"], request["method"])
        if validator is None:
            problems.append(f"{request['method']} {request['route']}: takes no body, got {str(body)[:200]}")
            continue
        best = max(validator.iter_errors(body), key=lambda one: len(one.instance_path), default=None)
        if best is not None:
            where = "/".join(map(str, best.instance_path))
            problems.append(f"{request['method']} {request['route']} at {where or '.'}: {best.message[:300]}")
    return problems
