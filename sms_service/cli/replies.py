"""`python -m sms_service replies|receipts`: what people answered, and receipts that match no text."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from sms_service.vocabulary import Meaning

_as = click.option("--as", "login", metavar="LOGIN", help="The account that reads; by default the service.")
_gateway = click.option("--gateway", "account", metavar="NAME", help="Only those of this gateway account.")
_limit = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
_time = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.option("--unit", "code", metavar="CODE", help="Only those of people of this unit's subtree.")
@click.option("--meaning", type=click.Choice([*Meaning]), help="Only those that mean this.")
@_gateway
@click.option("--unreadable", is_flag=True, help="Only those whose sender cannot be read as a phone number.")
@click.option("--since", type=_time, metavar="TIME", help="Received at or after this time, UTC.")
@click.option("--until", type=_time, metavar="TIME", help="Received before this time, UTC.")
@_limit
@_as
def replies(
    code: str | None,
    meaning: str | None,
    account: str | None,
    unreadable: bool,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    login: str | None,
) -> None:
    """List what people answered, newest first, with masked phone numbers."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.controls.accounts import id_of
    from sms_service.masking import mask_phone, mask_text
    from sms_service.replies.answering import find_answer_texts
    from sms_service.replies.listing import find_replies, may_read_strangers
    from sms_service.replies.models import ReplyRow

    with open_session() as session:
        actor = acting(session, login)
        if account is not None:
            id_of(session, account)
        statement = find_replies(
            scope_of(session, actor, code),
            strangers=code is None and may_read_strangers(session, actor),
            meaning=meaning,
            account=account,
            has_phone=False if unreadable else None,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
        )
        newest = statement.order_by(ReplyRow.received_at.desc(), ReplyRow.id.desc()).limit(limit)
        rows = session.execute(newest).all()
        answers = find_answer_texts(session, [(row.ReplyRow.in_month, row.ReplyRow.id) for row in rows])
        for row in rows:
            reply = row.ReplyRow
            phone = mask_phone(reply.phone) if reply.phone else "redacted"
            if reply.sender is not None:
                phone = f"no readable phone ({mask_phone(reply.sender)})"
            about = f"answers message {reply.message_id}" if reply.message_id else "answers nothing"
            line = f"reply {reply.id}: {reply.received_at:%Y-%m-%d %H:%M %Z}, {row.account}, {phone}, {about}"
            marks = f"{f', {reply.meaning}' if reply.meaning else ''}{', again' if reply.repeated else ''}"
            if answer := answers.get((reply.in_month, reply.id)):
                marks += f", answered by message {answer.message.id} ({answer.message.status})"
            click.echo(f"{line}{marks}: {mask_text(reply.shown_text or '')}")


@click.command()
@_gateway
@_limit
@_as
def receipts(account: str | None, limit: int, login: str | None) -> None:
    """List receipts that match no text so far, newest first."""
    from sms_service.accounts.permissions import Permission
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.controls.accounts import id_of
    from sms_service.delivery.listing import find_unmatched
    from sms_service.directory.units import require_everywhere
    from sms_service.ledger.models import ReceiptRow
    from sms_service.masking import mask_phone

    with open_session() as session:
        require_everywhere(session, acting(session, login), Permission.read)
        if account is not None:
            id_of(session, account)
        for row in session.execute(find_unmatched(account).order_by(ReceiptRow.id.desc()).limit(limit)):
            receipt = row.ReceiptRow
            phone = mask_phone(receipt.phone) if receipt.phone else "no phone"
            code = f" ({receipt.raw_code})" if receipt.raw_code else ""
            click.echo(
                f"receipt {receipt.id}: {receipt.received_at:%Y-%m-%d %H:%M %Z}, {row.account}, "
                f"{receipt.provider_id or receipt.reference or 'no id'}, {phone}: {receipt.status}{code}"
            )
