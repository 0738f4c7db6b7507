"""Database addresses."""

from __future__ import annotations

import pytest

from db.engine import normalise_url, render_safe_url


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("sqlite:///data/kvid-bot.db", "sqlite:///data/kvid-bot.db"),
        ("sqlite+aiosqlite:///data/kvid-bot.db", "sqlite:///data/kvid-bot.db"),
        ("sqlite:////var/lib/kvid.db", "sqlite:////var/lib/kvid.db"),
        (" sqlite:///a.db\n", "sqlite:///a.db"),
        ("postgres://u:p@h/n", "postgresql+psycopg://u:p@h/n"),
        ("postgresql://u:p@h:5432/n", "postgresql+psycopg://u:p@h:5432/n"),
        ("postgresql+psycopg://u:p%40ss@h/n", "postgresql+psycopg://u:p%40ss@h/n"),
        ("postgresql://u@/n?host=%2Frun%2Fpg", "postgresql+psycopg://u@/n?host=%2Frun%2Fpg"),
    ],
)
def test_every_accepted_form_has_one_spelling(given: str, normal: str) -> None:
    assert normalise_url(given) == normal
    assert normalise_url(normal) == normal


@pytest.mark.parametrize(
    "given",
    [
        "",
        "hunter2",
        "mysql://u:hunter2@h/n",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite://hunter2/x.db",
        "postgresql://u:hunter2@h:port/n",
        "postgresql+asyncpg://u:hunter2@h/n",
    ],
)
def test_an_unusable_address_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        normalise_url(given)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://u:hunter2@h/n",
        "postgres://u@h/n?password=hunter2",
        "postgresql://u@h/n?sslpassword=hunter2&sslmode=require",
    ],
)
def test_the_safe_form_has_no_password(given: str) -> None:
    safe = render_safe_url(given)
    assert "hunter2" not in safe
    assert "u" in safe
    assert "@h/n" in safe
