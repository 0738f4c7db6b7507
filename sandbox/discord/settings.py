"""Owns what can be chosen about the local Discord. Built once by the caller of `server.create_app`."""

from dataclasses import dataclass, field

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordSettings:
    """Everything a test or an operator may turn; the defaults are Discord's own behaviour.

    Source: Discord developer docs (Create Message, Rate Limits, Uploading Files), read 2026-11-22.
    """

    bot_token: str = field(default="local-discord-token", repr=False)
    application_id: str = "1180000000000000001"
    bot_name: str = "kvid"
    message_content_intent_allowed: bool = False
    members_intent_allowed: bool = False
    presences_intent_allowed: bool = False
    show_referenced_content_to_mentioned_bot: bool = True
    rate_limits_relaxed: bool = False
    global_requests_per_s: int = 50
    message_creates_per_5_s: int = 5
    acknowledge_within_s: float = 3.0
    interaction_token_s: float = 900.0
    nonce_window_s: float = 300.0
    attachment_url_s: float = 86_400.0
    resume_window_s: float = 180.0
    # What /gateway/bot advises. None for the interval: 5 s, and none where rate limits are relaxed.
    shards: int = 1
    max_concurrency: int = 1
    identify_interval_s: float | None = None
    session_starts_per_day: int = 1000
    heartbeat_interval_ms: int = 41_250
    bot_file_bytes_max: int = 20 * MIB
    bot_request_bytes_max: int = 25 * MIB
    page_request_bytes_max: int = 64 * MIB
    stored_bytes_max: int = 512 * MIB
    locale: str = "en-US"
    # The language that the first server prefers.
    guild_locale: str = "en-US"
    # So many more members of the first server, for showing what happens when a crowd presses at once.
    crowd: int = 0
