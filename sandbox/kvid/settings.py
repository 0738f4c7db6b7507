"""What the local kvid can be told, at start or at run time.

Owns the one settings value and its bounds. Knows no HTTP and no jobs; everything else here receives it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class KvidSettings:
    """How generous, fast and strict the local kvid is.

    Units: `render_s` is what one job takes before variation; `requests_per_s` 0 means no rate limit.
    Shape: `quick_pictures` are plain gradients, `prepared_pictures` one flat picture a size, drawn once; while
    `held`, no job that renders gets done, however long it takes.
    Raises: ValueError for a value that no server could work with.
    """

    api_keys: frozenset[str] = field(default=frozenset({"local-kvid-key"}), repr=False)
    balance_credits: int = 100_000
    concurrency: int = 4
    render_s: float = 4.0
    held: bool = False
    queue_max: int = 500
    jobs_kept_max: int = 20_000
    requests_per_s: float = 0.0
    base_url: str | None = None
    seed: int = 1
    quick_pictures: bool = False
    prepared_pictures: bool = False
    picture_bytes_kept_max: int = 256 * MEBIBYTE
    source_bytes_max: int = 20 * MEBIBYTE
    source_pixels_max: int = 40_000_000
    source_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        at_least = {
            "balance_credits": 0,
            "concurrency": 1,
            "render_s": 0,
            "queue_max": 0,
            "jobs_kept_max": 1,
            "requests_per_s": 0,
            "picture_bytes_kept_max": 1,
            "source_bytes_max": 1,
            "source_pixels_max": 1,
            "source_timeout_s": 0.001,
        }
        for name, minimum in at_least.items():
            value = getattr(self, name)
            if not math.isfinite(value) or value < minimum:
                raise ValueError(f"{name} must be at least {minimum}")
        if not self.api_keys:
            raise ValueError("api_keys must hold at least one key")
