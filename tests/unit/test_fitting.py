"""Pictures that Discord would not take are changed no more than they must be, or not posted at all."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from bot import fitting
from bot.fitting import LIMITS, MIB, STEPS, Fit, Limit, fit_images, fits
from bot.kvid.model import DownloadedImage


def noise(side: int = 256, *, mode: str = "RGB") -> DownloadedImage:
    """A picture that no format makes small."""
    channels = len(mode)
    data = random.Random(7).randbytes(side * side * channels)
    out = io.BytesIO()
    Image.frombytes(mode, (side, side), data).save(out, "PNG")
    return DownloadedImage(data=out.getvalue(), content_type="image/png")


def limit(total_bytes: int, file_bytes: int | None = None) -> Limit:
    return Limit(file_bytes_max=file_bytes or total_bytes, total_bytes_max=total_bytes)


def opened(image: DownloadedImage) -> Image.Image:
    return Image.open(io.BytesIO(image.data))


def test_pictures_within_the_limit_are_posted_byte_for_byte() -> None:
    images = [noise(64), noise(64)]
    parcel = fit_images(images, limit(2 * len(images[0].data)))
    assert parcel is not None
    assert (parcel.images, parcel.fit) == (tuple(images), Fit.AS_IS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_file_is_saved_again_at_its_full_size(kind: str) -> None:
    out = io.BytesIO()
    opened(noise()).save(out, kind, quality=100)
    image = DownloadedImage(data=out.getvalue(), content_type="image/png")
    parcel = fit_images([image], limit(len(image.data) - 1))
    assert parcel is not None
    (fitted,) = parcel.images
    assert (parcel.fit, fitted.content_type) == (Fit.SAVED_AGAIN, "image/jpeg")
    assert opened(fitted).size == (256, 256)
    assert len(fitted.data) < len(image.data)


def test_the_best_quality_that_fits_is_taken() -> None:
    image = noise()
    best = fit_images([image], limit(len(image.data) - 1))
    assert best is not None
    worse = fit_images([image], limit(best.size_bytes - 1))
    assert worse is not None
    assert worse.fit is Fit.SAVED_AGAIN
    assert worse.size_bytes < best.size_bytes


def test_what_sees_through_keeps_doing_so() -> None:
    image = noise(mode="RGBA")
    parcel = fit_images([image], limit(len(image.data) - 1))
    assert parcel is not None
    assert parcel.images[0].content_type == "image/webp"
    assert opened(parcel.images[0]).mode == "RGBA"


def test_what_saving_again_does_not_help_is_made_smaller() -> None:
    parcel = fit_images([noise()], limit(12_000))
    assert parcel is not None
    assert parcel.fit is Fit.SMALLER
    assert opened(parcel.images[0]).size[0] < 256
    assert parcel.size_bytes <= 12_000


def test_a_picture_that_no_step_makes_fit_is_not_posted() -> None:
    assert fit_images([noise()], limit(500)) is None


def test_of_several_pictures_only_the_large_ones_are_changed() -> None:
    small, large = noise(32), noise(256)
    parcel = fit_images([small, large], limit(len(large.data)))
    assert parcel is not None
    assert parcel.images[0] is small
    assert parcel.size_bytes <= len(large.data)


def test_one_file_may_be_too_large_where_all_together_are_not() -> None:
    image = noise()
    parcel = fit_images([image], limit(10 * MIB, len(image.data) - 1))
    assert parcel is not None
    assert parcel.fit is Fit.SAVED_AGAIN


@pytest.mark.parametrize("data", [b"", b"no picture at all", noise().data[:5000]])
def test_what_cannot_be_opened_is_not_posted(data: bytes) -> None:
    broken = DownloadedImage(data=data + b"\0" * 9000, content_type="image/png")
    assert fit_images([broken], limit(8000)) is None


def test_a_picture_of_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise()
    monkeypatch.setattr(fitting, "PIXELS_MAX", 256 * 256 - 1)
    assert fit_images([image], limit(len(image.data) - 1)) is None


def test_limits_and_steps_go_down() -> None:
    totals = [one.total_bytes_max for one in LIMITS]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] < 25 * MIB, "Discord's bound for a whole request"
    scales = [scale for _, scale in STEPS]
    assert scales == sorted(scales, reverse=True)
    assert fits([], LIMITS[-1])
