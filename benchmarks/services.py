"""The service's other processes, and the simulator, as `make run` starts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.laboratory import READY_S, SECRET, BenchmarkError, Laboratory, wait_for
from sms_service.ops.children import Address
from sms_service.ops.supervisor import free_port

_CLOCK = "sms_service clock"  # its application name at PostgreSQL

GROUP = 100  # what gateways.toml ships with


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator: its address, and the file with everything that it was handed."""

    url: str
    ledger: Path

    def check(self, texts: int) -> None:
        """Raises BenchmarkError unless it was handed this many texts."""
        with self.ledger.open(encoding="utf-8") as lines:
            handed = sum('"message"' in line for line in lines)
        if handed != texts:
            raise BenchmarkError(f"the simulator was handed {handed} texts; expected {texts}")


@contextmanager
def simulator(laboratory: Laboratory) -> Iterator[Simulator]:
    """A simulator in a process of its own that takes every text and sends no receipts."""
    ledger = laboratory.folder / "simulator.jsonl"
    command = ["-m", "sms_service.simulator", "--port", "0", "--ledger", str(ledger), "--silent-share", "1"]
    try:
        with laboratory.process(command, {"SIMULATOR_SECRET": SECRET}, read_line=True) as process:
            assert process.stdout is not None
            yield Simulator(process.stdout.readline().rpartition(" ")[2].strip(), ledger)
    finally:
        ledger.unlink(missing_ok=True)


@contextmanager
def clock(laboratory: Laboratory, variables: Mapping[str, str]) -> Iterator[None]:
    """The clock, at work."""
    with laboratory.process(["-m", "sms_service", "clock"], variables):
        wait_for(lambda: laboratory.at_work(_CLOCK), "the clock", READY_S)
        yield


@contextmanager
def web(laboratory: Laboratory, variables: Mapping[str, str]) -> Iterator[int]:
    """The web process, ready for requests; yields its port on 127.0.0.1."""
    address = Address("127.0.0.1", free_port())
    place = f"{address.host}:{address.port}"
    command = ["-m", "gunicorn", "--bind", place, "wsgi:app"]
    with laboratory.process(command, {**variables, "PUBLIC_URL": f"http://{place}"}):
        wait_for(address.healthy, "the web process", READY_S)
        yield address.port


def null_gateway(laboratory: Laboratory) -> Path:
    """A gateways.toml whose only account takes everything at once."""
    return gateways_file(
        laboratory, f'[accounts.null]\nadapter = "null"\nmax_group = {GROUP}\n[routes]\ndefault = ["null"]\n'
    )


def simulator_gateway(laboratory: Laboratory, url: str) -> Path:
    """A gateways.toml whose only account is the simulator at `url`."""
    account = f'[accounts.simulator]\nadapter = "simulator"\nurl = "{url}"\nsecret = "${{SIMULATOR_SECRET}}"\n'
    return gateways_file(laboratory, f'{account}max_group = {GROUP}\n[routes]\ndefault = ["simulator"]\n')


def gateways_file(laboratory: Laboratory, text: str) -> Path:
    """A gateways.toml of this text."""
    path = laboratory.folder / "gateways.toml"
    path.write_text(text)
    return path
