"""One supervised process, with a clock that the test moves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sms_service.ops.children import LOG_SIZE, Child, rotate_log
from sms_service.ops.errors import OperationError

FOR_EVER = "exec sleep 1000"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 1000 & wait; done"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def make_child(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Makes children that run a line of shell; they are killed at the end."""
    made: list[Child] = []

    def make(line: str, **options: object) -> Child:
        made.append(Child("one", ["/bin/sh", "-c", line], tmp_path / "one.log", tmp_path, {"A": "1"}, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for child in made:
        if child.process is not None:
            child.process.kill()
            child.process.wait()


def ended(child: Child) -> Child:
    assert child.process is not None
    child.process.wait(30)
    return child


def test_it_gets_its_environment_only_and_writes_to_its_log(make_child: Callable[..., Child]) -> None:
    child = make_child('echo "A=$A HOME=$HOME"')
    child.start()
    ended(child)
    assert child.log.read_text() == "A=1 HOME=\n"


def test_pauses_between_restarts_double_up_to_half_a_minute(make_child: Callable[..., Child]) -> None:
    clock = Clock()
    child = make_child("exit 3", clock=clock)
    child.start()
    pauses = []
    for _ in range(10):
        told = ended(child).mend()
        assert told is not None
        assert "ended with code 3" in told
        before = clock.now
        first = child.process
        while child.process is first:
            assert child.mend() is None
            clock.now += 0.25
        pauses.append(clock.now - 0.25 - before)
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_after_a_steady_time_it_starts_again_at_once(make_child: Callable[..., Child]) -> None:
    clock = Clock()
    child = make_child(FOR_EVER, clock=clock)
    child.start()
    for _ in range(3):
        clock.now += 61
        assert child.process is not None
        killed = child.process
        killed.kill()
        ended(child)
        assert "was ended by SIGKILL; it starts again in 0 s" in str(child.mend())
        assert child.mend() is None
        assert child.process is not killed


def test_a_child_that_runs_is_left_alone(make_child: Callable[..., Child]) -> None:
    child = make_child(FOR_EVER)
    child.start()
    before = child.process
    assert child.mend() is None
    assert child.process is before
    assert child.ready()


def test_an_end_while_starting_names_the_reason_from_the_log(make_child: Callable[..., Child]) -> None:
    child = make_child("echo starting; echo 'ValueError: PORT is 0' >&2; echo bye; exit 1")
    child.start()
    with pytest.raises(OperationError, match="one ended while starting: ValueError: PORT is 0 "):
        ended(child).ready()


def test_a_command_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    child = Child("one", [str(tmp_path / "none")], tmp_path / "one.log", tmp_path, {})
    with pytest.raises(OperationError, match="one cannot be started: No such file"):
        child.start()


def test_term_is_enough_for_most(make_child: Callable[..., Child]) -> None:
    child = make_child(FOR_EVER, patience_s=30.0)
    child.start()
    assert child.end()
    assert child.process is not None
    assert child.process.returncode == -signal.SIGTERM


def test_who_does_not_end_is_killed(make_child: Callable[..., Child]) -> None:
    child = make_child(STUBBORN, patience_s=0.2)
    child.start()
    while not child.log.read_text():  # until its trap is set
        assert child.ready()
    assert not child.end()


def test_logs_are_put_aside_when_they_are_large_and_three_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    rotate_log(log)
    for number in range(5):
        with log.open("w") as file:
            file.write(f"{number}")
            file.truncate(LOG_SIZE)
        rotate_log(log)
    kept = {path.name: path.read_text()[:1] for path in tmp_path.iterdir()}
    assert kept == {"web.log": "", "web.log.1": "4", "web.log.2": "3", "web.log.3": "2"}
    log.write_text("small")
    rotate_log(log)
    assert log.read_text() == "small"


def test_a_log_is_put_aside_while_its_process_goes_on(make_child: Callable[..., Child]) -> None:
    child = make_child("while :; do echo a line; sleep 0.01; done")
    child.start()
    while not (child.log.exists() and child.log.stat().st_size):
        assert child.ready()
    with child.log.open("r+b") as log:
        log.truncate(LOG_SIZE)
    assert child.mend() is None
    aside = child.log.with_name(f"{child.log.name}.1")
    assert aside.stat().st_size >= LOG_SIZE
    while not child.log.stat().st_size:
        assert child.ready()
    assert child.log.read_text().startswith("a line\n")  # not after a hole of 20 MB
    child.end()
