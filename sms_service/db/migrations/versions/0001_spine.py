"""The schema of the spine: directory, accounts, content, campaigns, ledger, trail."""

from alembic import op

from sms_service.db.online import run_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE receipts, attempts, messages, runs, decisions, campaigns, route_members, routes, gateway_accounts,
            template_versions, templates, suppressions, segments, import_problems, imports, contacts, people, trail,
            stored_answers, tokens, role_grants, accounts, units;
        DROP SEQUENCE messages_id_seq, attempts_id_seq;
        DROP FUNCTION window_is_open(text, smallint, smallint), next_opening(text, smallint), attempt_rank(text);
        DROP FUNCTION sms_now(), ensure_month(date);
        """
    )
