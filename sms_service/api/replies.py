"""`/replies`: what people answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.controls.accounts import id_of
from sms_service.directory.text import LONGEST_WHY
from sms_service.replies.answering import find_answer_texts, find_withheld
from sms_service.replies.listing import find_replies, may_read_strangers, require_texts_of
from sms_service.replies.models import ReplyRow
from sms_service.replies.rereading import list_candidates, list_readings, require_reply, reread_reply
from sms_service.vocabulary import InboxStatus, Meaning, QuestionKind, ReadingRule
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, OneLine, Out, Whole, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint("replies", description="What people answered, and which text they answered.")


class ReplyQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    meaning = fields.String(
        load_default=None,
        validate=OneOfWords([*Meaning]),
        metadata={"description": "Only replies that were read as this"},
    )
    campaign = Id(load_default=None, metadata={"description": "Only replies that answer a text of this campaign"})
    account = OneLine(
        load_default=None, metadata={"description": "Only replies that came in at this gateway account, by its name"}
    )
    has_phone = fields.Boolean(
        load_default=None, metadata={"description": "False: only replies whose sender cannot be read as a phone number"}
    )
    since = fields.AwareDateTime(
        load_default=None, metadata={"description": "At or after this time (ISO 8601 with offset)"}
    )
    until = fields.AwareDateTime(load_default=None, metadata={"description": "Before this time (ISO 8601 with offset)"})


class AnswerTextOut(Out):
    """The text that answers a reply."""

    message_id = fields.Integer(attribute="message.id", metadata={"description": "Its row in the ledger"})
    run_id = fields.Integer(attribute="message.run_id", metadata={"description": "Its run, of kind `answer`"})
    status = fields.String(attribute="message.status", metadata={"description": "What became of it"})
    reason = fields.String(
        attribute="message.reason", allow_none=True, metadata={"description": "Why it was skipped or did not arrive"}
    )
    text = MaskedText(
        attribute="message.text", allow_none=True, metadata={"description": "What it says, phone numbers in it masked"}
    )
    author = MaskedText(
        allow_none=True, metadata={"description": "The name of whoever wrote it; null: the service answered by itself"}
    )


class AnsweredOut(Out):
    """A reply with the text that answers it."""

    answer = fields.Nested(
        AnswerTextOut, allow_none=True, metadata={"description": "The text that answers it; null: none does"}
    )
    withheld = fields.String(
        allow_none=True,
        metadata={"description": "Why the service did not answer it by itself where it would have; else null"},
    )


class ReplyOut(AnsweredOut):
    """One reply."""

    id = fields.Integer(attribute="ReplyRow.id", metadata={"description": "The reply's id"})
    received_at = fields.AwareDateTime(attribute="ReplyRow.received_at", metadata={"description": "When it came in"})
    occurred_at = fields.AwareDateTime(
        attribute="ReplyRow.occurred_at",
        allow_none=True,
        metadata={"description": "When it was written, by the provider's clock"},
    )
    account = fields.String(metadata={"description": "The gateway account at which it came in"})
    phone = MaskedPhone(attribute="ReplyRow.phone", allow_none=True)
    sender = MaskedPhone(
        attribute="ReplyRow.sender",
        allow_none=True,
        metadata={
            "description": "What the gateway wrote where that is no phone number, masked; nobody is suppressed then"
        },
    )
    sent_to = fields.String(
        attribute="ReplyRow.sent_to", allow_none=True, metadata={"description": "The service's number it was sent to"}
    )
    text = MaskedText(
        attribute="ReplyRow.shown_text",
        allow_none=True,
        metadata={"description": "What it says, phone numbers in it masked; null once redacted"},
    )
    part = fields.Integer(
        attribute="ReplyRow.part", metadata={"description": "Which part of a long reply, while others are missing"}
    )
    parts = fields.Integer(attribute="ReplyRow.parts", metadata={"description": "How many parts a long reply came in"})
    complete = fields.Boolean(metadata={"description": "False: parts of it are missing, and this is one of them"})
    meaning = fields.String(
        attribute="ReplyRow.meaning",
        allow_none=True,
        metadata={
            "description": f"What it was read as, one of {', '.join(Meaning)}; `stop`: its phone number gets no texts "
            "from then on; null: it is not read yet, or parts of it are missing"
        },
    )
    rule = fields.String(
        attribute="ReplyRow.rule",
        allow_none=True,
        metadata={"description": f"What made this reading: one of {', '.join(ReadingRule)}"},
    )
    question_id = fields.Integer(
        attribute="ReplyRow.question_id", allow_none=True, metadata={"description": "The question that it answers"}
    )
    inbox_status = fields.String(
        attribute="ReplyRow.inbox_status",
        allow_none=True,
        metadata={
            "description": f"Of one that a person has to read: one of {', '.join(InboxStatus)}; null: of any other"
        },
    )
    repeated = fields.Boolean(
        attribute="ReplyRow.repeated",
        metadata={
            "description": "The same came from the same number within ten minutes before, from a gateway that names no "
            "reply: it may be one that was delivered twice"
        },
    )
    person_id = fields.Integer(
        attribute="ReplyRow.person_id",
        allow_none=True,
        metadata={"description": "Who got the text that it answers, else who has the number; null: nobody known"},
    )
    person = MaskedText(allow_none=True, metadata={"description": "The person's present name"})
    message_id = fields.Integer(
        attribute="ReplyRow.message_id",
        allow_none=True,
        metadata={"description": "The text that it answers: the last one to the number within 14 days before"},
    )


class ReadingIn(In):
    """What a person reads it as."""

    meaning = fields.String(
        required=True,
        validate=OneOfWords([*Meaning]),
        metadata={
            "description": "With a question: `yes`, `no`, `choice`, `wrong_person` or `free_text`, as its kind has it. "
            "Without: `free_text`, `stop`, `empty` or `automatic`"
        },
    )
    question_id = Id(load_default=None, metadata={"description": "The question that it answers"})
    person_id = Id(
        load_default=None,
        metadata={"description": "Whose answer it is, where it came from a phone that was not asked"},
    )
    choices = OneLine(20, load_default=None, metadata={"description": "With `choice`: the number, or the letters"})
    people = Whole(load_default=None, metadata={"description": "With `yes`: how many come"})
    why = OneLine(LONGEST_WHY, load_default=None, metadata={"description": "Why, kept with the reading before"})
    instead_of = fields.String(
        load_default=None,
        metadata={"description": "The meaning that the caller saw: 409 if somebody has read it otherwise meanwhile"},
    )


class EarlierReadingOut(Out):
    """What it was read as before."""

    meaning = fields.String(allow_none=True, metadata={"description": "The meaning"})
    rule = fields.String(allow_none=True, metadata={"description": "What made that reading"})
    question_id = fields.Integer(allow_none=True, metadata={"description": "The question that it then answered"})
    read_by = fields.Integer(allow_none=True, metadata={"description": "The account that read it so; null: a rule"})
    replaced_at = fields.AwareDateTime(metadata={"description": "When it was read otherwise"})
    replaced_by = fields.Integer(allow_none=True, metadata={"description": "The account that did; null: by itself"})
    why = MaskedText(allow_none=True, metadata={"description": "Why"})


class CandidateOut(Out):
    """A question that it may answer."""

    question_id = fields.Integer(attribute="question.id", metadata={"description": "The question"})
    kind = fields.String(attribute="question.kind", metadata={"description": "One of " + ", ".join(QuestionKind)})
    campaign = fields.String(metadata={"description": "The name of the campaign that asked it"})
    message_id = fields.Integer(attribute="message.id", metadata={"description": "The text that asked it"})
    closes_at = fields.AwareDateTime(
        attribute="question.closes_at", metadata={"description": "Until when answers count"}
    )


class ReadingsOut(Out):
    """How a reply was read, and what it may answer."""

    meaning = fields.String(allow_none=True, metadata={"description": "What it is read as now"})
    rule = fields.String(allow_none=True, metadata={"description": f"What made it: one of {', '.join(ReadingRule)}"})
    read_by = fields.Integer(allow_none=True, metadata={"description": "The account that read it; null: a rule"})
    question_id = fields.Integer(allow_none=True, metadata={"description": "The question that it answers"})
    before = fields.List(fields.Nested(EarlierReadingOut), metadata={"description": "What it was read as, in order"})
    candidates = fields.List(
        fields.Nested(CandidateOut), metadata={"description": "The questions that it may answer, the last asked first"}
    )


def _describe_readings(reply: ReplyRow) -> dict[str, Any]:
    own = {name: getattr(reply, name) for name in ("meaning", "rule", "read_by", "question_id")}
    before, candidates = list_readings(g.session, reply), list_candidates(g.session, g.actor, reply)
    return own | {"before": before, "candidates": candidates}


@blueprint.route("/replies/<int:reply_id>/readings")
class Readings(MethodView):
    """What a reply was read as."""

    @endpoint(Permission.read)
    @blueprint.response(200, ReadingsOut)
    def get(self, reply_id: int) -> dict[str, Any]:
        """How a reply is read, what it was read as before, and the questions that it may answer"""
        return _describe_readings(require_reply(g.session, g.actor, Permission.read, reply_id))

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(ReadingIn)
    @blueprint.response(200, ReadingsOut)
    def post(self, body: dict[str, Any], reply_id: int) -> dict[str, Any]:
        """Read a reply again, as a person understands it; the reading before is kept"""
        meaning = Meaning(body.pop("meaning"))
        return _describe_readings(reread_reply(g.session, g.actor, reply_id, meaning, **body))


@blueprint.route("/replies")
class Replies(MethodView):
    """The replies."""

    @endpoint(Permission.read)
    @blueprint.arguments(ReplyQuery, location="query")
    @blueprint.response(200, list_of(ReplyOut, "ReplyList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List replies, newest first; those that match nobody only for whoever may read everything"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        if query["account"] is not None:
            id_of(g.session, query["account"])
        require_texts_of(g.session, query["campaign"])
        statement = find_replies(
            scope.paths,
            strangers=query["unit"] is None and may_read_strangers(g.session, g.actor),
            **{name: query[name] for name in ("meaning", "campaign", "account", "has_phone", "since", "until")},
        )
        rows, following = fetch_page(
            g.session,
            statement,
            query,
            sort="received_at",
            key=ReplyRow.received_at,
            id_=ReplyRow.id,
            descending=True,
        )
        complete = [{"complete": row.ReplyRow.is_complete} for row in rows]
        return scope.answer([one | more for one, more in zip(describe_answers(rows), complete, strict=True)], following)


def describe_answers(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of replies for `AnsweredOut`."""
    keys = [(row.ReplyRow.in_month, row.ReplyRow.id) for row in rows]
    answers, withheld = find_answer_texts(g.session, keys), find_withheld(g.session, keys)
    return [
        {**row._mapping, "answer": answers.get(key), "withheld": withheld.get(key)}
        for row, key in zip(rows, keys, strict=True)
    ]
