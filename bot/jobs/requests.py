"""A job row as the request that kvid gets (pure)."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from bot.credits.rules import size_for_aspect_ratio
from bot.kvid.model import ImageSize, ImageToImage, TextToImage
from db.enums import JobKind

if TYPE_CHECKING:
    from db.values import Job


def build_request(job: Job, source_url: str | None) -> TextToImage | ImageToImage:
    """**Raises** ValueError when the row breaks the contract, which a checked request never does."""
    size = (
        ImageSize(width=job.width, height=job.height)
        if job.width is not None and job.height is not None
        else None
    )
    words = TextToImage(
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        size=size,
        aspect_ratio=None if size else job.aspect_ratio,
        steps=job.steps,
        guidance=job.guidance,
        seed=job.seed,
        image_count=job.image_count,
        output_format="png" if job.output_format == "png" else "jpeg",
        safety_checker=True,
    )
    if job.kind is JobKind.TEXT_TO_IMAGE:
        return words
    if source_url is None:
        raise ValueError("an edit needs a source")
    shared = {each.name: getattr(words, each.name) for each in fields(words)}
    return ImageToImage(**shared, source_urls=(source_url,))


def size_of(job: Job) -> tuple[int, int]:
    """The pixels (width, height) a picture of this job has, by what was asked for."""
    if job.width is not None and job.height is not None:
        return job.width, job.height
    return size_for_aspect_ratio(job.aspect_ratio or "1:1")
