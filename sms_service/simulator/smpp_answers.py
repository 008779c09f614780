"""The answers to a submit_sm: statuses, ids, and answers that no client can read."""

from __future__ import annotations

from collections.abc import Mapping

from sms_service.simulator import smpp_pdus as pdus
from sms_service.simulator.smpp_session import SmscSession

# The command_status of a refusal's code. A code may also be a number, decimal or 0x…; any other is UNKNOWN_STATUS.
STATUSES: Mapping[str, int] = {
    "malformed": pdus.RINVMSGLEN,
    "invalid_number": pdus.RINVDSTADR,
    "unauthorized": pdus.RINVPASWD,
    "too_fast": pdus.RTHROTTLED,
    "queue_full": pdus.RMSGQFUL,
    "blocked": pdus.RSUBMITFAIL,
    "content": 0x0401,  # statuses from 0x400 on are the SMSC's own
    "signature": 0x0402,
    "blacklisted": 0x0403,
    "no_balance": 0x0404,
    "unavailable": 0x0405,
}
UNKNOWN_STATUS = 0x04FF

_IDS: Mapping[str, tuple[str, str]] = {
    "plain": ("SIM{:012d}", "SIM{:012d}"),
    "decimal": ("{:010d}", "{:010d}"),
    "hex": ("{:x}", "{:x}"),
    "hex_then_decimal": ("{:x}", "{:010d}"),
    "decimal_then_hex": ("{:d}", "{:08X}"),
}


def status_of(code: str) -> int:
    """The command_status of a refusal's code."""
    try:
        return STATUSES.get(code) or int(code, 0)
    except ValueError:
        return UNKNOWN_STATUS


def wire_ids(identifier: str, way: str) -> tuple[str, str]:
    """The id of a part as its answer writes it, and as its receipts write it."""
    number = int(identifier.removeprefix("SIM"))
    in_answer, in_receipt = _IDS[way]
    return in_answer.format(number), in_receipt.format(number)


def garbled(session: SmscSession, way: str, sequence: int) -> None:
    """Answer a submit_sm with something that no client can read."""
    match way:
        case "cut":  # the id has no end
            session.respond(pdus.SUBMIT_SM, pdus.OK, sequence, b"SIM")
        case "empty":
            session.respond(pdus.SUBMIT_SM, pdus.OK, sequence)
        case "no_id":
            session.respond(pdus.SUBMIT_SM, pdus.OK, sequence, b"\0")
        case "text":
            session.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        case "binary":
            session.respond(pdus.SUBMIT_SM, pdus.OK, sequence, b"\xff\xfe\x80\0")
        case "huge":
            session.write(pdus.HEADER.pack(0x7FFFFFF0, pdus.SUBMIT_SM | pdus.RESPONSE, pdus.OK, sequence))
        case "protocol":  # a length below that of the header
            session.write(pdus.HEADER.pack(8, pdus.SUBMIT_SM | pdus.RESPONSE, pdus.OK, sequence))
