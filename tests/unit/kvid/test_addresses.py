import pytest

from bot.kvid import DownloadProblem, KvidDownloadError
from bot.kvid.addresses import ensure_download_url, is_web_url, resolve_redirect


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.kvid.ai/a.jpg?sig=%2Fa%2B",
        "http://127.0.0.1:8787/x",
        "HTTPS://cdn.kvid.ai/",
        "https://[::1]/",
    ],
)
def test_absolute_web_addresses_are_accepted(url: str) -> None:
    assert is_web_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/images/a.jpg",
        "//cdn.kvid.ai/a.jpg",
        "ftp://cdn.kvid.ai/a.jpg",
        "file:///etc/passwd",
        "https://",
        "https:///a.jpg",
        "https://user:word@cdn.kvid.ai/a.jpg",
        "https://cdn.kvid.ai:99999/a.jpg",
        "https://cdn.kvid.ai:0/a.jpg",
        "https://[::1/a.jpg",
        "https://cdn.kvid.ai/a b.jpg",
        "https://cdn.kvid.ai/a\r\nX: y",
        "https://cdn.kvid.ai/한글.jpg",
        "https://cdn.kvid.ai/" + "a" * 2048,
    ],
)
def test_anything_else_is_not_a_web_address(url: str) -> None:
    assert not is_web_url(url)


@pytest.mark.parametrize(
    ("url", "http_allowed"), [("http://cdn.kvid.ai/a.jpg", False), ("file:///etc/passwd", True)]
)
def test_plain_http_is_fetched_only_where_kvid_itself_is_plain_http(url: str, *, http_allowed: bool) -> None:
    with pytest.raises(KvidDownloadError) as caught:
        ensure_download_url(url, http_allowed=http_allowed)
    assert caught.value.problem is DownloadProblem.ADDRESS_REFUSED
    ensure_download_url("http://127.0.0.1/a.jpg", http_allowed=True)
    ensure_download_url("https://cdn.kvid.ai/a.jpg", http_allowed=False)


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://a.example/x/y", "https://b.example/z", "https://b.example/z"),
        ("https://a.example/x/y", "z?k=1", "https://a.example/x/z?k=1"),
        ("https://a.example/x/y", "//b.example/z", "https://b.example/z"),
        ("http://127.0.0.1:1/x", "/z", "http://127.0.0.1:1/z"),
        ("http://127.0.0.1:1/x", "https://b.example/z", "https://b.example/z"),
    ],
)
def test_a_redirect_is_resolved_against_where_it_came_from(url: str, location: str, target: str) -> None:
    assert resolve_redirect(url, location, hop=3, http_allowed=True) == target


@pytest.mark.parametrize(
    ("url", "location", "hop", "http_allowed"),
    [
        ("https://a.example/x", "http://a.example/x", 1, False),
        ("https://a.example/x", "http://a.example/x", 1, True),
        ("http://a.example/x", "http://a.example/x", 1, False),
        ("https://a.example/x", "https://b.example/x", 4, True),
        ("https://a.example/x", None, 1, True),
        ("https://a.example/x", "", 1, True),
        ("https://a.example/x", "https://[::1", 1, True),
        ("https://a.example/x", "file:///etc/passwd", 1, True),
    ],
)
def test_a_redirect_never_leaves_tls_nor_goes_on_for_ever(
    *, url: str, location: str | None, hop: int, http_allowed: bool
) -> None:
    with pytest.raises(KvidDownloadError) as caught:
        resolve_redirect(url, location, hop=hop, http_allowed=http_allowed)
    assert caught.value.problem is DownloadProblem.REDIRECT_REFUSED
    assert str(caught.value) == "problem='redirect_refused'"
