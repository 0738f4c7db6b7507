"""What a request costs the local kvid and the local Discord: a load run must not measure them.

Run with `python bench/stand_ins.py`, and with another checkout's path behind it to compare. Each service is a
process of its own; one client asks, `AT_ONCE` requests at a time. The CPU is the service's own, and says more than
the rate where the machine has other things to do.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.apart import HERE, serve_apart

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

AT_ONCE, JOBS = 16, 600
Cost = tuple[float, float]  # acts a second, milliseconds of CPU an act
KVID = {
    "render_s": 0,
    "concurrency": 64,
    "queue_max": 5_000,
    "balance_credits": 10**9,
    "quick_pictures": True,
    "prepared_pictures": True,
}
DISCORD = {"rate_limits_relaxed": True, "acknowledge_within_s": 600}
BOT = {"Authorization": "Bot local-discord-token"}
KEY = {"api-key": "local-kvid-key"}


async def measure(
    service: psutil.Process, act: Callable[[Any], Awaitable[Any]], given: Sequence[Any]
) -> tuple[Cost, list[Any]]:
    """What the acts cost, and what they answered, in the order of `given`."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> Any:
        async with gate:
            return await act(item)

    begun, cpu_s = time.perf_counter(), sum(service.cpu_times()[:2])
    answers = await asyncio.gather(*(one(item) for item in given))
    return read_cost(service, begun, cpu_s, len(given)), answers


def read_cost(service: psutil.Process, begun: float, cpu_s: float, acts: int) -> Cost:
    spent_s = sum(service.cpu_times()[:2]) - cpu_s
    return acts / (time.perf_counter() - begun), 1000 * spent_s / acts


async def measure_kvid(tree: Path) -> dict[str, Cost]:
    async with (
        serve_apart("kvid", KVID, tree) as (url, process_id),
        aiohttp.ClientSession(headers=KEY) as session,
    ):
        service = psutil.Process(process_id)
        made = f"{url}/ai/generation"

        async def submit(number: int) -> str:
            body = {"prompt": f"stage {number}"}
            async with session.post(f"{made}/text-to-image/generate-async", json=body) as answer:
                job_id: str = (await answer.json())["data"]["job_id"]
                return job_id

        async def ask(job_id: str) -> Any:
            async with session.get(f"{made}/status?jobId={job_id}") as answer:
                return (await answer.json())["data"]["status"]

        async def fetch(job_id: str) -> None:
            async with session.get(f"{made}/result?jobId={job_id}") as answer:
                link = (await answer.json())["data"]["result_url"]
            async with session.get(link) as answer:
                await answer.read()

        begun, cpu_s = time.perf_counter(), sum(service.cpu_times()[:2])
        rates: dict[str, Cost] = {}
        rates["kvid submit"], jobs = await measure(service, submit, range(JOBS))
        while await ask(jobs[-1]) != "completed":
            await asyncio.sleep(0.01)
        rates["kvid jobs from submit to drawn"] = read_cost(service, begun, cpu_s, JOBS)
        rates["kvid status"], _ = await measure(service, ask, jobs)
        rates["kvid result and download"], _ = await measure(service, fetch, jobs)
        return rates


async def measure_discord(tree: Path) -> dict[str, Cost]:
    async with serve_apart("discord", DISCORD, tree) as (url, process_id), aiohttp.ClientSession() as session:
        service = psutil.Process(process_id)
        async with session.get(f"{url}/page/state") as answer:
            state = await answer.json()
        me = state["me"]["id"]
        channel = next(one["id"] for one in state["channels"] if one["name"] == "studio")
        api, picture = f"{url}/api/v10", build_picture()
        command = {"name": "imagine", "description": "Make a picture"}
        application = "1180000000000000001"
        async with session.put(
            f"{api}/applications/{application}/commands", json=[command], headers=BOT
        ) as answer:
            command_id = (await answer.json())[0]["id"]
        tokens: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        reader = asyncio.create_task(listen(session, url, tokens))
        await asyncio.sleep(0.5)

        async def send(method: str, path: str, **body: Any) -> None:
            async with session.request(method, path, **body) as answer:
                assert answer.status < 300, await answer.text()

        async def press(_: int) -> None:
            body = {"type": 2, "channel_id": channel, "command_id": command_id, "options": []}
            await send("POST", f"{url}/page/interactions?as={me}", json=body)

        async def acknowledge(_: int) -> str:
            interaction_id, token = await tokens.get()
            body = {"type": 5, "data": {"flags": 64}}
            await send("POST", f"{api}/interactions/{interaction_id}/{token}/callback", json=body)
            return token

        async def edit(token: str) -> None:
            await send(
                "PATCH",
                f"{api}/webhooks/{application}/{token}/messages/@original",
                json={"content": "1 of 2"},
            )

        async def post(number: int) -> None:
            form = aiohttp.FormData(default_to_multipart=True)
            body = {"content": "Done", "nonce": f"job{number}", "enforce_nonce": True}
            body["attachments"] = [{"id": 0, "filename": "a.jpg"}]
            form.add_field("payload_json", json.dumps(body), content_type="application/json")
            form.add_field("files[0]", picture, filename="a.jpg", content_type="image/jpeg")
            await send("POST", f"{api}/channels/{channel}/messages", data=form, headers=BOT)

        rates: dict[str, Cost] = {}
        rates["Discord press"], _ = await measure(service, press, range(JOBS))
        rates["Discord acknowledgement"], acknowledged = await measure(service, acknowledge, range(JOBS))
        rates["Discord edit of a card"], _ = await measure(service, edit, acknowledged)
        rates["Discord post with a picture"], _ = await measure(service, post, range(JOBS))
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return rates


async def listen(session: aiohttp.ClientSession, url: str, tokens: asyncio.Queue[tuple[str, str]]) -> None:
    async with session.ws_connect(f"{url}/gateway") as socket:
        identify = {"token": "local-discord-token", "intents": 4609, "properties": {}}
        await socket.send_json({"op": 2, "d": identify})
        async for frame in socket:
            event = json.loads(frame.data)
            if event["t"] == "INTERACTION_CREATE":
                tokens.put_nowait((event["d"]["id"], event["d"]["token"]))


def build_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1024, 1024), (122, 156, 240)).save(out, format="JPEG")
    return out.getvalue()


async def main() -> None:
    trees = [*(Path(name) for name in sys.argv[1:2]), HERE]
    columns = [{**await measure_kvid(tree), **await measure_discord(tree)} for tree in trees]
    names = ["there", "here"][-len(trees) :]
    print(f"| {AT_ONCE} at a time | {' | '.join(names)} |")
    print(f"|---|{'---|' * len(trees)}")
    for what in columns[0]:
        print(
            f"| {what} |",
            " | ".join(
                f"{rate:,.0f} /s, {cpu_ms:.2f} ms CPU" for rate, cpu_ms in (one[what] for one in columns)
            ),
            "|",
        )


if __name__ == "__main__":
    asyncio.run(main())
