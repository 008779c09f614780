"""A branch with people, templates and roles, and a visitor who follows only what pages show: links and forms."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.campaigns import services
from sms_service.campaigns.approval import decide_approval
from sms_service.campaigns.models import Campaign
from sms_service.content.fields import TemplateField, describe_fields, write_field
from sms_service.content.language import compile_template
from sms_service.content.models import TemplateVersion
from sms_service.controls.accounts import synchronise_gateways
from sms_service.directory.models import Unit
from tests.console.conftest import SAME_ORIGIN, Visitor
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways
from tests.factories import make_person, make_segment, make_template, make_unit

INVITATION = "{{ name }}同志：{{ unit }}定于{{ 时间 }}在{{ 地点 }}开展“{{ 主题 }}”。{{ 备注 | default('') }}"


def make_branch(session: Session, people: int = 3, **kw: Any) -> Unit:
    """A branch below a city, with a route that takes texts and this many people."""
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    city = make_unit(session, name="云州市", **ALL_DAY)
    branch = make_unit(session, parent=city, level="branch", name="幸福支部", **{**ALL_DAY, **kw})
    for number in range(people):
        make_person(session, branch, name=f"党员{number:02d}")
    return branch


def make_invitation(
    session: Session, unit: Unit, name: str = "主题党日邀请", body: str = INVITATION
) -> TemplateVersion:
    """A template of the class invitation, which asks for its subject first."""
    compiled = compile_template(body)
    asked = [write_field(field) for field in describe_fields(compiled, body, [TemplateField("主题", "主题")])]
    return make_template(
        session, unit, body, class_="invitation", name=name, variables=compiled.variables, fields=asked
    )


class _Page(HTMLParser):
    """The links and the forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.forms: list[dict[str, Any]] = []
        self._open: list[Any] = []
        self._select: str | None = None
        self._button: dict[str, Any] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        form = self.forms[-1] if self.forms and not self.forms[-1]["over"] else None
        match tag:
            case "a":
                self._open = [found.get("href") or "", ""]
            case "form":
                self.forms.append(
                    {"action": found.get("action"), "method": found.get("method", "get"), "fields": [], "buttons": []}
                    | {"over": False, "required": []}
                )
            case "input" if form and found.get("name"):
                kind = found.get("type", "text")
                if kind not in ("checkbox", "radio") or "checked" in found:
                    form["fields"].append((found["name"], found.get("value") or ""))
                if "required" in found:
                    form["required"].append(found["name"])
            case "textarea" if form:
                form["fields"].append((found["name"], ""))
            case "select" if form:
                self._select = found["name"]
            case "option" if form and self._select and "selected" in found:
                form["fields"].append((self._select, found["value"]))
            case "button" if form:
                self._button = {"text": "", "disabled": "disabled" in found}
                form["buttons"].append(self._button)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open:
            self.links.append((self._open[0], " ".join(self._open[1].split())))
            self._open = []
        elif tag == "button":
            self._button = None
        elif tag == "form" and self.forms:
            self.forms[-1]["over"] = True

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[1] += data
        if self._button is not None:
            self._button["text"] += data


class Walker:
    """Taps what the page before it shows, and counts: links and buttons by a part of their words."""

    def __init__(self, visitor: Visitor, path: str = "/") -> None:
        self.visitor, self.taps = visitor, 0
        self.answer = self._follow(visitor.get(path))

    @property
    def text(self) -> str:
        """The page as it came."""
        return self.answer.get_data(as_text=True)

    @property
    def buttons(self) -> list[str]:
        """What stands on the buttons of the page's forms."""
        return [" ".join(one["text"].split()) for form in _Page(self.text).forms for one in form["buttons"]]

    def tap(self, words: str, path: str | None = None, **typed: Any) -> Walker:
        """A link or a button with these words, after typing into the form's fields; `path`: a part of its address."""
        self.taps += 1
        page = _Page(self.text)
        for form in page.forms:
            for button in form["buttons"]:
                if words in button["text"] and not button["disabled"] and (not path or path in (form["action"] or "")):
                    return self._send(form, typed)
        for href, text in page.links:
            if words in text and (not path or path in href):
                self.answer = self._follow(self.visitor.get(href))
                return self
        raise AssertionError(f"nothing says {words!r} on {self.answer.request.path}: {page.links} {self.buttons}")

    def _send(self, form: dict[str, Any], typed: dict[str, Any]) -> Walker:
        fields = {}
        for name, value in form["fields"]:
            fields.setdefault(name, []).append(value)
        for name, value in typed.items():
            fields[name] = value if isinstance(value, list) else [value]
        here = re.sub(r"^http://localhost", "", self.answer.request.url)
        action = form["action"] or here.partition("?")[0]
        if form["method"] == "get":
            self.answer = self._follow(self.visitor.client.get(action, query_string=fields))
        else:
            self.answer = self._follow(self.visitor.client.post(action, data=fields, headers=SAME_ORIGIN))
        return self

    def _follow(self, answer: TestResponse) -> TestResponse:
        return self.visitor.get(answer.location) if answer.status_code == 303 else answer


def write_draft(session: Session, unit: Unit, author: Actor = SYSTEM, **kw: Any) -> Campaign:
    """A draft of the unit to everybody in it."""
    fields = {
        "name": "每日一学",
        "template_version_id": kw.pop("version_id", None) or make_template(session, unit).id,
        "segment_id": kw.pop("segment_id", None) or make_segment(session, unit, {"everyone": True}).id,
        "signature": "云州先锋",
        **kw,
    }
    return services.create_campaign(session, author, unit_id=unit.id, **fields)


def approve_draft(session: Session, campaign: Campaign, approver: Actor = SYSTEM) -> Campaign:
    """Submitted by the service and approved."""
    services.submit_campaign(session, SYSTEM, campaign.id)
    return decide_approval(session, approver, campaign.id, approve=True)
