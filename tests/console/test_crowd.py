"""Few viewers see a run every two seconds; many ask together no more often than the service can bear."""

from __future__ import annotations

import heapq

from sms_service.console.crowd import MOST_PER_S, Crowd


def asks_per_s(viewers, base_s=2.0, seconds=120):
    """How often all of them ask together in the last half, each as late as it was told."""
    crowd, asked = Crowd(), 0
    due = [(number / viewers * base_s, number) for number in range(viewers)]
    while due[0][0] < seconds:
        now, number = heapq.heappop(due)
        asked += now >= seconds / 2
        crowd.note(now)
        heapq.heappush(due, (now + crowd.stretch(base_s, now), number))
    return asked / (seconds / 2)


def test_few_viewers_ask_as_the_run_calls_for():
    assert asks_per_s(4) == 2.0


def test_many_viewers_ask_no_more_often_together():
    for viewers in (50, 200):
        assert MOST_PER_S * 0.6 <= asks_per_s(viewers) <= MOST_PER_S * 1.4


def test_many_who_come_at_once_are_many_at_once():
    crowd = Crowd()
    for number in range(200):
        crowd.note(number / 100, first=True)
    assert crowd.stretch(2.0, 2.0) == 200 / MOST_PER_S


def test_who_need_not_ask_again_is_not_told_to():
    crowd = Crowd()
    crowd.note(0.0)
    assert crowd.stretch(0.0, 0.0) == 0.0
