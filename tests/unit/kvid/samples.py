"""Recorded answers of kvid, one file per case, written after the contract and the notes."""

import json
from pathlib import Path
from typing import Any

from bot.kvid.wire import Answer

FOLDER = Path(__file__).parents[2] / "samples" / "kvid"
JOB_ID = "img_1777360165746_2f4ye58gq"
RESULT_URL = f"https://cdn.kvid.ai/images/{JOB_ID}.jpg"


def load(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return case


def body_of(case: dict[str, Any]) -> bytes:
    text = case["body_text"] if "body_text" in case else json.dumps(case["body"], ensure_ascii=False)
    return str(text).encode()


def answer(name: str, *, secrets: tuple[str, ...] = ()) -> Answer:
    case = load(name)
    return Answer(
        http_status=case["http_status"],
        body=body_of(case),
        retry_after=case["headers"].get("Retry-After"),
        date=case["headers"].get("Date"),
        secrets=secrets,
    )


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))
