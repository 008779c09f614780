"""What happens is noted in the transaction in which it does, for the webhooks that want it, and never lost."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

import sms_service.ledger
from sms_service.accounts.actors import SYSTEM
from sms_service.audit.happening_models import Happening, HappeningKind
from sms_service.campaigns.approval import decide_approval
from sms_service.campaigns.services import submit_campaign, withdraw_campaign
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.ledger import sweeps
from sms_service.ledger.models import Run
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.webhooks.collecting import collect_happenings
from sms_service.webhooks.erasing import empty_happenings
from sms_service.webhooks.models import Webhook
from sms_service.webhooks.owning import pause_webhook, remove_webhook
from tests.bringing import bring
from tests.clocks import ahead_by
from tests.console.campaigning import make_branch, write_draft
from tests.dispatch.city import City, drain, make_city, make_run, unknown
from tests.factories import fictional_phone, make_unit
from tests.ledger.test_receipts import arrive, delivered, undelivered
from tests.replies.test_matching import PHONE, answered
from tests.webhooks.receiving import list_kept, make_webhook

FINAL = set(MessageStatus) - {MessageStatus.pending, MessageStatus.claimed, MessageStatus.submitting}


def city_with_webhook(database: Database, people: int = 2, **kw: object) -> City:
    """A city whose run is not frozen yet, and a webhook that wants everything."""
    city = make_city(database, people, freeze_now=False, **kw)  # type: ignore[arg-type]
    with database.session() as session:
        make_webhook(session, city.unit)
    return city


def kinds(database: Database) -> list[str]:
    """What was noted, in order."""
    with database.session() as session:
        return list(session.scalars(select(Happening.kind).order_by(Happening.id)))


def freeze_now(database: Database, city: City) -> None:
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)


def test_a_run_and_its_texts_from_launch_to_the_end(database: Database) -> None:
    city = city_with_webhook(database, 2, more=[{"phone": None}])
    freeze_now(database, city)
    drain(database, city.gateways)
    arrive(database, *(delivered(handed.reference) for handed in city.adapter.handed[:1]))
    arrive(database, undelivered(city.adapter.handed[1].reference))
    for _ in range(2):
        with database.transaction() as connection:
            sweeps.finish_runs(connection)
    assert kinds(database) == [
        *("run.freezing", "message.skipped", "run.running", "message.accepted", "message.accepted"),
        *("message.delivered", "message.undelivered", "run.finished", "run.closed"),
    ]
    with database.session() as session:
        why = session.execute(select(Happening.kind, Happening.reason).where(Happening.reason.is_not(None)))
        reasons = dict(why.all())  # type: ignore[arg-type]
    assert reasons == {"message.skipped": "no_phone", "message.undelivered": "unreachable"}


def test_without_a_webhook_nothing_is_written(database: Database) -> None:
    city = make_city(database, 2, more=[{"phone": None}])
    drain(database, city.gateways)
    with database.session() as session:
        remove_webhook(session, SYSTEM, make_webhook(session, city.unit).id)
        make_webhook(session, city.unit, kinds=["import.applied"])
    arrive(database, delivered(city.adapter.handed[0].reference))
    assert kinds(database) == []


def test_a_webhook_that_is_paused_misses_nothing(database: Database) -> None:
    city = city_with_webhook(database)
    with database.session() as session:
        pause_webhook(session, SYSTEM, session.scalars(select(Webhook.id)).one())
    freeze_now(database, city)
    collect_happenings(database)
    assert [row.status for row in list_kept(database)] == ["pending"] * 2


def test_what_the_clock_does_to_texts_is_noted(database: Database) -> None:
    city = city_with_webhook(database, 3)
    freeze_now(database, city)
    with database.session() as session:
        session.execute(delete(Happening))
    city.adapter.answer = unknown
    drain(database, city.gateways)
    assert kinds(database) == ["message.unknown"] * 3
    make_city(database, 1)
    with database.session() as session:
        session.execute(delete(Happening))
    with ahead_by(database.url, "2 days") as ahead, ahead.transaction() as connection:
        sweeps.expire_rows(connection)
    assert kinds(database) == ["message.expired"]


def test_what_is_rolled_back_is_not_noted_and_what_commits_late_is_not_lost(database: Database) -> None:
    city = city_with_webhook(database)
    early, late = Session(database.engine), Session(database.engine)
    move = update(Run).where(Run.id == city.run_id).values(status=RunStatus.cancelled.value)
    early.execute(move)
    early.rollback()
    late.execute(move)  # its happening has a number by now, and is not seen yet
    with database.session() as session:
        make_run(session, city.unit)
    assert collect_happenings(database) == 1
    late.commit()
    assert kinds(database) == ["run.cancelled", "run.planned"]
    assert collect_happenings(database) == 1
    assert collect_happenings(database) == 0
    with database.session() as session:
        told = session.scalars(select(Happening).order_by(Happening.id)).all()
    assert [row.body["data"]["status"] for row in told if row.body] == ["cancelled", "planned"]
    early.close()
    late.close()


def test_approvals_replies_and_imports(database: Database, session: Session) -> None:
    branch = make_branch(session)
    make_webhook(session, branch)
    first, second, third = (write_draft(session, branch, name=f"学习{number}") for number in range(3))
    for campaign in (first, second, third):
        submit_campaign(session, SYSTEM, campaign.id)
    decide_approval(session, SYSTEM, first.id, approve=True)
    decide_approval(session, SYSTEM, second.id, approve=False, comment="再改")
    withdraw_campaign(session, SYSTEM, third.id)
    bring(session, "people", f"姓名,手机号,组织编码\n丁,{fictional_phone(77)},{branch.code}\n", unit_id=branch.id)
    session.commit()
    assert kinds(database) == [
        *["approval.submitted"] * 3,
        *("approval.approved", "approval.rejected", "approval.withdrawn", "import.checked", "import.applied"),
    ]
    collect_happenings(database)
    told = session.scalars(select(Happening).order_by(Happening.id)).all()
    data = told[-1].body["data"]  # type: ignore[index]
    assert (data["unit"], data["kind"], data["created"], data["status"]) == (branch.name, "people", 1, "applied")


def test_a_change_of_what_is_under_way_waits_for_approval_again(database: Database, session: Session) -> None:
    branch = make_branch(session)
    make_webhook(session, branch)
    campaign = write_draft(session, branch)
    campaign.status = "active"
    session.flush()
    campaign.undecided = True
    session.flush()
    campaign.undecided = False
    session.commit()
    assert kinds(database) == ["approval.submitted"]


def test_a_reply_is_told_with_a_masked_phone_and_without_its_text(database: Database) -> None:
    city = city_with_webhook(database, 0, more=[{"phone": PHONE}])
    freeze_now(database, city)
    drain(database, city.gateways)
    answered(database)
    while collect_happenings(database):
        pass
    with database.session() as session:
        reply = session.scalars(select(Happening).where(Happening.kind == "reply.read")).one()
        data = reply.body["data"]  # type: ignore[index]
        assert (data["campaign_id"], data["run_id"], data["person_id"]) == (1, city.run_id, 1)
        assert data["phone"] == f"{PHONE[:6]}****{PHONE[-4:]}"
        everything = session.scalars(select(Happening.body)).all()
        assert PHONE not in repr(everything)
        assert empty_happenings(session, 1) == 2
        assert "****" not in repr(session.scalars(select(Happening.body)).all())


def test_only_what_lies_within_the_units_is_told(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    with database.session() as session:
        parent = session.merge(city.unit)
        below, beside = make_unit(session, parent=parent), make_unit(session)
        make_webhook(session, below)
        make_webhook(session, beside)
    freeze_now(database, city)
    collect_happenings(database)
    assert (kinds(database), list_kept(database)) == ([], []), "nobody who may know wants it"


def test_an_import_of_the_whole_tree_is_told_to_its_top_alone(database: Database, session: Session) -> None:
    top = make_unit(session)
    make_webhook(session, top)
    make_webhook(session, make_unit(session, parent=top))
    bring(session, "units", "编码,名称,上级编码\n7777,新支部,\n")
    session.commit()
    collect_happenings(database)
    assert {row.webhook_id for row in list_kept(database)} == {1}


def test_every_statement_that_ends_a_text_notes_it() -> None:
    """Those that only let it go on, empty it, or are of texts that belong to no campaign do not."""
    folder = Path(sms_service.ledger.__file__).parent
    writes = re.compile(r"UPDATE messages\b.*?\bSET\b.*?\bstatus =|INSERT INTO messages\b", re.DOTALL)
    lets_go_on = {"claim", "claim_ids", "gate", "go_again", "sweep_claimed", "withdraw", "cancel_single_texts"}
    lets_go_on.add("write_single_texts")  # they wait to leave
    found = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.sql")}
    ending = {name for name, sql in found.items() if writes.search(re.sub(r"--[^\n]*", "", sql))}
    noting = {name for name, sql in found.items() if "INSERT INTO happenings" in sql}
    assert ending - lets_go_on == noting


def test_every_status_of_runs_and_texts_can_be_told() -> None:
    assert {f"run.{status}" for status in RunStatus} == {kind for kind in HappeningKind if kind.startswith("run.")}
    assert {f"message.{status}" for status in FINAL} == {kind for kind in HappeningKind if kind.startswith("message.")}
