"""The words for what stands in the columns of campaigns, runs, messages and attempts, and for why they wait."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from sms_service.campaigns.control import FailoverChoice
from sms_service.campaigns.outlook import Caution
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.controls.models import AccountState, PausedBy
from sms_service.dispatch.waits import WaitReason
from sms_service.gateways.base import ErrorClass, OutcomeKind, ReceiptStatus
from sms_service.ledger.resolving import StayReason
from sms_service.ledger.states import AttemptStatus, HeldFor, Lane, MessageStatus, RunStatus
from sms_service.reports.timeline import EventKind
from sms_service.reports.unknowns import UnknownAge
from sms_service.said import Said, say
from sms_service.vocabulary import MessageReason, TextClass

_WHY: Mapping[str, Said] = {
    MessageReason.out_of_scope: say("No longer in the campaign's unit"),
    MessageReason.lost_contact: say("Out of reach"),
    MessageReason.no_phone: say("No phone number"),
    MessageReason.duplicate_phone: say("Same phone as another person"),
    MessageReason.opted_out: say("Wants no texts"),
    MessageReason.wrong_person: say("Phone belongs to somebody else"),
    MessageReason.complaint: say("Complained"),
    MessageReason.manual: say("Kept from texts by an officer"),
    MessageReason.capped: say("Daily cap reached"),
    MessageReason.left: say("Has left since"),
    MessageReason.new_phone: say("Has another number since"),
    MessageReason.render: say("Text could not be made"),
    MessageReason.withdrawn: say("Taken back, not sent"),
    MessageReason.bad_number: say("Number not in use"),
    MessageReason.blacklisted: say("On the provider's stop list"),
    MessageReason.blocked: say("Blocked by network or phone"),
    MessageReason.content: say("Content not allowed"),
    MessageReason.signature: say("Signature not registered"),
    MessageReason.credentials: say("Wrong gateway password"),
    MessageReason.balance: say("No money left in the account"),
    MessageReason.rate: say("Too fast"),
    MessageReason.unreachable: say("Phone off or out of coverage"),
    MessageReason.carrier: say("Network fault"),
    MessageReason.partial: say("Only partly sent"),
    MessageReason.later: say("Passing fault of the provider"),
    MessageReason.request: say("Request malformed"),
    MessageReason.not_taken: say("Did not reach the provider"),
    MessageReason.unclassified: say("Other reason"),
}

WORDS_OF_SENDING: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    CampaignStatus: {
        CampaignStatus.draft: say("Draft"),
        CampaignStatus.submitted: say("Waiting for approval"),
        CampaignStatus.approved: say("Approved"),
        CampaignStatus.active: say("Launched"),
        CampaignStatus.suspended: say("Suspended"),
        CampaignStatus.ended: say("Ended"),
        CampaignStatus.rejected: say("Returned"),
        CampaignStatus.withdrawn: say("Withdrawn"),
    },
    CampaignKind: {
        CampaignKind.plain: say("Once"),
        CampaignKind.recurring: say("Again and again"),
        CampaignKind.series: say("Series"),
        CampaignKind.event: say("Event"),
    },
    RunStatus: {
        RunStatus.planned: say("Planned"),
        RunStatus.freezing: say("Preparing the list"),
        RunStatus.running: say("Sending"),
        RunStatus.paused: say("Paused"),
        RunStatus.held: say("Held"),
        RunStatus.finished: say("Finished"),
        RunStatus.closed: say("Closed"),
        RunStatus.cancelled: say("Cancelled"),
    },
    HeldFor: {
        HeldFor.missed: say("Its time was missed"),
        HeldFor.unfreezable: say("The list could not be prepared"),
        HeldFor.canary: say("Too many of the first texts failed"),
        HeldFor.breaker: say("Too many texts failed"),
        HeldFor.cluster: say("The database server changed"),
        HeldFor.changed: say("It is not what was approved"),
        HeldFor.grown: say("It has more recipients than were approved"),
        HeldFor.quota: say("The quota has not enough left"),
    },
    FailoverChoice: {
        FailoverChoice.nothing_lost: say("Nothing is missing: go on"),
        FailoverChoice.go_on: say("Go on; some may get it twice"),
    },
    Lane: {Lane.urgent: say("Urgent"), Lane.small: say("Small"), Lane.bulk: say("Bulk")},
    MessageStatus: {
        MessageStatus.skipped: say("Skipped"),
        MessageStatus.pending: say("Waiting to be sent"),
        MessageStatus.claimed: say("Being prepared"),
        MessageStatus.submitting: say("Being handed over"),
        MessageStatus.accepted: say("Handed over"),
        MessageStatus.refused: say("Refused"),
        MessageStatus.unknown: say("To be checked"),
        MessageStatus.delivered: say("Delivered"),
        MessageStatus.undelivered: say("Not delivered"),
        MessageStatus.no_receipt: say("No receipt"),
        MessageStatus.expired: say("Expired"),
        MessageStatus.cancelled: say("Cancelled"),
    },
    MessageReason: _WHY,
    AttemptStatus: {
        AttemptStatus.submitting: say("Being handed over"),
        AttemptStatus.unknown: say("To be checked"),
        AttemptStatus.refused: say("Refused"),
        AttemptStatus.throttled: say("Put off by the provider"),
        AttemptStatus.accepted: say("Handed over"),
        AttemptStatus.no_receipt: say("No receipt"),
        AttemptStatus.undelivered: say("Not delivered"),
        AttemptStatus.delivered: say("Delivered"),
    },
    OutcomeKind: {
        OutcomeKind.accepted: say("Handed over"),
        OutcomeKind.refused: say("Refused"),
        OutcomeKind.throttled: say("Put off by the provider"),
        OutcomeKind.unknown: say("To be checked"),
        OutcomeKind.partial: say("Only partly sent"),
    },
    ReceiptStatus: {
        ReceiptStatus.delivered: say("Delivered"),
        ReceiptStatus.undelivered: say("Not delivered"),
        ReceiptStatus.interim: say("Under way"),
        ReceiptStatus.unclassified: say("Not understood"),
    },
    ErrorClass: {class_: _WHY[class_] for class_ in ErrorClass},
    StayReason: {
        StayReason.redacted: say("Phone number erased"),
        StayReason.busy: say("Being changed at this moment"),
        StayReason.not_of_this_run: say("Not of this run"),
    },
    TextClass: {
        TextClass.study: say("Study"),
        TextClass.notice: say("Notice"),
        TextClass.invitation: say("Invitation"),
        TextClass.survey: say("Survey"),
        TextClass.answer: say("Answer"),
    },
    AccountState: {
        AccountState.open: say("Open"),
        AccountState.paused: say("Paused"),
        AccountState.removed: say("Removed"),
    },
    PausedBy: {
        PausedBy.person: say("Paused by a person"),
        PausedBy.breaker: say("Paused since too many texts failed"),
        PausedBy.link: say("Its link is down"),
    },
    WaitReason: {
        WaitReason.planned: say("Planned"),
        WaitReason.freezing: say("Preparing the list"),
        WaitReason.paused: say("Paused"),
        WaitReason.held: say("Held"),
        WaitReason.cluster: say("The database server changed"),
        WaitReason.window: say("Outside the sending window"),
        WaitReason.quiet_day: say("Quiet day"),
        WaitReason.stop: say("Stopped"),
        WaitReason.account_breaker: say("Gateway account paused since too many texts failed"),
        WaitReason.account_paused: say("Gateway account paused by a person"),
        WaitReason.account_stopped: say("Gateway account stopped"),
        WaitReason.account_unbound: say("Template not registered with the provider"),
        WaitReason.account_missing: say("No gateway account for it"),
        WaitReason.link: say("Its link is down"),
        WaitReason.redis: say("Redis cannot be reached"),
        WaitReason.nobody: say("No process at work"),
        WaitReason.canary: say("The first texts are being tried"),
        WaitReason.throttled: say("Put off by the provider"),
        WaitReason.put_off: say("Passing fault of the provider"),
        WaitReason.slowed: say("Sending, slowed by the provider"),
        WaitReason.pace: say("Sending"),
    },
    Caution: {
        Caution.nobody: say("Nobody would get it"),
        Caution.stopped: say("Stopped"),
        Caution.no_account: say("No gateway account takes texts"),
        Caution.cap_reached: say("Some have had enough texts on that day"),
        Caution.quiet_day: say("Quiet day"),
        Caution.waits: say("Outside the sending window"),
        Caution.interrupted: say("Not all within the sending window"),
        Caution.expires: say("Some texts would expire"),
        Caution.unrendered: say("Some texts cannot be made"),
        Caution.similar: say("Like a text of the last seven days"),
        Caution.quota: say("More than the quota has left"),
    },
    EventKind: {
        EventKind.frozen: say("Put on the list"),
        EventKind.skipped: say("Skipped"),
        EventKind.handed_over: say("Handed over"),
        EventKind.answered: say("Answer of the gateway"),
        EventKind.receipt: say("Receipt"),
        EventKind.reply: say("Reply"),
        EventKind.ended: say("Ended"),
        EventKind.act: say("Act"),
    },
    UnknownAge: {
        UnknownAge.hour: say("Less than an hour"),
        UnknownAge.day: say("An hour to a day"),
        UnknownAge.days: say("One day to three"),
        UnknownAge.older: say("More than three days"),
    },
}
