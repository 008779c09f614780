"""SMPP's PDUs as bytes: written and read by smpplib's codec, which is sound; its client is not used.

What SMSCs send beyond the specification is taken as it comes: optional parameters that nobody knows, or that belong
into other PDUs, are kept by tag and never fail a PDU. Bytes that are no PDU raise Malformed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from smpplib import command, command_codes, consts

HEADER = struct.Struct(">4L")
LONGEST_PDU = 64 * 1024  # octets; a deliver_sm whose text is in a message_payload has a few hundred
RESPONSE = 0x80000000

BIND_TRANSCEIVER, SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK, GENERIC_NACK, ALERT_NOTIFICATION = (
    command_codes.commands[name]
    for name in (
        *("bind_transceiver", "submit_sm", "deliver_sm", "unbind", "enquire_link", "generic_nack"),
        "alert_notification",
    )
)
# Section 5.3.2, table 5-7.
MESSAGE_PAYLOAD, RECEIPTED_MESSAGE_ID, MESSAGE_STATE, NETWORK_ERROR_CODE = 0x0424, 0x001E, 0x0427, 0x0423
SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM = 0x020C, 0x020E, 0x020F

OK, INVALID_COMMAND, SYSTEM_ERROR = consts.SMPP_ESME_ROK, consts.SMPP_ESME_RINVCMDID, consts.SMPP_ESME_RSYSERR
TEMPORARY_ERROR = consts.SMPP_ESME_RX_T_APPN  # section 5.1.3: the SMSC keeps a deliver_sm and sends it again


class Malformed(Exception):
    """What came over the connection is no PDU; the message says why."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU: command id, status, sequence number and body, as they came."""

    command: int
    status: int
    sequence: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deliver:
    """A deliver_sm. `user_data` is the text, a user data header in front of it if `has_header`, from short_message or
    from a message_payload. `options` are the optional parameters by tag.
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


class _Numbered:
    """Stands for smpplib's client, which it asks for sequence numbers; ours are written in by `numbered`."""

    sequence = 0

    def next_sequence(self) -> int:
        return 0


_CLIENT = _Numbered()


def cut(buffer: bytearray) -> list[Pdu]:
    """Take the whole PDUs off the front of `buffer`. Raises Malformed if what stands there cannot be one."""
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
    """A PDU of a header and perhaps a body that is written already."""
    return HEADER.pack(HEADER.size + len(body), command_id, status, sequence) + body


def numbered(pdu: bytes, sequence: int) -> bytes:
    """`pdu` with this sequence number."""
    return pdu[:12] + sequence.to_bytes(4, "big") + pdu[16:]


def bind_transceiver(system_id: str, password: str, system_type: str) -> bytes:
    """Section 4.1.5, to be numbered."""
    return _written(
        command.BindTransceiver,
        "bind_transceiver",
        system_id=system_id,
        password=password,
        system_type=system_type,
        addr_ton=0,
        addr_npi=0,
        address_range="",
    )


def submit_sm(**parameters: Any) -> bytes:
    """Section 4.4.1, to be numbered."""
    return _written(command.SubmitSM, "submit_sm", **parameters)


def message_id(pdu: Pdu) -> str:
    """The message_id of a submit_sm_resp; "" if it has none that can be believed.

    It is a C-octet string (sections 3.1 and 4.4.2). One without its final NUL may be cut: no receipt would name it, and
    half an id is easily the same for several texts. Nor are octets that are no ASCII an id.
    """
    name, end, _ = pdu.body.partition(b"\0")
    return name.decode("ascii").strip() if end and name.isascii() else ""


def deliver_sm(pdu: Pdu) -> Deliver:
    """Section 4.6.1. Raises Malformed."""
    read = _DeliverSM("deliver_sm", client=_CLIENT)
    try:
        read.parse_params(pdu.body)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        raise Malformed(f"a deliver_sm cannot be read: {type(error).__name__}") from None
    if read.data_coding is None or read.sm_length is None or len(read.short_message or b"") != read.sm_length:
        raise Malformed("a deliver_sm ends before its text does")
    return Deliver(
        source=_text(read.source_addr),
        destination=_text(read.destination_addr),
        esm_class=read.esm_class,
        data_coding=read.data_coding,
        user_data=read.short_message or read.options.get(MESSAGE_PAYLOAD, b""),
        options=read.options,
    )


class _DeliverSM(command.DeliverSM):  # type: ignore[misc]  # smpplib comes without types
    """smpplib's, but for two things: it raises for optional parameters that it does not know in this place, and goes on
    at the start where a text has no end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options: dict[int, bytes] = {}
        self.sm_length: int | None = None  # smpplib's 0 would look as if it had been read

    def _parse_string(self, field: str, data: bytes, pos: int, length: int | None = None) -> tuple[bytes, int]:
        if data.find(b"\0", pos) < 0:
            raise ValueError(f"{field} has no end")
        found: tuple[bytes, int] = super()._parse_string(field, data, pos, length)
        return found

    def parse_optional_params(self, data: bytes) -> None:
        """Each by its tag; what is cut off at the end is left out."""
        place = 0
        while len(data) - place >= 4:
            tag, length = struct.unpack_from(">HH", data, place)
            if len(data) - place - 4 < length:
                return
            self.options[tag] = data[place + 4 : place + 4 + length]
            place += 4 + length


def _written(kind: type[Any], name: str, **parameters: Any) -> bytes:
    return bytes(kind(name, client=_CLIENT, **parameters).generate())


def _text(value: bytes | None) -> str:
    return (value or b"").decode("ascii", "replace")
