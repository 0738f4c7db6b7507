"""What a member does in a case of the crash matrix; the process dies at one of the steps that follow."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from db.enums import JobState
from tests.support.member import File, text_of

if TYPE_CHECKING:
    from tests.crash.chain import Corner

SMALL: dict[str, Any] = {"width": 256, "height": 256}


class Act(Protocol):
    async def __call__(self, corner: Corner, /) -> None: ...


async def nothing(_: Corner) -> None:
    """Nothing to prepare, nothing to clean up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Shape: `ends` are how its job may end; `prepare` comes before the boundaries are counted, `clean_up` once
    the process is dead.
    """

    name: str
    act: Act
    ends: frozenset[JobState] = frozenset({JobState.DELIVERED})
    prepare: Act = nothing
    clean_up: Act = nothing


async def imagine(corner: Corner) -> None:
    corner.request = await corner.member.slash(corner.channel_id, "imagine", prompt=corner.prompt, **SMALL)


async def imagine_privately(corner: Corner) -> None:
    corner.request = await corner.member.slash(
        corner.channel_id, "imagine", prompt=corner.prompt, private=True, **SMALL
    )


async def post_picture(corner: Corner) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (256, 256), "teal").save(drawn, "PNG")
    picture = File("mine.png", drawn.getvalue(), "image/png")
    corner.source = await corner.member.say(corner.channel_id, "look", files=(picture,))


async def reply(corner: Corner) -> None:
    bot_id = corner.member.state["bot"]["id"]
    said = await corner.member.say(
        corner.channel_id, f"<@{bot_id}> {corner.prompt}", reply_to=corner.source["id"]
    )
    corner.request = said["id"]


async def let_fail(corner: Corner) -> None:
    await corner.servers.kvid_fault("submit", {"job": "fail"})


async def wait_in_line(corner: Corner) -> None:
    """The one place at kvid is taken, so the picture asked for next has to wait."""
    await corner.servers.set_kvid(held=True)
    blocker = f"before {corner.prompt}"
    await corner.member.slash(corner.channel_id, "imagine", prompt=blocker, **SMALL)
    # Its card does not change any more.
    await corner.member.wait_for_text(corner.channel_id, "a little longer than usual")
    await imagine(corner)
    corner.source = await corner.member.wait_for(
        corner.channel_id, lambda m: "In line" in text_of(m) and f"> {corner.prompt}" in text_of(m)
    )


async def cancel(corner: Corner) -> None:
    await corner.member.press(corner.source, custom_id="v1:cancel:")


async def let_kvid_go_on(corner: Corner) -> None:
    await corner.servers.set_kvid(held=False)


IMAGINE = Scenario(name="imagine", act=imagine)
PRIVATE = Scenario(name="private", act=imagine_privately)
REPLY = Scenario(name="reply", prepare=post_picture, act=reply)
FAILING = Scenario(name="failing", prepare=let_fail, act=imagine, ends=frozenset({JobState.FAILED}))
CANCELLING = Scenario(
    name="cancelling",
    prepare=wait_in_line,
    act=cancel,
    clean_up=let_kvid_go_on,
    # A press that was not stored is no wish.
    ends=frozenset({JobState.CANCELLED, JobState.DELIVERED}),
)
