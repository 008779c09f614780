"""The simulator with one thing more: `POST /report` has its SMSC make a receipt there and then, whatever was planned.

    {"line": a part's line of the ledger, "code": "DELIVRD", "at": seconds since 1970}

Run it as the simulator is run: `python -m tests.gateways.smsc_on_command --port 0 …`.
"""

from __future__ import annotations

import sys
from typing import Any

from aiohttp import web

from sms_service.simulator import __main__ as program
from sms_service.simulator import smpp_pdus as pdus
from sms_service.simulator.server import Simulator
from sms_service.simulator.smpp_deliveries import Delivery, receipt_text
from sms_service.simulator.smpp_parts import RECEIPT


class SmscOnCommand(Simulator):
    """Also answers POST /report."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.app.add_routes([web.post("/report", self._report)])

    async def _report(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        line = wanted["line"]
        body = pdus.deliver(
            source=line["to"],
            dest=line["from"],
            esm_class=RECEIPT,
            data_coding=0,
            message=receipt_text(line, wanted["code"], wanted["at"]),
            tlvs=b"",
        )
        settled = {"event": "receipt", "id": line["id"], "reference": "", "number": -1, "code": wanted["code"]}
        self.smsc.deliveries._put(Delivery(lambda: body, settled))
        return web.json_response({}, status=202)


if __name__ == "__main__":
    program.Simulator = SmscOnCommand
    sys.exit(program.main())
