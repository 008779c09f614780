"""What a line acknowledges: what is stored, and nothing else, whatever came together with it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing

from raw_smpp import BIND_TRANSCEIVER, DELIVER, RESPONSE
from test_smpp_pdus import deliver

from sms_service.gateways.base import Receipt, Reply
from sms_service.gateways.smpp import pdus
from sms_service.gateways.smpp.adapter import Options, SmppAdapter

BAD = "2"  # a receipt with this id cannot be stored


def keep(receipts: Sequence[Receipt], replies: Sequence[Reply]) -> Future[None]:
    """Refuses whatever has the bad one among it."""
    kept: Future[None] = Future()
    if any(receipt.provider_id == BAD for receipt in receipts):
        kept.set_exception(RuntimeError("it cannot be stored"))
    else:
        kept.set_result(None)
    return kept


def test_of_receipts_that_come_at_once_only_the_bad_one_is_not_acknowledged() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        adapter = SmppAdapter(Options("127.0.0.1", listener.getsockname()[1], "city", "secret", "10690000"))
        adapter.open(keep)
        with closing(adapter), listener.accept()[0] as smsc, smsc.makefile("rb") as received:
            smsc.settimeout(20)

            def read() -> tuple[int, int, int]:
                length, command, status, sequence = struct.unpack(">4L", received.read(16))
                received.read(length - 16)
                return command, status, sequence

            assert read()[0] == BIND_TRANSCEIVER
            smsc.sendall(pdus.head(BIND_TRANSCEIVER | RESPONSE, 1, body=b"\0"))
            words = [b"id:%d sub:001 dlvrd:001 done date:2611260911 stat:DELIVRD" % number for number in range(1, 4)]
            receipts = [deliver(source_addr="8613800000000", esm_class=4, short_message=said) for said in words]
            smsc.sendall(b"".join(pdus.numbered(pdu, number) for number, pdu in enumerate(receipts, 1)))
            assert sorted(read() for _ in receipts) == sorted(
                (DELIVER | RESPONSE, pdus.TEMPORARY_ERROR if str(number) == BAD else pdus.OK, number)
                for number in range(1, 4)
            )
            smsc.shutdown(socket.SHUT_RDWR)
