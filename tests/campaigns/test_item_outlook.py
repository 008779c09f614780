"""What a check says of each text of a series: when it goes, how long and how dear it is, and what is odd about it."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import approval, services
from sms_service.campaigns.outlook import Outlook, foresee_run
from sms_service.content.findings import FindingKind
from sms_service.content.models import ListKind
from sms_service.content.wordlists import add_words
from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.schedules.series_planning import SeriesRow
from tests.schedules.eventful import EventTown
from tests.schedules.serial import list_working_days, make_study_town, write_series, write_texts


@pytest.fixture
def town(database: Database) -> EventTown:
    return make_study_town(database, people=3)


def foresee(town: EventTown, **given: object) -> Outlook:
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, **given)  # type: ignore[arg-type]
        return foresee_run(session, town.officer, town.campaign_id, {"main": 100.0}, {"main": 3.0})


def test_each_item_says_when_it_goes_and_what_it_takes(town: EventTown) -> None:
    rows = [SeriesRow(text="学" * 20), SeriesRow(text="习" * 100, label="长文"), *write_texts(1)]
    found = foresee(town, rows=rows)
    assert [item.at and item.at.date() for item in found.items] == list_working_days(town, 3)
    assert [f"{item.at:%H:%M}" for item in found.items] == ["08:30"] * 3
    assert [(item.parts, item.phones, item.total, item.cost_fen) for item in found.items] == [
        (1, 3, 3, 9),
        (2, 3, 6, 18),
        (1, 3, 3, 9),
    ]
    assert "习" * 100 in (found.items[1].text or "")
    assert found.parts == 3


def test_of_people_with_values_of_their_own_the_longest_counts(town: EventTown, database: Database) -> None:
    with database.session() as session:
        session.execute(update(Person).where(Person.name == "党员1").values(name="阿" * 40))
    found = foresee(town, body="{{ name }}：{{ 内容 }}", rows=[SeriesRow(text="学" * 30) for _ in range(2)])
    assert [(item.parts, item.total) for item in found.items] == [(2, 4), (2, 4)]
    assert "阿" * 40 in (found.items[0].text or "")


def test_what_is_odd_stands_with_its_item_and_what_all_share_stands_once(town: EventTown, database: Database) -> None:
    with database.session() as session:
        add_words(session, SYSTEM, town.unit.id, ListKind.review, ["捐款", "每日"])
    rows = [*write_texts(2), SeriesRow(text="自愿捐款。", label="倡议"), SeriesRow(text="长" * 490)]
    found = foresee(town, rows=rows)
    assert [one.key for one in found.findings if one.kind == FindingKind.review_word] == [
        "review_word:每日",
        "3:review_word:捐款",
    ]
    (odd,) = found.items[2].findings
    assert (odd.key, str(odd.place)) == ("3:review_word:捐款", "the text of 倡议")
    assert found.items[0].findings == []
    assert FindingKind.long in {one.kind for one in found.items[3].findings}


def test_one_tick_is_enough_for_what_all_of_them_say(town: EventTown, database: Database) -> None:
    with database.session() as session:
        add_words(session, SYSTEM, town.unit.id, ListKind.review, ["每日"])
    with town.clock(-3) as later, later.session() as session:
        campaign = write_series(session, town, 3)
        services.submit_campaign(session, town.officer, campaign.id)
        approval.decide_approval(session, town.approver, campaign.id, approve=True, ticks=["review_word:每日"])
        assert campaign.status == "active"
