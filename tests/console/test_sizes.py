"""How much a page costs whoever opens it on a phone: bytes on the wire, of the first visit, later pages, the part that
refreshes itself.
"""

from __future__ import annotations

import re

import pytest

from sms_service.campaigns.models import Campaign
from tests.api.samples import make_samples
from tests.browser.every_page import ROLES, fill, list_pages
from tests.factories import make_account, make_person, make_unit

FIRST_VISIT, PAGE, FRAGMENT = 150_000, 40_000, 4_000  # bytes
ROWS = 60  # more than a page shows
LONG = "滨海区新城街道阳光花园社区第一网格综合党支部委员会"


def weigh(answer):
    """Bytes on the wire, with the headers."""
    return len(answer.data) + sum(len(name) + len(value) + 4 for name, value in answer.headers)


@pytest.fixture
def full(database, session):
    """A unit with a long name, one of everything in it, and lists of more than one page."""
    unit = make_unit(session, name=LONG)
    ids = make_samples(database, session, unit)
    made = session.get_one(Campaign, ids["campaign_id"])
    for number in range(ROWS):
        make_person(session, unit, name=f"阿依古丽·买买提{number}")
        make_account(session, unit, f"officer-{number}")
        make_unit(session, parent=unit, level="branch", name=f"{LONG}{number}")
        columns = {name: getattr(made, name) for name in ("template_version_id", "segment_id", "signature", "route_id")}
        session.add(Campaign(unit_id=unit.id, name=f"{LONG}主题党日邀请{number}", **columns))
    session.commit()
    return unit, ids


def test_a_first_visit(app):
    client = app.test_client()
    page = client.get("/log-in")
    assets = set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text))
    assert len(assets) >= 4
    sizes = {path: weigh(client.get(path, headers={"Accept-Encoding": "gzip"})) for path in assets}
    assert weigh(page) + sum(sizes.values()) <= FIRST_VISIT, sizes


def test_every_page_full_and_empty(app, log_in, full, session):
    unit, ids = full
    empty = make_unit(session, name="新支部")
    session.commit()
    too_large = {}
    for place, known in ((unit, ids), (empty, {"unit_id": empty.id})):
        visitor = log_in(place, *ROLES, language="zh")
        for _, rule in list_pages(app):
            path = fill(rule, known)
            if path is None:
                continue
            answer = visitor.client.get(path, headers={"Accept-Encoding": "gzip"})
            size = weigh(answer)
            if size > (FRAGMENT if path.endswith("/live") else PAGE):
                too_large[path] = size
    assert too_large == {}


def test_what_a_post_shows_is_not_compressed(log_in, full):
    """It may hold a whole phone or a password beside what was sent, and its size would tell about them."""
    unit, _ = full
    visitor = log_in(unit, *ROLES)
    headers = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
    assert visitor.client.get("/people", headers=headers).headers["Content-Encoding"] == "gzip"
    found = visitor.client.post(
        "/people", data={"wanted": "阿依", "_csrf": visitor.fields("/people")["_csrf"]}, headers=headers
    )
    assert found.status_code == 200
    assert "Content-Encoding" not in found.headers
    assert weigh(found) <= PAGE
