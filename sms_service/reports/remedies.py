"""What each reason means in plain words, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_service.ledger.states import MessageStatus
from sms_service.said import Said, say
from sms_service.vocabulary import MessageReason


class Remedy(NamedTuple):
    """`meaning`: what happened; `act`: what a person can do."""

    meaning: Said
    act: Said


R = MessageReason

REMEDIES: Mapping[MessageReason, Remedy] = {
    R.out_of_scope: Remedy(
        say("the person's unit no longer belongs to the unit that sends"),
        say("Nothing to do. Who is to be texted all the same gets it from a unit above both."),
    ),
    R.lost_contact: Remedy(
        say("the person is marked as out of reach"),
        say("Once there is contact again, take the mark away in the directory."),
    ),
    R.no_phone: Remedy(
        say("the person has no phone number"),
        say("Ask the branch for the number and write it into the directory."),
    ),
    R.duplicate_phone: Remedy(
        say("another person of the same run has this number and got the text"),
        say("Nothing to do, unless the number belongs to one of them only: then correct the other's."),
    ),
    R.opted_out: Remedy(
        say("the person wants no texts"),
        say("Tell the person in another way. Only the person's own word lifts this."),
    ),
    R.wrong_person: Remedy(
        say("the number belongs to somebody else"),
        say("Ask the branch for the right number and write it into the directory."),
    ),
    R.complaint: Remedy(
        say("who has this number complained"),
        say("Tell the person in another way. Lift it only when the complaint is settled."),
    ),
    R.manual: Remedy(
        say("an officer put the number on the opt-out list and wrote down why"),
        say("Read the note on the opt-out list. Lift it when its cause is gone."),
    ),
    R.left: Remedy(
        say("the person left after the list was made"),
        say("Nothing to do."),
    ),
    R.new_phone: Remedy(
        say("the person got another number after the list was made"),
        say("Send a new campaign to them; it goes to the new number."),
    ),
    R.capped: Remedy(
        say("the number has had its texts of this class for the day"),
        say("Send it on another day, or ask an administrator whether the cap is right."),
    ),
    R.render: Remedy(
        say("the text could not be made for this person"),
        say("See which value the person lacks, complete it, and send a new campaign to them."),
    ),
    R.withdrawn: Remedy(
        say("the worker surely did not hand it over"),
        say("Nothing to do: it goes again by itself."),
    ),
    R.bad_number: Remedy(
        say("the number is malformed or not in use"),
        say("Ask the branch for the present number and write it into the directory."),
    ),
    R.blacklisted: Remedy(
        say("the number is on the provider's stop list"),
        say("If the person wants texts, let the provider take the number off its list, then lift the suppression."),
    ),
    R.blocked: Remedy(
        say("network, handset or account let this text not through to this number"),
        say("Ask the person whether the phone blocks such texts; if there are many, ask the provider."),
    ),
    R.content: Remedy(
        say("a content rule refused the text"),
        say("Change the words, have the new version approved, and send it as a new campaign."),
    ),
    R.signature: Remedy(
        say("the signature is not registered"),
        say("Register the signature at the provider, then retry."),
    ),
    R.credentials: Remedy(
        say("the gateway account's key or secret is wrong"),
        say("The operator corrects it and opens the account; then retry."),
    ),
    R.balance: Remedy(
        say("the gateway account has no money left"),
        say("Pay in at the provider, open the account, then retry."),
    ),
    R.rate: Remedy(
        say("the gateway was handed texts too fast until their validity ended"),
        say("Retry at a quieter time; if it comes again, lower the account's rate."),
    ),
    R.unreachable: Remedy(
        say("the phone was off or out of coverage until the validity ended"),
        say("Tell the person in another way, or send it again on another day."),
    ),
    R.carrier: Remedy(
        say("the network failed for another reason"),
        say("Try again later; if there are many, ask the provider."),
    ),
    R.partial: Remedy(
        say("only some parts of the text were taken"),
        say("Ask the person what arrived. It never goes again by itself, since parts would come twice."),
    ),
    R.later: Remedy(
        say("the provider had a passing fault until the validity ended"),
        say("Retry: the provider surely took nothing."),
    ),
    R.request: Remedy(
        say("the provider calls our request malformed"),
        say("The operator compares the account's settings with the provider's manual; then retry."),
    ),
    R.not_taken: Remedy(
        say("the provider surely never had it"),
        say("Retry."),
    ),
    R.unclassified: Remedy(
        say("the provider gave a code that no table explains, or a person settled it as refused"),
        say("The operator looks the code up and has it added to the table. What was settled may go again."),
    ),
}  # fmt: skip

# Of rows whose status says all, whatever their reason.
BY_STATUS: Mapping[MessageStatus, Remedy] = {
    MessageStatus.unknown: Remedy(
        say("nobody can tell whether the gateway took it"),
        say("Ask the provider and settle it by its records, or send it again, though some may get it twice."),
    ),
    MessageStatus.no_receipt: Remedy(
        say("the gateway took it, and nothing was heard of it for 72 hours"),
        say("Most of these have arrived. If there are many, ask the provider where its receipts go."),
    ),
    MessageStatus.expired: Remedy(
        say("its validity ended before it left"),
        say("See why the run waited, and send it as a new campaign if it still matters."),
    ),
}


def find_remedy(status: str, reason: str | None) -> Remedy | None:
    """What is said of rows with this status and reason; None of those with which all is well."""
    if reason is None or status in BY_STATUS:
        return BY_STATUS.get(MessageStatus(status))
    return REMEDIES[MessageReason(reason)] if reason in list(MessageReason) else REMEDIES[R.unclassified]
