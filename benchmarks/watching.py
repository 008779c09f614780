"""People who look at a run: `python benchmarks/watching.py '{"port": …, "secret": …, "viewers": …}'` until TERM."""

from __future__ import annotations

import asyncio
import html
import json
import random
import re
import signal
import sys

import aiohttp

_TIMES = re.compile(r'hx-get="([^"]+)" hx-trigger="every (\d+)s"')


async def watch(viewer: aiohttp.ClientSession, counted: dict[str, int]) -> None:
    """Ask for the part of the page as often as the page says, and for what it has not seen."""
    path, delay_s = "/runs/1/live?seen=", 2
    await asyncio.sleep(random.random() * delay_s)
    while True:
        async with viewer.get(path) as answer:
            said = await answer.text()
            counted["asked" if answer.status in (200, 204) else "failed"] += 1
        if found := _TIMES.search(said):
            path, delay_s = html.unescape(found[1]), int(found[2])
        await asyncio.sleep(delay_s)


async def main() -> None:
    """All of them, until the process is told to end; then what was counted, as JSON."""
    given = json.loads(sys.argv[1])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    counted = {"asked": 0, "failed": 0}
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{given['port']}",
        cookies={"sms": given["secret"]},
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.CookieJar(unsafe=True),
    ) as viewer:
        viewers = [asyncio.create_task(watch(viewer, counted)) for _ in range(given["viewers"])]
        await ended.wait()
        for one in viewers:
            one.cancel()
        await asyncio.gather(*viewers, return_exceptions=True)
    print(json.dumps(counted))


asyncio.run(main())
