"""The rows behind every number, one text with its time line, and what a person finds out about an unknown one."""

from __future__ import annotations

from typing import Any

from dateutil.relativedelta import relativedelta
from flask import Response, g, make_response, redirect, request
from marshmallow import fields
from sqlalchemy import Row

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.campaigns import resending
from sms_service.campaigns.models import Campaign
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import say_here
from sms_service.console.ledger_query import NONE, describe_filters, read_ledger_query, write_ledger_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import address_with, name_here, name_reason_here, render_page
from sms_service.directory.models import Person
from sms_service.ledger.archived import list_archived_months
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus
from sms_service.reports.messages import count_rows, find_look_ups
from sms_service.reports.remedies import find_remedy
from sms_service.reports.timeline import reveal_message_phone, trace_message
from sms_service.said import as_said, say
from sms_service.vocabulary import MessageReason
from sms_service.web.context import current_context, gateways_or_none
from sms_service.web.ledger_rows import MessageFilter, fetch_messages, scope_messages
from sms_service.web.paging import PageQuery
from sms_service.web.rates import read_prices
from sms_service.web.schemas import Id, WhyIn
from sms_service.web.validators import ListLength, OneOfWords

MOST_COUNTED = 100_000  # rows of a list; beyond that it says that there are more


class RowsQuery(PageQuery, MessageFilter):
    """The same filters as the API's list of messages."""


class SettleForm(WhyIn):
    """What the provider's records say."""

    verdict = fields.String(required=True, validate=OneOfWords(["accepted", "refused"]))


class SettleSeveralForm(SettleForm):
    """The same of the texts that are ticked."""

    messages = fields.List(Id(), load_default=list, validate=ListLength(1, resending.MOST_SETTLED))


@page_view("/rows", Permission.read)
def list_rows() -> str | Response:
    """The rows of the ledger that a number counts; unless days are asked for, those that the database has."""
    query = read_ledger_query(RowsQuery)
    asks_for_days = any(query[name] is not None for name in ("since", "until", "run", "campaign"))
    if not asks_for_days and (archived := list_archived_months(g.session)):
        return make_response(redirect(address_with(since=archived[-1] + relativedelta(months=1)), 303))
    scope, rows = scope_messages(g.session, g.actor, query)
    found, following = fetch_messages(g.session, rows, query)
    run = g.session.get(Run, query["run"]) if query["run"] else None
    campaign_id = query["campaign"] or (run.campaign_id if run else None)
    given = write_ledger_query({name: query[name] for name in query if name not in ("limit", "cursor")})
    return render_page(
        "rows.html",
        rows=found,
        following=following,
        scope=scope.units,
        query=query,
        given=given,
        others=describe_filters(g.session, given, ("unit", "run", "status", "reason")),
        run=run,
        opens_run=run is not None and _opens(run),
        campaign=g.session.get(Campaign, campaign_id) if campaign_id else None,
        statuses=[(status, name_here(status)) for status in MessageStatus],
        reasons=[(NONE, say_here("none")), *((reason, name_reason_here(reason)) for reason in MessageReason)],
        number=count_rows(g.session, rows, MOST_COUNTED),
        most=MOST_COUNTED,
        readable={row.Message.id: g.actor.can(Permission.read, row.unit_now) for row in found},
        here=request.args.to_dict(),
        settling=_settling(found) if query["status"] == MessageStatus.unknown else None,
    )


def _opens(run: Run) -> bool:
    """Whether the visitor may open the run's page: one reads the rows of one's own people also of runs from above."""
    return bool(g.actor.can(Permission.read, unit_path(g.session, run.unit_id)))


def _settling(found: list[Row[Any]]) -> dict[str, Any] | None:
    """Of a page of unknown texts: which of them the visitor may settle, and when the provider was asked about each."""
    may_settle = {row.Message.id for row in found if g.actor.can(Permission.operate_campaigns, row.unit_now)}
    if not may_settle:
        return None
    gateways = gateways_or_none()
    return {
        "may": may_settle,
        "asked_at": find_look_ups(g.session, [row.Message for row in found]),
        "looks_up": {row.account for row in found if row.account and gateways.looks_up(row.account)},
        "most": resending.MOST_SETTLED,
    }


@act_view("/rows", Permission.operate_campaigns, again=list_rows)
def settle_rows_on_page() -> Response:
    """Write down what the provider's records say of the unknown texts that are ticked, all or none."""
    read_query(RowsQuery)  # the address has the filter of the page that it came from
    form = read_form(SettleSeveralForm)
    number = resending.settle_attempts(g.session, g.actor, form["messages"], form["verdict"], form["why"])
    here = {name: value for name, value in request.args.items() if name != "cursor"}
    said = say("{count} texts are settled.", count=number) if number != 1 else as_said("The outcome is settled.")
    return go_to("console.list_rows", said=said, **here)


@page_view("/messages/<int:message_id>", Permission.read)
def show_message(message_id: int) -> str:
    """One text and what became of it, step by step."""
    return render_page("message.html", **_describe(message_id))


@page_view("/messages/<int:message_id>/phone", Permission.see_phones, methods=("POST",), again=show_message)
def show_phone_of_message(message_id: int) -> str:
    """The same with the whole phone, for a reason that the trail keeps."""
    confirm_password()
    phone = reveal_message_phone(g.session, g.actor, message_id, read_form(WhyIn)["why"])
    shown = {**_describe(message_id), "phone": phone, "shown_at": current_context().clock()}
    return render_page("message.html", **shown)


def _describe(message_id: int) -> dict[str, Any]:
    line = trace_message(g.session, g.actor, message_id, gateways_or_none())
    message: Message = line.row.Message
    person = g.session.get(Person, message.person_id) if line.row.person else None
    settles = message.status == MessageStatus.unknown
    return {
        "row": line.row,
        "message": message,
        "price": read_prices().get(line.row.account or ""),
        "events": line.events,
        "remedy": find_remedy(message.status, message.reason),
        "opens_run": _opens(g.session.get_one(Run, message.run_id)),
        "opens_person": person is not None and g.actor.can(Permission.read, unit_path(g.session, person.unit_id)),
        "may_settle": settles and g.actor.can(Permission.operate_campaigns, line.row.unit_now),
        "may_see_phone": message.phone is not None and g.actor.can(Permission.see_phones, line.row.unit_now),
        "phone": None,
        "fresh": is_password_fresh(),
    }


@act_view("/messages/<int:message_id>/settle", Permission.operate_campaigns, again=show_message)
def do_settle(message_id: int) -> Response:
    """Write down what the provider's records say of an unknown text."""
    form = read_form(SettleForm)
    resending.settle_attempt(g.session, g.actor, message_id, form["verdict"], form["why"])
    return go_to("console.show_message", message_id=message_id, said=as_said("The outcome is settled."))
