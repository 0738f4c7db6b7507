"""Settings: what is wrong is said in one line with the mend, and never repeats a value; secrets stay hidden."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from bot.settings import Settings, SettingsError

TOKEN, KEY, PASSWORD = "token-very-secret", "key-very-secret", "pass-very-secret"
DATABASE = f"postgresql://kvid:{PASSWORD}@db.example/kvid"
EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Settings:
    for name, value in {"DISCORD_TOKEN": TOKEN, "KVID_API_KEY": KEY, **settings}.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_two_secrets_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert settings.discord_token.get_secret_value() == TOKEN
    assert settings.kvid_concurrency == 8
    assert settings.member_daily_credits is None
    assert settings.secrets() == [TOKEN, KEY]


def test_every_missing_setting_has_a_line_of_its_own() -> None:
    with pytest.raises(SettingsError) as failed:
        Settings.load()
    assert [problem.split(" ")[0] for problem in failed.value.problems] == ["DISCORD_TOKEN", "KVID_API_KEY"]
    assert all("Put it into .env" in problem for problem in failed.value.problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DISCORD_TOKEN", ""),
        ("DISCORD_TOKEN", "two words"),
        ("DISCORD_TOKEN", "schlüssel-geheim"),
        ("DISCORD_TOKEN", "line\nbreak"),
        ("KVID_API_KEY", "   "),
        ("KVID_API_KEY", "tab\there"),
        ("DISCORD_TOKEN", '"quoted-token"'),
        ("KVID_API_KEY", "'quoted-key"),
        ("KVID_API_KEY", "k" * 513),
        ("KVID_PRODUCT_CODE", "my code"),
        ("KVID_PRODUCT_CODE", '"quoted"'),
        ("KVID_PRODUCT_CODE", "상품-코드"),
        ("DISCORD_API_BASE", "https://127.0.0.1:99999"),
        ("DISCORD_API_BASE", "https://discord.example:hunter22"),
        ("DISCORD_API_BASE", "https://name:hunter22@discord.example"),
        ("KVID_BASE_URL", "https://api.kvid.example/?x=1"),
        ("KVID_BASE_URL", "https://api.kvid.example/#top"),
        ("KVID_BASE_URL", "https://name:hunter22@kvid.example"),
        ("DISCORD_API_BASE", "discord.com"),
        ("DISCORD_API_BASE", "http://discord.com/api"),
        ("DISCORD_API_BASE", "ftp://127.0.0.1"),
        ("KVID_BASE_URL", "http://kvid.example"),
        ("KVID_BASE_URL", "https://"),
        ("KVID_BASE_URL", "https://[broken"),
        ("KVID_CONCURRENCY", "0"),
        ("KVID_CONCURRENCY", "201"),
        ("KVID_CONCURRENCY", "many"),
        ("DATABASE_URL", "mysql://root:hunter22@host/name"),
        ("DATABASE_URL", "sqlite://folder-missing-a-slash.db"),
        ("DATABASE_URL", "postgresql://kvid:hunter22@host:port/name"),
        ("DATABASE_URL", "nonsense-without-scheme"),
        ("MEMBER_DAILY_CREDITS", "-1"),
        ("MEMBER_DAILY_CREDITS", "2.5"),
        ("SERVER_MONTHLY_CREDITS", "lots-and-lots"),
        ("SERVER_MONTHLY_CREDITS", str(2**63)),
        ("MEMBER_DAILY_CREDITS", str(2**63)),
        ("SETTLE_TOLERANCE_CREDITS", "-3"),
        ("HTTP_PORT", "65536"),
        ("LOG_LEVEL", "CHATTY"),
        ("LOG_FORMAT", "xml-format"),
        ("DEV_GUILD_ID", "my-server"),
        ("DEV_GUILD_ID", "-5"),
        ("DEV_GUILD_ID", str(2**64)),
    ],
)
def test_a_malformed_setting_is_one_line_with_the_mend_and_without_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as failed:
        load(monkeypatch, **{name: value})
    (problem,) = failed.value.problems
    assert problem.startswith(f"{name} ")
    assert "\n" not in problem
    field = Settings.model_fields[name.lower()]
    assert field.description is not None
    assert field.description in problem
    if len(value.strip()) > 4:
        reason = problem.replace(field.description, "")
        assert value not in reason
        assert value not in str(failed.value).replace(field.description, "")
    assert failed.value.__cause__ is None


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as failed:
        load(monkeypatch, HTTP_PORT="x", KVID_CONCURRENCY="x", LOG_LEVEL="x")
    assert len(failed.value.problems) == 3


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        (
            "DISCORD_API_BASE",
            "http://127.0.0.1:8788/api/v10/",
            "discord_api_base",
            "http://127.0.0.1:8788/api/v10",
        ),
        ("KVID_BASE_URL", "http://localhost:1", "kvid_base_url", "http://localhost:1"),
        ("KVID_BASE_URL", "http://[::1]:1", "kvid_base_url", "http://[::1]:1"),
        ("KVID_PRODUCT_CODE", " ", "kvid_product_code", None),
        ("KVID_PRODUCT_CODE", " code-1 ", "kvid_product_code", "code-1"),
        ("MEMBER_DAILY_CREDITS", "", "member_daily_credits", None),
        ("MEMBER_DAILY_CREDITS", "0", "member_daily_credits", 0),
        ("SERVER_MONTHLY_CREDITS", "160", "server_monthly_credits", 160),
        ("DEV_GUILD_ID", "", "dev_guild_id", None),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("DATABASE_URL", "sqlite+aiosqlite:///x.db", "database_url", "sqlite+aiosqlite:///x.db"),
        ("KVID_API_KEY", f" {KEY}\n", "kvid_api_key", SecretStr(KEY)),
    ],
)
def test_a_value_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, expected: object
) -> None:
    assert getattr(load(monkeypatch, **{name: value}), field) == expected


def test_a_dotenv_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=1\nLOG_LEVEL=ERROR\nUNKNOWN_THING=1\n", "utf-8")
    settings = load(monkeypatch, HTTP_PORT="2")
    assert (settings.http_port, settings.log_level) == (2, "ERROR")


def test_no_secret_is_in_repr_or_str(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, DATABASE_URL=DATABASE)
    assert settings.secrets() == [TOKEN, KEY, PASSWORD]
    for shown in (repr(settings), str(settings), f"{settings}", f"{settings.__repr_args__()}"):
        assert not any(secret in shown for secret in settings.secrets())


def test_a_password_is_known_as_written_and_as_the_database_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, DATABASE_URL="postgresql://kvid:p%40ss-word@db.example/kvid")
    assert {"p%40ss-word", "p@ss-word"} <= set(settings.secrets())


@pytest.mark.parametrize("sign", [*"[]#/?%:&+ ", "%5B", "%zz", "%40"])
def test_any_sign_may_stand_in_the_database_s_password(monkeypatch: pytest.MonkeyPatch, sign: str) -> None:
    """As written, as the driver means it, and as an address repeats it: none of it can reach a log."""
    written = f"some{sign}thing"
    settings = load(monkeypatch, DATABASE_URL=f"postgresql://kvid:{written}@db.example/kvid")
    meant = make_url(settings.database_url).password
    assert {written, unquote(written), quote(unquote(written), safe="")} <= set(settings.secrets())
    assert meant in settings.secrets()


def test_a_password_among_the_options_is_a_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, DATABASE_URL=f"postgresql://kvid@db/kvid?password={PASSWORD}")
    assert settings.secrets() == [TOKEN, KEY, PASSWORD]
    assert load(monkeypatch, DATABASE_URL="postgresql://db.example:5432/kvid").secrets() == [TOKEN, KEY]


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(monkeypatch).http_port = 1


def test_the_example_lists_every_setting_with_its_default_and_unit() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    shown = {
        match[1]: (match[2], lines[index - 1])
        for index, line in enumerate(lines)
        if (match := re.fullmatch(r"(?:# )?([A-Z_]+)=(.*)", line))
    }
    assert set(shown) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        value, comment = shown[name.upper()]
        default = "" if field.is_required() or field.default is None else str(field.default)
        assert value == default, name
        assert field.description is not None
        assert comment.startswith(f"# {field.description}"), name
        assert field.is_required() == (f"{name.upper()}=" in lines), name
        if "credits" in name:
            assert "(credits" in comment
