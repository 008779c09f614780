"""A word for people of each member of the enums, roles, levels and acts that pages show.

A sentence of a room holds the word itself (`held`); a table or a heading shows what stands here (`Held`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.delegations import DelegationState
from sms_service.catalogues import get_catalogue
from sms_service.content.fields import FieldKind
from sms_service.content.findings import FindingKind, Severity
from sms_service.content.models import FilingState, ListKind
from sms_service.controls.models import BindingState
from sms_service.delivery.models import CheckAnswer, CheckCause
from sms_service.directory.consent import ConsentBasis
from sms_service.directory.import_models import ImportState, RowOutcome
from sms_service.directory.logins import LoginState
from sms_service.directory.vanished import VanishedChange
from sms_service.ledger.quota_models import ReservationState
from sms_service.ledger.quotas import QuotaKind
from sms_service.ledger.states import MessageStatus
from sms_service.own_texts.models import OwnPurpose, PushWay
from sms_service.replies.quiz_counting import QuizState
from sms_service.reports.export_models import ExportState
from sms_service.reports.export_rows import FileWording
from sms_service.reports.progress import HadChoice
from sms_service.reports.target_models import TargetKind
from sms_service.reports.tasks import TaskKind
from sms_service.said import Said, as_said, say, translate
from sms_service.web.words_of_acts import WORDS_OF_ACTS
from sms_service.web.words_of_channels import WORDS_OF_CHANNELS
from sms_service.web.words_of_comparison import WORDS_OF_COMPARISON
from sms_service.web.words_of_counts import WORDS_OF_COUNTS
from sms_service.web.words_of_replies import WORDS_OF_REPLIES
from sms_service.web.words_of_sending import WORDS_OF_SENDING
from sms_service.web.words_of_webhooks import WORDS_OF_WEBHOOKS

# By enum; texts of a closed set that is no enum are under the name of what they are. What stands in the columns of
# campaigns, runs and messages comes first: see `name_of`.
WORDS: Mapping[type[Enum] | str, Mapping[str, Said]] = {
    **WORDS_OF_SENDING,
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
        Permission.try_texts: say("Send test texts to themself"),
        Permission.see_phones: say("See whole phone numbers"),
    },
    ExportState: {
        ExportState.queued: say("Waits for a worker"),
        ExportState.running: say("Being written"),
        ExportState.ready: say("Ready"),
        ExportState.failed: say("Failed"),
        ExportState.expired: say("File deleted"),
    },
    LoginState: {
        LoginState.create: say("Will be created"),
        LoginState.exists: say("Has one already"),
        LoginState.refused: say("Refused"),
    },
    DelegationState: {
        DelegationState.active: say("In force"),
        DelegationState.idle: say("Gives nothing now"),
        DelegationState.over: say("Over"),
        DelegationState.ended: say("Ended early"),
    },
    CheckCause: {
        CheckCause.dead_number: say("Number seems dead"),
        CheckCause.not_reached: say("Texts do not arrive"),
        CheckCause.other_person: say("Somebody else has the number"),
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
        FindingKind.past_day: say("Day that is over"),
        FindingKind.brackets: say("Signature brackets"),
        FindingKind.stop_word: say("A stop word as an answer"),
        FindingKind.unsubscribe: say("Opt-out line"),
        FindingKind.signature: say("Signature"),
        FindingKind.blocked_word: say("Word not allowed"),
        FindingKind.review_word: say("Word to be reviewed"),
        FindingKind.link: say("Link"),
        FindingKind.link_not_allowed: say("Link not allowed"),
        FindingKind.row_changed: say("Row of a list"),
        FindingKind.no_question: say("Nothing to ask"),
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
        TaskKind.breaker_open: say("Gateway accounts that the breaker paused"),
        TaskKind.gateway_paused: say("Gateway accounts that are paused"),
        TaskKind.unknown: say("Texts with an unknown outcome"),
        TaskKind.import_to_apply: say("Checked files that are not applied yet"),
        TaskKind.branch_without_contact: say("Branches without a reachable contact"),
        TaskKind.lost_check: say("People to be looked for"),
        TaskKind.quota: say("Quotas that are nearly used up"),
        TaskKind.post_to_forward: say("Posts to forward"),
        TaskKind.unknown_post: say("Posts of which nobody can tell whether they stand in the group"),
        TaskKind.webhook_disabled: say("Webhooks that are disabled"),
        TaskKind.unread_reply: say("Replies to read"),
        TaskKind.assigned_reply: say("Replies for you to see to"),
    },
    QuotaKind: {
        QuotaKind.people: say("People texted"),
        QuotaKind.parts: say("Parts"),
        QuotaKind.fen: say("Money"),
    },
    QuizState: {
        QuizState.answered: say("Have answered"),
        QuizState.right: say("Answered right"),
        QuizState.wrong: say("Answered wrong"),
        QuizState.silent: say("Have not answered"),
        QuizState.unreachable: say("Unreachable"),
    },
    HadChoice: {
        HadChoice.all: say("Had all"),
        HadChoice.behind: say("Behind"),
        HadChoice.none: say("Had none"),
    },
    ReservationState: {
        ReservationState.asked: say("Waits for a release"),
        ReservationState.planned: say("Reserved"),
        ReservationState.used: say("Sent"),
    },
    TargetKind: {
        TargetKind.texts: say("Texts delivered"),
        TargetKind.theme_days: say("Theme days held"),
        TargetKind.participation: say("Answered invitations"),
    },
    OwnPurpose: {
        OwnPurpose.code: say("Confirmation code"),
        OwnPurpose.test: say("Test text"),
        OwnPurpose.push: say("Push"),
    },
    PushWay: {
        PushWay.none: say("Not at all: I look by myself"),
        PushWay.text: say("By a text to my own phone"),
        PushWay.webhook: say("By a post to a channel"),
    },
    "role": {
        "administrator": say("Administrator"),
        "officer": say("Officer"),
        "approver": say("Approver"),
        "auditor": say("Auditor"),
        "operator": say("Operator"),
    },
    "level": {"city": say("City"), "district": say("District"), "street": say("Street"), "branch": say("Branch")},
    "person": {"member": say("Member"), "contact": say("Contact"), "guest": say("Not in the register")},
    "run": {
        "campaign": say("Campaign"),
        "test": say("Test text"),
        "answer": say("Answer"),
        "notice": say("Reminder text"),
    },
    "decision": {"approved": say("Approved"), "rejected": say("Returned")},
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
    **WORDS_OF_COUNTS,
    **WORDS_OF_CHANNELS,
    **WORDS_OF_REPLIES,
    **WORDS_OF_WEBHOOKS,
    "act": WORDS_OF_ACTS,
    **WORDS_OF_COMPARISON,  # last: what it orders by has the names of what others are
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


def find_wording(language: str) -> FileWording:
    """The words of `zh` or `en` for files."""
    catalogue = ENGLISH if language == "en" else get_catalogue(language)
    return FileWording(lambda said: translate(said, catalogue), name_word)


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
