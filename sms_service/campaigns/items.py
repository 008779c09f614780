"""The items of a campaign with a schedule, as contents carry them: read with the campaign, in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, literal_column

from sms_service.content.models import TemplateVersion

# Those of a campaign of the statement, in their order, as `read_items` takes them.
ITEMS: ColumnElement[Any] = literal_column(
    """(SELECT json_agg(json_build_object(
        'number', i.number, 'label', i.label, 'values', i.values, 'rule', i.rule, 'asks', i.asks, 'skipped', i.skipped,
        'next_at', i.next_at, 'fired_at', i.fired_at, 'next_firing', i.next_firing,
        'approved', encode(i.approved, 'hex'),
        'class_', t.class, 'version', CASE WHEN v.id IS NOT NULL THEN json_build_object(
            'id', v.id, 'template_id', v.template_id, 'number', v.number, 'body', v.body, 'variables', v.variables,
            'fields', v.fields) END
    ) ORDER BY i.position, i.number)
    FROM campaign_items i
    LEFT JOIN template_versions v ON v.id = i.template_version_id
    LEFT JOIN templates t ON t.id = v.template_id
    WHERE i.campaign_id = campaigns.id)""",
    JSON,
)


@dataclass(frozen=True, slots=True)
class Item:
    """An item as `CampaignItem` has it. `version` and `class_`: those of its own template, None: the campaign's."""

    number: int
    label: str
    values: dict[str, Any]
    rule: dict[str, Any] | None
    asks: dict[str, Any] | None
    skipped: bool
    next_at: datetime | None
    fired_at: datetime | None
    next_firing: int
    approved: bytes | None
    class_: str | None
    version: TemplateVersion | None

    def covered(self) -> dict[str, Any]:
        """What of it an approval of the whole campaign covers; not when it fires, which the schedule says."""
        covered: dict[str, Any] = {"number": self.number, "label": self.label, "values": self.values}
        if self.version is not None:
            covered |= {"template_version": self.version.id, "body": self.version.body, "class": self.class_}
        if self.rule is not None:
            covered["rule"] = self.rule
        if self.asks is not None:
            covered["asks"] = self.asks
        if self.skipped:
            covered["skipped"] = True
        return covered


def read_items(found: Sequence[dict[str, Any]] | None) -> tuple[Item, ...]:
    """What `ITEMS` found."""
    return tuple(_read(one) for one in found or ())


def _read(one: dict[str, Any]) -> Item:
    next_at, fired_at, approved, version = (one[name] for name in ("next_at", "fired_at", "approved", "version"))
    return Item(
        **one
        | {
            "next_at": next_at and datetime.fromisoformat(next_at),
            "fired_at": fired_at and datetime.fromisoformat(fired_at),
            "approved": approved and bytes.fromhex(approved),
            "version": version and TemplateVersion(**version),
        }
    )
