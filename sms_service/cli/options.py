"""Options that many commands have."""

from __future__ import annotations

import click

DAY, MONTH = click.DateTime(["%Y-%m-%d"]), click.DateTime(["%Y-%m"])  # the types of days and of months
as_somebody = click.option("--as", "login", metavar="LOGIN", required=True, help="The account that acts.")
as_anybody = click.option("--as", "login", metavar="LOGIN", help="The account that acts; by default the service.")
why = click.option("--why", required=True, help="Why; it goes into the trail.")
subtree = click.option(
    "--unit", "code", metavar="CODE", required=True, help="The unit with this code, and all below it."
)
