"""What happens when: launches and faults, drawn from the seed alone.

The first minute of a long plan is the plan of one minute, so a finding can be repeated in a shorter run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from random import Random

WORKERS = 3
CLOCKS = 2
LINE = "line"  # over SMPP, which echoes no name of ours: its receipts are matched by the carrier's ids, or by phone
GATEWAYS = ("north", "south", LINE)
RECEIVER = "receiver"  # of what webhooks tell


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event.

    `copies`: how often it is in the deck that events are dealt from. `targets`: among how many things one is chosen.
    `lasts_s`: the shortest and the longest time until it is over, in seconds.
    """

    name: str
    copies: int = 1
    targets: int = 1
    lasts_s: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Event:
    """Something to do `at_s` seconds after the start, undone `lasts_s` seconds later.

    `pick`, from 0 to 1, chooses among what there is only then: the units of a level, the runs under way.
    """

    at_s: float
    kind: str
    target: int
    lasts_s: float
    pick: float


_AWAY = (0.5, 4.0)  # until a killed process is started again
_SPELL = (3.0, 10.0)  # how long a gateway or a receiver behaves badly

FAULTS: tuple[Kind, ...] = (
    Kind("worker_killed", copies=4, targets=WORKERS, lasts_s=_AWAY),
    Kind("worker_terminated", copies=2, targets=WORKERS, lasts_s=_AWAY),
    Kind("worker_stopped_briefly", copies=2, targets=WORKERS, lasts_s=(0.2, 6.0)),
    Kind("worker_stopped_long", copies=2, targets=WORKERS, lasts_s=(11.0, 60.0)),  # the gate's freshness is 10 s
    Kind("clock_killed", targets=CLOCKS, lasts_s=_AWAY),
    Kind("clock_stopped", targets=CLOCKS, lasts_s=(5.0, 40.0)),  # up to beyond its lease
    Kind("link_killed", copies=2, lasts_s=_AWAY),
    Kind("link_stopped", lasts_s=(1.0, 40.0)),
    Kind("line_cut"),
    Kind("leaders_sessions_terminated"),
    Kind("web_killed", copies=2, lasts_s=_AWAY),
    Kind("simulator_killed", copies=2, targets=len(GATEWAYS), lasts_s=_AWAY),
    Kind("webhooks_killed", lasts_s=_AWAY),
    Kind("receiver_killed", lasts_s=_AWAY),
    *(Kind(f"receiver_{manner}", lasts_s=_SPELL) for manner in ("refuses", "hangs", "closes")),
    Kind("redis_flushed"),
    Kind("redis_restarted"),
    Kind("redis_down", lasts_s=(10.0, 10.0)),
    Kind("postgres_restarted"),
    Kind("postgres_promoted"),
    Kind("sessions_terminated", copies=2),
    *(
        Kind(f"gateway_{behaviour}", targets=len(GATEWAYS), lasts_s=_SPELL)
        for behaviour in ("hangs", "fails_after_accepting", "resets", "loses", "garbles", "throttles", "crawls")
    ),
    *(
        Kind(f"gateway_{behaviour}", targets=len(GATEWAYS), lasts_s=_SPELL)
        for behaviour in ("unavailable", "without_balance")
    ),
    *(
        Kind(f"receipts_{behaviour}", targets=len(GATEWAYS), lasts_s=_SPELL)
        for behaviour in ("before_answers", "twice", "reversed")
    ),
    Kind("run_paused", copies=2, lasts_s=(1.0, 8.0)),
    Kind("run_cancelled"),
    Kind("unit_stopped", lasts_s=(2.0, 8.0)),
    Kind("gateway_stopped", targets=len(GATEWAYS), lasts_s=(2.0, 8.0)),
    Kind("opted_out", copies=2),
    Kind("phone_replied", copies=3),
    Kind("unknown_settled"),
    Kind("unknown_sent_again"),
    Kind("launched_twice"),
    Kind("wake_ups_doubled"),
    Kind("wake_ups_lost"),
)
LAUNCHES: tuple[Kind, ...] = (
    Kind("launch_city", copies=3),
    Kind("launch_district", copies=3),
    Kind("launch_street", copies=5),
    Kind("launch_branch", copies=8),
)
# Seconds between two events of a stream, shortest and longest.
_FAULT_GAP_S = (0.5, 4.2)
_LAUNCH_GAP_S = (1.0, 10.0)
_CALM_S = 3.0  # the first campaign is under way before the first fault


def find_kinds(names: Sequence[str], among: Sequence[Kind] = FAULTS) -> list[Kind]:
    """The kinds of these names; the first word of one, like `gateway`, stands for all that begin with it. In the order
    of the names. Raises ValueError for a name that is of none.
    """
    found = [[kind for kind in among if kind.name == name or kind.name.startswith(f"{name}_")] for name in names]
    if strangers := [name for name, kinds in zip(names, found, strict=True) if not kinds]:
        raise ValueError(f"{', '.join(strangers)}: no such kind; there are {', '.join(kind.name for kind in among)}")
    return [kind for kinds in found for kind in kinds]


def one_of_each(seed: int, kinds: Sequence[Kind]) -> list[Event]:
    """One event of each of these kinds, in this order; their times do not matter."""
    random = Random(f"{seed} acts")
    return [_draw(random, kind, 0.0) for kind in kinds]


def make(seed: int, seconds: float, kinds: Sequence[Kind] = FAULTS) -> list[Event]:
    """Everything that happens within `seconds`, by time. It begins with a launch to the whole city.

    `kinds`: the faults that are dealt.
    """
    launches = _stream(Random(f"{seed} launches"), LAUNCHES, _LAUNCH_GAP_S, 0.0)
    faults = _stream(Random(f"{seed} faults"), kinds, _FAULT_GAP_S, _CALM_S)
    first = Event(0.0, "launch_city", 0, 0.0, 0.0)
    drawn = (event for stream in (launches, faults) for event in takewhile(lambda event: event.at_s < seconds, stream))
    return sorted((first, *drawn), key=lambda event: event.at_s)


def _stream(random: Random, kinds: Sequence[Kind], gap_s: tuple[float, float], at_s: float) -> Iterator[Event]:
    """Dealt from a shuffled deck, again and again: every kind comes soon, and none is left out for long."""
    while True:
        deck = [kind for kind in kinds for _ in range(kind.copies)]
        random.shuffle(deck)
        for kind in deck:
            at_s += random.uniform(*gap_s)
            yield _draw(random, kind, at_s)


def _draw(random: Random, kind: Kind, at_s: float) -> Event:
    target = random.randrange(kind.targets)
    return Event(round(at_s, 3), kind.name, target, round(random.uniform(*kind.lasts_s), 3), random.random())
