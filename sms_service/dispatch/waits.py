"""What a run waits for: the words, and how an account that takes nothing is said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sms_service.controls.models import AccountState, GatewayAccount, PausedBy
from sms_service.ledger.models import Run
from sms_service.masking import mask_said, mask_text
from sms_service.said import Said, say
from sms_service.vocabulary import Words


class WaitReason(Words):
    """What a run waits for, one meaning each."""

    planned = "planned"  # its time has not come
    freezing = "freezing"  # its list of recipients is being made
    paused = "paused"  # a person paused it
    held = "held"  # the service holds it until a person decides
    cluster = "cluster"  # PostgreSQL is another server than before
    window = "window"  # the sending window is closed
    quiet_day = "quiet_day"  # texts of its class do not leave today
    stop = "stop"  # a person stopped its unit, or a unit above or below
    account_breaker = "account_breaker"  # the breaker paused the gateway account
    account_paused = "account_paused"  # a person paused the gateway account
    account_stopped = "account_stopped"  # a person stopped all that goes through the gateway account
    account_unbound = "account_unbound"  # the gateway account takes registered templates alone, and has not this one
    account_missing = "account_missing"  # gateways.toml lacks the account, or it may not take this run
    link = "link"  # the link to the carrier is down
    redis = "redis"  # without Redis there is no pace
    nobody = "nobody"  # no process is there that would do it
    canary = "canary"  # the first texts have to go well
    throttled = "throttled"  # the gateway said: too fast
    put_off = "put_off"  # the gateway could not take it for now, or the gate waited in vain
    slowed = "slowed"  # it is being handed over, slower than configured since the gateway throttles
    pace = "pace"  # it is being handed over, as fast as its accounts allow


# With these it is under way: some texts may leave right now.
UNDER_WAY = (WaitReason.slowed, WaitReason.pace)


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a run waits for. `until`: when it ends by itself; None: it does not, or nobody knows."""

    reason: WaitReason
    said: Said
    until: datetime | None = None


def explain_account_wait(member: Any, run: Run, zone: ZoneInfo) -> Wait:
    """Why an account of the run's route takes nothing of the run; `stop_why`: why a stop of it stands, `unbound`:
    whether it lacks a usable binding of the run's template.
    """
    account: GatewayAccount = member.GatewayAccount
    name, why = account.name, mask_said(account.said_reason or account.reason or "", mask_text)
    if account.state == AccountState.paused:
        return _of_pause(account, why, zone)
    if member.stop_why is not None:
        words = mask_text(member.stop_why)
        said = say("a stop of the gateway account {account} stands: {why}", account=name, why=words)
        return Wait(WaitReason.account_stopped, said)
    if run.demonstration and not account.simulated:
        said = say(
            "gateway account {account} reaches real phones, and takes nothing of the demonstration", account=name
        )
        return Wait(WaitReason.account_missing, said)
    if member.unbound:
        said = say(
            "gateway account {account} takes registered templates alone, and has no usable binding of this one",
            account=name,
        )
        return Wait(WaitReason.account_unbound, said)
    return Wait(WaitReason.account_missing, say("gateways.toml has no account {account}", account=name))


def _of_pause(account: GatewayAccount, why: str, zone: ZoneInfo) -> Wait:
    name = account.name
    if account.paused_by == PausedBy.link:
        return Wait(WaitReason.link, say("gateway account {account}: {why}", account=name, why=why))
    if account.paused_by != PausedBy.breaker:
        said = say("a person paused the gateway account {account}: {why}", account=name, why=why)
        return Wait(WaitReason.account_paused, said)
    if account.reopens_at is None:
        said = say("gateway account {account} is paused until a person opens it: {why}", account=name, why=why)
        return Wait(WaitReason.account_breaker, said)
    at = format_local(account.reopens_at, zone)
    said = say("gateway account {account} is paused until {at}: {why}", account=name, at=at, why=why)
    return Wait(WaitReason.account_breaker, said, account.reopens_at)


def format_local(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as the unit's people read it."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
