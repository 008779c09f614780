"""A word for people of each member of the enums, roles, levels and acts that pages show.

A sentence of a room holds the word itself (`held`); a table or a heading shows what stands here (`Held`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.control import FailoverChoice
from sms_service.campaigns.outlook import Caution
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.fields import FieldKind
from sms_service.content.lint import FindingKind, Severity
from sms_service.content.models import FilingState, ListKind
from sms_service.controls.models import AccountState, BindingState, PausedBy
from sms_service.delivery.models import CheckAnswer, CheckCause
from sms_service.directory.consent import ConsentBasis
from sms_service.directory.import_models import ImportState, RowOutcome
from sms_service.directory.logins import LoginState
from sms_service.directory.vanished import VanishedChange
from sms_service.dispatch.waits import WaitReason
from sms_service.gateways.base import ErrorClass, OutcomeKind, ReceiptStatus
from sms_service.ledger.resolving import StayReason
from sms_service.ledger.states import AttemptStatus, HeldFor, Lane, MessageStatus, RunStatus
from sms_service.reports.tasks import TaskKind
from sms_service.reports.timeline import EventKind
from sms_service.reports.unknowns import UnknownAge
from sms_service.said import Said, as_said, say
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

# By enum; texts of a closed set that is no enum are under the name of what they are. What stands in the columns of
# campaigns, runs and messages comes first: see `name_of`.
WORDS: Mapping[type[Enum] | str, Mapping[str, Said]] = {
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
        Caution.quiet_day: say("Quiet day"),
        Caution.waits: say("Outside the sending window"),
        Caution.interrupted: say("Not all within the sending window"),
        Caution.expires: say("Some texts would expire"),
        Caution.unrendered: say("Some texts cannot be made"),
        Caution.similar: say("Like a text of the last seven days"),
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
    Permission: {
        Permission.read: say("Read"),
        Permission.manage_directory: say("Manage units and people"),
        Permission.import_people: say("Import people"),
        Permission.check_people: say("Look for people whom texts do not reach"),
        Permission.manage_segments: say("Manage segments"),
        Permission.manage_templates: say("Manage templates"),
        Permission.edit_campaigns: say("Write campaigns"),
        Permission.approve_campaigns: say("Approve campaigns"),
        Permission.operate_campaigns: say("Send and stop campaigns"),
        Permission.operate_service: say("Operate gateways and caps"),
        Permission.manage_accounts: say("Manage accounts"),
        Permission.text_guests: say("Text people outside the register"),
        Permission.see_phones: say("See whole phone numbers"),
    },
    LoginState: {
        LoginState.create: say("Will be created"),
        LoginState.exists: say("Has one already"),
        LoginState.refused: say("Refused"),
    },
    CheckCause: {
        CheckCause.dead_number: say("Number seems dead"),
        CheckCause.not_reached: say("Texts do not arrive"),
    },
    ConsentBasis: {
        ConsentBasis.consent: say("The person agreed"),
        ConsentBasis.contract: say("A contract, or staff"),
        ConsentBasis.duty: say("A task of the office by law"),
        ConsentBasis.emergency: say("An emergency"),
        ConsentBasis.public: say("Made public by the person"),
        ConsentBasis.law: say("Another law allows it"),
    },
    CheckAnswer: {
        CheckAnswer.found: say("Found, the number is right"),
        CheckAnswer.new_number: say("New number"),
        CheckAnswer.moved_away: say("Moved away"),
        CheckAnswer.lost: say("Nobody knows"),
        CheckAnswer.reached: say("Reached again"),
        CheckAnswer.gone: say("Has left or out of reach"),
    },
    VanishedChange: {
        VanishedChange.left: say("Has left"),
        VanishedChange.elsewhere: say("In another unit by now"),
        VanishedChange.no_member: say("No member any more"),
        VanishedChange.changed: say("Changed since the check"),
    },
    Severity: {
        Severity.refused: say("Not possible"),
        Severity.tick: say("Needs the approver's tick"),
        Severity.note: say("To know"),
    },
    FindingKind: {
        FindingKind.nobody_has: say("Value that nobody has"),
        FindingKind.no_row: say("Value that no list has"),
        FindingKind.missing: say("Missing value"),
        FindingKind.unrendered: say("Text cannot be made"),
        FindingKind.long: say("Long text"),
        FindingKind.parts: say("Parts of a text"),
        FindingKind.costly_character: say("Character that costs a part"),
        FindingKind.adjacent: say("Variables side by side"),
        FindingKind.only_variables: say("Variables alone"),
        FindingKind.link_in_value: say("Link in a value"),
        FindingKind.phone_in_value: say("Phone number in a value"),
        FindingKind.brackets: say("Signature brackets"),
        FindingKind.unsubscribe: say("Opt-out line"),
        FindingKind.signature: say("Signature"),
        FindingKind.blocked_word: say("Word not allowed"),
        FindingKind.review_word: say("Word to be reviewed"),
        FindingKind.link: say("Link"),
        FindingKind.link_not_allowed: say("Link not allowed"),
        FindingKind.row_changed: say("Row of a list"),
        FindingKind.binding: say("Template not registered"),
        FindingKind.policy: say("Provider's content policy"),
    },
    BindingState: {
        BindingState.draft: say("Not handed in"),
        BindingState.filed: say("Handed in"),
        BindingState.usable: say("Usable"),
        BindingState.refused: say("Refused"),
    },
    FilingState: {
        FilingState.draft: say("Not handed in"),
        FilingState.filed: say("Handed in"),
        FilingState.usable: say("Usable"),
    },
    ListKind: {
        ListKind.block: say("Not allowed in any text"),
        ListKind.review: say("Needs the approver's tick"),
        ListKind.host: say("Links may lead there"),
    },
    FieldKind: {
        FieldKind.text: say("Any text"),
        FieldKind.date: say("Date"),
        FieldKind.time: say("Time of day"),
        FieldKind.moment: say("Date with time"),
        FieldKind.number: say("Figure"),
        FieldKind.place: say("Place"),
        FieldKind.phone: say("Phone number"),
        FieldKind.link: say("Link"),
        FieldKind.list: say("List"),
    },
    TaskKind: {
        TaskKind.approval: say("Campaigns to decide on"),
        TaskKind.returned: say("Campaigns that were returned to you"),
        TaskKind.held_run: say("Runs held until somebody decides"),
        TaskKind.gateway_paused: say("Gateway accounts that are paused"),
        TaskKind.unknown: say("Texts with an unknown outcome"),
        TaskKind.branch_without_contact: say("Branches without a reachable contact"),
        TaskKind.lost_check: say("People to be looked for"),
    },
    "role": {
        "administrator": say("Administrator"),
        "officer": say("Officer"),
        "approver": say("Approver"),
        "auditor": say("Auditor"),
        "operator": say("Operator"),
    },
    "level": {"city": say("City"), "district": say("District"), "street": say("Street"), "branch": say("Branch")},
    "person": {"member": say("Member"), "contact": say("Contact"), "guest": say("Guest of a list")},
    "run": {
        "campaign": say("Campaign"),
        "test": say("Test"),
        "answer": say("Answer"),
        "notice": say("Notice"),
    },
    "decision": {"approved": say("Approved"), "rejected": say("Returned")},
    "meaning": {"stop": say("Wants no more texts")},
    "source": {
        "import": say("An import"),
        "reply": say("A reply"),
        "api": say("An account of ours"),
        "gateway": say("The gateway"),
    },
    ImportState: {
        ImportState.uploaded: say("Uploaded"),
        ImportState.checking: say("Being checked"),
        ImportState.checked: say("Checked, not written"),
        ImportState.applying: say("Being written"),
        ImportState.applied: say("Imported"),
        ImportState.failed: say("Cannot be read"),
        ImportState.expired: say("Not imported in time"),
    },
    RowOutcome: {
        RowOutcome.created: say("Rows added"),
        RowOutcome.changed: say("Rows changed"),
        RowOutcome.moved: say("Rows moved"),
        RowOutcome.unchanged: say("Rows unchanged"),
        RowOutcome.refused: say("Rows refused"),
    },
    "import": {"units": say("Units"), "people": say("People")},
    "dimension": {
        "unit": say("Unit"),
        "status": say("Status"),
        "reason": say("Reason"),
        "code": say("Provider's code"),
        "class": say("Class"),
        "kind": say("Kind of run"),
        "campaign": say("Campaign"),
        "run": say("Run"),
        "day": say("Day"),
        "account": say("Gateway account"),
    },
    "act": {
        "account.create": say("created an account"),
        "account.disable": say("disabled an account"),
        "account.enable": say("enabled an account"),
        "account.move": say("moved an account to another unit"),
        "account.rename": say("renamed an account"),
        "account.set_password": say("set a password"),
        "campaign.approve": say("approved a campaign"),
        "campaign.change": say("changed a campaign"),
        "campaign.create": say("wrote a campaign"),
        "campaign.launch": say("launched a campaign"),
        "campaign.reject": say("returned a campaign"),
        "campaign.submit": say("submitted a campaign for approval"),
        "campaign.withdraw": say("withdrew a campaign"),
        "cap.remove": say("removed a cap"),
        "cap.set": say("set a cap"),
        "cluster.change": say("noticed that the database server changed"),
        "cluster.hold": say("held all runs after a restore"),
        "check.answer": say("said where a person is"),
        "contact.give": say("gave a person a role in a unit"),
        "contact.take": say("took a role in a unit away from a person"),
        "gateway.open": say("opened a gateway account"),
        "gateway.paused": say("paused a gateway account"),
        "message.settle": say("settled a text to be checked"),
        "people.import": say("imported people"),
        "people.leave": say("said who has left of those missing from a file"),
        "people.see_phones": say("saw whole phone numbers"),
        "person.change": say("changed a person"),
        "person.create": say("added a person"),
        "person.erase": say("erased a person"),
        "person.export": say("saw all that is held about a person"),
        "role.grant": say("granted a role"),
        "role.revoke": say("took a role away"),
        "run.cancelled": say("cancelled a run"),
        "run.held": say("held a run"),
        "run.paused": say("paused a run"),
        "run.planned": say("let a run wait for its time again"),
        "run.retry": say("sent refused texts again"),
        "run.running": say("let a run go on"),
        "run.send_again": say("sent texts to be checked again"),
        "segment.change": say("changed a segment"),
        "recipient_list.empty": say("deleted the rows of a list"),
        "recipient_list.let_go": say("let a list go"),
        "recipients.import": say("made a list for a campaign"),
        "segment.create": say("created a segment"),
        "session.begin": say("logged in"),
        "session.end": say("ended a session"),
        "session.end_all": say("ended all sessions"),
        "stop.begin": say("stopped all sending"),
        "unit.caps": say("set a unit's caps"),
        "quiet_day.remove": say("removed a quiet day"),
        "quiet_day.set": say("set quiet days"),
        "category.add": say("added a category of templates"),
        "category.remove": say("removed a category of templates"),
        "template.archive": say("archived a template"),
        "template.bind": say("wrote down how far a provider is with a template"),
        "template.restore": say("brought a template back"),
        "template.sort": say("gave a template another category"),
        "reference.add": say("added a reference list"),
        "reference.rename": say("gave a reference list another name"),
        "reference.remove": say("removed a reference list"),
        "reference.row": say("wrote a row of a reference list"),
        "reference.archive": say("archived a row of a reference list"),
        "reference.restore": say("brought a row of a reference list back"),
        "reference.replace": say("replaced a reference list by a file"),
        "signature.add": say("added a signature"),
        "signature.remove": say("removed a signature"),
        "signature.file": say("wrote down how far a carrier is with a signature"),
        "signature.default": say("chose a unit's signature"),
        "word_list.add": say("put words on a list"),
        "word_list.remove": say("took a word off a list"),
        "stop.release": say("released a stop"),
        "suppression.add": say("put a phone on the opt-out list"),
        "suppression.import": say("imported phones that want no texts"),
        "suppression.lift": say("took a phone off the opt-out list"),
        "template.create": say("created a template"),
        "template.revise": say("wrote a new version of a template"),
        "token.issue": say("issued a token"),
        "token.revoke": say("revoked a token"),
        "token.revoke_all": say("revoked all tokens"),
        "unit.change": say("changed a unit"),
        "unit.close": say("closed a unit"),
        "unit.create": say("created a unit"),
        "unit.merge": say("merged a unit into another"),
        "unit.reopen": say("opened a closed unit"),
        "units.import": say("imported units"),
    },
}


_BY_NAME = {kind if isinstance(kind, str) else kind.__name__: words for kind, words in WORDS.items()}


def name_of(member: object) -> Said:
    """What people call this member of an enum, or this text of one: then as the first in WORDS that has it means it.

    A text that nobody named is its own name, so that no page is lost for want of one.
    """
    own = WORDS.get(type(member)) if isinstance(member, Enum) else None
    for words in WORDS.values() if own is None else [own]:
        if str(member) in words:
            return words[str(member)]
    return as_said(str(member))


def name_word(kind: str, word: str) -> Said:
    """The same for a text that several have: `kind` is the enum's name, or "role", "level", "act" and so on."""
    return _BY_NAME[kind].get(word) or as_said(word)


def _in_english() -> Mapping[str, str]:
    made: dict[str, str] = {}
    for words in WORDS.values():
        for member, name in words.items():
            word = str(member)
            if "_" in word and isinstance(member, Enum):
                made.setdefault(word, name[0].lower() + name[1:])
    # Of a text: "is …".
    return MappingProxyType(made | {MessageStatus.no_receipt.value: "without a receipt"})


# What stands in an English sentence of a page for a member whose name is no word of English, such as `no_receipt`.
ENGLISH = _in_english()
