"""Twilio: one process hands over to an API in another process through the official client, some groups at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import SECRET, BenchmarkError, Laboratory
from sms_service.gateways.base import Group, OutcomeKind, Text
from sms_service.gateways.twilio.adapter import Options, TwilioAdapter, create

IN_FLIGHT = 50  # requests at once, over all groups
GROUPS = 4  # at once
GROUP = 100
TEXTS = 20_000


def _creates(laboratory: Laboratory) -> Measured:
    with laboratory.process(["-m", "benchmarks.twilio_api", "--port", "0"], {}, read_line=True) as process:
        assert process.stdout is not None
        options = Options(
            account_sid="AC00000000000000000000000000000001",
            auth_token=SECRET,
            messaging_service_sid="MG00000000000000000000000000000001",
            api_base=f"http://127.0.0.1:{process.stdout.readline().split()[-1]}",
            connections=IN_FLIGHT,
        )
        adapter = create("twilio", options, "https://sms.example.gov.cn/callbacks/twilio")
        try:
            return {"twilio_creates_per_s": _hand_over(adapter)}
        finally:
            adapter.close()


def _hand_over(adapter: TwilioAdapter) -> float:
    """Texts per second; every one must be accepted, under a name of its own."""
    body = "【学习】请于本周五前完成本月的学习任务。"
    texts = [Text(f"202601-{n}", f"+861380{n:07}", body, 1) for n in range(TEXTS)]
    groups = [Group(f"g{at}", texts[at : at + GROUP], 7200) for at in range(0, TEXTS, GROUP)]
    with ThreadPoolExecutor(GROUPS) as pool:
        list(pool.map(adapter.submit, groups[:GROUPS]))  # connections are open, as in a campaign
        began = time.perf_counter()
        outcomes = [outcome for answered in pool.map(adapter.submit, groups) for outcome in answered]
        seconds = time.perf_counter() - began
    accepted = {outcome.provider_id for outcome in outcomes if outcome.kind is OutcomeKind.accepted}
    if len(accepted) != TEXTS:
        raise BenchmarkError(f"{len(accepted)} of {TEXTS} texts were accepted")
    return TEXTS / seconds


CREATES = Benchmark(_creates, {"twilio_creates_per_s": "texts/s"}, runs=3, group=GROUP, size=TEXTS)
