"""What each word in an answer about counts means: one source for the API, the pages and the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_service.ledger.states import MessageStatus
from sms_service.said import Said, say
from sms_service.vocabulary import Carrier, MessageReason, TextClass
from sms_service.web.words import name_word


class Definition(NamedTuple):
    """A word as answers have it, what people call it, and what it means."""

    word: str
    name: Said
    meaning: Said


_M, _R = MessageStatus, MessageReason

# By what the words are: of numbers, of dimensions, and of what stands in a dimension.
MEANINGS: Mapping[str, Mapping[str, Said]] = {
    "number": {
        "people": say("Distinct persons: who is in several lines counts in each of them, and once in the total."),
        "messages": say("Rows of the ledger: one for each recipient of each run, whatever became of it."),
        "parts": say("The SMS that gateways took and charge for; a long text has several."),
        "left": say("Texts that a gateway took or may have taken, whatever became of them."),
        "delivered": say("Texts of which the network said that they arrived."),
        "delivery_rate": say("Texts delivered, of those that left."),
        "reach_rate": say("Texts delivered, of all rows: also of those that were skipped or never left."),
        "cost_fen": say("What the parts cost by the prices of today; – where one is not known."),
        "identity": say("The recipients of a run when its list was made are the sum of all its statuses, at any time."),
        "scope": say("The units, each with all below it, that the numbers cover."),
        "rows": say("The rows of the ledger that a number counts."),
        "roll_up": say("A day's rows added up. Where one of them has changed since, the ledger itself is read."),
        "sealed": say("A day's counts as they were four days after it, with a digest over them and the day before."),
        "amendments": say("Changes of rows whose day was sealed: a sealed number is that of now less its amendments."),
    },
    "comparison": {
        "unreachable": say("People for whom there were texts in the period, and to whom none of these was delivered."),
        "asked": say("Each person and each question of the period: whom two questions ask counts twice."),
        "answered": say("Those of them whose answer came in time and counts; of a quiz, who named an option."),
        "silent": say("Those of them whom the text reached, or may have reached, and who said nothing in time."),
        "unreached": say("Those of them who said nothing and whom the text did not reach."),
        "reply_rate": say("People who answered, of those asked; also of those whom the text did not reach."),
        "invited": say("Those who were asked whether they come; some said neither yes nor no."),
        "yes": say("Those of them whose last answer in time was yes."),
        "no": say("Those of them whose last answer in time was no."),
        "invited_silent": say("Those of them whom the text reached, or may have reached, and who said nothing."),
        "invited_unreached": say("Those of them who said nothing and whom the invitation did not reach."),
        "yes_rate": say("People who come, of all who were asked whether they do."),
        "expected": say("People whom events invited of which somebody ticked off who came."),
        "came": say("Those of them who came."),
        "came_rate": say("People who came, of those expected."),
        "quizzed": say("Each person and each quiz question that they got."),
        "quiz_answered": say("Those of them who named an option in time."),
        "quiz_right": say("Those of them who were right with one of the tries that count."),
        "quiz_rate": say("Those who named an option in time, of all whom a quiz asked."),
        "right_rate": say("Those who were right, of those who answered a quiz."),
        "silent_unit": say("A unit whose people were asked something in the period, and of whom nobody answered."),
        "unreachable_unit": say("A unit for whose people there were texts in the period, and none was delivered."),
        "target": say("What the unit is to reach in the whole year, and what it and all below it sent for that."),
        "attention": say(
            "Units that nothing reaches stand first, then silent ones; then the lower of reach rate and reply rate"
            " decides. Units without texts and questions stand last."
        ),
        "branches": say(
            "Every unit of the subtree with its own people alone and with all that was sent to them, also before it"
            " moved there; the total is of what lay in the subtree then."
        ),
    },
    "dimension": {
        "unit": say("The recipient's unit when the list was made, with all below it; it stays when people move."),
        "sender": say("The unit that sent, where it stood when the run was launched."),
        "status": say("How far a text is, or how it ended."),
        "reason": say("Why a text was skipped, refused or not delivered."),
        "code": say("The provider's own code for that."),
        "class": say("What kind of text it is; it decides caps, approval and the opt-out line."),
        "kind": say("Whether a run is of a campaign, a test text, an answer to a reply, or a reminder to an account."),
        "campaign": say("What was written, approved and sent as one thing; a series has many runs."),
        "run": say("One launch of a campaign."),
        "item": say("Which text of a campaign: its number in a series."),
        "template": say("The template from which the text was made."),
        "category": say("The category of that template."),
        "day": say("The day on which the run was launched, in the time zone of the unit that sent."),
        "week": say("Monday to Sunday; named after its Monday."),
        "month": say("The month in which the run was launched."),
        "year": say("The year in which the run was launched."),
        "account": say("The gateway account that had the text last."),
        "carrier": say("Who gave the number out, by its first digits; a number that was ported keeps them."),
    },
    "status": {
        _M.skipped: say("On the list, and not texted for a reason."),
        _M.pending: say("Waits to be sent."),
        _M.claimed: say("A worker prepares it; nothing has left."),
        _M.submitting: say("Is being handed over to a gateway."),
        _M.accepted: say("A gateway took all its parts; no final receipt yet."),
        _M.refused: say("No gateway took it, and it is not tried again by itself."),
        _M.unknown: say("Nobody can tell whether the gateway took it; it is never sent again by itself."),
        _M.delivered: say("The network says that it arrived."),
        _M.undelivered: say("The network says that it did not arrive."),
        _M.no_receipt: say("A gateway took it, and no receipt came in time."),
        _M.expired: say("Its validity ended before it left."),
        _M.cancelled: say("Its run was cancelled before it left."),
    },
    "reason": {
        _R.out_of_scope: say("The recipient's unit is no longer below that of the campaign."),
        _R.lost_contact: say("The person is known to be out of reach."),
        _R.no_phone: say("The person has no phone."),
        _R.duplicate_phone: say("Another recipient of the run has the same phone."),
        _R.opted_out: say("The phone's owner wants no texts."),
        _R.wrong_person: say("The phone belongs to somebody else."),
        _R.complaint: say("The phone's owner complained."),
        _R.manual: say("An officer keeps texts from the phone."),
        _R.capped: say("The phone has had its texts of this class for the day."),
        _R.left: say("The person has left since the list was made."),
        _R.new_phone: say("The person has had another phone since the list was made."),
        _R.render: say("The text could not be made for this recipient."),
        _R.withdrawn: say("An attempt that was taken back before it was handed over."),
        _R.bad_number: say("The number does not exist or is not in use."),
        _R.blacklisted: say("The number is on the provider's stop list."),
        _R.blocked: say("The network or the phone blocks such texts."),
        _R.content: say("The provider does not let this content through."),
        _R.signature: say("The signature is not registered with the provider."),
        _R.credentials: say("The provider did not accept our log-in."),
        _R.balance: say("The provider's account has no money left."),
        _R.rate: say("The provider wants texts to come more slowly."),
        _R.unreachable: say("The phone was off or out of coverage for too long."),
        _R.carrier: say("A fault of the network."),
        _R.partial: say("Only some parts of the text were taken or arrived."),
        _R.later: say("A fault of the provider that was to pass."),
        _R.request: say("The provider could not read our request."),
        _R.not_taken: say("The text surely did not reach the provider."),
        _R.unclassified: say("A code that no table has, or a person settled the text as refused."),
    },
    "class": {
        TextClass.study: say("Study content."),
        TextClass.notice: say("What a person must learn."),
        TextClass.invitation: say("An invitation, such as to a theme day."),
        TextClass.survey: say("A question to many."),
        TextClass.answer: say("What a person asked for by a reply."),
    },
    "kind": {
        "campaign": say("A run of a campaign."),
        "test": say("A test text to the own phone of whoever writes or approves."),
        "answer": say("A text that answers a reply."),
        "notice": say("A text that tells an account what waits for it."),
    },
    "carrier": {
        Carrier.mobile: say("A number that China Mobile gave out."),
        Carrier.unicom: say("A number that China Unicom gave out."),
        Carrier.telecom: say("A number that China Telecom gave out."),
        Carrier.broadnet: say("A number that China Broadnet gave out."),
    },
}

_NAMES = {"status": "MessageStatus", "reason": "MessageReason", "class": "TextClass", "kind": "run"}
_NAMES |= {"carrier": "Carrier", "dimension": "dimension", "number": "number", "comparison": "comparison"}


def list_definitions(topic: str) -> list[Definition]:
    """The words of a topic of MEANINGS."""
    meanings = MEANINGS[topic]
    return [Definition(str(word), name_word(_NAMES[topic], word), meaning) for word, meaning in meanings.items()]
