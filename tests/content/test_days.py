"""Days as people write them: which date is meant, and what they say when they are offered again."""

from __future__ import annotations

from datetime import date

import pytest

from sms_service.content.days import find_meant_date, move_ahead

SUNDAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("本周六上午9时", date(2026, 11, 28)),
        ("本周日", SUNDAY),
        ("下周一", date(2026, 11, 30)),
        ("下下周一", date(2026, 12, 7)),
        ("周六9:00", date(2026, 12, 5)),
        ("明天下午2点至4点", date(2026, 11, 30)),
        ("12月5日（星期六）上午9时", date(2026, 12, 5)),
        ("1月5日", date(2027, 1, 5)),
        ("11月1日", date(2026, 11, 1)),
        ("2025-11-01 9:00", date(2025, 11, 1)),
        ("2月29日", None),
        ("本周末", None),
        ("上午9时", None),
        ("二楼会议室", None),
    ],
)
def test_the_date_that_is_meant(text: str, meant: date | None) -> None:
    assert find_meant_date(text, SUNDAY) == meant


@pytest.mark.parametrize(
    ("text", "written", "offered"),
    [
        ("本周六上午9时", date(2026, 11, 24), "12月5日（星期六）上午9时"),
        ("本周日", date(2026, 11, 24), "12月6日（星期日）"),
        ("2026-12-03T14:00", date(2026, 11, 24), "12月3日（星期四）14:00"),
        ("11月20日（星期五）下午2点至4点", date(2026, 11, 10), "12月4日（星期五）下午2点至4点"),
        ("二楼会议室", date(2026, 11, 24), "二楼会议室"),
        ("上午9时", date(2026, 11, 24), "上午9时"),
        ("本周六上午9时，不见不散", date(2026, 11, 24), None),
    ],
)
def test_a_day_is_offered_by_its_date_and_lies_ahead(text: str, written: date, offered: str | None) -> None:
    assert move_ahead(text, written, SUNDAY) == offered
