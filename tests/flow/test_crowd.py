"""Many members in many servers at once, with the books of both local services beside what they saw."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.flow.conftest import only_sqlite
from tests.support.crowd import Crowd

if TYPE_CHECKING:
    from tests.flow.conftest import Stack


@only_sqlite
async def test_every_request_of_a_crowd_ends_in_one_picture_that_was_paid_for_once(stack: Stack) -> None:
    await stack.servers.set_kvid(prepared_pictures=True, concurrency=8)
    crowd = await Crowd.gather(stack.servers, guilds=3, members=6, channels=1, open_max=2)
    acts = await crowd.make(30, edit_share=0.2, reply_share=0.4, width=256, height=256)
    assert Counter(act.ended for act in acts) == {"picture": 30}
    assert len({act.job_id for act in acts}) == len({act.result_id for act in acts}) == 30
    assert min(Counter(act.kind for act in acts).values()) > 2
    assert len({act.kind for act in acts}) == 3
    kvid = await stack.servers.kvid_books()
    prompts = Counter(job["parameters"]["prompt"] for job in kvid["jobs"])
    assert prompts == Counter(act.prompt for act in acts)
    assert kvid["balance_credits"] == 100_000 - kvid["charged_credits"]
    discord = await stack.servers.discord_books()
    results = {act.result_id for act in acts}
    with_pictures = {one["id"] for one in discord["messages"] if one["attachments"]}
    assert with_pictures == results
    assert discord["invalid_requests"] == 0
    assert {one["failed"] for one in discord["interactions"]} == {False}
    await stack.assert_books_agree()
