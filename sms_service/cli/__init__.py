"""`python -m sms_service …`: the API's acts from the shell of the machine, and the operator's own commands.

One module per group of commands; each imports what it needs when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from sms_service import logs
from sms_service.cli.accounts import account
from sms_service.cli.approval_rules import approval_rules
from sms_service.cli.archive import archive
from sms_service.cli.audit import audit
from sms_service.cli.calendar_days import calendar_days
from sms_service.cli.campaigns import campaign
from sms_service.cli.channels import channel, post
from sms_service.cli.cluster import cluster
from sms_service.cli.compare import compare
from sms_service.cli.contacts import contacts
from sms_service.cli.control import settle
from sms_service.cli.counts import counts
from sms_service.cli.delegations import delegations
from sms_service.cli.events import event
from sms_service.cli.exports import export_
from sms_service.cli.gateways import caps, gateway
from sms_service.cli.imports import import_
from sms_service.cli.inbox import inbox
from sms_service.cli.lost import lost
from sms_service.cli.number import number
from sms_service.cli.operation import clock, demo, doctor, migrate, run
from sms_service.cli.outlook import outlook
from sms_service.cli.own_texts import tasks_, try_
from sms_service.cli.people import person
from sms_service.cli.progress import progress
from sms_service.cli.questions import questions
from sms_service.cli.quiet_days import quiet_days
from sms_service.cli.quiz import quiz
from sms_service.cli.quotas import quota
from sms_service.cli.recipient_lists import recipient_list
from sms_service.cli.redaction import redaction
from sms_service.cli.reference import reference
from sms_service.cli.replies import receipts, replies
from sms_service.cli.schedules import schedule
from sms_service.cli.segments import segment
from sms_service.cli.series import series
from sms_service.cli.signatures import signature
from sms_service.cli.statements import statement
from sms_service.cli.stops import release, stop, stops_
from sms_service.cli.suppressions import suppressions
from sms_service.cli.targets import targets
from sms_service.cli.templates import template
from sms_service.cli.unit_caps import unit_caps
from sms_service.cli.units import unit
from sms_service.cli.webhooks import webhooks
from sms_service.cli.words import words
from sms_service.embedded import EngineError
from sms_service.errors import ServiceError
from sms_service.settings import BadSetting, load_settings


class _Group(click.Group):
    """A fault that a person can mend ends in one line and exit code 1, never in a stack trace."""

    def invoke(self, ctx: click.Context) -> Any:
        from redis.exceptions import RedisError
        from sqlalchemy.exc import OperationalError

        from sms_service.db.bootstrap import BootstrapError
        from sms_service.gateways.config import BadGatewayConfig
        from sms_service.ops.errors import OperationError

        try:
            logs.configure_logs(load_settings().log_level)
            logging.getLogger("alembic").setLevel(logging.WARNING)  # otherwise it logs every plugin at every start
            return super().invoke(ctx)
        except (BadSetting, EngineError, BootstrapError, BadGatewayConfig, OperationError, ServiceError) as error:
            raise click.ClickException(str(error)) from None
        except OperationalError as error:
            raise click.ClickException(f"PostgreSQL: {' '.join(str(error.orig).split())}") from None
        except RedisError as error:
            raise click.ClickException(f"Redis: {error}") from None


@click.group(cls=_Group)
def main() -> None:
    """Bulk SMS campaigns with an exact ledger."""


for _command in (
    *(run, demo, clock, migrate, doctor, import_, contacts, person, unit, lost, account, campaign, settle, counts),
    *(compare, tasks_, try_, number, statement),
    *(
        stop,
        stops_,
        release,
        quiet_days,
        unit_caps,
        redaction,
        archive,
        gateway,
        caps,
        cluster,
        replies,
        inbox,
        receipts,
        template,
        segment,
    ),
    questions,
    *(
        channel,
        post,
        words,
        signature,
        reference,
        quiz,
        recipient_list,
        suppressions,
        approval_rules,
        delegations,
        calendar_days,
        event,
        export_,
        schedule,
        series,
    ),
    *(quota, targets, webhooks, audit),
):
    main.add_command(_command)
campaign.add_command(outlook)
campaign.add_command(progress)
