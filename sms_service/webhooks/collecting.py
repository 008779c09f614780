"""Takes what happened, describes it once, and makes a delivery of it for each webhook that wants it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sqlalchemy import delete, select

from sms_service.audit.happening_models import Happening
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.directory.models import Unit
from sms_service.webhooks.describing import WHOLE_TREE, describe_happenings, write_body
from sms_service.webhooks.models import Webhook, WebhookState

TAKE_HAPPENINGS = Statement(__file__, "take_happenings")
TELL_HAPPENINGS = Statement(__file__, "tell_happenings")

BATCH = 500


class _Wanting(NamedTuple):
    id: int
    kinds: frozenset[str]
    path: str

    def wants(self, kind: str, unit_path: str) -> bool:
        return kind in self.kinds and is_concerned(unit_path, self.path)


def is_concerned(unit_path: str, path: str) -> bool:
    """Whether what concerns the unit at `unit_path` is told to a webhook of the unit at `path`: it lies within; what
    belongs to no unit is told to the tops of the tree.
    """
    return unit_path.startswith(path) or (unit_path == WHOLE_TREE and path.count("/") == 2)


def collect_happenings(database: Database, size: int = BATCH) -> int:
    """Make the deliveries of the next `size` happenings and delete what no webhook wants; returns how many were taken.

    Any number of processes may do this at once. A webhook that is paused or disabled gets its deliveries too; they
    wait.
    """
    with database.session() as session:
        connection = session.connection()
        rows = TAKE_HAPPENINGS(connection, size=size).all()
        if not rows:
            return 0
        found = session.execute(
            select(Webhook.id, Webhook.kinds, Unit.path)
            .join(Unit, Unit.id == Webhook.unit_id)
            .where(Webhook.state != WebhookState.removed)
        )
        wanting = [_Wanting(row.id, frozenset(row.kinds), row.path) for row in found]
        described = describe_happenings(session, rows)
        told: dict[int, tuple[Any, list[int]]] = {}
        for row in rows:
            if (one := described.get(row.id)) is not None:
                webhook_ids = [each.id for each in wanting if each.wants(row.kind, one.unit_path)]
                if webhook_ids:
                    told[row.id] = (row, webhook_ids)
        if told:
            bodies = [write_body(row.uid, row.kind, row.at, described[id_].data) for id_, (row, _) in told.items()]
            TELL_HAPPENINGS(
                connection,
                ids=list(told),
                bodies=[json.dumps(body, ensure_ascii=False) for body in bodies],
                unit_paths=[described[id_].unit_path for id_ in told],
                webhook_ids=[webhook_id for _, ids in told.values() for webhook_id in ids],
                happening_ids=[id_ for id_, (_, ids) in told.items() for _ in ids],
            )
        session.execute(delete(Happening).where(Happening.id.in_([row.id for row in rows if row.id not in told])))
        return len(rows)
