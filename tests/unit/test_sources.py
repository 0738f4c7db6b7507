"""The picture to edit: judged by its bytes, refused with a reason, at no cost for a hostile header."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.errors import SourceRefused
from bot.i18n import Catalogue
from bot.safety.sources import SOURCE_BYTES_MAX, check_source_bytes, inspect_source

CATALOGUE = Catalogue.load()
MIB = 1024 * 1024


def picture(kind: str, size: tuple[int, int] = (48, 32), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    image = Image.radial_gradient("L").resize(size).convert(mode)
    image.save(buffer, kind)
    return buffer.getvalue()


def png_header(width: int, height: int, *, body: bytes = b"") -> bytes:
    """A PNG that claims a size, with nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


def refusal(data: bytes) -> SourceRefused:
    with pytest.raises(SourceRefused) as refused:
        inspect_source(data)
    told = CATALOGUE.text("en-US", refused.value.key, **refused.value.params)
    assert "{" not in told
    assert "Nothing was charged" in told
    return refused.value


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_known_by_its_bytes(kind: str) -> None:
    found = inspect_source(picture(kind))
    assert (found.format, found.width, found.height) == (kind, 48, 32)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "I;16"])
def test_every_kind_of_png_is_taken(mode: str) -> None:
    assert inspect_source(picture("PNG", mode=mode)).format == "PNG"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        picture("GIF"),
        picture("BMP"),
        picture("TIFF"),
        picture("ICO"),
        picture("PPM"),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_anything_else_is_refused(data: bytes) -> None:
    assert refusal(data).key in {"source.not_image", "source.broken"}


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM"])
def test_another_format_is_called_no_picture_rather_than_broken(kind: str) -> None:
    assert refusal(picture(kind)).key == "source.not_image"


@pytest.mark.parametrize(
    ("kind", "kept"),
    [(kind, kept) for kind in ("JPEG", "PNG", "WEBP") for kept in (0.05, 0.5, 0.95)],
)
def test_a_truncated_picture_is_refused(kind: str, kept: float) -> None:
    whole = picture(kind, (200, 200))
    assert refusal(whole[: int(len(whole) * kept)]).key in {"source.broken", "source.not_image"}


def test_a_png_with_a_changed_byte_is_refused() -> None:
    data = bytearray(picture("PNG"))
    data[len(data) // 2] ^= 0xFF
    assert refusal(bytes(data)).key == "source.broken"


@pytest.mark.parametrize(
    ("size", "told"), [((50_000, 50_000), None), ((12_000, 12_000), 144), ((8_000, 5_001), 41)]
)
def test_a_small_file_that_claims_a_huge_picture_is_refused_by_its_header(
    size: tuple[int, int], told: int | None
) -> None:
    refused = refusal(png_header(*size))
    assert refused.key == "source.too_many_pixels"
    if told is not None:
        assert refused.params == {"megapixels": told}


def test_forty_megapixels_are_taken() -> None:
    assert inspect_source(png_header(8_000, 5_000)).width == 8_000


def test_twenty_mebibytes_are_taken_and_no_byte_more() -> None:
    # Before the end marker, where a decoder skips what it does not know.
    data = picture("JPEG")
    full = data[:-2] + b"\x00" * (SOURCE_BYTES_MAX - len(data)) + data[-2:]
    assert inspect_source(full).format == "JPEG"
    refused = refusal(full + b"\x00")
    assert (refused.key, refused.params) == ("source.too_large", {"size": 20.1})


@pytest.mark.parametrize(("size_bytes", "told"), [(20 * MIB + 1, 20.1), (25 * MIB, 25.0), (10**12, 953674.4)])
def test_the_size_told_is_never_the_limit_itself(size_bytes: int, told: float) -> None:
    with pytest.raises(SourceRefused) as refused:
        check_source_bytes(size_bytes)
    assert refused.value.params == {"size": told}


@given(st.sampled_from(["JPEG", "PNG", "WEBP"]), st.data())
def test_mangled_pictures_are_taken_or_refused_and_nothing_else(kind: str, data: st.DataObject) -> None:
    mangled = bytearray(picture(kind, (16, 16)))
    for _ in range(data.draw(st.integers(1, 8))):
        mangled[data.draw(st.integers(0, len(mangled) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = inspect_source(bytes(mangled))
    except SourceRefused:
        return
    assert found.width > 0
    assert found.height > 0
