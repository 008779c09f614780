"""`/targets`: what units are to reach in a year, and how far they are."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.campaigns.quotas import find_month
from sms_service.directory.models import LEVELS
from sms_service.directory.units import get_unit
from sms_service.reports import targets
from sms_service.reports.target_models import TargetKind
from sms_service.reports.targets import FIRST_YEAR, LARGEST_TARGET, LAST_YEAR, TargetLine
from sms_service.web.schemas import Id, In, Out, Whole, WhyIn
from sms_service.web.validators import OneOfWords, WithinRange

blueprint = Blueprint(
    "targets",
    description="Yearly targets of units. `texts`: texts that arrived, of runs that are over; `theme_days`: "
    "events that took place and were not called off, and other campaigns of class invitation whose run is over; "
    "`participation`: answered invitations, "
    "one for each text that somebody answered with anything but a wish for no more texts. A run counts for the unit "
    "that sent it and for all above it, by the month of its launch.",
)


class Year(Whole):
    """A year that may have targets."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=WithinRange(FIRST_YEAR, LAST_YEAR), **kwargs)


class TargetQuery(In):
    """Which targets."""

    unit = Id(required=True, metadata={"description": "The unit: its own line, and each unit right below it"})
    year = Year(load_default=None, metadata={"description": "The year; by default the present one"})


class TargetsIn(WhyIn):
    """Targets of a year, and why."""

    unit_id = Id(required=True, metadata={"description": "The unit"})
    year = Year(required=True, metadata={"description": "The year"})
    level = fields.String(
        load_default=None,
        validate=OneOfWords(LEVELS),
        metadata={"description": "Set them for each unit of this level below the unit, and not for the unit itself"},
    )
    targets = fields.Dict(
        keys=fields.String(validate=OneOfWords([*TargetKind])),
        values=Whole(allow_none=True, validate=WithinRange(1, LARGEST_TARGET)),
        required=True,
        metadata={"description": "By kind; null takes the target away. Other kinds stay as they are"},
    )


class TargetProgressOut(Out):
    """How far a unit is with one kind."""

    target = fields.Integer(allow_none=True, metadata={"description": "The target; null: none"})
    done = fields.Integer(metadata={"description": "What was done, with or without a target"})
    share = fields.Float(allow_none=True, metadata={"description": "done / target; null without a target"})


class TargetLineOut(Out):
    """A unit's targets."""

    unit_id = fields.Integer(metadata={"description": "The unit"})
    unit = fields.String(metadata={"description": "The unit's name"})
    level = fields.String(metadata={"description": "The unit's level"})
    texts = fields.Nested(TargetProgressOut, metadata={"description": "Texts that arrived"})
    theme_days = fields.Nested(
        TargetProgressOut, metadata={"description": "Events that took place, and other invitations"}
    )
    participation = fields.Nested(TargetProgressOut, metadata={"description": "Answered invitations"})
    silent = fields.Boolean(metadata={"description": "It has a target, and nothing was done at all"})


class TargetsOut(Out):
    """A unit's targets and those right below it."""

    year = fields.Integer(metadata={"description": "The year"})
    own = fields.Nested(TargetLineOut, metadata={"description": "The unit itself, with all below it"})
    below = fields.List(
        fields.Nested(TargetLineOut),
        metadata={"description": "The units right below: the silent first, then those that are least far"},
    )


class TargetsSetOut(Out):
    """What was set."""

    units = fields.Integer(metadata={"description": "For how many units"})


@blueprint.route("/targets")
class Targets(MethodView):
    """The targets."""

    @endpoint(Permission.read)
    @blueprint.arguments(TargetQuery, location="query")
    @blueprint.response(200, TargetsOut)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Show a unit's targets of a year and those of the units right below it, with what was done"""
        unit = get_unit(g.session, g.actor, query["unit"])
        year = query["year"] or find_month(g.session, unit).year
        own, below = targets.list_targets(g.session, g.actor, unit.id, year)
        return {"year": year, "own": _describe(own), "below": [_describe(line) for line in below]}

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(TargetsIn)
    @blueprint.response(200, TargetsSetOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Set targets of a unit, which takes `manage_directory` over the unit above, or of all of a level below it"""
        number = targets.set_targets(
            g.session, g.actor, body["unit_id"], body["year"], body["targets"], body["why"], body["level"]
        )
        return {"units": number}


def _describe(line: TargetLine) -> dict[str, Any]:
    shown: dict[str, Any] = {"unit_id": line.unit_id, "unit": line.unit, "level": line.level, "silent": line.is_silent}
    for kind in TargetKind:
        progress = {"target": line.targets.get(kind), "done": line.done[kind], "share": line.share(kind)}
        shown[kind.value] = progress
    return shown
