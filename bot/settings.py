"""Every setting of the process, read from the environment and `.env`.

Built once, in `bot.app` or `bot.cli`, never at import. A new setting is a field here, a line in
`.env.example` (a test compares the two) and, when members can notice it, a line in the README.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.kvid import InvalidFieldError, KvidClient
from db.urls import list_passwords, parse_url


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


# Far above any use, and small enough for the database to add to: beyond it PostgreSQL refuses every request.
CREDITS_MAX = 10**15
Credits = Annotated[Annotated[int, Field(ge=0, le=CREDITS_MAX)] | None, BeforeValidator(_blank_is_none)]
SnowflakeNumber = Annotated[int, Field(ge=1, lt=2**63)]


class SettingsError(Exception):
    """The settings cannot be used; `problems` has one line each, with the mend, free of values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class StoreSettings(BaseSettings):
    """What the verbs need that work on the database alone; they ask for no keys."""

    # hide_input_in_errors: pydantic would otherwise print a malformed token in its message.
    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True, frozen=True
    )

    database_url: str = Field(
        "sqlite:///data/kvid-bot.db",
        repr=False,  # may hold a password
        description="sqlite:///path or postgresql://user:password@host/name",
    )
    member_daily_credits: Credits = Field(
        None,
        description="What one member may use per UTC day, all servers together (credits; empty: unlimited)",
    )
    server_monthly_credits: Credits = Field(
        None,
        description="What one server may use per month, in its own time zone (credits; empty: unlimited)",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING, ERROR"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto (by terminal), json, console"
    )

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        parse_url(value)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings.

        **Raises** SettingsError with one line per problem.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise SettingsError([_mend(cls, details["loc"], details) for details in error.errors()]) from None

    def secrets(self) -> list[str]:
        """What must never be printed."""
        return list_passwords(self.database_url)


class Settings(StoreSettings):
    """Everything that the running bot needs."""

    discord_token: SecretStr = Field(description="The bot's token, from the Bot page of the Developer Portal")
    discord_api_base: str = Field(
        "https://discord.com/api/v10",
        description="Discord's REST address; another one only for the local Discord",
    )
    kvid_api_key: SecretStr = Field(description="The api-key of your kvid account")
    kvid_base_url: str = Field("https://api.kvid.ai", description="kvid's address")
    kvid_product_code: Annotated[str | None, BeforeValidator(_blank_is_none)] = Field(
        None, description="Product code sent with every job; only if kvid told you to"
    )
    kvid_concurrency: int = Field(8, ge=1, le=200, description="Jobs at kvid at the same time (jobs)")
    settle_tolerance_credits: int = Field(
        0,
        ge=0,
        description="How far a job may cost its member more than estimated; the rest is yours (credits)",
    )
    http_port: int = Field(
        8080, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics (0: off)"
    )
    http_host: str = Field(
        "127.0.0.1", description="Where that port listens; another address only in a network you trust"
    )
    dev_guild_id: Annotated[SnowflakeNumber | None, BeforeValidator(_blank_is_none)] = Field(
        None, description="A server's id: commands appear there at once, and nowhere else (empty: everywhere)"
    )

    @field_validator("discord_token", "kvid_api_key")
    @classmethod
    def _key(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value().strip()
        # A key travels in a header, where anything else would fail later and less clearly.
        if {secret[:1], secret[-1:]} & {"", *"\"'`"} or not _is_sendable(api_key=secret):
            raise ValueError("must be the key itself: one word, no spaces or quotes around it")
        return SecretStr(secret)

    @field_validator("kvid_product_code")
    @classmethod
    def _product_code(cls, value: str | None) -> str | None:
        if value is None:
            return None
        code = value.strip()
        if {code[0], code[-1]} & {*"\"'`"} or not _is_sendable(product_code=code):
            raise ValueError("must be the code itself: one word, no spaces or quotes around it")
        return code

    @field_validator("discord_api_base", "kvid_base_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        url = value.strip()
        if not _is_sendable(base_url=url):
            raise ValueError("must be an http or https address, without a user name, ? or #")
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError("must be https; plain http is for this machine's own address only")
        return url.rstrip("/")

    def secrets(self) -> list[str]:
        """What must never be printed: tokens, keys and the database's password."""
        return [
            self.discord_token.get_secret_value(),
            self.kvid_api_key.get_secret_value(),
            *super().secrets(),
        ]


def _is_sendable(
    *, base_url: str = "https://kvid.invalid", api_key: str = "key", product_code: str | None = None
) -> bool:
    """Ask the client itself, which opens nothing until its first call."""
    try:
        KvidClient(base_url=base_url, api_key=api_key, product_code=product_code)
    except InvalidFieldError:
        return False
    return True


def _mend(settings: type[StoreSettings], location: tuple[int | str, ...], details: Any) -> str:
    name = str(location[0]) if location else "settings"
    field = settings.model_fields.get(name)
    what = field.description if field and field.description else "see .env.example"
    if details["type"] == "missing":
        return f"{name.upper()} is not set. Put it into .env: {what}."
    reason = str(details["msg"]).removeprefix("Value error, ")
    return f"{name.upper()} cannot be used: {reason}. It is: {what}."
