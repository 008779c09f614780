"""What waits for whom: each kind by right and scope, and nothing that is not there."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.db.engine import Database
from sms_service.directory.models import Contact
from sms_service.reports.tasks import list_tasks
from tests.api.samples import PREPARATIONS, make_samples
from tests.factories import make_actor, make_person, make_unit


def waiting(session: Session, actor: Actor) -> dict[str, int]:
    return {str(task.kind): task.number for task in list_tasks(session, actor)}


def test_each_waits_for_those_who_may_do_it_and_in_their_units_only(database: Database, session: Session) -> None:
    city = make_unit(session)
    branch, other = make_unit(session, parent=city, level="branch"), make_unit(session, parent=city, level="branch")
    ids = make_samples(database, session, branch)
    session.execute(text("UPDATE campaigns SET status = 'submitted' WHERE id = :id"), {"id": ids["campaign_id"]})
    session.execute(text("UPDATE runs SET status = 'held', held_for = 'canary', reason = 'x'"))
    session.execute(text("UPDATE gateway_accounts SET state = 'paused', paused_by = 'person', reason = 'x'"))
    PREPARATIONS["POST /messages/<int:message_id>/settle"](session, ids)
    make_unit(session, parent=city, level="branch")  # nobody holds a role in it
    session.add(Contact(unit_id=other.id, person_id=make_person(session, other).id, role="书记"))
    session.flush()
    assert waiting(session, make_actor(session, branch, ("approver",))) == {"approval": 1}
    assert waiting(session, make_actor(session, branch, ("officer",))) == {
        "held_run": 1, "unknown": 1, "import_to_apply": 1, "lost_check": 1, "unread_reply": 1,
    }  # fmt: skip
    assert waiting(session, make_actor(session, city, ("operator",))) == {
        "held_run": 1, "gateway_paused": 1, "unknown": 1,
    }  # fmt: skip
    assert waiting(session, make_actor(session, city, ("administrator",)))["branch_without_contact"] == 1
    assert waiting(session, make_actor(session, city, ("auditor",))) == {}
    for role in ("approver", "officer", "administrator"):
        found = waiting(session, make_actor(session, other, (role,)))
        assert found.keys() <= {"gateway_paused"}, role


def test_ones_own_campaign_waits_for_somebody_else(database: Database, session: Session) -> None:
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    both = make_actor(session, unit, ("approver", "officer"))
    session.execute(
        text("UPDATE campaigns SET status = 'submitted', created_by = :account WHERE id = :id"),
        {"account": both.account_id, "id": ids["campaign_id"]},
    )
    assert waiting(session, both)["approval"] == 1
    session.execute(
        text(
            "INSERT INTO trail (account_id, act, target_kind, target_id, unit_path, details)"
            " VALUES (:account, 'campaign.submit', 'campaign', :id, :path, '{}')"
        ),
        {"account": both.account_id, "id": str(ids["campaign_id"]), "path": unit.path},
    )
    assert "approval" not in waiting(session, both)
    session.execute(text("UPDATE campaigns SET status = 'rejected'"))
    assert waiting(session, both)["returned"] == 1


def test_a_breaker_is_told_apart_from_a_person_and_each_says_since_when(database: Database, session: Session) -> None:
    city = make_unit(session)
    make_samples(database, session, make_unit(session, parent=city))
    operator = make_actor(session, city, ("operator",))
    for by, kind in (("breaker", "breaker_open"), ("person", "gateway_paused"), ("link", "gateway_paused")):
        session.execute(
            text(
                "UPDATE gateway_accounts"
                " SET state = 'paused', paused_by = :by, reason = 'x', state_since = '2026-11-01Z'"
            ),
            {"by": by},
        )
        (task,) = list_tasks(session, operator)
        assert (task.kind, task.number) == (kind, 1)
        assert task.oldest == task.newest == datetime(2026, 11, 1, tzinfo=UTC)
    assert list_tasks(session, operator, ["unknown"]) == []


def test_an_import_waits_for_who_may_apply_it(database: Database, session: Session) -> None:
    city = make_unit(session)
    branch, other = make_unit(session, parent=city), make_unit(session, parent=city)
    ids = make_samples(database, session, branch)
    for role, unit, number in (("officer", branch, 1), ("administrator", city, 1), ("officer", other, 0)):
        assert waiting(session, make_actor(session, unit, (role,))).get("import_to_apply", 0) == number
    session.execute(text("UPDATE imports SET kind = 'units' WHERE id = :id"), {"id": ids["import_id"]})
    assert "import_to_apply" not in waiting(session, make_actor(session, branch))
    assert waiting(session, make_actor(session, city, ("administrator",)))["import_to_apply"] == 1
    session.execute(text("UPDATE imports SET unit_id = NULL WHERE id = :id"), {"id": ids["import_id"]})
    assert "import_to_apply" not in waiting(session, make_actor(session, city, ("administrator",)))
    assert waiting(session, SYSTEM)["import_to_apply"] == 1
    session.execute(text("UPDATE imports SET state = 'applied'"))
    assert "import_to_apply" not in waiting(session, SYSTEM)
