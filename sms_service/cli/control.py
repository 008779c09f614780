"""What people do to a launched campaign: `campaign pause|resume|cancel|retry|send-again`, and `settle`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import click

from sms_service.campaigns.control import FailoverChoice
from sms_service.cli.campaigns import act_on, campaign, campaign_id
from sms_service.cli.options import as_anybody, as_somebody, why
from sms_service.ledger.resolving import RETRYABLE

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor
    from sms_service.ledger.resolving import GoneAgain


@campaign.command()
@campaign_id
@why
@as_anybody
def pause(campaign_id: int, why: str, login: str | None) -> None:
    """Let no further text of a campaign leave for now."""
    from sms_service.campaigns import control

    act_on(
        campaign_id,
        login,
        lambda session, actor: control.pause_run(session, actor, _run(session, actor, campaign_id), why),
    )


@campaign.command()
@campaign_id
@why
@click.option(
    "--verdict",
    type=click.Choice([*FailoverChoice]),
    help="For a run held for `cluster`: nothing was lost, or go on though some people may get their text twice.",
)
@as_anybody
def resume(campaign_id: int, why: str, verdict: str | None, login: str | None) -> None:
    """Go on with a paused campaign, or release one that is held."""
    from sms_service.campaigns import control

    def act(session: Session, actor: Actor) -> None:
        control.resume_run(session, actor, _run(session, actor, campaign_id), why, verdict)

    act_on(campaign_id, login, act)


@campaign.command()
@campaign_id
@why
@as_anybody
def cancel(campaign_id: int, why: str, login: str | None) -> None:
    """End a launched campaign for good, and say how many texts had left."""
    from sms_service.campaigns import control

    def act(session: Session, actor: Actor) -> None:
        _, left = control.cancel_run(session, actor, _run(session, actor, campaign_id), why)
        click.echo(f"{left} texts had left already")

    act_on(campaign_id, login, act)


@campaign.command()
@campaign_id
@why
@click.option(
    "--class",
    "classes",
    type=click.Choice(RETRYABLE),
    multiple=True,
    help="Only refusals of this error class; may be given again. By default all that may be retried.",
)
@as_anybody
def retry(campaign_id: int, why: str, classes: tuple[str, ...], login: str | None) -> None:
    """Let refused texts go again whose refusal passes or was mended."""
    from sms_service.campaigns import resending

    def act(session: Session, actor: Actor) -> None:
        run_id = _run(session, actor, campaign_id)
        _say(resending.retry_run(session, actor, run_id, why, classes or None)[1])

    act_on(campaign_id, login, act)


@campaign.command("send-again")
@campaign_id
@why
@click.option("--message", "messages", type=click.IntRange(1), multiple=True, metavar="ID", help="May be given again.")
@click.option("--all", "all_", is_flag=True, help="All unknown texts of the campaign.")
@as_anybody
def send_again(campaign_id: int, why: str, messages: tuple[int, ...], all_: bool, login: str | None) -> None:
    """Let unknown texts go again, though they may have arrived: those named, or all."""
    from sms_service.campaigns import resending

    if bool(messages) == all_:
        raise click.UsageError("give either --message ID or --all")

    def act(session: Session, actor: Actor) -> None:
        run_id = _run(session, actor, campaign_id)
        _say(resending.send_run_again(session, actor, run_id, why, None if all_ else messages)[1])

    act_on(campaign_id, login, act)


@click.command()
@click.argument("message_ids", metavar="MESSAGE...", nargs=-1, required=True, type=click.IntRange(1))
@click.argument("verdict", type=click.Choice(["accepted", "refused"]))
@why
@as_somebody
def settle(message_ids: tuple[int, ...], verdict: Literal["accepted", "refused"], why: str, login: str) -> None:
    """Write down what became of unknown texts, up to 100, as the provider's records say: all of them or none."""
    from sms_service.campaigns import resending
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        if len(message_ids) == 1:
            resending.settle_attempt(session, actor, message_ids[0], verdict, why)
        else:
            resending.settle_attempts(session, actor, message_ids, verdict, why)
    click.echo("\n".join(f"message {message_id} is {verdict}" for message_id in sorted(set(message_ids))))


def _run(session: Session, actor: Actor, campaign_id: int) -> int:
    from sms_service.campaigns.control import run_of

    return run_of(session, actor, campaign_id).id


def _say(gone: GoneAgain) -> None:
    click.echo(
        f"{len(gone.ids)} texts go again{_counts(gone.again)}; {sum(gone.left.values())} do not{_counts(gone.left)}"
    )


def _counts(numbers: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{number} {word}' for word, number in sorted(numbers.items()))})" if numbers else ""
