"""Each act of the trail as a sentence: who did what to whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sms_service.audit.models import TrailEntry
from sms_service.masking import mask_text
from sms_service.reports.acts import Names
from sms_service.said import Said, as_said, from_json, say
from sms_service.web.words import name_of, name_word


def _(message: str) -> str:
    return message


# By act; an act with different targets has a sentence for a kind of target too, "act/kind", and "act/lent" is one that
# somebody did by delegation.
SENTENCES: Mapping[str, str] = {
    "account.create": _("{who} created the account of {what}"),
    "account.disable": _("{who} disabled the account of {what}"),
    "account.enable": _("{who} enabled the account of {what} again"),
    "account.move": _("{who} moved the account of {what} to another unit"),
    "account.rename": _("{who} changed the name of the account, now {what}"),
    "account.set_password": _("{who} set the password of {what}"),
    "calendar.remove": _("{who} removed {rows} days from the calendar of working days of {what}: {days}"),
    "calendar.set": _("{who} set {rows} days in the calendar of working days of {what}: {days}"),
    "calendar.take_over": _("{who} took over the official working days of {year} for {what}"),
    "approval_rule.add": _("{who} added an approval rule of {what}: {rule}"),
    "approval_rule.change": _("{who} changed an approval rule of {what}, now: {rule}"),
    "approval_rule.remove": _("{who} removed an approval rule of {what}: {rule}"),
    "campaign.approve": _("{who} approved the campaign {what}"),
    "campaign.approve/lent": _("{who} approved the campaign {what} by delegation of {lender}"),
    "campaign.change": _("{who} changed the campaign {what}"),
    "campaign.create": _("{who} wrote the campaign {what}"),
    "campaign.launch": _("{who} launched the campaign {what}"),
    "campaign.retime": _("{who} gave the run of {what} another time"),
    "campaign.suspend": _("{who} suspended the schedule of {what}"),
    "campaign.continue": _("{who} let the schedule of {what} go on"),
    "campaign.end": _("{who} ended the schedule of {what}"),
    "campaign.reject": _("{who} returned the campaign {what}"),
    "campaign.reject/lent": _("{who} returned the campaign {what} by delegation of {lender}"),
    "campaign.self_approve": _("{who} approved the campaign {what} to {people} people by self-service"),
    "campaign.submit": _("{who} submitted the campaign {what} for approval"),
    "campaign.withdraw": _("{who} withdrew the campaign {what}"),
    "cap.remove": _("{who} removed the daily cap of the class {what}"),
    "cap.set": _("{who} set the daily cap of the class {what} to {per_day}"),
    "cluster.change": _("{who} noticed that the database server changed"),
    "cluster.hold": _("{who} held all runs after a restore"),
    "channel.add": _("{who} added the channel {channel}"),
    "channel.change": _("{who} changed the channel {channel}"),
    "channel.pause": _("{who} paused the channel {channel}"),
    "channel.remove": _("{who} removed the channel {channel}"),
    "channel.resume": _("{who} resumed the channel {channel}"),
    "channel.test": _("{who} had a test posted to the channel {channel}"),
    "check.answer": _("{who} said where {what} is: {answer}"),
    "contact.give": _("{who} gave {what} the role {role} in {unit}"),
    "contact.take": _("{who} took the role {role} in {unit} away from {what}"),
    "counts.rebuild": _("{who} added the counts of {what} up again"),
    "delegation.begin": _("{who} lent {what} the right to approve for {unit} until {until}"),
    "delegation.end": _("{who} ended the delegation of {lender} to {what} for {unit}"),
    "question.close": _("{who} let answers to {what} count until {until}"),
    "question.note": _("{who} noted what {what} answered: {said}"),
    "question.remind": _("{who} wrote the reminder {what} to those who are silent"),
    "event.attendance": _("{who} ticked off who came to {what}: {came} of {expected}"),
    "event.cancel": _("{who} called {what} off; {told} people are told"),
    "event.move": _("{who} moved {what}; {told} people are told"),
    "export.create": _("{who} exported rows of the ledger (export {what})"),
    "export.delete": _("{who} deleted the export {what}"),
    "export.download": _("{who} downloaded the export {what}"),
    "gateway.open": _("{who} opened the gateway account {what}"),
    "gateway.paused": _("{who} paused the gateway account {what}"),
    "item.change": _("{who} corrected “{label}” of {what}"),
    "item.insert": _("{who} put “{label}” into the series {what}"),
    "item.move": _("{who} moved “{label}” within the series {what}"),
    "message.settle": _("{who} settled a text to be checked as {verdict}"),
    "number.history": _("{who} read all texts to the number {what}"),
    "number.history/person": _("{who} read all texts to the phone of {what}"),
    "people.import": _("{who} imported people from {what}: {created} added, {changed} changed, {refused} refused"),
    "people.leave": _("{who} marked {left} people as having left who were missing from {what}"),
    "people.see_phones": _("{who} looked at whole phone numbers"),
    "people.see_phones/person": _("{who} looked at the whole phone number of {what}"),
    "person.change": _("{who} changed the person {what}"),
    "person.create": _("{who} added the person {what}"),
    "person.export": _("{who} looked at everything that is held about {what}"),
    "person.erase": _("{who} erased the person {what} for good"),
    "post.again": _("{who} had a post to the channel {channel} posted again"),
    "post.forward": _("{who} said to have forwarded a post to the channel {channel}"),
    "post.settle": _("{who} settled a post to the channel {channel} as {verdict}"),
    "post.unforward": _("{who} took back to have forwarded a post to the channel {channel}"),
    "quiet_day.remove": _("{who} removed the quiet day {day} of {what}"),
    "quiet_day.set": _("{who} set quiet days of {what}: {days}"),
    "recipient_list.empty": _("{who} deleted the rows of the list {what}, {rows} of them"),
    "recipient_list.let_go": _("{who} let the list {what} go: its rows are deleted"),
    "recipients.import": _("{who} made a list for a campaign of {what}: {unchanged} people, {created} guests"),
    "role.grant": _("{who} gave {what} the role {role} on {unit}"),
    "role.revoke": _("{who} took the role {role} on {unit} away from {what}"),
    "channel.push": _("{who} was told by the channel {what} what waits for them"),
    "own_phone.code": _("{who} asked for a code to their own phone"),
    "own_phone.confirm": _("{who} confirmed their own phone"),
    "own_phone.end": _("{who} ended their own phone"),
    "own_phone.pushes": _("{who} chose what they are told of their tasks"),
    "reply.answer": _("{who} answered the reply {what}"),
    "reply.assign": _("{who} asked {to} to see to the reply {what}"),
    "reply.close": _("{who} closed the reply {what}"),
    "reply.read": _("{who} read the reply {what} again"),
    "reply.reopen": _("{who} opened the reply {what} again"),
    "run.fire": _("{who} made a run of {what} by its schedule"),
    "run.cancelled": _("{who} cancelled the run of {what}"),
    "run.held": _("{who} held the run of {what}"),
    "run.paused": _("{who} paused the run of {what}"),
    "run.planned": _("{who} let the run of {what} wait for its time again"),
    "run.retry": _("{who} let refused texts of {what} go again"),
    "run.running": _("{who} let the run of {what} go on"),
    "run.test": _("{who} sent a test text to themself"),
    "run.send_again": _("{who} let texts of {what} go again that were to be checked"),
    "segment.change": _("{who} changed the segment {what}"),
    "segment.create": _("{who} created the segment {what}"),
    "session.begin": _("{who} logged in"),
    "session.end": _("{who} ended a session"),
    "session.end_all": _("{who} ended all sessions of {what}"),
    "signature.add": _("{who} added the signature 【{signature}】 of {what}"),
    "signature.default": _("{who} chose the signature of {what}"),
    "signature.file": _("{who} wrote down how far {account} is with the signature 【{signature}】 of {what}"),
    "signature.remove": _("{who} removed the signature 【{signature}】 of {what}"),
    "statement.issue": _("{who} issued the statement {number} of {since} to {until}"),
    "stop.begin": _("{who} stopped all sending of {what}"),
    "stop.release": _("{who} released the stop of {what}"),
    "suppression.add": _("{who} put the phone of {what} on the opt-out list: {reason}"),
    "suppression.import": _("{who} imported {suppressed} phones that want no texts, by {what}"),
    "suppression.confirm": _("{who} confirmed that the phone of {what} is on the opt-out list"),
    "suppression.narrow": _("{who} kept only some texts from the phone of {what}, as its reply means"),
    "suppression.lift": _("{who} took the phone of {what} off the opt-out list"),
    "category.add": _("{who} added the category {category} to {what}"),
    "category.remove": _("{who} removed the category {category} of {what}"),
    "template.archive": _("{who} archived the template {what}"),
    "template.bind": _("{who} wrote down how far {account} is with version {version} of the template {what}"),
    "template.restore": _("{who} brought the template {what} back"),
    "template.sort": _("{who} gave the template {what} another category"),
    "template.create": _("{who} created the template {what}"),
    "template.revise": _("{who} wrote version {version} of the template {what}"),
    "token.issue": _("{who} issued a token for {what}"),
    "token.revoke": _("{who} revoked a token of {what}"),
    "token.revoke_all": _("{who} revoked all tokens of {what}"),
    "quota.remove": _("{who} removed a quota of {what}"),
    "quota.set": _("{who} set a quota of {what}"),
    "target.set": _("{who} set targets of {what} for {year}"),
    "unit.caps": _("{who} set the daily caps of {what}"),
    "archive.write": _("{who} wrote a month of the ledger into an archive"),
    "archive.detach": _("{who} took the rows of {month} out of the ledger, into an archive"),
    "archive.drop": _("{who} dropped the tables of the archived month {month}"),
    "archive.read_back": _("{who} read the archived month {month} back into the ledger"),
    "unit.redaction": _("{who} set how long texts of {what} are kept"),
    "unit.change": _("{who} changed the unit {what}"),
    "quiz.category_add": _("{who} added the category {category} of quiz questions to {what}"),
    "quiz.category_rename": _("{who} named a category of quiz questions of {what} {category}"),
    "quiz.category_remove": _("{who} removed the category {category} of quiz questions of {what}"),
    "quiz.add": _("{who} added question {question} to the category {category} of {what}"),
    "quiz.replace": _(
        "{who} wrote question {question} in the place of an older one, in the category {category} of {what}"
    ),
    "quiz.retire": _("{who} retired question {question} of the category {category} of {what}"),
    "quiz.restore": _("{who} brought question {question} of the category {category} of {what} back"),
    "quiz.import": _(
        "{who} imported quiz questions into the bank of {what}: {created} new, {replaced} replaced, {refused} refused"
    ),
    "reference.add": _("{who} added the reference list {list} to {what}"),
    "reference.rename": _("{who} named a reference list of {what} {list}"),
    "reference.remove": _("{who} removed the reference list {list} of {what}"),
    "reference.row": _("{who} wrote the row {row} of the reference list {list} of {what}"),
    "reference.archive": _("{who} archived the row {row} of the reference list {list} of {what}"),
    "reference.restore": _("{who} brought the row {row} of the reference list {list} of {what} back"),
    "reference.replace": _("{who} replaced the reference list {list} of {what} by a file with {rows} rows"),
    "word_list.add": _("{who} put {words} words on a list of {what}"),
    "word_list.remove": _("{who} took the word “{word}” off a list of {what}"),
    "unit.close": _("{who} closed the unit {what}"),
    "unit.merge": _("{who} merged the unit {what} into {unit}"),
    "unit.reopen": _("{who} opened the closed unit {what} again"),
    "unit.create": _("{who} created the unit {what}"),
    "units.import": _("{who} imported units from {what}: {created} added, {changed} changed, {refused} refused"),
    "webhook.add": _("{who} added the webhook {webhook}"),
    "webhook.change": _("{who} changed the webhook {webhook}"),
    "webhook.disable": _("{who} disabled the webhook {webhook}, which took nothing for three days"),
    "webhook.enable": _("{who} enabled the webhook {webhook}"),
    "webhook.pause": _("{who} paused the webhook {webhook}"),
    "webhook.remove": _("{who} removed the webhook {webhook}"),
    "webhook.renew": _("{who} gave the webhook {webhook} a new secret"),
    "webhook.replay": _("{who} had {rows} events sent to the webhook {webhook} again"),
    "webhook.test": _("{who} sent a test to the webhook {webhook}"),
}
_OTHER = say("{who}: {act}", who="{who}", act="{act}").message
_NOBODY = as_said("The service itself")


def tell_act(entry: TrailEntry, names: Names) -> Said:
    """The entry as a sentence; numbers that may be phone numbers are masked in what people wrote."""
    kind = "lent" if entry.target_kind == "campaign" and "lender" in entry.details else entry.target_kind
    message = SENTENCES.get(f"{entry.act}/{kind}") or SENTENCES.get(entry.act) or _OTHER
    return say(message, **_values(entry, names))


def _values(entry: TrailEntry, names: Names) -> dict[str, Any]:
    details = entry.details
    who = names.get(("account", str(entry.account_id))) if entry.account_id is not None else None
    values: dict[str, Any] = dict.fromkeys(_DETAILS, "—")
    values |= {name: details[name] for name in _DETAILS if isinstance(details.get(name), int | str)}
    return values | {
        "who": _NOBODY if entry.account_id is None else mask_text(who or f"#{entry.account_id}"),
        "what": _what(entry, names),
        "days": tuple(str(day) for day in details.get("days", ())),
        "unit": names.get(("unit", str(details.get("unit_id"))), "—"),
        "to": mask_text(names.get(("account", str(details.get("to"))), "—")),
        "lender": mask_text(names.get(("account", str(details.get("lender"))), "—")),
        "rule": from_json(**details["terms"]) if isinstance(details.get("terms"), dict) else "—",
        "role": name_word("role", str(details.get("role", "—"))),
        "reason": name_of(str(details.get("reason", "—"))),
        "answer": name_word("CheckAnswer", str(details.get("answer", "—"))),
        "said": name_word("Meaning", str(details.get("said", "—"))),
        "verdict": name_of(str(details.get("verdict", "—"))),
        "act": name_word("act", entry.act),
    }


_DETAILS = (
    *("day", "per_day", "created", "changed", "unchanged", "refused", "suppressed", "version", "left"),
    *("word", "words", "category", "signature", "account", "list", "row", "rows", "until", "people", "year", "channel"),
    *("number", "since", "told", "came", "expected", "label", "webhook", "question", "replaced", "month"),
)


def _what(entry: TrailEntry, names: Names) -> Said | str:
    name = names.get((entry.target_kind, entry.target_id))
    if name is None and entry.target_kind == "gateway_account":
        name = entry.details.get("name")
    if name is None and entry.target_kind == "account":
        name = entry.details.get("login")
    if name is None and entry.target_kind == "cap":
        return name_of(entry.target_id)
    if entry.target_kind == "number":
        return entry.target_id  # masked as it was written
    return mask_text(name) if name else say("no. {number}", number=entry.target_id)
