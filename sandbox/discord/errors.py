"""Owns Discord's error shape: one exception that becomes a JSON answer, and the builder of 50035 trees.

Raised anywhere below the routes, turned into a response by `middleware`. Knows nothing of HTTP frameworks.
Source: Discord developer docs, "Opcodes and Status Codes", read 2026-11-22.
"""

from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]


class ApiError(Exception):
    """A refusal with Discord's status, code and, for 50035, the tree of field errors."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def build_body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


@dataclass(slots=True)
class Problems:
    """Collects field errors so that one answer names them all, as Discord does."""

    found: list[tuple[Path, str, str]] = field(default_factory=list)

    def add(self, path: Path, code: str, message: str) -> None:
        self.found.append((path, code, message))

    def raise_if_any(self) -> None:
        if not self.found:
            return
        tree: dict[str, Any] = {}
        for path, code, message in self.found:
            node = tree
            for part in path:
                node = node.setdefault(str(part), {})
            node.setdefault("_errors", []).append({"code": code, "message": message})
        raise ApiError(400, 50035, "Invalid Form Body", tree)


def invalid_field(path: Path, code: str, message: str) -> ApiError:
    problems = Problems()
    problems.add(path, code, message)
    try:
        problems.raise_if_any()
    except ApiError as error:
        return error
    raise AssertionError  # one problem was just added


def unauthorized() -> ApiError:
    return ApiError(401, 0, "401: Unauthorized")


def not_found() -> ApiError:
    return ApiError(404, 0, "404: Not Found")


def unknown_channel() -> ApiError:
    return ApiError(404, 10003, "Unknown Channel")


def unknown_guild() -> ApiError:
    return ApiError(404, 10004, "Unknown Guild")


def unknown_member() -> ApiError:
    return ApiError(404, 10007, "Unknown Member")


def unknown_role() -> ApiError:
    return ApiError(404, 10011, "Unknown Role")


def unknown_user() -> ApiError:
    return ApiError(404, 10013, "Unknown User")


def unknown_message() -> ApiError:
    return ApiError(404, 10008, "Unknown Message")


def unknown_webhook() -> ApiError:
    return ApiError(404, 10015, "Unknown Webhook")


def unknown_interaction() -> ApiError:
    return ApiError(404, 10062, "Unknown interaction")


def missing_access() -> ApiError:
    return ApiError(403, 50001, "Missing Access")


def missing_permissions() -> ApiError:
    return ApiError(403, 50013, "Missing Permissions")


def wrong_channel_type() -> ApiError:
    return ApiError(400, 50024, "Cannot execute action on this channel type")


def empty_message() -> ApiError:
    return ApiError(400, 50006, "Cannot send an empty message")


def invalid_webhook_token() -> ApiError:
    return ApiError(401, 50027, "Invalid Webhook Token")


def entity_too_large() -> ApiError:
    return ApiError(413, 40005, "Request entity too large")
