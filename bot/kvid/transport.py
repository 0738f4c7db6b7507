"""The wire itself: the only file of this package that knows aiohttp.

Owns the one session with its connections, time limits and size limits. Must not know what the bytes mean, nor
when to try again. Stands below `client`; every failure leaves it as a KvidError.
"""

from collections.abc import Coroutine
from typing import TypeVar

import aiohttp
from yarl import URL

from bot.kvid import addresses, read, wire
from bot.kvid.errors import DownloadProblem, KvidDownloadError, KvidProtocolError, KvidUnreachable
from bot.kvid.model import DownloadedImage
from bot.kvid.retry import parse_retry_after_s

# Polls of one job lie seconds apart; a new TLS connection for each costs eleven times a reused one.
KEEPALIVE_S = 75.0
CONNECTIONS_MAX = 100
API_TIMEOUT = aiohttp.ClientTimeout(total=30.0, connect=5.0, sock_connect=5.0)
DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=60.0, connect=5.0, sock_connect=5.0, sock_read=20.0)
JSON_BYTES_MAX = 1_048_576
CHUNK_BYTES = 65_536
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

T = TypeVar("T")


class Transport:
    """One session to kvid and to the places its results lie.

    Shape: plain http is allowed only where `base_url` itself is plain http (a local kvid).
    Repeatable: `close`.
    """

    def __init__(self, *, base_url: str) -> None:
        self._base_url = base_url
        self._http_allowed = addresses.is_plain_http(base_url)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def send(self, request: wire.WireRequest, *, secrets: tuple[str, ...]) -> wire.Answer:
        """One API call; redirects are not followed, so the key goes nowhere else.

        Raises: KvidUnreachable; KvidProtocolError where the answer is no HTTP or longer than JSON_BYTES_MAX.
        """
        return await _tell_as_kvid_error(self._exchange(request, secrets))

    async def download(self, url: str, *, bytes_max: int) -> DownloadedImage:
        """An image's bytes, through at most REDIRECTS_MAX redirects; the key is not sent along.

        Raises: KvidDownloadError, KvidUnreachable, KvidProtocolError.
        """
        addresses.ensure_download_url(url, http_allowed=self._http_allowed)
        hop = 0
        while True:  # ended by resolve_redirect at the latest
            step = await _tell_as_kvid_error(self._download_step(url, bytes_max, hop + 1))
            if isinstance(step, DownloadedImage):
                return step
            url, hop = step, hop + 1

    async def _exchange(self, request: wire.WireRequest, secrets: tuple[str, ...]) -> wire.Answer:
        async with self._open_session().request(
            request.method,
            URL(self._base_url + request.target, encoded=True),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            timeout=API_TIMEOUT,
        ) as response:
            body = await _read_limited(response, JSON_BYTES_MAX)
            if body is None:
                raise KvidProtocolError(http_status=response.status, excerpt="the body is too large")
            return wire.Answer(
                http_status=response.status,
                body=body,
                retry_after=response.headers.get("Retry-After"),
                date=response.headers.get("Date"),
                secrets=secrets,
            )

    async def _download_step(self, url: str, bytes_max: int, hop: int) -> DownloadedImage | str:
        async with self._open_session().get(
            # Already encoded: a signature in the address covers it byte for byte.
            URL(url, encoded=True),
            # No transfer compression: images gain nothing, and a size limit then means what it says.
            headers={"Accept": "image/*", "Accept-Encoding": "identity"},
            allow_redirects=False,
            timeout=DOWNLOAD_TIMEOUT,
        ) as response:
            if response.status in REDIRECT_STATUSES:
                location = response.headers.get("Location")
                return addresses.resolve_redirect(url, location, hop=hop, http_allowed=self._http_allowed)
            return await _read_image(response, bytes_max)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the kvid client is closed")
        if self._session is None:
            # Made at first use, because a session belongs to the running loop.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=KEEPALIVE_S, limit=CONNECTIONS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "kvid-bot"},
            )
        return self._session


async def _tell_as_kvid_error(work: Coroutine[object, object, T]) -> T:
    try:
        return await work
    except aiohttp.ClientResponseError as error:
        # Raised outside this block and so not chained: its repr holds the request's headers, with the key.
        failure = KvidProtocolError(excerpt=read.excerpt(f"{type(error).__name__}: {error.message}"))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise KvidUnreachable(request_sent=False, excerpt=_describe(error)) from error
    # ValueError: a host name that the URL parser or the resolver rejects although it looked like one.
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise KvidUnreachable(request_sent=True, excerpt=_describe(error)) from error
    raise failure


def _describe(error: Exception) -> str:
    return read.excerpt(f"{type(error).__name__}: {error}")


async def _read_image(response: aiohttp.ClientResponse, bytes_max: int) -> DownloadedImage:
    if response.status != 200:
        raise KvidDownloadError(
            problem=DownloadProblem.HTTP_STATUS,
            http_status=response.status,
            retry_after_s=parse_retry_after_s(
                response.headers.get("Retry-After"), response.headers.get("Date")
            ),
        )
    data = await _read_limited(response, bytes_max)
    if data is None:
        raise KvidDownloadError(problem=DownloadProblem.TOO_LARGE)
    content_type = wire.sniff_content_type(data)
    if content_type is None:
        raise KvidDownloadError(problem=DownloadProblem.WRONG_BYTES, excerpt=read.excerpt(data[:200]))
    return DownloadedImage(data=data, content_type=content_type)


async def _read_limited(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    """The whole body, None where it is longer than allowed; nothing beyond the limit is kept."""
    if response.content_length is not None and response.content_length > bytes_max:
        return None
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)
