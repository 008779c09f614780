"""Which group goes next: several are under way at once, each account with its own limit, tokens first.

The main thread chooses a run and takes tokens; a thread of the account then hands the group over (`hand_over`). So a
slow account keeps only its own threads busy.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import uuid
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database, first_line
from sms_service.dispatch.fairness import FairShare
from sms_service.dispatch.hand_over import Done, HandOver
from sms_service.dispatch.lookout import Lookout
from sms_service.dispatch.pace import SMALLEST_CAPACITY, Pace
from sms_service.dispatch.points import Point
from sms_service.dispatch.routing import Offer, find_offers
from sms_service.gateways.http_client import boot_clock
from sms_service.gateways.registry import Gateways

# How long one job goes on before it gives way to others, in seconds; it ends between groups.
JOB_S = 0.5
# An account on trial gets so many texts at a time, and one group: how many one more time-out makes unknown.
TRIAL_TEXTS = 5
# Offers are looked for anew after this many seconds, so that a small run never waits long for a large one's.
OFFERS_S = 0.25

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Account:
    """One gateway account of this process: its threads, how many of them are at work, and when it has tokens again.

    `unused`: parts that runs were charged for and did not hand over; the scheduler takes them back.
    """

    threads: ThreadPoolExecutor
    limit: int
    under_way: int = 0
    ready_at: float = 0.0
    fair: FairShare[Offer] = field(default_factory=FairShare)
    unused: list[tuple[Offer, int]] = field(default_factory=list)


class Dispatcher:
    """One worker's dispatcher. `left`: whether the last `drain` left work.

    `accounts`: those that this process hands over on; by default all of gateways.toml but links, each of which has a
    process of its own. `stopping()` is asked between groups. `new_token`, `random` (0 to 1), `clock` (seconds, running
    while the machine sleeps) and `at` (see `points`) are passed in so that tests can hold them still.
    """

    def __init__(
        self,
        database: Database,
        gateways: Gateways,
        pace: Pace,
        *,
        accounts: Collection[str] | None = None,
        stopping: Callable[[], bool] = lambda: False,
        new_token: Callable[[], str] = lambda: str(uuid.uuid4()),
        random: Callable[[], float] = random.random,
        clock: Callable[[], float] = boot_clock,
        at: Callable[[Point], None] = lambda point: None,
    ) -> None:
        self._database = database
        self._gateways = gateways
        self._ours = gateways.config.accounts.keys() - gateways.links() if accounts is None else accounts
        self._pace = pace
        self._stopping = stopping
        self._new_token = new_token
        self._random = random
        self._clock = clock
        self._hand_over = HandOver(database, new_token=new_token, random=random, clock=clock, at=at)
        self._accounts: dict[str, _Account] = {}
        self._changed = threading.Condition()
        self._lookout = Lookout()
        self._offers: list[Offer] = []
        self._looked_at = -math.inf
        self._stale = True  # a group has ended since the last look
        self.left = False

    def drain(self, job_s: float = JOB_S) -> bool:
        """Hand over what is due, for at most `job_s` seconds; groups may still be under way at the end.

        Returns whether work was left, which `left` keeps. Raises RedisError without Redis: there is no pace then, and
        nothing is handed over.
        """
        if not self.left:
            self._lookout.begin_round()
        self.left = False
        self.left = self._drain(self._clock() + job_s)
        return self.left

    def tell(self, run_ids: Iterable[int]) -> None:
        """Look first at these runs, which this worker has just frozen. Any thread may call this."""
        self._lookout.tell(run_ids)

    @property
    def told(self) -> bool:
        """Whether it was told of runs that no `drain` has looked at."""
        return self._lookout.told

    def _drain(self, end: float) -> bool:
        self._looked_at = -math.inf
        while not self._stopping() and self._clock() < end:
            if self._hand_over.stuck:
                with self._changed:  # PostgreSQL is away: nothing else can be done until a group has ended
                    self._changed.wait(max(0.0, end - self._clock()))
                continue
            if not self._offers or self._clock() - self._looked_at >= OFFERS_S:
                self._look()
            if self._start_groups():
                continue
            if self._nothing_left():
                return False
            self._wait(end)
        return True

    def close(self) -> None:
        """Wait until every group under way has its outcomes written; nothing is started after this."""
        for account in self._accounts.values():
            account.threads.shutdown(wait=True)

    def offers(self) -> list[Offer]:
        """Which of the runs that are to be looked at now may hand over, and through which accounts."""
        with self._database.transaction() as connection:
            return find_offers(connection, self._lookout, self._gateways.config.accounts, self._ours)

    def hand_over_group(self, offer: Offer, size: int, paid: int = 0) -> Done:
        """Hand over one group of the offer's run in this thread, as far as it gets.

        `paid`: the tokens taken for these `size` texts, in parts; what was not used is given back.
        """
        adapter = self._gateways.adapter(offer.account)
        claim = offer.claim(self._new_token())
        done = self._hand_over.group(claim, adapter, size, alternative=offer.alternative)
        if done.throttled:
            self._pace.throttled(offer.account)
        if paid != done.parts:
            self._pace.settle(offer.account, paid - done.parts)
        return done

    def _look(self) -> None:
        """Look for offers again. While groups are under way and nothing is offered, this happens when a group has
        ended, when some runs have not been looked at yet, or after OFFERS_S.
        """
        if self._clock() - self._looked_at < OFFERS_S and not self._stale:
            return
        self._stale = False
        self._looked_at = self._clock()
        offers = self.offers()
        with self._changed:  # a group that ends meanwhile takes its offer off the list
            self._offers = offers
            self._stale |= not offers and not self._lookout.seen_all

    def _start_groups(self) -> bool:
        """Start a group on each account that has a thread, tokens and a run; returns whether any was started."""
        weights = {offer.account: offer.weight for offer in self._offers}
        # Weighted shuffle (Efraimidis and Spirakis): of accounts equally free the heavier more often goes first.
        order = sorted(weights, key=lambda name: self._random() ** (1 / weights[name]), reverse=True)
        return sum(self._start_group(name) for name in order) > 0  # not any(), which stops at the first

    def _start_group(self, name: str) -> bool:
        account = self._account(name)
        if account.under_way >= account.limit or self._clock() < account.ready_at:
            return False
        candidates = [offer for offer in self._offers if offer.account == name]
        if not candidates:  # another account took the last of the run
            return False
        offer = account.fair.choose(candidates)
        size, per_text = self._gateways.group_size(name), offer.parts_estimate
        if offer.trial:
            if account.under_way:
                return False
            size = min(size, TRIAL_TEXTS)
        want = math.ceil((min(size, len(offer.ids)) if offer.ids else size) * per_text)
        # Some at least: a busy bucket would otherwise be emptied in groups of one. The smallest bucket holds so many.
        least = min(want, max(math.ceil(per_text), SMALLEST_CAPACITY))
        grant = self._pace.take(name, want, least)
        if grant.parts < math.ceil(per_text):
            if grant.parts:
                self._pace.settle(name, grant.parts)
            account.ready_at = self._clock() + grant.wait_s
            return False
        with self._changed:
            account.under_way += 1
            for earlier, unused in account.unused:
                account.fair.charge(earlier, -unused)
            account.unused.clear()
        account.fair.charge(offer, grant.parts)
        self._lookout.served(offer.lane, offer.run_id)
        account.threads.submit(self._run_group, account, offer, int(grant.parts / per_text), grant.parts)
        return True

    def _run_group(self, account: _Account, offer: Offer, size: int, paid: int) -> None:
        done = Done()
        try:
            done = self.hand_over_group(offer, size, paid)
        except DBAPIError as error:
            log.error("PostgreSQL failed in a hand-over; the next look tries again: %s", first_line(error))
        except RedisError as error:
            log.error("Redis failed; unused tokens are not given back: %s", error)
        except Exception:
            log.exception("run %s: a fault in this program; the next look tries again", offer.run_id)
        with self._changed:
            account.under_way -= 1
            account.unused.append((offer, paid - done.parts))
            self._stale = True
            if done.claimed < size:  # nothing more of it is due
                self._offers = [other for other in self._offers if other is not offer]
            self._changed.notify_all()

    def _account(self, name: str) -> _Account:
        if name not in self._accounts:
            limit = self._gateways.in_flight(name)
            threads = ThreadPoolExecutor(limit, thread_name_prefix=f"gateway-{name}")
            self._accounts[name] = _Account(threads, limit)
        return self._accounts[name]

    def _nothing_left(self) -> bool:
        """Whether nothing was offered when the last group had ended."""
        with self._changed:
            under_way = sum(account.under_way for account in self._accounts.values())
            return not self._offers and not under_way and not self._stale

    def _wait(self, end: float) -> None:
        """Wait until a group ends, an account has tokens again, or it is time to look."""
        now = self._clock()
        times = [end, max(self._looked_at + OFFERS_S, now + 0.001)]
        times += [account.ready_at for account in self._accounts.values() if account.ready_at > now]
        with self._changed:
            self._changed.wait(max(0.0, min(times) - now))
