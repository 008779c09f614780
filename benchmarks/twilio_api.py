"""A Twilio that costs next to nothing: it takes every create, and answers as long as Twilio does.

`python -m benchmarks.twilio_api --port 0`. A web framework would take processor time from the service on the same two
cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal

_ACCOUNT = "AC00000000000000000000000000000001"
# What Twilio answers to a create; only the sid changes. https://www.twilio.com/docs/messaging/api/message-resource
_MESSAGE = {
    "account_sid": _ACCOUNT,
    "api_version": "2010-04-01",
    "body": "【学习】请于本周五前完成本月的学习任务。",
    "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    "date_sent": None,
    "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
    "direction": "outbound-api",
    "error_code": None,
    "error_message": None,
    "from": None,
    "messaging_service_sid": "MG00000000000000000000000000000001",
    "num_media": "0",
    "num_segments": "0",
    "price": None,
    "price_unit": None,
    "sid": "@",
    "status": "accepted",
    "subresource_uris": {"media": f"/2010-04-01/Accounts/{_ACCOUNT}/Messages/@/Media.json"},
    "to": "+8613800138000",
    "uri": f"/2010-04-01/Accounts/{_ACCOUNT}/Messages/@.json",
}
_BODY = json.dumps(_MESSAGE).replace("@", "SM%(sid)032x").encode()
_HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_ANSWER = _HEAD % len(_BODY % {b"sid": 0}) + _BODY


class TwilioApi(asyncio.Protocol):
    """One connection. Messages count from 1 over all connections of the process."""

    last_id = 0

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            TwilioApi.last_id += 1
            self._transport.write(_ANSWER % {b"sid": TwilioApi.last_id})


async def _serve(port: int) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(TwilioApi, "127.0.0.1", port)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().port))
