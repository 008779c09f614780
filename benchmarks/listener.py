"""A program that webhooks tell what happens: `python -m benchmarks.listener takes|hangs`. It prints its port.

It takes each POST, or reads it and never answers; `GET /` says how many came.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

_HANGS_S = 3600.0


def make_app(*, hangs: bool) -> web.Application:
    """The program."""
    came = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal came
        await request.read()
        came += 1
        await asyncio.sleep(_HANGS_S if hangs else 0)
        return web.Response()

    async def count(_: web.Request) -> web.Response:
        return web.Response(text=str(came))

    app = web.Application()
    app.add_routes([web.post("/", take), web.get("/", count)])
    return app


async def main() -> None:
    """Listen until somebody ends the process."""
    runner = web.AppRunner(make_app(hangs=sys.argv[1] == "hangs"), access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
