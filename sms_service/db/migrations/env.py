"""Alembic's entry: runs on the connection that `sms_service.db.migrate` made and locked; there is no offline mode."""

from alembic import context

from sms_service.db.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=True,  # what was done stays done when a later step has to be tried again
)
with context.begin_transaction():
    context.run_migrations()
