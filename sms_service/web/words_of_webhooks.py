"""The words for webhooks, what they are told, and why something was not delivered."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sms_service.audit.happening_models import HappeningKind
from sms_service.said import Said, say
from sms_service.webhooks.models import DeliveryReason, DeliveryStatus, WebhookState

WORDS_OF_WEBHOOKS: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    HappeningKind: {
        HappeningKind.run_planned: say("Run planned"),
        HappeningKind.run_freezing: say("Run launched"),
        HappeningKind.run_running: say("Run sends"),
        HappeningKind.run_paused: say("Run paused"),
        HappeningKind.run_held: say("Run held"),
        HappeningKind.run_finished: say("Run finished"),
        HappeningKind.run_closed: say("Run closed"),
        HappeningKind.run_cancelled: say("Run cancelled"),
        HappeningKind.message_accepted: say("Text accepted"),
        HappeningKind.message_delivered: say("Text delivered"),
        HappeningKind.message_undelivered: say("Text not delivered"),
        HappeningKind.message_no_receipt: say("Text without a receipt"),
        HappeningKind.message_refused: say("Text refused"),
        HappeningKind.message_unknown: say("Text to be checked"),
        HappeningKind.message_skipped: say("Text skipped"),
        HappeningKind.message_expired: say("Text expired"),
        HappeningKind.message_cancelled: say("Text cancelled"),
        HappeningKind.reply_read: say("Reply read"),
        HappeningKind.approval_submitted: say("Submitted for approval"),
        HappeningKind.approval_approved: say("Approved"),
        HappeningKind.approval_rejected: say("Returned"),
        HappeningKind.approval_withdrawn: say("Withdrawn"),
        HappeningKind.import_checked: say("Import checked"),
        HappeningKind.import_failed: say("Import failed"),
        HappeningKind.import_applied: say("Import applied"),
        HappeningKind.import_expired: say("Import expired"),
        HappeningKind.webhook_test: say("Test"),
    },
    "area": {
        "run": say("Runs"),
        "message": say("Texts"),
        "reply": say("Replies"),
        "approval": say("Approvals"),
        "import": say("Imports"),
    },
    WebhookState: {
        WebhookState.open: say("In use"),
        WebhookState.paused: say("Paused"),
        WebhookState.disabled: say("Disabled"),
        WebhookState.removed: say("Removed"),
    },
    DeliveryStatus: {
        DeliveryStatus.pending: say("To be delivered"),
        DeliveryStatus.sending: say("Being delivered"),
        DeliveryStatus.delivered: say("Received"),
        DeliveryStatus.given_up: say("Given up"),
    },
    DeliveryReason: {
        DeliveryReason.refused: say("The receiver refused it"),
        DeliveryReason.redirected: say("The address leads to another one, which is not followed"),
        DeliveryReason.no_answer: say("No whole answer came in time"),
        DeliveryReason.unreachable: say("The receiver cannot be reached"),
        DeliveryReason.forbidden_address: say("The address leads into a network of our own"),
        DeliveryReason.sealed: say("The address cannot be opened any more: add the webhook again"),
    },
}
