"""SMPP 3.4 on the wire, as an SMSC reads and writes it: struct-level, and strict with what clients send.

Source: Short Message Peer to Peer Protocol Specification v3.4, 12-Oct-1999, sections 4 and 5. Our own SMPP client has
another codec, so that a mistake in one of them shows.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

HEADER = struct.Struct("!IIII")
LARGEST_PDU = 64 * 1024  # octets
RESPONSE = 0x80000000

GENERIC_NACK = 0x80000000
BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
DELIVER_SM_RESP = DELIVER_SM | RESPONSE

# Section 5.1.3, command_status.
OK = 0x00
RINVMSGLEN, RINVCMDLEN, RINVCMDID, RINVBNDSTS, RALYBND = 0x01, 0x02, 0x03, 0x04, 0x05
RINVREGDLVFLG, RSYSERR, RINVSRCADR, RINVDSTADR = 0x07, 0x08, 0x0A, 0x0B
RBINDFAIL, RINVPASWD, RINVSYSID, RMSGQFUL, RINVSERTYP = 0x0D, 0x0E, 0x0F, 0x14, 0x15
RINVESMCLASS, RSUBMITFAIL, RINVSRCTON, RINVSRCNPI, RINVDSTTON, RINVDSTNPI = 0x43, 0x45, 0x48, 0x49, 0x50, 0x51
RTHROTTLED, RINVSCHED, RINVEXPIRY = 0x58, 0x61, 0x62
RINVDCS = 0x104  # SMPP 5.0; 3.4 has no status of its own for it

# Section 5.3.2, optional parameters.
SC_INTERFACE_VERSION = 0x0210
SAR_REFERENCE, SAR_TOTAL, SAR_SEQUENCE = 0x020C, 0x020E, 0x020F
RECEIPTED_MESSAGE_ID, MESSAGE_PAYLOAD, MESSAGE_STATE = 0x001E, 0x0424, 0x0427
UNKNOWN_TLV = 0x1FA7  # a reserved tag, so no client can know it


class BadPdu(Exception):
    """A request cannot be taken; `status` is the answer's status, the message says why without personal content."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class PduHeader:
    """The four words at the front of every PDU; `length` includes them."""

    length: int
    command: int
    status: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Bind:
    """What a client logs in with."""

    system_id: str
    password: str = field(repr=False)
    interface_version: int


@dataclass(frozen=True, slots=True)
class Submit:
    """The fields of a submit_sm that are used here; `message` is short_message or message_payload, with the UDH."""

    source: str
    dest_ton: int
    dest_npi: int
    dest: str = field(repr=False)
    esm_class: int
    validity: str
    registered_delivery: int
    data_coding: int
    message: bytes = field(repr=False)
    tlvs: Mapping[int, bytes] = field(repr=False)

    @property
    def has_payload(self) -> bool:
        """Whether the text came as message_payload, so that the SMSC cuts it into parts itself."""
        return MESSAGE_PAYLOAD in self.tlvs


def pack(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """One whole PDU."""
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def cstring(text: str) -> bytes:
    """A C-octet string."""
    return text.encode("ascii") + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """One optional parameter."""
    return struct.pack("!HH", tag, len(value)) + value


def header(data: bytes | bytearray | memoryview, offset: int = 0) -> PduHeader:
    """The header at `offset`."""
    return PduHeader(*HEADER.unpack_from(data, offset))


def parse_bind(body: bytes) -> Bind:
    """The body of a bind_*. Raises BadPdu."""
    fields = _Fields(body)
    system_id = fields.cstring("system_id", 16, RINVSYSID)
    password = fields.cstring("password", 9, RINVPASWD)
    fields.cstring("system_type", 13, RINVCMDLEN)
    version = fields.octet("interface_version")
    fields.octet("addr_ton")
    fields.octet("addr_npi")
    fields.cstring("address_range", 41, RINVCMDLEN)
    fields.tlvs()
    return Bind(system_id, password, version)


def parse_submit(body: bytes) -> Submit:
    """The body of a submit_sm. Raises BadPdu."""
    fields = _Fields(body)
    fields.cstring("service_type", 6, RINVSERTYP)
    source_ton, source_npi = fields.octet("source_addr_ton"), fields.octet("source_addr_npi")
    source = fields.cstring("source_addr", 21, RINVSRCADR)
    if source_ton > 6:
        raise BadPdu(RINVSRCTON, "source_addr_ton is above 6")
    if source_npi not in _NPI:
        raise BadPdu(RINVSRCNPI, "source_addr_npi is not one of section 5.2.6")
    dest_ton, dest_npi = fields.octet("dest_addr_ton"), fields.octet("dest_addr_npi")
    dest = fields.cstring("destination_addr", 21, RINVDSTADR)
    esm_class = fields.octet("esm_class")
    fields.octet("protocol_id")
    fields.octet("priority_flag")
    _check_time("schedule_delivery_time", fields.cstring("schedule_delivery_time", 17, RINVSCHED), RINVSCHED)
    validity = fields.cstring("validity_period", 17, RINVEXPIRY)
    _check_time("validity_period", validity, RINVEXPIRY)
    registered_delivery = fields.octet("registered_delivery")
    fields.octet("replace_if_present_flag")
    data_coding = fields.octet("data_coding")
    fields.octet("sm_default_msg_id")
    message = fields.octets("short_message", fields.octet("sm_length"))
    tlvs = fields.tlvs()
    if MESSAGE_PAYLOAD in tlvs:
        if message:
            raise BadPdu(RINVMSGLEN, "there are both a short_message and a message_payload")
        message = tlvs[MESSAGE_PAYLOAD]
    return Submit(
        source, dest_ton, dest_npi, dest, esm_class, validity, registered_delivery, data_coding, message, tlvs
    )


def deliver(
    *,
    source: str,
    dest: str,
    esm_class: int,
    data_coding: int,
    message: bytes,
    tlvs: bytes = b"",
) -> bytes:
    """The body of a deliver_sm from the phone `source` (E.164) to the number `dest`."""
    return b"".join(
        (
            b"\0\x01\x01",  # no service_type, international, E.164
            cstring(source.removeprefix("+")),
            b"\0\x01" if not dest.startswith("+") else b"\x01\x01",
            cstring(dest.removeprefix("+")),
            bytes((esm_class, 0, 0)),
            b"\0\0\0\0",  # no schedule_delivery_time, validity_period, registered_delivery, replace_if_present_flag
            bytes((data_coding, 0, len(message))),
            message,
            tlvs,
        )
    )


_NPI = {0, 1, 3, 4, 6, 8, 9, 10, 14, 18}


def _check_time(name: str, text: str, status: int) -> None:
    """Section 7.1.1: empty, or YYMMDDhhmmsstnnp."""
    if text and not (len(text) == 16 and text[:15].isdecimal() and text[15] in "+-R"):
        raise BadPdu(status, f"{name} is not YYMMDDhhmmsstnnp")


class _Fields:
    """Reads a body from its beginning to its end."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def octet(self, name: str) -> int:
        if self._at >= len(self._body):
            raise BadPdu(RINVCMDLEN, f"the PDU ends before {name}")
        self._at += 1
        return self._body[self._at - 1]

    def octets(self, name: str, length: int) -> bytes:
        found = self._body[self._at : self._at + length]
        if len(found) < length:
            raise BadPdu(RINVMSGLEN, f"{name} has {len(found)} octets where {length} are announced")
        self._at += length
        return found

    def cstring(self, name: str, longest: int, status: int) -> str:
        """A C-octet string of at most `longest` octets, its end included."""
        end = self._body.find(b"\0", self._at, self._at + longest)
        if end < 0:
            raise BadPdu(status, f"{name} does not end within {longest} octets")
        found = self._body[self._at : end]
        if not found.isascii():
            raise BadPdu(status, f"{name} is not ASCII")
        self._at = end + 1
        return found.decode()

    def tlvs(self) -> dict[int, bytes]:
        """All TLVs to the end. Octets that do not make a whole TLV mean that the PDU's lengths are wrong."""
        found: dict[int, bytes] = {}
        while self._at < len(self._body):
            if self._at + 4 > len(self._body):
                raise BadPdu(RINVCMDLEN, "octets are left over after the last field")
            tag, length = struct.unpack_from("!HH", self._body, self._at)
            if self._at + 4 + length > len(self._body):
                raise BadPdu(RINVCMDLEN, "an optional parameter is longer than the PDU")
            found[tag] = self._body[self._at + 4 : self._at + 4 + length]
            self._at += 4 + length
        return found
