"""Owns uploaded bytes and their signed addresses, as Discord's CDN does: an address expires, a message's end
takes its files along. Knows nothing of messages.
"""

import hashlib
import hmac
import io
import mimetypes
import re
import secrets
import warnings
from collections import OrderedDict

from PIL import Image

from sandbox.discord.body import Upload
from sandbox.discord.clock import Clock
from sandbox.discord.settings import DiscordSettings
from sandbox.discord.state import Attachment

IMAGE_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
ISSUE_STEP_S = 3600


class Cdn:
    """Keeps bytes by attachment id, at most `stored_bytes_max` of them; the oldest go first."""

    def __init__(self, settings: DiscordSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._files: OrderedDict[str, tuple[Attachment, bytes]] = OrderedDict()
        self._stored_bytes = 0
        self.origin = "http://127.0.0.1:0"

    def store(
        self, upload: Upload, channel_id: str, *, description: str | None = None, ephemeral: bool = False
    ) -> Attachment:
        content_type, width, height = inspect_bytes(upload.filename, upload.data)
        attachment = Attachment(
            id=self._clock.make_id(),
            channel_id=channel_id,
            filename=clean_filename(upload.filename),
            content_type=content_type,
            size_bytes=len(upload.data),
            width=width,
            height=height,
            description=description,
            ephemeral=ephemeral,
        )
        self._files[attachment.id] = (attachment, upload.data)
        self._stored_bytes += len(upload.data)
        while self._stored_bytes > self._settings.stored_bytes_max and len(self._files) > 1:
            _, (_, data) = self._files.popitem(last=False)
            self._stored_bytes -= len(data)
        return attachment

    def forget(self, attachments: list[Attachment]) -> None:
        for attachment in attachments:
            kept = self._files.pop(attachment.id, None)
            if kept is not None:
                self._stored_bytes -= len(kept[1])

    def clear(self) -> None:
        self._files.clear()
        self._stored_bytes = 0

    def build_url(self, attachment: Attachment) -> str:
        """Sign an address; it stays the same within an hour, so that unchanged messages look unchanged."""
        issued = int(self._clock.now_s()) // ISSUE_STEP_S * ISSUE_STEP_S
        expires = issued + ISSUE_STEP_S + int(self._settings.attachment_url_s)
        path = f"/attachments/{attachment.channel_id}/{attachment.id}/{attachment.filename}"
        query = f"ex={expires:x}&is={issued:x}&hm={self._sign(path, f'{expires:x}', f'{issued:x}')}"
        return f"{self.origin}{path}?{query}"

    def _sign(self, path: str, expires: str, issued: str) -> str:
        return hmac.new(self._secret, f"{path}|{expires}|{issued}".encode(), hashlib.sha256).hexdigest()

    def find(self, path: str, query: dict[str, str]) -> tuple[Attachment, bytes] | None:
        """Bytes behind an address, or None when the signature is wrong, the time is over or the file is gone."""
        expires, issued = query.get("ex", ""), query.get("is", "")
        if not re.fullmatch(r"[0-9a-f]{1,12}", expires):
            return None
        if not hmac.compare_digest(self._sign(path, expires, issued).encode(), query.get("hm", "").encode()):
            return None
        if int(expires, 16) < self._clock.now_s():
            return None
        return self._files.get(path.split("/")[3])


def clean_filename(name: str) -> str:
    """Discord keeps ASCII letters, digits, `_`, `-` and `.`; a name without any of them becomes `unknown`."""
    kept = re.sub(r"[^A-Za-z0-9_.\-]", "", re.sub(r"\s+", "_", name.rsplit("/", 1)[-1])).strip(".")
    if not kept or name.startswith("."):
        return kept or "unknown"
    return kept[-200:]


def inspect_bytes(filename: str, data: bytes) -> tuple[str, int | None, int | None]:
    """Content type and, for pictures, width and height, by the bytes and not by the client's word."""
    try:
        with warnings.catch_warnings():
            # Only the header is read, so a size that Pillow warns about costs nothing here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=tuple(IMAGE_FORMATS)) as image:
                return IMAGE_FORMATS[image.format or "PNG"], image.width, image.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        # What a browser would run stays a plain download on this origin.
        runs = ("html" in guessed, "svg" in guessed, "xml" in guessed, "javascript" in guessed)
        return ("application/octet-stream" if any(runs) else guessed), None, None
