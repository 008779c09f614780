"""What parts cost stands beside them, where gateways.toml says it."""

from __future__ import annotations

import pytest

from tests.console.campaigning import make_branch, make_invitation
from tests.dispatch.city import drain, make_city, messages

GATEWAYS = """
[accounts.main]
adapter = "null"
price_per_part = 4.5

[routes]
default = ["main"]
"""


@pytest.fixture
def city(database):
    city = make_city(database, 4, body="请参加学习。")
    drain(database, city.gateways)
    return city


def test_counts_and_one_text_say_what_they_cost(city, database, log_in, tmp_path):
    (tmp_path / "gateways.toml").write_text(GATEWAYS, encoding="utf-8")
    visitor = log_in(city.unit, "auditor")
    assert '<td class="n" data-label="Yuan">0.18</td>' in visitor.get("/counts").text
    one = messages(database, city.run_id)[0]
    assert "1 part · 0.045 yuan" in visitor.get(f"/messages/{one.id}").text


def test_where_no_price_is_known_none_is_shown(city, database, log_in):
    visitor = log_in(city.unit, "auditor")
    assert "Yuan" not in visitor.get("/counts").text
    one = messages(database, city.run_id)[0]
    assert "yuan" not in visitor.get(f"/messages/{one.id}").text


def test_a_text_that_is_being_written_says_what_it_costs(session, log_in, tmp_path):
    branch = make_branch(session)
    make_invitation(session, branch)
    session.commit()
    (tmp_path / "gateways.toml").write_text(GATEWAYS, encoding="utf-8")
    visitor = log_in(branch)
    assert "· 0.045 yuan" in visitor.get("/invite").text


def test_a_route_whose_accounts_differ_has_no_price_of_its_own(session, log_in, tmp_path):
    branch = make_branch(session)
    make_invitation(session, branch)
    session.commit()
    other = '[accounts.b]\nadapter = "null"\nprice_per_part = 5\n\n[routes]\ndefault = ["main", "b"]\n'
    (tmp_path / "gateways.toml").write_text(GATEWAYS.partition("[routes]")[0] + other, encoding="utf-8")
    page = log_in(branch).get("/invite").text
    assert "1 part" in page
    assert "yuan" not in page
