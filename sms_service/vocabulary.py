"""Words that several rooms write into columns and ask for in SQL. Each is a member of an enum, so that a search for its
name finds every use.

`ledger/states.py` has the statuses of runs, messages and attempts; `gateways/words.py` limits what providers say.
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


class Carrier(Words):
    """Who gave a mobile number out, as its first digits say (`carrier_of` in SQL)."""

    mobile = "mobile"
    unicom = "unicom"
    telecom = "telecom"
    broadnet = "broadnet"


class QuestionKind(Words):
    """What a text asks of whom it reaches."""

    rsvp = "rsvp"  # whether they come
    quiz = "quiz"  # a question of the bank, with right answers
    survey = "survey"  # one of up to nine answers
    check = "check"  # whether the phone is still theirs


class Meaning(Words):
    """What a reply was read as (the column `replies.meaning`)."""

    stop = "stop"  # no more texts
    resume = "resume"  # texts again
    yes = "yes"  # of a question whether they come, or whether it is they
    no = "no"
    choice = "choice"  # of a question with answers to choose from
    wrong_person = "wrong_person"  # the phone is not theirs
    free_text = "free_text"  # a person has to read it
    ambiguous = "ambiguous"  # it answers one of several questions, and nobody can tell which
    acknowledged = "acknowledged"  # 收到, 谢谢, to a text that asks nothing: nobody has to read it
    empty = "empty"  # it says nothing
    automatic = "automatic"  # a service wrote it, nobody did


class AnswerGroup(Words):
    """Which of the people who were asked are listed."""

    all = "all"
    reached = "reached"  # the text left for them, and nobody says that it did not arrive
    yes = "yes"
    no = "no"
    choice = "choice"  # one of the answers to choose from
    wrong_person = "wrong_person"  # the phone is not theirs
    free_text = "free_text"  # they said something that was not understood
    silent = "silent"  # reached, and nothing came
    unreached = "unreached"  # not reached, and nothing came
    late = "late"  # they said something after the question had closed; they are among the others, too


class ReadingRule(Words):
    """What made a reading (`replies.rule`)."""

    stop_word = "stop_word"  # the whole text is a word that stops texts
    stop_all_word = "stop_all_word"  # the whole text is a word that stops every text
    provider_stop = "provider_stop"  # the provider took it for one
    offered_stop = "offered_stop"  # a word that stops them since the answered text offers it
    resume_word = "resume_word"  # the whole text is a word that lets them come again
    keyword = "keyword"  # the whole text is a word for yes or no
    people_count = "people_count"  # it says how many come
    option = "option"  # it names one of the answers by its number or letter
    label = "label"  # it is one of the answers
    thanks = "thanks"  # nothing but words of receipt and thanks, and the text that it answers asks nothing
    several_questions = "several_questions"  # it fits several open questions
    not_understood = "not_understood"  # no word of an open question
    no_question = "no_question"  # nothing was asked
    nothing_said = "nothing_said"  # neither letter nor digit
    service_mark = "service_mark"  # marks of an automatic answer
    person = "person"  # a person read it


class InboxStatus(Words):
    """What became of a reply that a person has to read (`replies.inbox_status`)."""

    unread = "unread"
    assigned = "assigned"  # somebody was asked to see to it
    answered = "answered"
    closed = "closed"


class MessageReason(Words):
    """Why a message was skipped, refused or not delivered (`messages.reason`), and why an attempt was refused or not
    delivered (`attempts.error`). Each has one meaning; docs/sending.md lists them all.
    """

    # Skipped when its run is frozen; `lost_contact` and `no_phone` also at the gate.
    out_of_scope = "out_of_scope"  # the recipient's unit is no longer below the campaign's unit
    lost_contact = "lost_contact"  # the person is known to be out of reach
    no_phone = "no_phone"  # the person has no phone
    duplicate_phone = "duplicate_phone"  # another row of the run has the phone; `duplicate_of` names it

    # Skipped because the phone is suppressed, when the run is frozen or at the gate.
    opted_out = "opted_out"  # the phone's owner wants no texts
    wrong_person = "wrong_person"  # the phone belongs to somebody else
    complaint = "complaint"  # the phone's owner complained
    manual = "manual"  # an officer keeps texts from the phone; the entry's note says why

    # Skipped at the gate.
    capped = "capped"  # the phone has had its texts of this class for the day
    left = "left"  # the person has left since the run was frozen
    new_phone = "new_phone"  # the person has had another phone since the run was frozen

    # Refused by us.
    render = "render"  # the text could not be rendered for this recipient
    withdrawn = "withdrawn"  # only of an attempt: the worker did not hand it over, for certain

    # Skipped if we know it about the phone before; refused or undelivered if the gateway or the network says it.
    bad_number = "bad_number"  # the phone is malformed or not in use
    blacklisted = "blacklisted"  # the provider's stop list has the phone; it is suppressed from then on

    # Refused by the gateway, or undelivered by the network, in the words of `gateways.base.ErrorClass`.
    blocked = "blocked"  # the network, the handset or the account blocks this text to this phone
    content = "content"  # a content rule refused the text
    signature = "signature"  # the signature is not registered
    credentials = "credentials"  # the account's key or secret is wrong
    balance = "balance"  # the account has no money left
    rate = "rate"  # too fast
    unreachable = "unreachable"  # the handset was off or out of coverage until the validity ended
    carrier = "carrier"  # the network failed for another reason
    partial = "partial"  # some parts were taken and the others cannot be
    later = "later"  # the provider had a temporary fault and took nothing, for certain
    request = "request"  # the provider calls our request malformed
    not_taken = "not_taken"  # the provider never had it, for certain: a look-up or the worker itself has shown that
    unclassified = "unclassified"  # a code that is in no table, or a person settled it as refused
