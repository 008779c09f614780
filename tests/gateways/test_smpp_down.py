"""What a line answers of texts that it could not write."""

from __future__ import annotations

import socket

import pytest

from sms_service.gateways.base import Group, NotTaken, Text
from sms_service.gateways.smpp.adapter import Options, SmppAdapter
from tests.gateways.smpp_provider import Kept


def test_a_line_without_a_session_has_taken_nothing() -> None:
    """It waited for a session as long as an answer could still have come; it says so, and refuses no text."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = Options("127.0.0.1", port, "city", "secret", "10690000", total_timeout_s=0.4, answer_timeout_s=0.2)
    adapter = SmppAdapter(options)
    adapter.open(Kept().keep)
    try:
        with pytest.raises(NotTaken, match="down or busy"):
            adapter.submit(Group("g", [Text(f"202607-{n}", f"+861390000000{n}", "【云州】学习", 1) for n in range(3)]))
    finally:
        adapter.close()
