"""A day of the whole service with a moved clock: at its end nothing is kept that was not kept in its morning."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from PIL import Image

from bot.credits import audit
from sandbox.kvid.settings import KvidSettings
from tests.support.books import compare, read_account
from tests.support.kept import Kept, count_kept, memory_traced, read_memory
from tests.support.member import File, Member, buttons_of, pictures_of, text_of
from tests.support.moved_app import MovedApp, run_moved_app
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Servers

# Memory is traced for the last hours alone, since tracing makes everything three times as slow.
HOURS, MORNING, TRACED = 24, 8, 2
HOUR_S, LEAP_S = 3600.0, 600.0
GUESTS = 3
MESSAGES_SEEN = 6
# What a request or two more in the air hold; anything that each job left behind would be more by the evening.
NOISE = 8
# What caches with bounds of their own take in within two hours: SQLite's statements, discord.py's routes.
NOISE_BYTES = 200_000


class Day:
    """Members who do each hour what members do, through the page's endpoints."""

    def __init__(self, moved: MovedApp, members: list[Member], moderator: Member) -> None:
        self.moved = moved
        self.members = members
        self.moderator = moderator
        self.prompts = 0

    async def see(
        self, member: Member, channel: str, matches: Callable[[dict[str, Any]], object], after: str
    ) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            seen = await member.messages(channel, limit=MESSAGES_SEEN)
            return next((one for one in seen[::-1] if int(one["id"]) > int(after) and matches(one)), None)

        found: dict[str, Any] = await self.moved.until(look)
        return found

    async def imagine(self, member: Member, **options: Any) -> dict[str, Any]:
        """The result, once a public one's card tells of it too."""
        channel, prompt, after = await self._ask(member, **options)
        if not options:
            await self.see(member, channel, lambda one: "Here it is" in text_of(one), after)
        return await self.see(member, channel, lambda one: pictures_of(one) and prompt in text_of(one), after)

    async def _ask(self, member: Member, **options: Any) -> tuple[str, str, str]:
        self.prompts += 1
        channel, prompt = member.channel("studio"), f"stage number {self.prompts}"
        after = await member.newest_id(channel)
        await member.slash(channel, "imagine", prompt=prompt, width=256, height=256, **options)
        return channel, prompt, after

    async def edit(self, member: Member, picture: bytes) -> None:
        self.prompts += 1
        channel = member.channel("studio")
        after = await member.newest_id(channel)
        prompt = f"stage number {self.prompts}"
        await member.slash(channel, "edit", prompt=prompt, image=File("one.png", picture, "image/png"))
        await self.see(member, channel, lambda one: "Here it is" in text_of(one), after)

    async def reply(self, member: Member, result: dict[str, Any]) -> None:
        self.prompts += 1
        channel, prompt = member.channel("studio"), f"stage number {self.prompts}"
        said = await member.say(channel, prompt, reply_to=result["id"])
        await self.see(member, channel, lambda one: pictures_of(one) and prompt in text_of(one), said["id"])
        await member.say(channel, "without a ping", reply_to=result["id"], ping=False)

    async def fail(self, member: Member) -> None:
        """A job that fails, and one that gets there although kvid and Discord fail once each."""
        servers = self.moved.servers
        await servers.kvid_fault("submit", {"job": "fail"})
        channel, _, after = await self._ask(member)
        await self.see(member, channel, lambda one: "No picture this time" in text_of(one), after)
        await servers.kvid_fault("status", {"code": "SERVER_ERROR"})
        await servers.discord_fault(method="POST", path_regex="/channels/[0-9]+/messages$", status=503)
        await self.imagine(member)

    async def look_around(self, member: Member) -> None:
        """The cards of members and moderators, with a chart, a window and the panel."""
        channel = member.channel("studio")
        after = await member.newest_id(channel)
        await member.slash(channel, "usage")
        await member.wait_for_text(channel, "Your credits", after=after)
        after = await self.moderator.newest_id(channel)
        await self.moderator.slash(channel, "studio settings")
        panel = await self.moderator.wait_for_text(channel, "Studio settings", after=after)
        await self.moderator.choose(panel, "studio1:show", "words")
        await self.moved.idle()
        await self.moderator.press(panel, custom_id=buttons_of(panel)[0]["custom_id"], forge=True)
        await self.moved.idle()

    async def hour(self, number: int, picture: bytes) -> None:
        member = self.members[number % len(self.members)]
        await self.reply(member, await self.imagine(member))
        match number % 4:
            case 0:
                await self.imagine(member, private=True)
            case 1:
                await self.edit(member, picture)
            case 2:
                await self.fail(member)
            case _:
                await self.look_around(member)
        if number % 6 == 0:
            await self.moved.servers.disturb_gateway("close", resumable=number % 12 == 0)
            await self.moved.until_online()
        await self.moved.pass_s(HOUR_S, leap_s=LEAP_S)


async def begin(moved: MovedApp, servers: Servers) -> Day:
    members = [await Member.join(servers, skip=skip) for skip in range(GUESTS)]
    return Day(moved, members, await Member.join(servers, moderator=True))


def build_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (256, 256), (230, 115, 159)).save(out, format="PNG")
    return out.getvalue()


def find_growth(morning: Kept, evening: Kept) -> dict[str, object]:
    """What there is more of than noise explains."""
    grown: dict[str, object] = {}
    for what in ("tasks", "descriptors", "threads"):
        before, after = getattr(morning, what), getattr(evening, what)
        if after - before > NOISE:
            grown[what] = (before, after)
    more = evening.objects - morning.objects
    grown.update(
        {name: (morning.objects[name], evening.objects[name]) for name in more if more[name] > NOISE}
    )
    return grown


async def test_a_day_leaves_nothing_behind(database_url: str) -> None:
    kvid = KvidSettings(render_s=0, prepared_pictures=True, balance_credits=10**6)
    async with run_servers(kvid=kvid) as servers, run_moved_app(servers, database_url) as moved:
        day = await begin(moved, servers)
        picture = build_picture()
        for number in range(MORNING):
            await day.hour(number, picture)
        morning = count_kept()
        for number in range(MORNING, HOURS - TRACED):
            await day.hour(number, picture)
        with memory_traced():
            for number in range(HOURS - TRACED, HOURS):
                await day.hour(number, picture)
            traced = read_memory()
        evening = count_kept()
        account = await moved.app._database.read(read_account)
        report = compare(account, await servers.kvid_books(), await servers.discord_books())
        assert report.findings == ()
        assert report.ends == {"delivered": HOURS * 11 // 4, "failed: render": HOURS // 4}
        assert await moved.app._database.read(audit.find_differences) == []
    assert find_growth(morning, evening) == {}
    assert traced.total() <= NOISE_BYTES, traced.most_common(10)
