import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from bot.kvid import (
    DownloadProblem,
    KvidClient,
    KvidDownloadError,
    KvidProtocolError,
    KvidUnreachable,
    TextToImage,
    transport,
)
from tests.unit.kvid.conftest import API_KEY, Clock
from tests.unit.kvid.samples import JOB_ID
from tests.unit.kvid.server import ScriptedKvid, plain, raw, sample

JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 1000
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 1000
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + b"\x00" * 1000


class TestDownload:
    @pytest.mark.parametrize(
        ("data", "content_type"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")]
    )
    async def test_an_image_is_told_by_its_bytes_and_not_by_its_header(
        self, client: KvidClient, kvid: ScriptedKvid, data: bytes, content_type: str
    ) -> None:
        kvid.script(plain(200, data, {"Content-Type": "text/html"}))
        image = await client.download(f"{kvid.base_url}/a.jpg?sig=%2Fa%2B%41&x=%20")
        assert (image.data, image.content_type) == (data, content_type)
        # Byte for byte: a signature covers the address as it was written.
        assert kvid.asked[0].target == "/a.jpg?sig=%2Fa%2B%41&x=%20"
        assert "api-key" not in kvid.asked[0].headers

    @pytest.mark.parametrize("data", [b"", b"<html>gone</html>", b"GIF89a" + b"\x00" * 100])
    async def test_anything_but_an_image_is_refused(
        self, client: KvidClient, kvid: ScriptedKvid, data: bytes
    ) -> None:
        kvid.script(plain(200, data, {"Content-Type": "image/jpeg"}))
        with pytest.raises(KvidDownloadError) as caught:
            await client.download(f"{kvid.base_url}/a.jpg")
        assert caught.value.problem is DownloadProblem.WRONG_BYTES

    async def test_the_limit_is_the_last_size_that_is_accepted(
        self, client: KvidClient, kvid: ScriptedKvid
    ) -> None:
        kvid.script(plain(200, JPEG), plain(200, JPEG))
        url = f"{kvid.base_url}/a.jpg"
        assert len((await client.download(url, bytes_max=len(JPEG))).data) == len(JPEG)
        with pytest.raises(KvidDownloadError) as caught:
            await client.download(url, bytes_max=len(JPEG) - 1)
        assert caught.value.problem is DownloadProblem.TOO_LARGE

    async def test_a_body_of_unsaid_length_is_stopped_at_the_limit(
        self, client: KvidClient, kvid: ScriptedKvid
    ) -> None:
        stopped = asyncio.Event()

        async def endless(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                while True:
                    await response.write(JPEG * 60)
            finally:
                stopped.set()

        kvid.script(endless)
        with pytest.raises(KvidDownloadError) as caught:
            await client.download(f"{kvid.base_url}/a.jpg", bytes_max=200_000)
        assert caught.value.problem is DownloadProblem.TOO_LARGE
        await asyncio.wait_for(stopped.wait(), 5)

    async def test_a_cut_body_is_fetched_again(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock
    ) -> None:
        kvid.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + JPEG), plain(200, JPEG))
        assert (await client.download(f"{kvid.base_url}/a.jpg")).data == JPEG
        assert clock.slept_s == [0.5]

    async def test_a_passing_failure_is_waited_out(
        self, client: KvidClient, kvid: ScriptedKvid, clock: Clock
    ) -> None:
        kvid.script(plain(503, headers={"Retry-After": "3"}), plain(500), plain(200, PNG))
        assert (await client.download(f"{kvid.base_url}/a.png")).data == PNG
        assert clock.slept_s == [3.5, 1.0]

    @pytest.mark.parametrize("status", [204, 206, 304, 403, 404, 410])
    async def test_any_other_status_is_final(
        self, client: KvidClient, kvid: ScriptedKvid, status: int
    ) -> None:
        kvid.script(plain(status))
        with pytest.raises(KvidDownloadError) as caught:
            await client.download(f"{kvid.base_url}/a.jpg")
        assert (caught.value.problem, caught.value.http_status) == (DownloadProblem.HTTP_STATUS, status)

    async def test_three_redirects_are_followed_and_no_fourth(
        self, client: KvidClient, kvid: ScriptedKvid
    ) -> None:
        hops = [plain(code, headers={"Location": f"/{code}?k=%2F"}) for code in (301, 302, 303, 307, 308)]
        kvid.script(*hops[:3], plain(200, JPEG))
        assert (await client.download(f"{kvid.base_url}/a.jpg")).data == JPEG
        assert [asked.target for asked in kvid.asked] == ["/a.jpg", "/301?k=%2F", "/302?k=%2F", "/303?k=%2F"]
        kvid.script(*hops[1:])
        with pytest.raises(KvidDownloadError) as caught:
            await client.download(f"{kvid.base_url}/a.jpg")
        assert caught.value.problem is DownloadProblem.REDIRECT_REFUSED
        assert all("api-key" not in asked.headers for asked in kvid.asked)

    @pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[::1", ""])
    async def test_a_redirect_to_no_web_address_is_refused(
        self, client: KvidClient, kvid: ScriptedKvid, location: str
    ) -> None:
        kvid.script(plain(302, headers={"Location": location}))
        with pytest.raises(KvidDownloadError) as caught:
            await client.download(f"{kvid.base_url}/a.jpg")
        assert caught.value.problem is DownloadProblem.REDIRECT_REFUSED

    async def test_plain_http_is_refused_where_kvid_is_reached_by_https(self, kvid: ScriptedKvid) -> None:
        async with KvidClient(base_url="https://api.kvid.ai", api_key=API_KEY) as client:
            with pytest.raises(KvidDownloadError) as caught:
                await client.download(f"{kvid.base_url}/a.jpg")
        assert caught.value.problem is DownloadProblem.ADDRESS_REFUSED
        assert kvid.asked == []

    async def test_a_host_that_cannot_be_is_an_error_of_ours(self, client: KvidClient, clock: Clock) -> None:
        with pytest.raises(KvidUnreachable) as caught:
            await client.download(f"https://{'a' * 64}.invalid/a.jpg")
        assert "UnicodeError" in caught.value.excerpt


class TestTimeouts:
    async def test_an_answer_that_does_not_come_is_unreachable_and_the_submit_unknown(
        self, client: KvidClient, kvid: ScriptedKvid, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        release = asyncio.Event()

        async def hang(_: web.Request) -> web.StreamResponse:
            await release.wait()
            return web.Response()

        monkeypatch.setattr(transport, "API_TIMEOUT", aiohttp.ClientTimeout(total=0.05))
        kvid.script(hang)
        with pytest.raises(KvidUnreachable) as caught:
            await client.submit(TextToImage(prompt="a"))
        release.set()
        assert caught.value.request_sent
        assert caught.value.outcome_unknown

    async def test_a_connection_that_does_not_come_about_sent_nothing(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "API_TIMEOUT", aiohttp.ClientTimeout(total=5, connect=0.02))
        async with (
            silent_server() as port,
            KvidClient(
                base_url=f"https://127.0.0.1:{port}",
                api_key=API_KEY,
                sleep=clock.sleep,
                random=lambda: 0.5,
                monotonic=clock.monotonic,
            ) as client,
        ):
            with pytest.raises(KvidUnreachable) as caught:
                await client.submit(TextToImage(prompt="a"))
        assert not caught.value.request_sent
        assert not caught.value.outcome_unknown
        assert len(clock.slept_s) == 3

    def test_the_limits_are_those_that_were_agreed(self) -> None:
        assert (transport.API_TIMEOUT.sock_connect, transport.API_TIMEOUT.total) == (5.0, 30.0)
        assert transport.KEEPALIVE_S == 75.0
        assert transport.JSON_BYTES_MAX == 2**20


async def test_a_json_body_beyond_one_mebibyte_is_not_read(client: KvidClient, kvid: ScriptedKvid) -> None:
    case = b'{"job_id": "' + JOB_ID.encode() + b'", "status": "queued"}'
    padded = case.ljust(2**20)
    kvid.script(plain(200, padded), plain(200, padded + b" "))
    assert (await client.fetch_status(JOB_ID)).job_id == JOB_ID
    with pytest.raises(KvidProtocolError) as caught:
        await client.fetch_status(JOB_ID)
    assert caught.value.http_status == 200


async def test_cookies_are_neither_kept_nor_sent(client: KvidClient, kvid: ScriptedKvid) -> None:
    async def with_cookie(request: web.Request) -> web.StreamResponse:
        response = await sample("status_processing")(request)
        response.headers["Set-Cookie"] = "a=b; Path=/"
        return response

    kvid.script(with_cookie, sample("status_processing"))
    await client.fetch_status(JOB_ID)
    await client.fetch_status(JOB_ID)
    assert "Cookie" not in kvid.asked[1].headers


def test_the_package_is_importable_alone_and_only_its_transport_needs_aiohttp() -> None:
    check = (
        "import sys, bot.kvid.wire as w; "
        "pure = [sys.modules[n] for n in list(sys.modules) if n.startswith('bot.kvid.') "
        "and n != 'bot.kvid.transport']; "
        "assert not [m for m in pure if hasattr(m, 'aiohttp')]; "
        "tops = {n.split('.')[0] for n in sys.modules}; "
        "ours = tops & {'discord', 'sqlalchemy', 'sqlmodel', 'db', 'cogs'}; "
        "rest = [n for n in sys.modules if n.startswith('bot.') and not n.startswith('bot.kvid')]; "
        "print(sorted(ours), rest)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Accepts connections and never says a word, not even a TLS greeting."""

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.close()
