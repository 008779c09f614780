"""`/reports/definitions`: what each word in an answer about counts means."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.said import translate
from sms_service.web.answer_language import answer_catalogue, choose_answer_language
from sms_service.web.definitions import MEANINGS, list_definitions
from sms_service.web.schemas import Out

blueprint = Blueprint("definitions", description="What the words in answers about counts mean, in English or Chinese.")


class DefinitionOut(Out):
    """A word."""

    topic = fields.String(
        metadata={"description": f"What it is a word of: {', '.join(MEANINGS)}; `number` is what lines and totals have"}
    )
    word = fields.String(metadata={"description": "The word as answers have it"})
    name = fields.String(metadata={"description": "What people call it"})
    meaning = fields.String(metadata={"description": "What it means"})


class DefinitionsOut(Out):
    """All of them."""

    language = fields.String(metadata={"description": "`en` or `zh`, as Accept-Language asks for"})
    items = fields.List(fields.Nested(DefinitionOut), metadata={"description": "The words, by topic"})


@blueprint.route("/reports/definitions")
class Definitions(MethodView):
    """The definitions."""

    @endpoint(Permission.read)
    @blueprint.response(200, DefinitionsOut)
    def get(self) -> dict[str, Any]:
        """Define every word of the counts, in the language that Accept-Language asks for"""
        catalogue = answer_catalogue()
        items = [
            {
                "topic": topic,
                "word": one.word,
                "name": translate(one.name, catalogue),
                "meaning": translate(one.meaning, catalogue),
            }
            for topic in MEANINGS
            for one in list_definitions(topic)
        ]
        return {"language": choose_answer_language(), "items": items}
