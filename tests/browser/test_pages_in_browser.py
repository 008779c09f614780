"""Every page, empty and full, in both languages, narrow and wide: nothing overflows and axe finds nothing."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from sms_service.audience.models import Suppression
from sms_service.campaigns.models import Campaign
from sms_service.directory.models import Person
from sms_service.vocabulary import MessageReason
from tests.api.samples import make_samples
from tests.browser.conftest import DESK, NARROW
from tests.browser.every_page import ROLES, fill, is_of_event, list_pages
from tests.factories import make_unit
from tests.schedules.eventful import approve_event, make_town, write_event

# WCAG 2.0 to 2.2, levels A and AA, by the names of axe-core
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Only what is wrong is wanted, and no style sheet is fetched for it a second time: that is half of the time.
LOOK = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"], "preload": False}
# An English page has the marks of the Chinese one around other words: of these rules it may break one by itself.
OF_WORDS = {**LOOK, "runOnly": ["target-size", "html-has-lang", "html-lang-valid", "valid-lang", "document-title"]}


def resize(tab, size):
    tab.page.set_viewport_size({"width": size[0], "height": size[1]})


def look(tab, path, problems, *sizes, rules=LOOK, wide=()):
    """Open a page at the first of these sizes, and note whatever is wrong with it at each of them. At those of `wide`
    it only must not be too wide.
    """
    resize(tab, sizes[0])
    answer = tab.go(path)
    if answer is None or answer.status >= 400:
        problems.append(f"{path}: {answer and answer.status}")
        return
    tab.page.evaluate(AXE_SCRIPT)
    for size in sizes:
        resize(tab, size)
        width = size[0]
        if tab.is_too_wide():
            problems.append(f"{path} at {width}: has to be scrolled sideways")
        found = tab.page.evaluate("options => axe.run(document, options)", rules)
        for violation in found["violations"]:
            places = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
            problems.append(f"{path} at {width}: {violation['id']}: {places}")
    for size in wide:
        resize(tab, size)
        if tab.is_too_wide():
            problems.append(f"{path} at {size[0]}: has to be scrolled sideways")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
@pytest.mark.parametrize("half", [0, 1])  # two processes share them
def test_every_page_is_in_order(app, database, session, open_tab, begin, language, full, half):
    unit = make_unit(session, name="滨海区新城街道阳光花园社区第一网格综合党支部委员会" if full else "城区")
    ids = make_samples(database, session, unit) if full else {"unit_id": unit.id}
    if full:
        ids["grant_id"] = ids["role_id"]
        phone = session.get_one(Person, ids["person_id"]).phone
        session.add(Suppression(phone=phone, reason=MessageReason.opted_out, source="reply"))
    session.commit()
    tab = open_tab(NARROW, language, secret=begin(unit, *ROLES, language=language))
    # What an empty page has is in the full one too, or is a sentence: its marks on a desk are those on a phone.
    sizes, wide = ((NARROW, DESK), ()) if full and language == "zh" else ((NARROW,), (DESK,))
    problems = []
    paths = dict.fromkeys(fill(rule, ids) for _, rule in list_pages(app) if not is_of_event(rule))
    for path in [path for path in paths if path is not None][half::2]:
        look(tab, path, problems, *sizes, rules=LOOK if language == "zh" else OF_WORDS, wide=wide)
    assert problems == []
    if full:
        left_out = [rule for _, rule in list_pages(app) if fill(rule, ids) is None]
        assert left_out == [], "add an id to make_samples in tests/api/samples.py"


@pytest.mark.parametrize(("language", "sizes"), [("zh", (NARROW, DESK)), ("en", (NARROW, DESK))], ids=["zh", "en"])
def test_the_pages_of_a_theme_day_are_in_order(app, database, session, open_tab, begin, language, sizes):
    """Before it begins, and when it has begun and who came is ticked off."""
    town = make_town(database)
    write_event(session, town)
    approve_event(session, town)
    session.commit()
    with town.clock(2) as later:
        town.tick(later)
    tab = open_tab(sizes[0], language, secret=begin(town.unit, *ROLES, language=language))
    problems = []
    pages = [fill(rule, {"campaign_id": town.campaign_id}) for _, rule in list_pages(app) if is_of_event(rule)]
    for path in ("/events", *pages):
        look(tab, path, problems, *sizes)
    campaign = session.get_one(Campaign, town.campaign_id)
    campaign.schedule = {**campaign.schedule, "begins": "2026-11-01T09:00+08:00"}
    session.commit()
    of_it = f"/campaigns/{town.campaign_id}"
    for path in ("/events?past=true", f"{of_it}/event", f"{of_it}/attendance"):
        look(tab, path, problems, *sizes)
    assert tab.page.locator("[name=people]:checked").count() == len(town.phones)
    assert problems == []


def test_the_pages_before_a_log_in_are_in_order(open_tab, session):
    problems = []
    for language, size in (("zh", NARROW), ("en", DESK)):
        look(open_tab(size, language), "/log-in", problems, size)
    assert problems == []
