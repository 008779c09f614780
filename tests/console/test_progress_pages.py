"""进度: how far the people of a series are, each number with the people behind it."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from sms_service.directory.models import Unit
from tests.schedules.late import deliver_texts, fire_day, join_branch, make_readers_town


@pytest.fixture
def town(database, session):
    """A series of which two texts went, and somebody joined in between."""
    town = make_readers_town(database)
    fire_day(town, 1)
    deliver_texts(session, "支部党员")
    session.commit()
    join_branch(database, town, "新党员")
    fire_day(town, 2)
    deliver_texts(session, "支部党员")
    session.commit()
    return town


def test_each_number_leads_to_its_people(log_in, session, town):
    officer = log_in(session.merge(town.unit))
    campaign = f"/campaigns/{town.campaign_id}"
    page = f"{campaign}/progress"
    assert f'href="{page}"' in officer.get(campaign).text
    shown = officer.get(page).text
    assert "2 of 3 texts so far." in shown
    links = re.findall(rf'<a href="({page}/people[^"]*)">(\d+)</a>', shown)
    assert len(links) == 3 * 6 + 1, "two units and all, six numbers each, and the cohort"
    for address, number in links:
        if "had=" in address or "firing=" in address:
            assert officer.get(address.replace("&amp;", "&")).text.count('href="/people/') == int(number), address
    assert "第2篇" in shown[shown.index("Who joined later") :], "what the cohort gets next"
    behind = officer.get(f"{page}/people?had=behind").text
    assert re.findall(r'href="/people/\d+">([^<]+)</a>', behind) == ["无号码", "新党员"]
    assert town.phones[0] not in officer.get(f"{page}/people").text


def test_one_goes_down_to_a_branch_and_its_secretary_sees_that_alone(log_in, session, town):
    branch = session.scalars(select(Unit).where(Unit.name == "一支部")).one()
    page = f"/campaigns/{town.campaign_id}/progress"
    officer, secretary = log_in(session.merge(town.unit)), log_in(branch)
    assert f"{page}?unit={branch.id}" in officer.get(page).text
    below = officer.get(f"{page}?unit={branch.id}").text
    assert f'<a href="{page}?unit={town.unit.id}">' in below
    assert "Who joined later" not in below
    own = secretary.get(page).text
    assert "一支部" in own
    assert f'href="/campaigns/{town.campaign_id}"' not in own
    assert secretary.get(f"{page}?unit={town.unit.id}").status_code == 403
    assert re.findall(r'href="/people/\d+">([^<]+)</a>', secretary.get(f"{page}/people").text) == ["支部党员"]


def test_what_is_no_series_or_has_not_begun(log_in, database, session):
    town = make_readers_town(database)
    officer = log_in(session.merge(town.unit))
    page = f"/campaigns/{town.campaign_id}/progress"
    assert "No text of this series has gone yet. The first one goes" in officer.get(page).text
    assert "Nobody has had a text of this series yet." in officer.get(f"{page}/people").text
    assert officer.get("/campaigns/999999/progress").status_code == 404
