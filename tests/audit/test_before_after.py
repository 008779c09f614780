"""Acts that change something say in the trail what was before and after."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import sms_service
from sms_service.accounts import services
from sms_service.accounts.actors import SYSTEM
from sms_service.audience import segments
from sms_service.audit.changes import read_before_after, read_changes
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import quota_setting
from sms_service.campaigns.services import change_campaign
from sms_service.content import signatures
from sms_service.controls import caps, quiet_days, unit_caps
from sms_service.directory.models import Unit
from sms_service.personal.redaction import set_redaction
from sms_service.reports import targets
from tests.console.campaigning import make_branch, write_draft
from tests.factories import make_account, make_unit
from tests.test_catalogues import RECORDERS
from wording.extracting import call_name

PACKAGE = Path(sms_service.__file__).parent
CHANGING = re.compile(
    r"[a-z_]+\.(change|set|move|rename|retime|sort|caps|redaction|default|file|bind|assign|pushes|remove|[a-z]+_rename)"
)
# What is removed is named by the entry as a whole: that is what there was before.
WHOLE = {
    *("approval_rule.remove", "calendar.remove", "category.remove", "channel.remove", "quiet_day.remove"),
    *("reference.remove", "signature.remove", "webhook.remove", "word_list.remove"),
}


def _changing_acts() -> Iterator[tuple[str, bool]]:
    """Each act that changes something, and whether the function that records it says what was before and after."""
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
            told = re.search(r"\bchange[sd]\b", ast.get_source_segment(source, function) or "") is not None
            calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
            named = (call.args[2] for call in calls if call_name(call) in RECORDERS)
            acts = (str(name.value) for name in named if isinstance(name, ast.Constant))
            yield from ((act, told) for act in acts if CHANGING.fullmatch(act))


def test_whoever_records_a_change_says_what_was_before_and_after() -> None:
    found = list(_changing_acts())
    assert len(found) > 25
    assert {act for act, told in found if not told} == WHOLE


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session, name="云州市", code="4000")


def changes_of(session: Session, act: str) -> list[Any]:
    session.flush()
    entries = session.scalars(select(TrailEntry).where(TrailEntry.act == act).order_by(TrailEntry.id)).all()
    return [read_changes(session, [entry]).get(entry.id) for entry in entries]


def test_settings_say_what_they_were(session: Session, city: Unit) -> None:
    caps.set_cap(session, SYSTEM, "study", 2, "试行")
    caps.set_cap(session, SYSTEM, "study", 5, "放宽")
    caps.remove_cap(session, SYSTEM, "study", "取消")
    assert changes_of(session, "cap.set") == [{"per_day": [None, 2]}, {"per_day": [2, 5]}]
    assert changes_of(session, "cap.remove") == [{"per_day": [5, None]}]
    for limit in (100, 200):
        quota_setting.set_quota(session, SYSTEM, city.id, None, {"people": limit}, "试行")
    quota_setting.remove_quota(session, SYSTEM, city.id, None, "取消")
    assert changes_of(session, "quota.set") == [{"people": [None, 100]}, {"people": [100, 200]}]
    assert changes_of(session, "quota.remove") == [{"people": [200, None], "parts": [None, None], "fen": [None, None]}]
    for target in (12, None):
        targets.set_targets(session, SYSTEM, city.id, 2026, {"theme_days": target}, "年度计划")
    assert changes_of(session, "target.set") == [{"theme_days": [None, 12]}, {"theme_days": [12, None]}]
    for most in (1, 3):
        unit_caps.set_unit_caps(session, SYSTEM, city.id, {"study": most}, "试行")
    assert changes_of(session, "unit.caps") == [{"study": [None, 1]}, {"study": [1, 3]}]
    for days in (90, 365):
        set_redaction(session, SYSTEM, city.id, days, "规定")
    assert changes_of(session, "unit.redaction") == [
        {"redact_after_days": [None, 90]},
        {"redact_after_days": [90, 365]},
    ]


def test_what_a_level_had_before_is_kept_by_unit(session: Session, city: Unit) -> None:
    one, _ = (make_unit(session, parent=city, level="district") for _ in range(2))
    targets.set_targets(session, SYSTEM, one.id, 2026, {"theme_days": 4}, "年度计划")
    targets.set_targets(session, SYSTEM, city.id, 2026, {"theme_days": 12}, "年度计划", "district")
    quota_setting.set_quota(session, SYSTEM, one.id, None, {"people": 9}, "试行")
    quota_setting.set_quota(session, SYSTEM, city.id, None, {"people": 10}, "试行", "district")
    session.flush()
    kept = select(TrailEntry.details["before_by_unit"]).where(TrailEntry.details.has_key("level"))
    assert session.scalars(kept.order_by(TrailEntry.id)).all() == [
        {str(one.id): {"theme_days": 4}},
        {str(one.id): {"people": 9, "parts": None, "fen": None}},
    ]


def test_things_that_people_write_say_what_they_were(session: Session, city: Unit) -> None:
    segment = segments.create_segment(session, SYSTEM, unit_id=city.id, name="全体", rule={"everyone": True})
    segments.change_segment(session, SYSTEM, segment.id, name="教师", rule={"tag": "教师"})
    segments.change_segment(session, SYSTEM, segment.id, name="教师")
    assert changes_of(session, "segment.change") == [
        {"name": ["全体", "教师"], "rule": [{"everyone": True}, {"tag": "教师"}]}
    ]
    signature = signatures.add_signature(session, SYSTEM, city.id, "云州党建")
    signatures.set_default_signature(session, SYSTEM, city.id, signature.id)
    assert changes_of(session, "signature.default") == [{"signature_id": [None, signature.id]}]
    branch = make_branch(session, people=2)
    campaign = write_draft(session, branch, name="主题党日")
    now = session.scalars(select(func.sms_now())).one()
    change_campaign(session, SYSTEM, campaign.id, {"name": "党课", "planned_at": now + timedelta(days=1)})
    assert changes_of(session, "campaign.change") == [
        {"name": ["主题党日", "党课"], "planned_at": [None, (now + timedelta(days=1)).isoformat()]}
    ]
    day = now.date() + timedelta(days=3)
    for name in ("哀悼日", "公祭日"):
        quiet_days.set_quiet_days(session, SYSTEM, city.id, [quiet_days.NamedDay(day, name)])
    assert changes_of(session, "quiet_day.set") == [
        {day.isoformat(): [None, "哀悼日"]},
        {day.isoformat(): ["哀悼日", "公祭日"]},
    ]


def test_an_accounts_name_lies_apart_from_the_trail(session: Session, city: Unit) -> None:
    account = make_account(session, city, "lin", name="林书记")
    other = make_unit(session, parent=city)
    now = session.scalars(select(func.sms_now())).one()
    services.change_account(session, SYSTEM, account.id, now=now, name="林主任", unit_id=other.id)
    assert changes_of(session, "account.move") == [{"unit_id": [city.id, other.id]}]
    assert changes_of(session, "account.rename") == [{"name": ["林书记", "林主任"]}]
    kept = session.scalars(select(TrailEntry.details).where(TrailEntry.act == "account.rename")).one()
    assert "林" not in str(kept)


def test_what_was_never_read_is_not_told_as_nothing(session: Session, city: Unit) -> None:
    session.expire(city)
    city.name = "新"
    with pytest.raises(RuntimeError, match="before it was read"):
        read_before_after(city, ("name",))
