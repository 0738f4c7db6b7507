"""Whatever JSON arrives, the answer is a refusal or a result, never a fault of the server."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.discord.body import Body
from sandbox.discord.command_rules import check_command, check_unique_names
from sandbox.discord.content import check_nonce, parse_draft
from sandbox.discord.errors import ApiError, Problems
from sandbox.discord.forms import Form
from sandbox.discord.modals import build_submission, check_modal
from sandbox.discord.options import OptionReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.discord.support import Local

KEYS = st.sampled_from(
    [
        *(
            "type",
            "name",
            "description",
            "options",
            "choices",
            "value",
            "required",
            "components",
            "component",
        ),
        *("accessory", "items", "media", "url", "custom_id", "style", "label", "content", "embeds", "fields"),
        *(
            "attachments",
            "id",
            "filename",
            "allowed_mentions",
            "parse",
            "users",
            "flags",
            "min_values",
            "values",
        ),
        *(
            "max_values",
            "min_length",
            "max_length",
            "min_value",
            "max_value",
            "name_localizations",
            "ko",
            "title",
        ),
        *(
            "footer",
            "text",
            "file",
            "emoji",
            "nonce",
            "focused",
            "contexts",
            "message_reference",
            "autocomplete",
        ),
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([1, 2, 3, 4, 9, 10, 11, 12, 17, 18, 19, 21, 22, 64, 1 << 15]),
    st.floats(allow_nan=False),
    st.integers(),
    st.sampled_from(["users", "1", "prompt", "attachment://a.png", "https://a.example", "a" * 101]),
    st.text(max_size=5),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=8)
PROFILE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def a_result_or_a_refusal() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        if (error.status, error.code) != (400, 50035):
            raise


@PROFILE
@given(body=OBJECTS)
def test_a_message_body_is_a_draft_or_a_refusal(body: dict[str, Any]) -> None:
    with a_result_or_a_refusal():
        check_nonce(Body(value=body))
        parse_draft(Body(value=body), existing=None, default_parse=frozenset())


@PROFILE
@given(bodies=st.lists(OBJECTS, max_size=3))
def test_a_command_body_is_a_command_or_a_list_of_problems(bodies: list[dict[str, Any]]) -> None:
    problems = Problems()
    forms = [Form(body, problems, (index,)) for index, body in enumerate(bodies)]
    checked = [check_command(form, is_global=False) for form in forms]
    check_unique_names(forms, problems)
    assert len(checked) == len(bodies)


@PROFILE
@given(body=OBJECTS, answers=st.lists(OBJECTS, max_size=3))
def test_a_window_and_what_is_filled_in_are_taken_or_refused(
    body: dict[str, Any], answers: list[dict[str, Any]]
) -> None:
    problems = Problems()
    components = check_modal(Form(body, problems))
    with a_result_or_a_refusal():
        build_submission(components, answers, lambda _: "1")


RADIO = {"type": 21, "custom_id": "prompt", "options": [{"label": "a", "value": "1"}]}
GROUP = {**RADIO, "type": 22, "custom_id": "1"}


@PROFILE
@given(first=VALUES, second=VALUES)
def test_a_chosen_value_is_taken_or_refused(first: Any, second: Any) -> None:
    fields = [
        {"type": 18, "id": number, "component": {**one, "id": 9}} for number, one in enumerate([RADIO, GROUP])
    ]
    answers = [{"custom_id": "prompt", "value": first}, {"custom_id": "1", "values": second}]
    with a_result_or_a_refusal():
        build_submission(fields, answers, lambda _: "1")


@PROFILE
@given(
    kind=st.sampled_from(range(1, 12)), given_options=VALUES, forged=st.booleans(), autocomplete=st.booleans()
)
def test_options_are_read_or_refused(kind: int, given_options: Any, forged: bool, autocomplete: bool) -> None:  # noqa: FBT001 - given by hypothesis
    def store(_: Any) -> str:
        return "1"

    reader = OptionReader(
        store_file=store, exists=lambda _, identity: identity == "1", forged=forged, autocomplete=autocomplete
    )
    definition = {"type": kind, "name": "prompt", "choices": [{"name": "a", "value": "1"}], "options": []}
    with a_result_or_a_refusal():
        reader.read([definition], [SimpleNamespace(), {"name": "prompt", "value": given_options}])
        reader.read([definition], given_options)


ENDPOINTS = ("guild", "member", "role", "channel", "bot", "automod", "command-permissions")
FIELDS = (
    *("guild_id", "user_id", "username", "member", "roles", "joined_at", "role_id", "permissions", "allow"),
    *("name", "color", "channel_id", "parent_id", "type", "topic", "rule_id", "trigger_type", "actions"),
    *("trigger_metadata", "exempt_roles", "command_id", "preferred_locale"),
)
JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    0.5,
    "",
    "x",
    "\0",
    "0001-01-01T00:00:00+14:00",
    [],
    ["x", [], {}],
    {},
    {"id": []},
)


async def test_the_controls_of_a_server_take_or_refuse_whatever_comes(local: Local) -> None:
    for endpoint in ENDPOINTS:
        for key in FIELDS:
            for value in JUNK:
                body = {"username": "somebody", "name": "some name", "trigger_type": 1, key: value}
                assert (await local.control(endpoint, body)).status < 500, (endpoint, key, value)
