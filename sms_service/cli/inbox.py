"""`python -m sms_service inbox …`: replies that no rule settles, until somebody has seen to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.options import as_anybody, as_somebody

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor

_reply_id = click.argument("reply_id", type=int)


@click.group()
def inbox() -> None:
    """Replies that a person has to read."""


@inbox.command("list")
@click.option("--unit", "code", metavar="CODE", help="Only the subtree of the unit with this code.")
@click.option("--status", type=click.Choice(["unread", "assigned", "answered", "closed"]), default="unread")
@click.option("--find", "wanted", help="Only those from this phone or name, or with these words.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@as_anybody
def list_(code: str | None, status: str, wanted: str | None, limit: int, login: str | None) -> None:
    """List them, those that wait longest first."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.replies.inbox import find_inbox
    from sms_service.replies.listing import may_read_strangers
    from sms_service.replies.models import ReplyRow

    with open_session() as session:
        actor = acting(session, login)
        strangers = code is None and may_read_strangers(session, actor)
        paths = scope_of(session, actor, code)
        found = find_inbox(paths, strangers=strangers, status=status, wanted=wanted)
        rows = session.execute(found.order_by(ReplyRow.received_at, ReplyRow.id).limit(limit)).all()
        for row in rows:
            click.echo(_describe(row))
        click.echo(f"{len(rows)} replies")


@inbox.command()
@_reply_id
@as_anybody
def show(reply_id: int, login: str | None) -> None:
    """Show one, and what would become of an answer to it."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.replies.inbox import get_inbox_reply
    from sms_service.replies.inbox_answers import foresee_answer

    with open_session() as session:
        row = get_inbox_reply(session, acting(session, login), reply_id)
        click.echo(_describe(row))
        outlook = foresee_answer(session, row)
        if outlook.against:
            click.echo(f"cannot be answered: {outlook.against}")
        else:
            leaves = f"{outlook.leaves_at:%Y-%m-%d %H:%M %Z}" if outlook.leaves_at else "at once"
            click.echo(f"an answer leaves {leaves}{f'; {outlook.waits}' if outlook.waits else ''}")


@inbox.command()
@_reply_id
@click.argument("assignee", required=False, metavar="[LOGIN]")
@as_somebody
def assign(reply_id: int, assignee: str | None, login: str) -> None:
    """Ask an account to see to a reply; without LOGIN nobody any more."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.replies.inbox import assign_reply

    with open_session() as session:
        actor = acting(session, login)
        assignee_id = None if assignee is None else acting(session, assignee).account_id
        assign_reply(session, actor, reply_id, assignee_id, _state(session, actor, reply_id))
        click.echo(_describe(_get(session, actor, reply_id)))


@inbox.command()
@_reply_id
@click.argument("text")
@as_somebody
def answer(reply_id: int, text: str, login: str) -> None:
    """Answer a reply by a text; the signature is put in front."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.replies.inbox_answers import answer_from_inbox

    with open_session() as session:
        actor = acting(session, login)
        written = answer_from_inbox(session, actor, reply_id, text, _state(session, actor, reply_id))
        click.echo(f"reply {reply_id} is answered by message {written.message_id} of run {written.run_id}")


@inbox.command()
@_reply_id
@click.option("--why", help="Why nothing more is to be done, in a word; it goes into the trail.")
@as_somebody
def close(reply_id: int, why: str | None, login: str) -> None:
    """Say that nothing more is to be done about a reply."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.replies.inbox import close_reply

    with open_session() as session:
        actor = acting(session, login)
        close_reply(session, actor, reply_id, _state(session, actor, reply_id), why)
        click.echo(f"reply {reply_id} is closed")


@inbox.command()
@_reply_id
@as_somebody
def reopen(reply_id: int, login: str) -> None:
    """See to a reply again."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.replies.inbox import reopen_reply

    with open_session() as session:
        actor = acting(session, login)
        reopen_reply(session, actor, reply_id, _state(session, actor, reply_id))
        click.echo(_describe(_get(session, actor, reply_id)))


def _get(session: Session, actor: Actor, reply_id: int) -> Any:
    from sms_service.replies.inbox import get_inbox_reply

    return get_inbox_reply(session, actor, reply_id)


def _state(session: Session, actor: Actor, reply_id: int) -> str:
    """At the shell the reply is seen at the moment of the act."""
    from sms_service.replies.inbox import describe_state

    return describe_state(_get(session, actor, reply_id).ReplyRow)


def _describe(row: Any) -> str:
    from sms_service.masking import mask_phone, mask_text

    reply = row.ReplyRow
    who = f"{mask_text(row.person or 'nobody known')}, {row.unit or 'no unit'}"
    phone = mask_phone(reply.phone) if reply.phone else "no readable phone"
    assigned = f" to {mask_text(row.assignee)}" if row.assignee and reply.inbox_status == "assigned" else ""
    line = f"reply {reply.id}: {reply.received_at:%Y-%m-%d %H:%M %Z}, {who}, {phone}, {reply.inbox_status}{assigned}"
    return f"{line}: {mask_text(reply.shown_text or '')}"
