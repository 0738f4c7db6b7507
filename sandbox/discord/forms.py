"""Owns the checks of single JSON fields, each with the code and sentence Discord answers.

Pure: reads a decoded object, reports into `Problems`. What the fields mean is the business of the callers.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sandbox.discord.errors import Path, Problems


@dataclass(frozen=True, slots=True)
class Form:
    """One JSON object of a request together with where it stands in the body."""

    data: dict[str, Any]
    problems: Problems
    path: Path = ()

    def error(self, key: str | None, code: str, message: str) -> None:
        self.problems.add(self.path if key is None else (*self.path, key), code, message)

    def _missing(self, key: str, *, required: bool) -> None:
        if required:
            self.error(key, "BASE_TYPE_REQUIRED", "This field is required")

    def text(self, key: str, *, longest: int, shortest: int = 0, required: bool = False) -> str | None:
        value = self.data.get(key)
        if value is None:
            self._missing(key, required=required)
            return None
        if not isinstance(value, str):
            self.error(key, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
            return None
        if required and shortest and not value:
            self.error(key, "BASE_TYPE_REQUIRED", "This field is required")
        elif not shortest <= len(value) <= longest:
            self.error(key, *length_problem(shortest, longest))
        return value

    def integer(
        self, key: str, *, lowest: int, highest: int, required: bool = False, default: int | None = None
    ) -> int | None:
        value = self.data.get(key)
        if value is None:
            self._missing(key, required=required)
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.error(key, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
            return default
        if value > highest:
            self.error(key, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {highest}.")
        elif value < lowest:
            self.error(key, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {lowest}.")
        return value

    def boolean(self, key: str, *, default: bool = False) -> bool:
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.error(key, "BOOLEAN_TYPE_CONVERT", f'Could not interpret "{value}" as boolean.')
            return default
        return value

    def choice(self, key: str, allowed: Collection[int], *, required: bool = True) -> int | None:
        value = self.data.get(key)
        if value is None:
            self._missing(key, required=required)
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            names = ", ".join(str(one) for one in sorted(allowed))
            self.error(key, "BASE_TYPE_CHOICES", f"Value must be one of {{{names}}}.")
            return None
        return value

    def child(self, key: str, *, required: bool = False) -> "Form | None":
        value = self.data.get(key)
        if value is None:
            self._missing(key, required=required)
            return None
        if not isinstance(value, dict):
            self.error(key, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            return None
        return Form(value, self.problems, (*self.path, key))

    def array(self, key: str, *, most: int, fewest: int = 0, required: bool = False) -> list[Any]:
        value = self.data.get(key)
        if value is None:
            self._missing(key, required=required)
            return []
        if not isinstance(value, list):
            self.error(key, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return []
        if not fewest <= len(value) <= most:
            self.error(key, *length_problem(fewest, most))
        return value[:most]

    def children(self, key: str, *, most: int, fewest: int = 0, required: bool = False) -> list["Form"]:
        forms = []
        for index, value in enumerate(self.array(key, most=most, fewest=fewest, required=required)):
            path = (*self.path, key, index)
            if isinstance(value, dict):
                forms.append(Form(value, self.problems, path))
            else:
                self.problems.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return forms


def length_problem(shortest: int, longest: int) -> tuple[str, str]:
    if shortest:
        return "BASE_TYPE_BAD_LENGTH", f"Must be between {shortest} and {longest} in length."
    return "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length."
