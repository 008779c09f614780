"""Stand-ins for two providers with an HTTP interface, each in a process of its own: "heron", invented, as
docs/gateways-http.md describes it, and "mas", China Mobile's cloud MAS as mas.toml assumes it.

They check what a provider checks, do with the texts to a phone what `answer` says, and write down what they took before
they answer. A third face of heron, `/old`, is a provider of the old kind: forms in GB18030 and answers in plain text.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

HERON_KEY = "heron-key-of-the-tests"
MAS = {
    "ecName": "某市委组织部",
    "apId": "zzbsms",
    "secretKey": "mas-key-of-the-tests",
    "sign": "aB3dE5fGh",
    "addSerial": "",
}


class StandIn:
    """`with StandIn("heron") as heron: … heron.url, heron.answer(phone, "refuse", code="410"), heron.taken()`.

    Phones are written as the provider gets them.
    """

    def __init__(self, kind: str) -> None:
        self.process = subprocess.Popen([sys.executable, __file__, kind], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        with self.process.stdout:
            self.url, self._control = (
                f"http://127.0.0.1:{int(port)}" for port in self.process.stdout.readline().split()
            )

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=15)

    def answer(self, phone: str, do: str, **more: Any) -> None:
        """What a text to `phone` gets: accept, refuse, whole_group (with `code`), raw (with `status`, `body`, perhaps
        `headers` and `take`), not_listed, hang, reset.
        """
        self._call("PUT", "/answers", {"phone": phone, "do": do, **more})

    def offer(self, kind: str, records: Any) -> None:
        """What the next pull of receipts or replies gets."""
        self._call("PUT", "/offers", {"kind": kind, "records": records})

    def taken(self) -> list[dict[str, Any]]:
        """All that was taken, in order: phone, text, id."""
        return self._call("GET", "/taken")

    def requests(self) -> list[dict[str, Any]]:
        """All requests that came, in order: path, headers, document."""
        return self._call("GET", "/requests")

    def stop(self) -> None:
        """Listen no more."""
        self._call("PUT", "/listening", False)

    def start(self) -> None:
        """Listen again on the same port."""
        self._call("PUT", "/listening", True)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._control + path, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())


def heron_signature(at: str, body: bytes, key: str = HERON_KEY) -> str:
    """What heron signs with, both ways."""
    return hmac.new(key.encode(), at.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def mas_mac(document: dict[str, Any], middle: tuple[str, ...]) -> str:
    """MD5 over the fields in the provider's order."""
    names = ("ecName", "apId", "secretKey", *middle, "sign", "addSerial")
    known = {**document, "secretKey": MAS["secretKey"]}
    return hashlib.md5("".join(known[name] for name in names).encode()).hexdigest()


class _Refused(Exception):
    """A request as a whole is answered with this code."""


def _serve(kind: str) -> None:
    from aiohttp import web

    answers: dict[str, dict[str, Any]] = {}
    offers: dict[str, Any] = {}
    taken: list[dict[str, Any]] = []
    requests: list[dict[str, Any]] = []

    def take(phone: str, text: str, identifier: str) -> None:
        taken.append({"phone": phone, "text": text, "id": identifier})

    async def disturbed(request: web.Request, phones: list[str]) -> web.StreamResponse | None:
        """The answer if one of the phones asks for none of the ordinary ones."""
        for phone in phones:
            answer = answers.get(phone, {})
            if answer.get("do") == "hang":
                await asyncio.Event().wait()
            if answer.get("do") == "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            if answer.get("do") == "raw":
                return web.Response(status=answer["status"], text=answer["body"], headers=answer.get("headers"))
        return None

    def is_taken(phone: str) -> bool:
        answer = answers.get(phone, {"do": "accept"})
        return answer["do"] in ("accept", "not_listed", "hang", "reset") or answer.get("take", False)

    async def heron(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        requests.append({"path": request.path, "headers": dict(request.headers), "document": json.loads(body)})
        signature = heron_signature(request.headers["X-Time"], body)
        if request.headers["X-Signature"] != signature or request.headers["X-App"] != "city-42":
            return web.json_response({"code": 401}, status=401)
        texts = json.loads(body)["messages"]
        for text in texts:
            if answers.get(text["phone"], {}).get("do") == "whole_group":
                return web.json_response({"code": answers[text["phone"]]["code"]}, status=400)
        results = []
        for text in texts:
            answer = answers.get(text["phone"], {"do": "accept"})
            identifier = f"h-{len(taken)}"
            if answer["do"] == "refuse":
                results.append({"reference": text["reference"], "code": answer["code"]})
                continue
            if is_taken(text["phone"]):
                take(text["phone"], text["text"], identifier)
            if answer["do"] != "not_listed":
                results.append({"reference": text["reference"], "code": 0, "id": identifier})
        return await disturbed(request, [text["phone"] for text in texts]) or web.json_response(
            {"code": 0, "results": results}
        )

    async def old(request: web.Request) -> web.StreamResponse:
        raw = dict(pair.split("=") for pair in (await request.read()).decode().split("&"))
        form = {name: unquote_plus(value, encoding="gb18030") for name, value in raw.items()}
        query = {
            name: unquote_plus(value, encoding="gb18030")
            for name, _, value in (pair.partition("=") for pair in request.raw_path.partition("?")[2].split("&"))
        }
        requests.append({"path": request.path, "headers": dict(request.headers), "document": form, "query": query})
        password = b"user" + HERON_KEY.encode() + form["text"].encode("gb18030")
        if form["pwd"] not in ("", hashlib.md5(password).hexdigest()):
            return web.Response(text="-1,")
        if is_taken(form["mobile"]):
            take(form["mobile"], form["text"], f"o{len(taken)}")
        return await disturbed(request, [form["mobile"]]) or web.Response(text=f"0,{taken[-1]['id']}")

    async def mas(request: web.Request) -> web.StreamResponse:
        document = json.loads(base64.b64decode(await request.read(), validate=True))
        requests.append({"path": request.path, "headers": dict(request.headers), "document": document})
        if request.path in ("/sms/report", "/sms/deliver"):
            if document != {name: MAS[name] for name in ("ecName", "apId", "secretKey")}:
                return web.json_response({"msgGroup": "", "rspcod": "InvalidUsrOrPwd", "success": False})
            return web.json_response(offers.pop(request.path, []))
        template = request.path == "/sms/tmpsubmit"
        middle = ("templateId", "mobiles", "params") if template else ("mobiles", "content")
        phones = document["mobiles"].split(",")
        try:
            if any(document[name] != MAS[name] for name in ("ecName", "apId")):
                raise _Refused("InvalidUsrOrPwd")
            if document["mac"] != mas_mac(document, middle):
                raise _Refused("IllegalMac")
            if document["sign"] != MAS["sign"]:
                raise _Refused("NoSignId")
            for phone in phones:
                if answers.get(phone, {}).get("do") in ("refuse", "whole_group"):
                    raise _Refused(answers[phone]["code"])
        except _Refused as error:
            return web.json_response({"msgGroup": "", "rspcod": str(error), "success": False})
        group = f"{len(taken):022d}"
        text = json.loads(document["params"])[0] if template else document["content"]
        for phone in phones:
            if is_taken(phone):
                take(phone, text, group)
        return await disturbed(request, phones) or web.json_response(
            {"msgGroup": group, "rspcod": "success", "success": True}
        )

    async def set_answer(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        answers[asked.pop("phone")] = asked
        return web.json_response(None)

    async def set_offer(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        offers[{"receipts": "/sms/report", "replies": "/sms/deliver"}[asked["kind"]]] = asked["records"]
        return web.json_response(None)

    async def show(request: web.Request) -> web.StreamResponse:
        return web.json_response({"/taken": taken, "/requests": requests}[request.path])

    async def run() -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.add_routes([web.post("/old", old), web.post("/{path:.*}", heron if kind == "heron" else mas)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        sites = [web.TCPSite(runner, "127.0.0.1", 0)]
        await sites[0].start()
        port = runner.addresses[0][1]

        async def listening(request: web.Request) -> web.StreamResponse:
            if await request.json():
                if not sites:
                    sites.append(web.TCPSite(runner, "127.0.0.1", port, reuse_address=True))
                    await sites[0].start()
            elif sites:
                await sites.pop().stop()
            return web.json_response(None)

        control = web.Application()
        control.add_routes([web.put("/answers", set_answer), web.put("/offers", set_offer)])
        control.add_routes([web.put("/listening", listening), web.get("/taken", show), web.get("/requests", show)])
        controller = web.AppRunner(control, access_log=None, shutdown_timeout=0)
        await controller.setup()
        await web.TCPSite(controller, "127.0.0.1", 0).start()
        print(port, controller.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


def example(name: str) -> str:
    """The TOML of one of the examples in docs/gateways-http.md."""
    page = (Path(__file__).parents[2] / "docs/gateways-http.md").read_text(encoding="utf-8")
    return page.split(f"<!-- example: {name} -->\n```toml\n")[1].split("```")[0]


if __name__ == "__main__":
    _serve(sys.argv[1])
