"""Every room's tables, loaded together, so that foreign keys by name resolve, and with them what a room above tells a
room below. Each process imports this once at start.
"""

import sms_service.accounts.models
import sms_service.audience.list_models
import sms_service.audience.models
import sms_service.audit.happening_models
import sms_service.audit.models
import sms_service.campaigns.models
import sms_service.campaigns.rule_models
import sms_service.channels.choosing
import sms_service.channels.models
import sms_service.content.list_models
import sms_service.content.models
import sms_service.content.quiz_models
import sms_service.controls.models
import sms_service.controls.quota_models
import sms_service.db.leadership
import sms_service.delivery.models
import sms_service.directory.import_models
import sms_service.directory.models
import sms_service.ledger.amendment_models
import sms_service.ledger.archive_models
import sms_service.ledger.models
import sms_service.ledger.question_models
import sms_service.ledger.quota_models
import sms_service.own_texts.models
import sms_service.personal.redaction_models
import sms_service.replies.answer_models
import sms_service.replies.earlier
import sms_service.replies.models
import sms_service.reports.export_models
import sms_service.reports.roll_up_models
import sms_service.reports.target_models
import sms_service.schedules.calendar_models
import sms_service.schedules.kinds
import sms_service.webhooks.models  # noqa: F401 - each import counts
from sms_service.db.base import Base

METADATA = Base.metadata

__all__ = ["METADATA"]
