"""Answers of an SMSC that nobody can read, and what the line makes of them."""

from __future__ import annotations

from pathlib import Path

from sms_service.gateways.base import Group, OutcomeKind, Text
from sms_service.gateways.smpp.adapter import Options, SmppAdapter
from sms_service.simulator.behaviour import CHOICES
from tests.gateways.simulator_process import SimulatorProcess
from tests.gateways.smpp_provider import PASSWORD, Kept


def test_a_text_whose_answer_cannot_be_read_is_unknown_and_has_no_name(tmp_path: Path) -> None:
    """Also one whose id is cut, or no text: under such a name none of its receipts would ever be found."""
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--silent-share", "1", secret=PASSWORD, smpp=True) as smsc:
        adapter = SmppAdapter(Options("127.0.0.1", smsc.smpp_port, "simulator", PASSWORD, "10690000"))
        adapter.open(Kept().keep)
        try:
            for number, way in enumerate(CHOICES["garble_as"]):
                smsc.behave(garble_share=1, garble_as=way)
                assert adapter.state(20).up
                [short] = adapter.submit(Group(way, [Text(f"202607-{number}", f"+861390000000{number}", "学习", 1)]))
                assert (way, short.kind, short.provider_id) == (way, OutcomeKind.unknown, None)
            # Of a long text, the part whose name is whole keeps it.
            phone = "+8613900000099"
            smsc.behave(garble_as="cut", by_phone=[{"match": "\\" + phone, "part": 1}])
            [long] = adapter.submit(Group("long", [Text("202607-99", phone, "学习" * 50, 2)]))
            [first, _] = [part["wire_id"] for part in smsc.parts() if part["to"] == phone]
            assert (long.kind, long.part_ids) == (OutcomeKind.unknown, (first, ""))
        finally:
            adapter.close()
