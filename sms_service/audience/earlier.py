"""What became of an earlier campaign's texts, as a rule asks for it: `{"campaign": {"id": 17, "outcome": "texted"}}`.

Only rooms above know campaigns, the ledger and replies. One of them says here how to find out
(`install_earlier_campaigns`), so that no statement of this room reads their tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple, Protocol

from sqlalchemy import Select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audience.grammar import FromCampaign, Rule, list_leaves, parse_rule
from sms_service.audience.nesting import write_out_now
from sms_service.errors import Forbidden, Invalid
from sms_service.said import say


class EarlierRun(NamedTuple):
    """A run of an earlier campaign; `reply_months`: those in which replies to it may have come so far; `question_id`:
    what its texts ask.
    """

    id: int
    month: date
    reply_months: tuple[date, ...]
    item: int = 1
    question_id: int | None = None


class EarlierCampaign(NamedTuple):
    """A campaign as a rule asks for it; `path` is its unit's. One that was never launched has no runs."""

    id: int
    name: str
    path: str
    runs: tuple[EarlierRun, ...]

    def of_item(self, number: int | None) -> EarlierCampaign:
        """The campaign with the runs of this item alone; None: as it is."""
        return self if number is None else self._replace(runs=tuple(run for run in self.runs if run.item == number))


class EarlierCampaigns(Protocol):
    """What the rooms above know."""

    def load(self, session: Session, ids: Collection[int]) -> Mapping[int, EarlierCampaign]:
        """These campaigns; one that is not there is left out."""

    def require_whole(self, session: Session, ids: Collection[int]) -> None:
        """Raises Conflict where rows of one of these campaigns are not in the database."""

    def select_people(self, campaign: EarlierCampaign, outcome: str) -> Select[int]:
        """The ids of the people with this outcome (one of `grammar.OUTCOMES`), none of them NULL; nobody where the
        campaign has no runs. Each partitioned table is bounded by its months as parameters, since a freeze embeds this.
        """


_installed: EarlierCampaigns | None = None


def install_earlier_campaigns(source: EarlierCampaigns) -> None:
    """Called once, when the room that knows is loaded (sms_service/tables.py loads it in every process)."""
    global _installed
    _installed = source


def _source() -> EarlierCampaigns:
    assert _installed is not None, "a process imports sms_service.tables when it starts"
    return _installed


def load_campaigns(session: Session, ids: Collection[int]) -> Mapping[int, EarlierCampaign]:
    """These campaigns, as far as they are there."""
    return _source().load(session, ids) if ids else {}


def resolve_campaigns(session: Session, rule: Rule) -> dict[FromCampaign, Select[int]]:
    """For each part of the rule that asks about a campaign, whom it finds. Raises Invalid for a campaign that is not
    there or was never launched; one item of it may be still to go, and then finds nobody. Raises Conflict where rows
    of a campaign are archived.
    """
    found: dict[FromCampaign, Select[int]] = {}
    if asked := _list_campaigns(rule):
        _source().require_whole(session, asked)
    campaigns = load_campaigns(session, asked)
    for leaf in list_leaves(rule):
        if isinstance(leaf, FromCampaign):
            campaign = campaigns.get(leaf.campaign_id)
            if campaign is None or not (campaign.runs or leaf.item):
                raise Invalid(f"{leaf.where}.id", leaf.campaign_id, "must be a campaign that was launched")
            found[leaf] = _source().select_people(campaign.of_item(leaf.item), leaf.outcome)
    return found


def select_outcomes(session: Session, campaign_id: int, asked: Sequence[tuple[str, int | None]]) -> list[Select[int]]:
    """For each pair of an outcome and an item (None: any text) of a campaign, which is there, the ids of the people.
    Whoever calls has asked for its scope. Raises Conflict where rows of the campaign are archived.
    """
    _source().require_whole(session, [campaign_id])
    campaign = load_campaigns(session, [campaign_id])[campaign_id]
    return [_source().select_people(campaign.of_item(item), outcome) for outcome, item in asked]


def select_outcome(session: Session, campaign_id: int, outcome: str, item: int | None = None) -> Select[int]:
    """The same of one."""
    return select_outcomes(session, campaign_id, [(outcome, item)])[0]


def require_campaigns(session: Session, actor: Actor, rule: object, unit_path: str) -> None:
    """Raises Forbidden unless the actor may read each campaign that the rule, or a segment that it uses, asks about;
    Invalid for a rule that cannot be used within the subtree at `unit_path`.
    """
    written = write_out_now(session, rule, unit_path)
    for campaign in load_campaigns(session, _list_campaigns(parse_rule(written.rule))).values():
        if not actor.can(Permission.read, campaign.path):
            reason = say("{login} may not read campaign {campaign}", login=actor.login, campaign=campaign.id)
            raise Forbidden(reason)


def _list_campaigns(rule: Rule) -> set[int]:
    return {leaf.campaign_id for leaf in list_leaves(rule) if isinstance(leaf, FromCampaign)}
