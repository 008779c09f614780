"""One of everything that an address can name, and a valid body for every route that takes one.

The tests in test_every_route.py walk all routes with these. A new route's parameters and bodies are added here.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from sms_service.accounts import tokens
from sms_service.accounts.actors import SYSTEM
from sms_service.accounts.models import Account, RoleGrant
from sms_service.audience.import_work import work_on_import
from sms_service.audience.suppression import suppress_phone
from sms_service.campaigns import approval
from sms_service.campaigns.delegations import lend_approval
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.quota_setting import set_quota
from sms_service.campaigns.rule_acts import add_approval_rule
from sms_service.campaigns.services import create_campaign
from sms_service.channels.models import ChannelPost
from sms_service.content.categories import add_category
from sms_service.content.language import compile_template
from sms_service.content.list_drafts import upload_list_file
from sms_service.content.lists import add_reference_list, keep_row
from sms_service.content.models import ListedWord, ListKind
from sms_service.content.quiz_bank import add_quiz_category, keep_quiz_question
from sms_service.content.quiz_choices import WrittenQuestion
from sms_service.content.quiz_imports import upload_quiz_text
from sms_service.content.signatures import add_signature
from sms_service.content.wordlists import add_words
from sms_service.controls import quiet_days, stops
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import GatewayAccount
from sms_service.controls.quiet_days import NamedDay
from sms_service.db.engine import Database
from sms_service.delivery.models import LostCheck
from sms_service.directory import contacts, drafts
from sms_service.directory.import_models import Import, ImportOutcome, ImportState
from sms_service.directory.logins import digest_logins
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.ledger.models import Message, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.reports.exports import ExportChoice, request_export
from sms_service.reports.filters import Filter
from sms_service.reports.roll_up_models import DaySeal
from sms_service.reports.statements import draw_statement, issue_statement
from sms_service.schedules.calendar_days import CalendarEntry, set_calendar_days
from sms_service.schedules.correcting import change_item
from sms_service.schedules.event_planning import plan_event
from sms_service.schedules.scheduling import set_schedule
from sms_service.schedules.series_planning import SeriesRow, set_series
from sms_service.webhooks.deliveries import request_test_delivery
from tests.audience.listing import bring_list
from tests.channels.chat import make_channel
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, make_run
from tests.factories import make_account, make_actor, make_person, make_segment, make_template
from tests.own_texts.own_phones import give_own_phone, let_code_wait
from tests.replies.replying import write_in
from tests.webhooks.receiving import make_webhook

EVERYONE = {"everyone": True}
POSTED = {"title": "学习", "unit": "城东区", "text": "【云州先锋】请参加学习。"}
QUESTION = {"text": "首都是哪里？", "options": ["北京", "上海"], "right_choices": "A"}
QUIZ_ROWS = "题目\tA\tB\t答案\n首都？\t北京\t上海\tA\n？\t北京\t\tA\n"
QUIET_DAY = date(2999, 4, 5)
EARLIER = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
LATER = (datetime.now(UTC) + timedelta(days=9)).isoformat()


def make_samples(database: Database, session: Session, unit: Unit) -> dict[str, Any]:
    """The ids and names, by parameter, of new things that belong to `unit`, committed: a draft, a run that runs, …"""
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    account = make_account(session, unit, "sample")
    now = datetime.now(UTC)
    token, _ = tokens.issue_token(session, SYSTEM, account.id, "sample", now=now, random_bytes=secrets.token_bytes)
    session.commit()
    content = f"姓名,手机号,组织编码\n丁,,{unit.code}\n,,{unit.code}\n".encode()
    read_in = drafts.upload_import(
        session, SYSTEM, "people", content, "党员.csv", unit_id=unit.id, complete_for=unit.id
    )
    session.commit()
    work_on_import(database.session, read_in.id)
    person = make_person(session, unit)
    listed = bring_list(session, unit, f"编号,座位\n{person.number},1排\n")
    contact, _ = contacts.give_contact_role(session, SYSTEM, person.id, unit.id, "书记")
    run = make_run(session, unit)
    segment, version = make_segment(session, unit, EVERYONE), make_template(session, unit)
    campaign = Campaign(
        unit_id=unit.id,
        name="学习",
        template_version_id=version.id,
        segment_id=segment.id,
        signature="云州先锋",
        route_id=run.route_id,
        created_by=account.id,
    )
    session.add(campaign)
    session.commit()
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run.id)
    message_id = session.scalars(select(Message.id).filter_by(run_id=run.id)).one()
    asked = QuestionRow(
        campaign_id=run.campaign_id,
        item=1,
        firing=1,
        unit_path=unit.path,
        kind="rsvp",
        asks={"kind": "rsvp", "hours": 72},
        opened_at=now,
        closes_at=now + timedelta(days=3),
    )
    session.add(asked)
    session.flush()
    session.execute(update(Run).where(Run.id == run.id).values(question_id=asked.id))
    signature = add_signature(session, SYSTEM, unit.id, "云州先锋")
    category = add_category(session, SYSTEM, unit.id, "党的历史")
    add_words(session, SYSTEM, unit.id, ListKind.block, ["免费"])
    reference = add_reference_list(session, SYSTEM, unit.id, "venue", "场地")
    row = keep_row(session, SYSTEM, reference.id, None, "市民中心", {})
    upload_list_file(session, SYSTEM, reference.id, "场地\n图书馆\n".encode(), "场地.csv")
    quiz = add_quiz_category(session, SYSTEM, unit.id, "党的历史")
    question = keep_quiz_question(
        session, SYSTEM, quiz.id, None, WrittenQuestion("党的生日？", ("7月1日", "8月1日"), "A")
    )
    quiz_plan = upload_quiz_text(session, SYSTEM, unit.id, QUIZ_ROWS, "时事")
    opted_out = suppress_phone(session, SYSTEM, make_person(session, unit).phone or "", "opted_out")
    stop_id, _ = stops.stop_unit(session, SYSTEM, unit.id, "查错")
    (quiet_day,) = quiet_days.set_quiet_days(session, SYSTEM, unit.id, [NamedDay(QUIET_DAY, "清明节")])
    (calendar_day,) = set_calendar_days(
        session, SYSTEM, unit.id, [CalendarEntry(QUIET_DAY.replace(year=2027), False, "清明节")]
    )
    session.commit()
    rule = add_approval_rule(session, SYSTEM, unit_id=unit.id, approvals=1, up_to=77)
    lender = make_actor(session, unit, ("approver",))
    until = session.scalars(select(func.sms_now())).one().date() + timedelta(days=3)
    given = {"unit_id": unit.id, "login": account.login, "until": until, "why": "出差"}
    lent = lend_approval(session, lender, **given).delegation
    set_quota(session, SYSTEM, unit.id, date(2999, 12, 1), {"people": 1000}, "年度安排")
    series = make_series(session, unit, segment.id)
    check = LostCheck(person_id=person.id, cause="not_reached", campaigns=3, opened_at=now)
    session.add(check)
    channel = make_channel(session, unit)
    post = ChannelPost(channel_id=channel.id, run_id=run.id, unit_id=unit.id, content=POSTED, expires_at=now)
    session.add(post)
    webhook = make_webhook(session, unit)
    request_test_delivery(session, SYSTEM, webhook.id)
    export = request_export(session, lender, Filter([unit.path]), {"unit": str(unit.id)}, ExportChoice())
    drawn = draw_statement(session, SYSTEM, unit.id, QUIET_DAY, QUIET_DAY, {})
    statement = issue_statement(session, SYSTEM, drawn, secrets.token_bytes)
    session.commit()
    [reply_id] = write_in(database, person.phone or "", "请问几点开会")
    session.merge(DaySeal(day=date(2026, 1, 1), digest=bytes(32)))
    session.commit()
    return {
        "day": "2026-01-01",
        "unit_id": unit.id,
        "unit_code": unit.code,
        "person_id": person.id,
        "contact_id": contact.id,
        "check_id": check.id,
        "channel_id": channel.id,
        "post_id": post.id,
        "webhook_id": webhook.id,
        "export_id": export.id,
        "statement_id": statement.id,
        "account_id": account.id,
        "role_id": session.scalars(select(RoleGrant.id).filter_by(account_id=account.id)).one(),
        "token_id": token.id,
        "import_id": read_in.id,
        "recipient_list_id": listed.id,
        "segment_id": segment.id,
        "template_id": version.template_id,
        "template_version_id": version.id,
        "campaign_id": campaign.id,
        "series_id": series.id,
        "run_id": run.id,
        "message_id": message_id,
        "stop_id": stop_id,
        "suppression_id": opted_out.id,
        "quiet_day_id": quiet_day.id,
        "calendar_day_id": calendar_day.id,
        "rule_id": rule.id,
        "delegation_id": lent.id,
        "login": account.login,
        "category_id": category.id,
        "signature_id": signature.id,
        "quiz_category_id": quiz.id,
        "question_id": asked.id,
        "quiz_question_id": question.id,
        "quiz_draft_id": quiz_plan.draft_id,
        "quiz_version": quiz_plan.version,
        "list_id": reference.id,
        "row_id": row.id,
        "draft_id": 1,
        "version": 1,
        "number": 1,
        "reply_id": reply_id,
        "word_id": session.scalars(select(ListedWord.id)).one(),
        "class_": "study",
        "name": "main",
    }


def make_series(session: Session, unit: Unit, segment_id: int) -> Campaign:
    """A draft of three texts, the second of them skipped."""
    body = "{{ 内容 }}"
    version = make_template(session, unit, body, class_="study", variables=compile_template(body).variables)
    made = create_campaign(
        session,
        SYSTEM,
        unit_id=unit.id,
        name="百日学习",
        template_version_id=version.id,
        segment_id=segment_id,
        signature="云州先锋",
    )
    first = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    rows = [SeriesRow(text=f"第{number}课。") for number in range(1, 4)]
    set_series(session, SYSTEM, made.id, {"first": first}, rows)
    change_item(session, SYSTEM, made.id, 2, {"skipped": True})
    return made


def _campaign_is(status: str) -> Callable[[Session, dict[str, Any]], None]:
    def prepare(session: Session, ids: dict[str, Any]) -> None:
        session.execute(update(Campaign).where(Campaign.id == ids["campaign_id"]).values(status=status))

    return prepare


def _schedule_is(status: str) -> Callable[[Session, dict[str, Any]], None]:
    """The campaign is sent daily, and stands so."""

    def prepare(session: Session, ids: dict[str, Any]) -> None:
        rule = {"rrule": "FREQ=DAILY", "first": f"{datetime.now(UTC):%Y-%m-%d}", "at": "09:00"}
        _campaign_is("draft")(session, ids)
        set_schedule(session, SYSTEM, ids["campaign_id"], "recurring", rule)
        if status == "approved":
            _campaign_is_approved(session, ids)
        else:
            _campaign_is(status)(session, ids)

    return prepare


def _has_a_place(session: Session, ids: dict[str, Any]) -> None:
    place = {"地点": "市民中心"}
    session.execute(update(Campaign).where(Campaign.id == ids["campaign_id"]).values(status="draft", values=place))


def _event_is(status: str, days: int = 5) -> Callable[[Session, dict[str, Any]], None]:
    """The campaign is an event that begins in so many days, and stands so."""

    def prepare(session: Session, ids: dict[str, Any]) -> None:
        _has_a_place(session, ids)
        at = datetime.now(UTC) + timedelta(days=5)
        plan_event(session, SYSTEM, ids["campaign_id"], {"begins": at})
        rule = {**session.get_one(Campaign, ids["campaign_id"]).schedule, "begins": (at + timedelta(days=days - 5))}
        rule["begins"] = rule["begins"].isoformat()
        _campaign_is(status)(session, ids)
        session.execute(update(Campaign).where(Campaign.id == ids["campaign_id"]).values(schedule=rule))

    return prepare


def _is_series(session: Session, ids: dict[str, Any]) -> None:
    series = {"kind": "series", "schedule": {"late": "first"}}
    session.execute(update(Campaign).where(Campaign.id == ids["campaign_id"]).values(series))


def _text_has_a_variable(session: Session, ids: dict[str, Any]) -> None:
    _campaign_is("draft")(session, ids)
    unit = session.get_one(Unit, ids["unit_id"])
    version = make_template(session, unit, "每日一学：{{ 内容 }}", variables=("内容",))
    changed = update(Campaign).where(Campaign.id == ids["campaign_id"])
    session.execute(changed.values(template_version_id=version.id))


def _series_is(status: str) -> Callable[[Session, dict[str, Any]], None]:
    """The campaign is a series of two texts from tomorrow on, and stands so."""

    def prepare(session: Session, ids: dict[str, Any]) -> None:
        _text_has_a_variable(session, ids)
        set_series(
            session, SYSTEM, ids["campaign_id"], {"first": _tomorrow()}, [SeriesRow(text="一"), SeriesRow(text="二")]
        )
        _campaign_is(status)(session, ids)

    return prepare


def _tomorrow() -> str:
    return f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


def _run_waits(session: Session, ids: dict[str, Any]) -> None:
    run = update(Run).where(Run.campaign_id == ids["campaign_id"])
    session.execute(run.values(status="planned", held_for=None, frozen_at=None))


def _run_is(status: str) -> Callable[[Session, dict[str, Any]], None]:
    def prepare(session: Session, ids: dict[str, Any]) -> None:
        session.execute(update(Run).where(Run.id == ids["run_id"]).values(status=status))

    return prepare


def _campaign_is_approved(session: Session, ids: dict[str, Any]) -> None:
    _campaign_is("submitted")(session, ids)
    session.expire_all()
    approval.decide_approval(session, SYSTEM, ids["campaign_id"], approve=True)


def _message_is_unknown(session: Session, ids: dict[str, Any]) -> None:
    """As after a hand-over of which nothing came back."""
    session.execute(
        text(
            "WITH m AS (UPDATE messages SET status = 'unknown', attempts = 1 WHERE id = :id RETURNING *)"
            " INSERT INTO attempts"
            " (month, message_id, run_id, number, account_id, claim_token, status, parts, started_at)"
            " SELECT month, id, run_id, 1, 1, gen_random_uuid(), 'unknown', 1, sms_now() FROM m"
            " ON CONFLICT (month, message_id, number) DO UPDATE SET status = 'unknown'"
        ),
        {"id": ids["message_id"]},
    )


def _nothing_is_awaited(session: Session, ids: dict[str, Any]) -> None:
    """The person's texts have arrived, and no import is being read."""
    session.execute(text("UPDATE imports SET state = 'failed' WHERE state = 'uploaded'"))
    session.execute(
        text("UPDATE messages SET status = 'delivered', attempts = 1 WHERE person_id = :id"), {"id": ids["person_id"]}
    )


def _unit_can_be_closed(session: Session, ids: dict[str, Any]) -> None:
    """Nobody and nothing is in it, and no stop stands on it."""
    session.execute(text("UPDATE people SET left_at = now() WHERE unit_id = :id"), {"id": ids["unit_id"]})
    session.execute(text("UPDATE units SET closed_at = now() WHERE parent_id = :id"), {"id": ids["unit_id"]})
    session.execute(text("UPDATE stops SET released_at = now(), release_why = 'x' WHERE released_at IS NULL"))


def _post_is_unknown(session: Session, ids: dict[str, Any]) -> None:
    session.execute(
        update(ChannelPost)
        .where(ChannelPost.id == ids["post_id"])
        .values(status="unknown", posted_at=None, lease_until=None)
    )
    session.execute(update(Run).where(Run.id == ids["run_id"]).values(status="finished"))


def _account_is_paused(session: Session, ids: dict[str, Any]) -> None:
    session.execute(update(GatewayAccount).where(GatewayAccount.name == ids["name"]).values(state="paused"))


def _import_is_checked(session: Session, ids: dict[str, Any]) -> None:
    session.execute(update(Import).where(Import.id == ids["import_id"]).values(state=ImportState.checked))


def _import_asks(session: Session, ids: dict[str, Any]) -> None:
    _import_is_checked(session, ids)
    asks = update(ImportOutcome).where(ImportOutcome.import_id == ids["import_id"])
    session.execute(asks.values(outcome="refused", candidates=[ids["person_id"]]))


def _list_has_a_draft(session: Session, ids: dict[str, Any]) -> None:
    plan = upload_list_file(session, SYSTEM, ids["list_id"], "场地\n图书馆\n".encode(), "场地.csv")
    ids |= {"draft_id": plan.draft_id, "version": plan.version}


def _questions_wait(session: Session, ids: dict[str, Any]) -> None:
    plan = upload_quiz_text(session, SYSTEM, ids["unit_id"], QUIZ_ROWS, "时事")
    ids |= {"quiz_draft_id": plan.draft_id, "quiz_version": plan.version}


def _import_is_applied(session: Session, ids: dict[str, Any]) -> None:
    session.execute(update(Import).where(Import.id == ids["import_id"]).values(state=ImportState.applied))


def _texts_can_be_tried(session: Session, ids: dict[str, Any]) -> None:
    """Every account has confirmed a phone, and nothing keeps texts back."""
    session.execute(text("UPDATE stops SET released_at = now(), release_why = 'x' WHERE released_at IS NULL"))
    session.execute(text("UPDATE units SET window_opens = 0, window_closes = 1440"))
    for account in session.scalars(select(Account)).all():
        give_own_phone(session, account)


def _a_stop_stands(session: Session, ids: dict[str, Any]) -> None:
    standing = "UPDATE stops SET released_at = NULL, released_by = NULL, release_why = NULL WHERE id = :id"
    session.execute(text(standing), {"id": ids["stop_id"]})


def _reply_is(status: str) -> Callable[[Session, dict[str, Any]], None]:
    def prepare(session: Session, ids: dict[str, Any]) -> None:
        state = "UPDATE replies SET inbox_status = :status, assigned_to = NULL WHERE id = :id"
        session.execute(text(state), {"status": status, "id": ids["reply_id"]})

    return prepare


def _a_code_waits(session: Session, ids: dict[str, Any]) -> None:
    """For every account, the same."""
    for account in session.scalars(select(Account)).all():
        let_code_wait(session, account, "123456")


# What must be so before a POST can succeed.
PREPARATIONS: dict[str, Callable[[Session, dict[str, Any]], None]] = {
    "POST /campaigns/<int:campaign_id>/submit": _campaign_is("draft"),
    "POST /campaigns/<int:campaign_id>/approve": _campaign_is("submitted"),
    "POST /campaigns/<int:campaign_id>/reject": _campaign_is("submitted"),
    "POST /campaigns/<int:campaign_id>/copy": _campaign_is("draft"),
    "POST /campaigns/<int:campaign_id>/withdraw": _campaign_is("draft"),
    "POST /campaigns/<int:campaign_id>/launch": _campaign_is_approved,
    "POST /campaigns/<int:campaign_id>/retime": _run_waits,
    "POST /campaigns/<int:campaign_id>/start": _schedule_is("approved"),
    "POST /campaigns/<int:campaign_id>/suspend": _schedule_is("active"),
    "POST /campaigns/<int:campaign_id>/continue": _schedule_is("suspended"),
    "POST /campaigns/<int:campaign_id>/end": _schedule_is("active"),
    "GET /campaigns/<int:campaign_id>/progress": _is_series,
    "GET /campaigns/<int:campaign_id>/progress/people": _is_series,
    "GET /campaigns/<int:campaign_id>/event": _event_is("draft"),
    "PUT /campaigns/<int:campaign_id>/event": _has_a_place,
    "POST /campaigns/<int:campaign_id>/move": _event_is("active"),
    "POST /campaigns/<int:campaign_id>/cancel-event": _event_is("active"),
    "GET /campaigns/<int:campaign_id>/attendance": _event_is("active", days=-1),
    "PUT /campaigns/<int:campaign_id>/attendance": _event_is("active", days=-1),
    "GET /campaigns/<int:campaign_id>/series": _series_is("draft"),
    "PUT /campaigns/<int:campaign_id>/series": _text_has_a_variable,
    "POST /campaigns/<int:campaign_id>/series/text": _text_has_a_variable,
    "POST /campaigns/<int:campaign_id>/series/file": _text_has_a_variable,
    "POST /campaigns/<int:campaign_id>/series/items": _series_is("active"),
    "PATCH /campaigns/<int:campaign_id>/series/items/<int:number>": _series_is("active"),
    "POST /campaigns/<int:campaign_id>/series/items/<int:number>/move": _series_is("active"),
    "POST /runs/<int:run_id>/pause": _run_is("running"),
    "POST /runs/<int:run_id>/resume": _run_is("paused"),
    "POST /runs/<int:run_id>/cancel": _run_is("running"),
    "POST /runs/<int:run_id>/retry": _run_is("finished"),
    "POST /runs/<int:run_id>/send-again": _run_is("finished"),
    "POST /messages/<int:message_id>/settle": _message_is_unknown,
    "POST /messages/settle": _message_is_unknown,
    "POST /test-texts": _texts_can_be_tried,
    "POST /inbox/<int:reply_id>/assign": _reply_is("unread"),
    "POST /inbox/<int:reply_id>/answer": _reply_is("unread"),
    "POST /inbox/<int:reply_id>/close": _reply_is("unread"),
    "POST /inbox/<int:reply_id>/reopen": _reply_is("closed"),
    "POST /stops/<int:stop_id>/release": _a_stop_stands,
    "POST /me/phone/confirm": _a_code_waits,
    "POST /gateway-accounts/<name>/open": _account_is_paused,
    "POST /channel-posts/<int:post_id>/again": _post_is_unknown,
    "POST /channel-posts/<int:post_id>/settle": _post_is_unknown,
    "POST /channel-posts/<int:post_id>/forwardings": _post_is_unknown,
    "POST /people/<int:person_id>/erasure": _nothing_is_awaited,
    "POST /units/<int:unit_id>/close": _unit_can_be_closed,
    "POST /imports/<int:import_id>/answers": _import_asks,
    "POST /imports/<int:import_id>/apply": _import_is_checked,
    "POST /reference-lists/<int:list_id>/plan": _list_has_a_draft,
    "POST /quiz-imports/<int:quiz_draft_id>": _questions_wait,
    "POST /imports/<int:import_id>/vanished/leave": _import_is_applied,
}
# By method and rule: a body that is right in every respect, made from the ids of `make_samples`.
BODIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "POST /accounts": lambda ids: {"login": "intruder", "name": "甲", "unit_id": ids["unit_id"]},
    "POST /questions/<int:question_id>/notes": lambda ids: {"person_id": ids["person_id"], "said": "yes"},
    "POST /questions/<int:question_id>/remind": lambda ids: {},
    "POST /questions/<int:question_id>/close": lambda ids: {},
    "POST /lost-checks/<int:check_id>/answer": lambda ids: {"answer": "found"},
    "POST /replies/<int:reply_id>/readings": lambda ids: {"meaning": "free_text"},
    "POST /inbox/search": lambda ids: {"wanted": "几点", "unit": ids["unit_id"]},
    "POST /inbox/<int:reply_id>/assign": lambda ids: {"assignee_id": None, "state": "unread"},
    "POST /inbox/<int:reply_id>/answer": lambda ids: {"text": "九点。", "state": "unread"},
    "POST /inbox/<int:reply_id>/close": lambda ids: {"state": "unread"},
    "POST /inbox/<int:reply_id>/reopen": lambda ids: {"state": "closed"},
    "POST /logins": lambda ids: {
        "unit_id": ids["unit_id"],
        "role": "officer",
        "rows": [{"row": 2, "name": "新书记", "unit_code": ids["unit_code"], "login": "new.secretary"}],
        "digest": digest_logins("officer", [("new.secretary", "新书记", ids["unit_id"])]),
    },
    "PATCH /accounts/<int:account_id>": lambda ids: {"disabled": True},
    "POST /accounts/<int:account_id>/roles": lambda ids: {"role": "auditor", "unit_id": ids["unit_id"]},
    "PATCH /imports/<int:import_id>": lambda ids: {"encoding": "utf-8"},
    "POST /imports/<int:import_id>/answers": lambda ids: {"answers": [{"row": 2, "person_id": None}]},
    "POST /imports/<int:import_id>/apply": lambda ids: {"version": 1},
    "PUT /imports/<int:import_id>/complete": lambda ids: {"unit_id": ids["unit_id"]},
    "POST /imports/<int:import_id>/vanished/leave": lambda ids: {"why": "迁出"},
    "POST /people": lambda ids: {"name": "乙", "unit_id": ids["unit_id"]},
    "POST /units/<int:unit_id>/close": lambda ids: {"why": "支部撤销"},
    "POST /units/<int:unit_id>/reopen": lambda ids: {"why": "恢复"},
    "POST /people/<int:person_id>/export": lambda ids: {"why": "本人要求"},
    "POST /people/<int:person_id>/erasure": lambda ids: {"why": "本人要求"},
    "PATCH /people/<int:person_id>": lambda ids: {"name": "丙"},
    "POST /segments": lambda ids: {"name": "全体", "unit_id": ids["unit_id"], "rule": EVERYONE},
    "PATCH /segments/<int:segment_id>": lambda ids: {"name": "别名"},
    "POST /segments/preview": lambda ids: {"unit_id": ids["unit_id"], "rule": EVERYONE},
    "POST /recipient-lists/<int:recipient_list_id>/let-go": lambda ids: {},
    "POST /suppressions": lambda ids: {"person_id": ids["person_id"]},
    "POST /suppressions/lift": lambda ids: {"person_id": ids["person_id"], "why": "本人来电"},
    "POST /numbers/history": lambda ids: {"person_id": ids["person_id"], "why": "投诉"},
    "POST /suppressions/history": lambda ids: {"person_id": ids["person_id"]},
    "POST /suppressions/<int:suppression_id>/lift": lambda ids: {"why": "本人来电"},
    "POST /templates": lambda ids: {"name": "提醒", "unit_id": ids["unit_id"], "class": "notice", "body": "您好。"},
    "POST /templates/<int:template_id>/versions": lambda ids: {"body": "您好！"},
    "POST /templates/<int:template_id>/preview": lambda ids: {"signature": "云州先锋", "recipients": [{}]},
    "POST /templates/preview": lambda ids: {
        "signature": "云州先锋",
        "class": "notice",
        "body": "您好，{{ name }}。",
        "unit_id": ids["unit_id"],
    },
    "POST /test-texts": lambda ids: {
        "signature": "云州先锋",
        "class": "notice",
        "body": "您好。",
        "unit_id": ids["unit_id"],
    },
    "POST /me/phone/confirm": lambda ids: {"code": "123456"},
    "POST /campaigns": lambda ids: {
        "name": "新学习",
        "signature": "云州先锋",
        **{name: ids[name] for name in ("unit_id", "template_version_id", "segment_id")},
    },
    "PATCH /campaigns/<int:campaign_id>": lambda ids: {"name": "改名"},
    "POST /campaigns/<int:campaign_id>/submit": lambda ids: {},
    "POST /campaigns/<int:campaign_id>/approve": lambda ids: {},
    "POST /campaigns/<int:campaign_id>/reject": lambda ids: {"comment": "有错字"},
    "POST /campaigns/<int:campaign_id>/copy": lambda ids: {},
    "POST /campaigns/<int:campaign_id>/withdraw": lambda ids: {},
    "POST /campaigns/<int:campaign_id>/launch": lambda ids: {},
    "POST /campaigns/<int:campaign_id>/retime": lambda ids: {"at": LATER},
    "PUT /campaigns/<int:campaign_id>/recurrence": lambda ids: {
        "rrule": "FREQ=DAILY",
        "first": f"{datetime.now(UTC):%Y-%m-%d}",
        "at": "09:00",
    },
    "PATCH /campaigns/<int:campaign_id>/items/<int:number>": lambda ids: {"label": "第一讲"},
    "POST /campaigns/<int:campaign_id>/start": lambda ids: {},
    "POST /campaigns/<int:campaign_id>/suspend": lambda ids: {"why": "放假"},
    "POST /campaigns/<int:campaign_id>/continue": lambda ids: {"why": "开学"},
    "POST /campaigns/<int:campaign_id>/end": lambda ids: {"why": "活动结束"},
    "PUT /campaigns/<int:campaign_id>/event": lambda ids: {"begins": LATER},
    "POST /campaigns/<int:campaign_id>/move": lambda ids: {
        "begins": LATER,
        "values": {"地点": "礼堂"},
        "why": "下雨",
    },
    "POST /campaigns/<int:campaign_id>/cancel-event": lambda ids: {"why": "讲师生病"},
    "PUT /campaigns/<int:campaign_id>/attendance": lambda ids: {"people": []},
    "PUT /campaigns/<int:campaign_id>/series": lambda ids: {"first": _tomorrow(), "items": [{"text": "不忘初心"}]},
    "POST /campaigns/<int:campaign_id>/series/text": lambda ids: {"first": _tomorrow(), "text": "不忘初心"},
    "POST /campaigns/<int:campaign_id>/series/items": lambda ids: {"after": 1, "text": "不忘初心"},
    "PATCH /campaigns/<int:campaign_id>/series/items/<int:number>": lambda ids: {"text": "不忘初心"},
    "POST /campaigns/<int:campaign_id>/series/items/<int:number>/move": lambda ids: {"position": 2},
    "POST /runs/<int:run_id>/pause": lambda ids: {"why": "核对"},
    "POST /runs/<int:run_id>/resume": lambda ids: {"why": "核对完"},
    "POST /runs/<int:run_id>/cancel": lambda ids: {"why": "取消"},
    "POST /runs/<int:run_id>/retry": lambda ids: {"why": "账户已充值"},
    "POST /runs/<int:run_id>/send-again": lambda ids: {"messages": [ids["message_id"]], "why": "对方没有收到"},
    "POST /messages/<int:message_id>/settle": lambda ids: {"as": "accepted", "why": "服务商有记录"},
    "POST /messages/settle": lambda ids: {"messages": [ids["message_id"]], "as": "refused", "why": "服务商没有记录"},
    "POST /messages/<int:message_id>/phone": lambda ids: {"why": "核对号码"},
    "POST /gateway-accounts/<name>/pause": lambda ids: {"why": "换密钥"},
    "POST /gateway-accounts/<name>/open": lambda ids: {"why": "已换"},
    "POST /stops": lambda ids: {"unit_id": ids["unit_id"], "why": "查错"},
    "POST /stops/<int:stop_id>/release": lambda ids: {"why": "查完"},
    "POST /templates/<int:template_id>/clone": lambda ids: {"unit_id": ids["unit_id"], "name": "副本"},
    "PATCH /templates/<int:template_id>": lambda ids: {"archived": True},
    "POST /template-categories": lambda ids: {"unit_id": ids["unit_id"], "name": "法律法规"},
    "PUT /templates/<int:template_id>/bindings/<name>": lambda ids: {"state": "filed"},
    "POST /channels": lambda ids: {
        "unit_id": ids["unit_id"],
        "name": "城东工作群",
        "kind": "wecom",
        "address": "https://robots.example.cn/send?key=k",
    },
    "POST /statements": lambda ids: {"unit_id": ids["unit_id"], "since": "2026-12-01", "until": "2026-12-31"},
    "POST /exports": lambda ids: {"unit": ids["unit_id"], "format": "csv"},
    "POST /webhooks": lambda ids: {
        "unit_id": ids["unit_id"],
        "name": "数据平台",
        "address": "https://platform.example.cn/hook",
        "kinds": ["run.finished", "reply.read"],
    },
    "PATCH /webhooks/<int:webhook_id>": lambda ids: {"name": "市数据平台", "kinds": ["run.closed"]},
    "POST /webhooks/<int:webhook_id>/secret": lambda ids: {},
    "POST /webhooks/<int:webhook_id>/test": lambda ids: {},
    "POST /webhooks/<int:webhook_id>/replay": lambda ids: {"since": EARLIER},
    "PATCH /channels/<int:channel_id>": lambda ids: {"name": "城东群"},
    "POST /channels/<int:channel_id>/test": lambda ids: {},
    "POST /channel-posts/<int:post_id>/again": lambda ids: {"why": "群里没有"},
    "POST /channel-posts/<int:post_id>/settle": lambda ids: {"why": "群里有", "posted": True},
    "POST /channel-posts/<int:post_id>/forwardings": lambda ids: {"unit_id": ids["unit_id"], "groups": "党建群"},
    "POST /signatures": lambda ids: {"unit_id": ids["unit_id"], "text": "城东党建"},
    "PATCH /signatures/<int:signature_id>": lambda ids: {"account": ids["name"], "state": "filed"},
    "PUT /units/<int:unit_id>/signature": lambda ids: {"signature_id": None},
    "POST /word-lists": lambda ids: {"unit_id": ids["unit_id"], "kind": "review", "words": ["捐款"]},
    "POST /reference-lists": lambda ids: {"unit_id": ids["unit_id"], "name": "teacher", "label": "教师"},
    "PATCH /reference-lists/<int:list_id>": lambda ids: {"label": "活动场地"},
    "POST /reference-lists/<int:list_id>/rows": lambda ids: {"name": "文化馆"},
    "PUT /reference-lists/<int:list_id>/rows/<int:row_id>": lambda ids: {"name": "市民中心"},
    "POST /reference-lists/<int:list_id>/plan": lambda ids: {name: ids[name] for name in ("draft_id", "version")},
    "POST /quiz-categories": lambda ids: {"unit_id": ids["unit_id"], "name": "时事政治"},
    "PATCH /quiz-categories/<int:quiz_category_id>": lambda ids: {"name": "党史"},
    "POST /quiz-categories/<int:quiz_category_id>/questions": lambda ids: QUESTION,
    "PUT /quiz-questions/<int:quiz_question_id>": lambda ids: QUESTION,
    "POST /quiz-questions/<int:quiz_question_id>/restore": lambda ids: {},
    "POST /quiz-imports/<int:quiz_draft_id>": lambda ids: {"version": ids["quiz_version"]},
    "POST /quiet-days": lambda ids: {
        "unit_id": ids["unit_id"],
        "days": [{"day": QUIET_DAY.isoformat(), "name": "清明节"}],
    },
    "POST /calendar-days": lambda ids: {
        "unit_id": ids["unit_id"],
        "days": [{"day": "2027-04-05", "works": False, "name": "清明节"}],
    },
    "POST /calendar-days/text": lambda ids: {"unit_id": ids["unit_id"], "text": "2027-04-05 清明节 放假"},
    "POST /calendar-days/take-over": lambda ids: {"unit_id": ids["unit_id"], "year": 2026},
    "POST /calendar-days/clear": lambda ids: {"unit_id": ids["unit_id"], "first": "2027-01-01", "last": "2027-12-31"},
    "POST /approval-rules": lambda ids: {"unit_id": ids["unit_id"], "approvals": 2, "up_to": 9_000},
    "PATCH /approval-rules/<int:rule_id>": lambda ids: {"approvals": 2},
    "POST /delegations": lambda ids: {
        "unit_id": ids["unit_id"],
        "login": ids["login"],
        "until": (datetime.now(UTC) + timedelta(days=4)).date().isoformat(),
        "why": "出差",
    },
    "POST /delegations/<int:delegation_id>/end": lambda ids: {},
    "POST /quotas": lambda ids: {"unit_id": ids["unit_id"], "people": 5000, "why": "年度安排"},
    "POST /quotas/removals": lambda ids: {"unit_id": ids["unit_id"], "month": "2999-12", "why": "改"},
    "POST /targets": lambda ids: {
        "unit_id": ids["unit_id"],
        "year": 2027,
        "targets": {"texts": 100},
        "why": "年度安排",
    },
    "PUT /units/<int:unit_id>/redaction": lambda ids: {"redact_after_days": 180, "why": "按规定"},
    "PUT /units/<int:unit_id>/caps": lambda ids: {"caps": {"study": 2}, "why": "少打扰"},
    "PUT /caps/<class_>": lambda ids: {"per_day": 2, "why": "试行"},
    "POST /units/<int:unit_id>/contacts": lambda ids: {"person_id": ids["person_id"], "role": "组织委员"},
    "POST /units": lambda ids: {"code": "99", "name": "某支部", "level": "branch", "parent_id": ids["unit_id"]},
    "PATCH /units/<int:unit_id>": lambda ids: {"name": "改名"},
}
# The same for the routes that take a form; those that take no list of members bring their own file.
FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "POST /logins/plan": lambda ids: {"unit_id": ids["unit_id"], "role": "officer"},
    "POST /imports": lambda ids: {"kind": "people", "unit_id": ids["unit_id"]},
    "POST /reference-lists/<int:list_id>/file": lambda ids: {},
    "POST /quiz-imports": lambda ids: {
        "unit_id": ids["unit_id"],
        "file": (io.BytesIO("类别,题目,A,B,答案\n时事,首都？,北京,上海,A\n".encode()), "题库.csv"),
    },
    "POST /campaigns/<int:campaign_id>/series/file": lambda ids: {
        "first": _tomorrow(),
        "file": (io.BytesIO("不忘初心".encode()), "学习.txt"),
    },
    "POST /calendar-days/file": lambda ids: {
        "unit_id": ids["unit_id"],
        "file": (io.BytesIO("2027-04-05 清明节 放假".encode()), "日历.txt"),
    },
}
# Queries that name something outside, for lists without `unit`.
QUERIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "GET /units/<int:unit_id>/working-days": lambda ids: {"year": 2027},
    "GET /approval-rules/trial": lambda ids: {"unit": ids["unit_id"], "class": "study", "people": 60},
    "GET /quotas/runs": lambda ids: {"unit": ids["unit_id"]},
    "GET /tokens": lambda ids: {"account": ids["account_id"]},
    "GET /receipts": lambda ids: {"account": ids["name"]},
}
