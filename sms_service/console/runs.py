"""A run as it goes: one sentence first, why it waits, how many rows have which status, and what one can do."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.campaigns import control, resending
from sms_service.campaigns.awaited import compare_people
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.retiming import change_planned_time
from sms_service.console.forms import read_form
from sms_service.console.live import describe_live, show_live, watch_for_page
from sms_service.console.moments import parse_moment, write_moment
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.controls.stops import stops_of
from sms_service.directory.models import Unit
from sms_service.directory.units import format_clock
from sms_service.errors import NotFound
from sms_service.ledger.models import Run
from sms_service.ledger.states import HeldFor, MessageStatus, RunStatus
from sms_service.replies.listing import count_campaign_replies
from sms_service.reports.failures import describe_failures
from sms_service.reports.watching import watch_run
from sms_service.said import as_said, say
from sms_service.web.context import current_context, gateways_or_none
from sms_service.web.schemas import In, WhyIn
from sms_service.web.validators import OneOfWords

CANCELLABLE = (RunStatus.planned, RunStatus.freezing, RunStatus.running, RunStatus.paused, RunStatus.held)


class ResumeForm(WhyIn):
    """The reason, and what is known after PostgreSQL became another server."""

    choice = fields.String(load_default=None, validate=OneOfWords([*control.FailoverChoice]))


class RetimeForm(In):
    """The other time."""

    at = fields.String(required=True)


@page_view("/runs/<int:run_id>", Permission.read)
def show_run(run_id: int) -> str:
    """The run: what refreshes itself, and outside of it the buttons, so that none moves while it is pressed."""
    watch, waits, delay_s = watch_for_page(run_id)
    run = watch.run
    may = g.actor.can(Permission.operate_campaigns, watch.unit.path)
    hold = _describe_hold(run)
    return render_page(
        "run.html",
        live=describe_live(watch, waits, delay_s),
        failures=[] if watch.is_archived else describe_failures(g.session, g.actor, run_id, gateways_or_none()),
        run=run,
        replies=0 if run.campaign_id is None else count_campaign_replies(g.session, g.actor, run.campaign_id),
        may=may,
        stops=stops_of(g.session, run.unit_path, run.route_id) if run.unit_path else [],
        can_pause=may and run.status == RunStatus.running,
        hold=hold,
        can_decide=hold is not None
        and hold["undecided"]
        and g.actor.can(Permission.approve_campaigns, watch.unit.path),
        can_resume=may and run.status in (RunStatus.paused, RunStatus.held) and not (hold and hold["undecided"]),
        can_retime=may and _can_retime(run) and g.actor.can(Permission.edit_campaigns, watch.unit.path),
        can_cancel=may and run.status in CANCELLABLE,
        refused=watch.statuses.get(MessageStatus.refused, 0) if may and run.status != RunStatus.cancelled else 0,
        unknown=watch.statuses.get(MessageStatus.unknown, 0) if may and run.status != RunStatus.cancelled else 0,
    )


@page_view("/runs/<int:run_id>/live", Permission.read, fragment=True)
def refresh_run(run_id: int) -> Response:
    """The part of the run's page that refreshes itself; 204 where nothing has changed since `seen`."""
    return show_live(run_id, request.args.get("seen", ""))


@page_view("/runs/<int:run_id>/pause", Permission.operate_campaigns)
def ask_pause(run_id: int) -> str:
    """What pausing does, before it is done."""
    return _ask(run_id, "pause")


@act_view("/runs/<int:run_id>/pause", Permission.operate_campaigns, again=ask_pause)
def do_pause(run_id: int) -> Response:
    """No further text leaves."""
    control.pause_run(g.session, g.actor, run_id, **read_form(WhyIn))
    return go_to("console.show_run", run_id=run_id, said=say("The run is paused; no further text leaves."))


@page_view("/runs/<int:run_id>/resume", Permission.operate_campaigns)
def ask_resume(run_id: int) -> str:
    """What going on does, before it is done."""
    return _ask(run_id, "resume")


@act_view("/runs/<int:run_id>/resume", Permission.operate_campaigns, again=ask_resume)
def do_resume(run_id: int) -> Response:
    """The waiting texts leave."""
    control.resume_run(g.session, g.actor, run_id, **read_form(ResumeForm))
    return go_to("console.show_run", run_id=run_id, said=say("The run goes on."))


@page_view("/runs/<int:run_id>/cancel", Permission.operate_campaigns)
def ask_cancel(run_id: int) -> str:
    """What has left and cannot be called back, before the rest is given up."""
    return _ask(run_id, "cancel")


@act_view("/runs/<int:run_id>/cancel", Permission.operate_campaigns, again=ask_cancel)
def do_cancel(run_id: int) -> Response:
    """Give the waiting texts up, for good."""
    _, left = control.cancel_run(g.session, g.actor, run_id, **read_form(WhyIn))
    said = say("The run is cancelled. {count} texts had left before and cannot be called back.", count=left)
    return go_to("console.show_run", run_id=run_id, said=said)


@page_view("/runs/<int:run_id>/retry", Permission.operate_campaigns)
def ask_retry(run_id: int) -> str:
    """Which refused texts may go again."""
    return _ask(run_id, "retry")


@act_view("/runs/<int:run_id>/retry", Permission.operate_campaigns, again=ask_retry)
def do_retry(run_id: int) -> Response:
    """Let refused texts go again whose refusal passes or was mended."""
    _, gone = resending.retry_run(g.session, g.actor, run_id, **read_form(WhyIn))
    said = say(
        "{count} refused texts go again; {left} stay as they are, since trying again cannot help.",
        count=len(gone.ids),
        left=sum(gone.left.values()),
    )
    return go_to("console.show_run", run_id=run_id, said=said)


@page_view("/runs/<int:run_id>/send-again", Permission.operate_campaigns)
def ask_send_again(run_id: int) -> str:
    """That some may get the text twice."""
    return _ask(run_id, "send_again")


@act_view("/runs/<int:run_id>/send-again", Permission.operate_campaigns, again=ask_send_again)
def do_send_again(run_id: int) -> Response:
    """Let texts of which nobody knows go again."""
    _, gone = resending.send_run_again(g.session, g.actor, run_id, read_form(WhyIn)["why"], None)
    said = say("{count} texts go again; whoever got the first gets it twice.", count=len(gone.ids))
    return go_to("console.show_run", run_id=run_id, said=said)


@page_view("/runs/<int:run_id>/retime", Permission.edit_campaigns)
def ask_retiming(run_id: int) -> str | Response:
    """Another time for a run that waits for its own, and whether that has to be approved."""
    run = control.get_run(g.session, g.actor, run_id, Permission.edit_campaigns)
    if not _can_retime(run):
        return go_to("console.show_run", run_id=run_id)
    unit = g.session.get_one(Unit, run.unit_id)
    return render_page(
        "retime.html",
        run=run,
        campaign=g.session.get_one(Campaign, run.campaign_id),
        zone=unit.timezone,
        due_at=write_moment(run.due_at, unit.timezone),
        earliest=write_moment(current_context().clock(), unit.timezone),
        opens=format_clock(unit.window_opens),
        closes=format_clock(unit.window_closes),
    )


@act_view("/runs/<int:run_id>/retime", Permission.edit_campaigns, again=ask_retiming)
def retime_one_run(run_id: int) -> Response:
    """Give it the other time; where an approver saw the old one, it waits until somebody approves that."""
    run = control.get_run(g.session, g.actor, run_id, Permission.edit_campaigns)
    if run.campaign_id is None:
        raise NotFound("run", run_id)
    at = parse_moment(read_form(RetimeForm)["at"], zone=g.session.get_one(Unit, run.unit_id).timezone)
    said = as_said("It has another time.")
    if change_planned_time(g.session, g.actor, run.campaign_id, at).undecided:
        said = as_said("It has another time. It waits until somebody approves that.")
    return go_to("console.show_run", said=said, run_id=run_id)


def _can_retime(run: Run) -> bool:
    """Whether it is the run of a plain campaign that did not begin."""
    waits = run.status == RunStatus.planned or run.held_for in (HeldFor.missed, HeldFor.changed, HeldFor.quota)
    if run.campaign_id is None or run.frozen_at is not None or not waits:
        return False
    return g.session.get_one(Campaign, run.campaign_id).schedule is None


def _describe_hold(run: Run) -> dict[str, Any] | None:
    """Of a run that is held since it is not what was approved: for how many people that was, and how many it has now;
    None of any other.
    """
    if run.status != RunStatus.held or run.held_for not in (HeldFor.changed, HeldFor.grown):
        return None
    undecided = g.session.get_one(Campaign, run.campaign_id).undecided and run.held_for == HeldFor.changed
    return {"for": run.held_for, "undecided": undecided, "people": compare_people(g.session, run)}


def _ask(run_id: int, act: str) -> str:
    """The page before an act on a run: what will happen in numbers, and why one does it."""
    control.get_run(g.session, g.actor, run_id, Permission.operate_campaigns)
    watch = watch_run(g.session, g.actor, run_id)
    counts = watch.statuses
    gone = (
        sum(counts.values())
        - watch.waiting
        - sum(
            counts.get(status, 0) for status in (MessageStatus.skipped, MessageStatus.expired, MessageStatus.cancelled)
        )
    )
    values: dict[str, Any] = {
        "watch": watch,
        "run": watch.run,
        "act": act,
        "gone": gone,
        "refused": counts.get(MessageStatus.refused, 0),
        "unknown": counts.get(MessageStatus.unknown, 0),
        "choices": list(control.FailoverChoice) if act == "resume" and watch.run.held_for == HeldFor.cluster else [],
    }
    return render_page("run_act.html", **values)
