"""A campaign ends with its last run, if its schedule fires no further one."""

from __future__ import annotations

from sqlalchemy import exists, literal_column, or_, select, update

from sms_service.campaigns.acts import ACTS, CampaignAct
from sms_service.campaigns.models import Campaign, CampaignItem, SeriesCohort
from sms_service.db.engine import Database
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus

((_GOES_ON, (_ENDED,)),) = ACTS[CampaignAct.finish].moves.items()
_OVER = (RunStatus.finished, RunStatus.closed, RunStatus.cancelled)


def end_finished(database: Database) -> list[int]:
    """End the active campaigns whose runs have nothing left to send and whose items fire no more; returns their ids."""
    of_campaign = select(Run.id).where(Run.campaign_id == Campaign.id)
    fires = select(CampaignItem.number).where(
        CampaignItem.campaign_id == Campaign.id, CampaignItem.next_at.is_not(None)
    )
    late = select(SeriesCohort.firing).where(SeriesCohort.campaign_id == Campaign.id, SeriesCohort.next_at.is_not(None))
    goes_on = or_(exists(of_campaign.where(Run.status.not_in(_OVER))), exists(fires), exists(late))
    with database.session() as session:
        ended = session.scalars(
            update(Campaign)
            .where(
                # A constant, not a parameter: so the planner can use the partial index of the active ones.
                Campaign.status == literal_column(f"'{_GOES_ON}'"),
                ~goes_on,
            )
            .values(status=_ENDED.value)
            .returning(Campaign.id)
            .execution_options(synchronize_session=False)
        )
        ids = set(ended)
        if ids:
            # The first statement does not see a retry that committed while it waited for the campaign's row. This
            # second one does, and the lock on the row lets no further retry in, as with runs (reopen_runs).
            again = session.scalars(
                update(Campaign)
                .where(Campaign.id.in_(ids), goes_on)
                .values(status=_GOES_ON.value)
                .returning(Campaign.id)
                .execution_options(synchronize_session=False)
            )
            ids -= set(again)
        return sorted(ids)
