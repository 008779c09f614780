"""SMPP's PDUs as bytes: those of a client, written and read here (SMPP 3.4, sections 4 and 5).

A general codec cost more than everything else that a line does for a text. So the bytes that are the same in every text
of a line are written once, and incoming bytes are read by slices.
What SMSCs send beyond the specification is accepted: strings that are too long, and optional parameters that are
unknown or belong to other PDUs, are kept and never make a PDU fail. Bytes that are not a PDU raise Malformed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

HEADER = struct.Struct(">4L")
LONGEST_PDU = 64 * 1024  # octets; a deliver_sm whose text is in a message_payload has a few hundred

# Section 5.1.2.1, command_id.
RESPONSE = 0x80000000  # the bit that turns a request's command id into its answer's
SUBMIT_SM, DELIVER_SM, UNBIND, BIND_TRANSCEIVER, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x09, 0x15
ALERT_NOTIFICATION, GENERIC_NACK = 0x0102, 0x80000000
# Section 5.3.2, table 5-7.
MESSAGE_PAYLOAD, RECEIPTED_MESSAGE_ID, MESSAGE_STATE = 0x0424, 0x001E, 0x0427
SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM = 0x020C, 0x020E, 0x020F
# Section 5.1.3, command_status.
OK, INVALID_COMMAND, SYSTEM_ERROR = 0x00, 0x03, 0x08
TEMPORARY_ERROR = 0x64  # the SMSC keeps a deliver_sm and sends it again

_VERSION = 0x34  # section 5.2.4
_OPTION = struct.Struct(">HH")
_TEXT_HEAD = struct.Struct(">5B")


class Malformed(Exception):
    """The bytes from the connection are not a PDU; the message says why."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU: command id, status, sequence number and body, as they came."""

    command: int
    status: int
    sequence: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deliver:
    """A deliver_sm. `user_data` is the text from short_message or message_payload; if `has_header`, it begins with a
    user data header. `options` are the optional parameters by tag.
    """

    source: str = field(repr=False)
    destination: str = field(repr=False)
    esm_class: int
    data_coding: int
    user_data: bytes = field(repr=False)
    options: dict[int, bytes] = field(repr=False)

    @property
    def is_receipt(self) -> bool:
        """Whether it is an SMSC delivery receipt or an intermediate notification (section 5.2.12)."""
        return bool(self.esm_class & 0x24)

    @property
    def has_header(self) -> bool:
        """Whether the text begins with a user data header."""
        return bool(self.esm_class & 0x40)


def cut(buffer: bytearray) -> list[Pdu]:
    """Remove the complete PDUs from the front of `buffer`. Raises Malformed if the bytes there cannot be a PDU."""
    found, place = [], 0
    while len(buffer) - place >= HEADER.size:
        length, command_id, status, sequence = HEADER.unpack_from(buffer, place)
        if not HEADER.size <= length <= LONGEST_PDU:
            raise Malformed(f"a PDU says that it has {length} octets")
        if len(buffer) - place < length:
            break
        found.append(Pdu(command_id, status, sequence, bytes(buffer[place + HEADER.size : place + length])))
        place += length
    del buffer[:place]
    return found


def head(command_id: int, sequence: int, status: int = OK, body: bytes = b"") -> bytes:
    """A PDU: a header, and perhaps a body that is already bytes; section 3.2."""
    return HEADER.pack(HEADER.size + len(body), command_id, status, sequence) + body


def numbered(pdu: bytes, sequence: int) -> bytes:
    """`pdu` with this sequence number."""
    return pdu[:12] + sequence.to_bytes(4, "big") + pdu[16:]


def bind_transceiver(system_id: str, password: str, system_type: str) -> bytes:
    """Section 4.1.5; `numbered` sets its number. Raises ValueError for a field that is too long or not ASCII."""
    names = _string(system_id, 16) + _string(password, 9) + _string(system_type, 13)
    return head(BIND_TRANSCEIVER, 0, body=names + bytes((_VERSION, 0, 0)) + b"\0")  # no addr_ton, addr_npi, range


class SubmitForm:
    """The bytes that all submit_sm of a line share, written once; section 4.4.1.

    `ton` and `npi` are the type of number and the numbering plan of an address, sections 5.2.5 and 5.2.6. Raises
    ValueError for a field that is too long or not ASCII.
    """

    def __init__(
        self,
        source_addr: str,
        *,
        service_type: str = "",
        source_ton: int = 0,
        source_npi: int = 0,
        dest_ton: int = 0,
        dest_npi: int = 0,
    ) -> None:
        source = bytes((source_ton, source_npi)) + _string(source_addr, 21)
        self._head = _string(service_type, 6) + source + bytes((dest_ton, dest_npi))

    def write(
        self,
        destination_addr: str,
        short_message: bytes,
        *,
        esm_class: int,
        data_coding: int,
        validity_period: str = "",
    ) -> bytes:
        """The submit_sm of one part; `numbered` sets its number. It asks for a receipt (section 5.2.17), since a text
        is delivered when all its parts are. Raises ValueError for a field that is too long or not ASCII.
        """
        if len(short_message) > 254:
            raise ValueError(f"a short_message has at most 254 octets, this has {len(short_message)}")
        body = b"".join(
            (
                self._head,
                _string(destination_addr, 21),
                bytes((esm_class, 0, 0, 0)),  # no protocol_id, priority_flag, schedule_delivery_time
                _string(validity_period, 17),
                bytes((1, 0, data_coding, 0, len(short_message))),  # no replace_if_present_flag, sm_default_msg_id
                short_message,
            )
        )
        return head(SUBMIT_SM, 0, body=body)


def message_id(pdu: Pdu) -> str:
    """The message_id of a submit_sm_resp; "" if it has none that can be trusted.

    It is a C-octet string (sections 3.1 and 4.4.2). Without its final NUL it may be cut: then no receipt would name it,
    and several texts may easily share a cut id. Octets that are not ASCII are not an id either.
    """
    name, end, _ = pdu.body.partition(b"\0")
    return name.decode("ascii").strip() if end and name.isascii() else ""


def deliver_sm(pdu: Pdu) -> Deliver:
    """Section 4.6.1. Raises Malformed."""
    body = pdu.body
    try:
        source = body.index(0) + 3  # behind service_type, source_addr_ton and source_addr_npi
        source_end = body.index(0, source)
        destination = source_end + 3
        destination_end = body.index(0, destination)
        esm_class = body[destination_end + 1]
        schedule_end = body.index(0, destination_end + 4)  # behind protocol_id and priority_flag
        at = body.index(0, schedule_end + 1) + 1  # behind validity_period
        _, _, data_coding, _, length = _TEXT_HEAD.unpack_from(body, at)
    except (ValueError, IndexError, struct.error):
        raise Malformed("a deliver_sm ends before its text does") from None
    at += _TEXT_HEAD.size
    short_message = body[at : at + length]
    if len(short_message) < length:
        raise Malformed("a deliver_sm ends before its text does")
    options = _options(body, at + length)
    return Deliver(
        source=body[source:source_end].decode("ascii", "replace"),
        destination=body[destination:destination_end].decode("ascii", "replace"),
        esm_class=esm_class,
        data_coding=data_coding,
        user_data=short_message or options.get(MESSAGE_PAYLOAD, b""),
        options=options,
    )


def _options(body: bytes, at: int) -> dict[int, bytes]:
    """Optional parameters by their tags (section 3.2.4.1); one that is cut off at the end is left out."""
    found: dict[int, bytes] = {}
    while len(body) - at >= _OPTION.size:
        tag, length = _OPTION.unpack_from(body, at)
        at += _OPTION.size
        if len(body) - at < length:
            break
        found[tag] = body[at : at + length]
        at += length
    return found


def _string(text: str, size: int) -> bytes:
    """A C-octet string (section 3.1) of at most `size` octets, its final NUL included."""
    if not text.isascii() or "\0" in text or len(text) >= size:
        raise ValueError(f"a field of {size} octets holds at most {size - 1} ASCII characters and no NUL")
    return text.encode() + b"\0"
