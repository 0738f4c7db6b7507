"""Which web addresses may be sent to kvid or fetched from it.

Owns the rules for addresses, among them where a redirect may lead. Pure: it knows no network.
Stands below all: `model` checks sources with it, `read` checks results, `transport` asks it before each hop.
"""

import re
from urllib.parse import urljoin, urlsplit

from bot.kvid.errors import DownloadProblem, KvidDownloadError

URL_CHARS_MAX = 2048
REDIRECTS_MAX = 3

# Printable ASCII alone: such an address is sent byte for byte, so that signed addresses keep their signature.
_PRINTABLE = re.compile(r"[!-~]+")


def is_web_url(url: str) -> bool:
    """Whether this is an absolute http or https address with a host and without a user name."""
    if len(url) > URL_CHARS_MAX or not _PRINTABLE.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc and port != 0
    )


def is_plain_http(url: str) -> bool:
    """Whether the address is not protected by TLS."""
    return urlsplit(url).scheme == "http"


def ensure_download_url(url: str, *, http_allowed: bool) -> None:
    """Refuse an address that must not be fetched.

    Raises: KvidDownloadError (ADDRESS_REFUSED).
    """
    if not is_web_url(url) or (is_plain_http(url) and not http_allowed):
        raise KvidDownloadError(problem=DownloadProblem.ADDRESS_REFUSED)


def resolve_redirect(url: str, location: str | None, *, hop: int, http_allowed: bool) -> str:
    """The address that the `hop`-th redirect (from 1) leads to.

    Raises: KvidDownloadError (REDIRECT_REFUSED) past REDIRECTS_MAX, from https to http, or to no web address.
    """
    try:
        target = urljoin(url, location or "")
    except ValueError:
        target = ""
    allowed = (
        hop <= REDIRECTS_MAX
        and bool(location)
        and is_web_url(target)
        and (not is_plain_http(target) or (http_allowed and is_plain_http(url)))
    )
    if not allowed:
        raise KvidDownloadError(problem=DownloadProblem.REDIRECT_REFUSED)
    return target
