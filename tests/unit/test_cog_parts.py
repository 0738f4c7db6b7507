"""Where answers go, who may post, hints, open windows, modals and what a submitted window says."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.client import collect_values, typed_words
from bot.discord_retry import Retry
from bot.errors import AppError, CannotPost, SourceRefused
from bot.i18n import Catalogue
from cogs import _modals
from cogs._hints import HINT_INTERVAL_S, MEMBERS_MAX, HintLimiter
from cogs._places import check_can_post, delivery_mode, is_thread
from cogs._sources import (
    OPEN_WINDOW_S,
    OPEN_WINDOWS_MAX,
    FoundFile,
    OpenWindows,
    SourceLoader,
    edit_of_job,
    files_of,
    image_attachments,
)
from db.enums import DeliveryMode
from db.values import JobImage
from tests.db.builders import build_job
from tests.service.doubles import MovedClock
from tests.unit.test_sources import picture

if TYPE_CHECKING:
    from bot.jobs.service import Source

CATALOGUE = Catalogue.load()
NEEDED = ("view_channel", "send_messages", "attach_files")
NEEDED_IN_THREAD = ("view_channel", "send_messages_in_threads", "attach_files")


def text(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


# --- places ---


def interaction(
    *, guild_id: int | None, member: bool = True, dm_channel: bool = False
) -> discord.Interaction[Any]:
    """What an interaction says of its place, in discord.py's own words."""
    double: Any = SimpleNamespace(
        guild_id=guild_id,
        is_guild_integration=lambda: member,
        context=discord.app_commands.AppCommandContext(dm_channel=dm_channel),
    )
    return double  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("place", "private", "mode"),
    [
        (interaction(guild_id=1), False, DeliveryMode.CHANNEL),
        (interaction(guild_id=1), True, DeliveryMode.INTERACTION),
        (interaction(guild_id=1, member=False), False, DeliveryMode.INTERACTION),
        (interaction(guild_id=None, dm_channel=True), False, DeliveryMode.CHANNEL),
        (interaction(guild_id=None, dm_channel=True), True, DeliveryMode.INTERACTION),
        (interaction(guild_id=None), False, DeliveryMode.INTERACTION),
    ],
)
def test_a_result_is_a_message_where_the_bot_is_a_member(
    *, place: discord.Interaction[Any], private: bool, mode: DeliveryMode
) -> None:
    assert delivery_mode(place, private=private) is mode


@pytest.mark.parametrize("thread", [False, True])
def test_all_needed_permissions_are_enough(*, thread: bool) -> None:
    needed = NEEDED_IN_THREAD if thread else NEEDED
    check_can_post(discord.Permissions(**dict.fromkeys(needed, True)), thread=thread)


@pytest.mark.parametrize(
    ("missing", "thread", "key"),
    [
        ("view_channel", False, "place.view"),
        ("send_messages", False, "place.send"),
        ("attach_files", False, "place.attach"),
        ("view_channel", True, "place.view"),
        ("send_messages_in_threads", True, "place.send_thread"),
        ("attach_files", True, "place.attach"),
    ],
)
def test_the_missing_permission_is_named(*, missing: str, thread: bool, key: str) -> None:
    granted = {name: name != missing for name in {*NEEDED, *NEEDED_IN_THREAD}}
    with pytest.raises(CannotPost) as refused:
        check_can_post(discord.Permissions(**granted), thread=thread)
    assert refused.value.key == key


def test_only_a_thread_is_a_thread() -> None:
    assert not is_thread(None)
    assert not is_thread(discord.Object(1))
    assert is_thread(discord.Thread.__new__(discord.Thread))


# --- hints ---


def test_a_hint_comes_once_in_ten_minutes_for_each_member() -> None:
    clock = MovedClock()
    hints = HintLimiter(clock)
    assert hints.may_tell(1)
    assert not hints.may_tell(1)
    assert hints.may_tell(2)
    clock.elapsed_s = HINT_INTERVAL_S - 0.1
    assert not hints.may_tell(1)
    clock.elapsed_s = HINT_INTERVAL_S
    assert hints.may_tell(1)
    assert not hints.may_tell(1)


def test_hints_remember_a_bounded_number_of_members() -> None:
    hints = HintLimiter(MovedClock())
    assert all(hints.may_tell(user_id) for user_id in range(MEMBERS_MAX + 10))
    assert len(hints._told) == MEMBERS_MAX
    assert not hints.may_tell(MEMBERS_MAX)


# --- windows ---


def found(name: str) -> FoundFile:
    attachment: Any = SimpleNamespace(filename=name)
    return FoundFile(attachment=attachment)


def test_a_window_gives_its_files_once_to_the_one_who_opened_it() -> None:
    windows = OpenWindows(MovedClock())
    files = [found("a.png")]
    key = windows.remember(1, files)
    assert windows.take(key, 1) is files
    with pytest.raises(AppError, match=r"modal\.stale"):
        windows.take(key, 1)


@pytest.mark.parametrize("case", ["somebody else", "too late", "unknown"])
def test_a_window_that_is_not_yours_or_too_old_is_stale(case: str) -> None:
    clock = MovedClock()
    windows = OpenWindows(clock)
    key = windows.remember(1, [found("a.png")])
    if case == "too late":
        clock.elapsed_s = OPEN_WINDOW_S + 0.1
    with pytest.raises(AppError, match=r"modal\.stale"):
        windows.take("0" * 16 if case == "unknown" else key, 2 if case == "somebody else" else 1)


def test_windows_are_bounded_and_the_oldest_goes_first() -> None:
    windows = OpenWindows(MovedClock())
    keys = [windows.remember(1, [found(str(number))]) for number in range(OPEN_WINDOWS_MAX + 1)]
    assert len(set(keys)) == len(keys)
    with pytest.raises(AppError):
        windows.take(keys[0], 1)
    assert windows.take(keys[1], 1)
    assert windows.take(keys[-1], 1)


# --- files of messages ---


def message(*types: str | None, forwarded: tuple[str | None, ...] = ()) -> Any:
    def files(kinds: tuple[str | None, ...]) -> list[Any]:
        return [SimpleNamespace(content_type=kind) for kind in kinds]

    return SimpleNamespace(
        id=5,
        channel=SimpleNamespace(id=6),
        attachments=files(types),
        message_snapshots=[SimpleNamespace(attachments=files(forwarded))] if forwarded else [],
    )


def test_pictures_of_a_message_are_what_discord_calls_pictures_or_does_not_name() -> None:
    kept = image_attachments(message("image/png", "video/mp4", None, "text/plain", "image/webp"))
    assert [file.content_type for file in kept] == ["image/png", None, "image/webp"]
    assert len(image_attachments(message(*["image/png"] * 30))) == 10


def test_a_forwarded_picture_is_found_and_cannot_be_asked_for_again() -> None:
    (own,) = files_of(message("image/png", forwarded=("image/jpeg",)))
    assert (own.message_id, own.channel_id) == (5, 6)
    (passed_on,) = files_of(message("text/plain", forwarded=("image/jpeg",)))
    assert (passed_on.message_id, passed_on.channel_id) == (None, None)
    assert files_of(message("text/plain")) == []


def test_an_edit_of_a_result_takes_the_picture_that_was_chosen() -> None:
    images = tuple(
        JobImage(url=f"https://x.example/{index}", width=512, height=512, content_type="image/jpeg")
        for index in range(2)
    )
    job = build_job(results=images, message_id=9, steps=40, aspect_ratio="16:9", output_format="png")
    picture, source = edit_of_job("night", job, 1, channel_id=7)
    assert (picture.prompt, picture.steps, picture.aspect_ratio, picture.output_format) == (
        "night",
        40,
        "16:9",
        "png",
    )
    assert (source.url, source.job_id, source.image_index) == ("https://x.example/1", job.id, 1)
    assert (source.channel_id, source.message_id) == (7, 9)
    assert picture.seed is None
    with pytest.raises(AppError, match=r"job\.unknown"):
        edit_of_job("night", build_job(), 0, channel_id=7)


def test_a_picture_that_is_not_there_is_refused_with_the_count() -> None:
    image = JobImage(url="https://x.example/0", width=512, height=512, content_type="image/jpeg")
    with pytest.raises(AppError) as refused:
        edit_of_job("night", build_job(results=(image,)), 3, channel_id=7)
    assert (refused.value.key, refused.value.params) == ("input.which", {"count": 1})


# --- modals ---


@pytest.mark.parametrize("pictures", [0, 1, 2, 4, 30])
async def test_the_window_asks_which_picture_only_where_there_are_several(pictures: int) -> None:
    modal = _modals.edit_modal(text, "m1:edit:x", pictures=pictures, price_credits=8)
    wire = modal.to_dict()
    assert (wire["custom_id"], len(wire["title"]) <= 45) == ("m1:edit:x", True)
    assert len(wire["components"]) == (2 if pictures > 1 else 1)
    assert modal.is_finished()
    if pictures > 1:
        select: Any = wire["components"][1]
        assert len(select["component"]["options"]) == min(pictures, 10)


async def test_the_window_names_the_price() -> None:
    priced: Any = _modals.edit_modal(text, "x", pictures=1, price_credits=1).to_dict()["components"][0]
    assert "1 credit;" in priced["description"]
    assert len(priced["description"]) <= 100


@pytest.mark.parametrize(
    ("values", "index"),
    [
        ({}, 0),
        ({"picture": []}, 0),
        ({"picture": ["1"]}, 0),
        ({"picture": ["3"]}, 2),
        ({"picture": ["4"]}, 0),
        ({"picture": ["0"]}, 0),
        ({"picture": ["-1"]}, 0),
        ({"picture": ["x"]}, 0),
        ({"picture": ["²"]}, 0),
        ({"picture": ["9" * 400]}, 0),
    ],
)
def test_an_odd_choice_is_the_first_picture(values: dict[str, list[str]], index: int) -> None:
    assert _modals.chosen_picture(values, 3) == index


def test_the_typed_prompt_is_found_or_empty() -> None:
    assert _modals.typed_prompt({"prompt": ["night"]}) == "night"
    assert _modals.typed_prompt({}) == ""
    assert _modals.typed_prompt({"prompt": []}) == ""


# --- submitted windows ---


def test_values_are_found_through_labels_and_rows() -> None:
    components = [
        {"type": 18, "component": {"type": 4, "custom_id": "prompt", "value": "night"}},
        {"type": 18, "component": {"type": 3, "custom_id": "picture", "values": ["2"]}},
        {"type": 1, "components": [{"type": 4, "custom_id": "old", "value": ""}]},
    ]
    assert collect_values(components) == {"prompt": ["night"], "picture": ["2"], "old": [""]}


@pytest.mark.parametrize(
    ("fields", "quoted"),
    [
        ({"typed": "lots", "reason": "won the contest", "days": "30"}, "lots · won the contest · 30"),
        ({"typed": "", "reason": "calm down", "cap": "day"}, "calm down"),
        ({"reason": "rule 3"}, "rule 3"),
        ({"prompt": "a lantern"}, "a lantern"),
        ({"typed": " ", "reason": ""}, None),
    ],
)
def test_all_that_was_typed_into_a_window_is_quoted_back(fields: dict[str, str], quoted: str | None) -> None:
    sent = [{"type": 18, "component": {"custom_id": name, "value": value}} for name, value in fields.items()]
    window: Any = SimpleNamespace(type=discord.InteractionType.modal_submit, data={"components": sent})
    assert typed_words(window) == quoted


DEEP: dict[str, Any] = {"custom_id": "deep", "value": "x"}
for _ in range(50):
    DEEP = {"component": DEEP}


@pytest.mark.parametrize(
    "components",
    [
        None,
        [],
        {},
        "text",
        5,
        [None, 1, "x", []],
        [{"custom_id": 5, "value": "x"}],
        [{"custom_id": ["x"]}],
        [{"component": "x"}],
        [{"component": None, "components": None}],
        [{"components": "abc"}],
        [{"components": {"a": 1}}],
        [DEEP],
        [{"custom_id": "a", "value": "x"}] * 10_000,
    ],
    ids=lambda payload: repr(payload)[:30],
)
def test_a_hostile_window_has_no_values_and_raises_nothing(components: Any) -> None:
    assert collect_values(components) in ({}, {"a": ["x"]})


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ({"custom_id": "a"}, []),
        ({"custom_id": "a", "value": None}, []),
        ({"custom_id": "a", "values": None}, []),
        ({"custom_id": "a", "values": "abc"}, []),
        ({"custom_id": "a", "values": 7}, []),
        ({"custom_id": "a", "value": 7}, ["7"]),
        ({"custom_id": "a", "values": ["x", None, "y"]}, ["x", "y"]),
    ],
    ids=str,
)
def test_odd_values_are_left_out(component: dict[str, Any], expected: list[str]) -> None:
    assert collect_values([component]) == {"a": expected}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["custom_id", "value", "values", "component", "components"]), inner)
    ),
    max_leaves=20,
)


@given(json_like)
def test_whatever_arrives_the_values_are_lists_of_text(payload: Any) -> None:
    for key, values in collect_values(payload).items():
        assert isinstance(key, str)
        assert all(isinstance(value, str) for value in values)


class Attached:
    """As much of an attachment as loading it needs; `errors` are raised first."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.size, self.url = 1000, "https://cdn.discordapp.com/attachments/1/2/a.png"
        self.id = 5

    async def read(self) -> bytes:
        if self.errors:
            raise self.errors.pop(0)
        return picture("PNG")


async def load(attached: Any) -> Source:
    clock = MovedClock()
    loader = SourceLoader(Retry(clock))
    loading = asyncio.ensure_future(loader.load(FoundFile(attachment=attached, channel_id=1, message_id=2)))
    while not loading.done():
        # A file is looked into on a thread.
        await asyncio.sleep(0.001)
        clock.move_on()
    source, _ = await loading
    return source


async def test_a_file_that_a_reset_cuts_off_is_read_again() -> None:
    source = await load(Attached(ConnectionResetError(104, "reset"), ConnectionResetError(104, "reset")))
    assert (source.message_id, source.attachment_id) == (2, 5)


async def test_a_file_that_never_comes_is_refused_with_a_reason() -> None:
    with pytest.raises(SourceRefused) as refused:
        await load(Attached(*[ConnectionResetError(104, "reset")] * 99))
    assert refused.value.key == "source.unreachable"
