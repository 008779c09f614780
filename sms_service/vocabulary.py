"""Words that several rooms write into columns and ask for in SQL, each a member of an enum: found by its name.

What a run, a message or an attempt may become is in `ledger/states.py`; what providers say of themselves is bounded in
`gateways/words.py`.
"""

from __future__ import annotations

from enum import StrEnum


class Words(StrEnum):
    """The words that a column may hold."""

    @classmethod
    def sql(cls) -> str:
        """The words as a SQL list for a check constraint."""
        return "(" + ", ".join(f"'{word}'" for word in cls) + ")"


class TextClass(Words):
    """What kind of text it is; it decides unsubscribe line, cap, window and approval."""

    study = "study"
    notice = "notice"  # what a person must learn
    invitation = "invitation"
    survey = "survey"
    answer = "answer"  # what a person asked for


class MessageReason(Words):
    """Why a message was skipped, refused or not delivered (`messages.reason`), and why an attempt was
    (`attempts.error`): one meaning each. docs/sending.md lists them all.
    """

    # Skipped when its run is frozen.
    out_of_scope = "out_of_scope"  # the recipient's unit is no longer below the campaign's unit
    lost_contact = "lost_contact"  # the person is known to be out of reach
    no_phone = "no_phone"  # the person has no phone
    duplicate_phone = "duplicate_phone"  # another row of the run has the phone; `duplicate_of` names it

    # Skipped since the phone is suppressed, when its run is frozen or at the gate.
    opted_out = "opted_out"  # who has the phone wants no texts
    wrong_person = "wrong_person"  # the phone belongs to somebody else
    complaint = "complaint"  # who has the phone complained

    # Skipped at the gate.
    capped = "capped"  # the phone has had its texts of this class for the day

    # Refused by us.
    render = "render"  # the text could not be rendered for this recipient
    withdrawn = "withdrawn"  # of an attempt only: the worker surely did not hand it over

    # Of both kinds: what is known of the phone skips it, what the gateway or the network says of it refuses it.
    bad_number = "bad_number"  # the phone is malformed or not in use
    blacklisted = "blacklisted"  # the provider's stop list has the phone; it is suppressed from then on

    # Refused by the gateway, or undelivered by the network, in the words of `gateways.base.ErrorClass`.
    blocked = "blocked"  # network, handset or account let this text not through to this phone
    content = "content"  # a content rule refused the text
    signature = "signature"  # the signature is not registered
    credentials = "credentials"  # the account's key or secret is wrong
    balance = "balance"  # the account has no money left
    rate = "rate"  # too fast
    unreachable = "unreachable"  # the handset was off or out of coverage until the validity ended
    carrier = "carrier"  # the network failed for another reason
    partial = "partial"  # some parts were taken and the rest cannot be
    later = "later"  # the provider had a passing fault and surely took nothing
    request = "request"  # the provider calls our request malformed
    not_taken = "not_taken"  # the provider surely never had it, as a look-up or the worker itself showed
    unclassified = "unclassified"  # a code that no table knows, or a person who settled it as refused
