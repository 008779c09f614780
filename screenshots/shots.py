"""Which pictures there are: who looks, at what, on which screen, in which language."""

from __future__ import annotations

from dataclasses import dataclass

PHONE, DESK = (390, 844), (1280, 800)


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture. `steps`: a path to open, `selector=text` to type, or a selector of what to press."""

    name: str
    login: str | None
    steps: tuple[str, ...]
    size: tuple[int, int] = DESK
    language: str = "zh"


def _shot(name: str, login: str | None, *steps: str, phone: bool = False, language: str = "zh") -> Shot:
    return Shot(name, login, steps, PHONE if phone else DESK, language)


_WORDS = (
    "[name='values.主题']=重温入党誓词",
    "[name='values.时间']=本周六上午9时",
    "[name='values.地点']=社区党群服务中心",
)
_APPROVE = "main a[href*='/decision/approve']"
_DECISION, _ROWS = "main a[href*='/decision']", "main td a[href*='/rows']"
_RUN = "main a[href^='/runs/']"
SHOTS = (
    _shot("log-in", None, "/log-in", language="en"),
    _shot("home-secretary", "secretary", "/", phone=True),
    _shot("home-operator", "operator", "/"),
    _shot("invite", "secretary", "/invite", *_WORDS, phone=True),
    _shot("check", "secretary", "/invite", *_WORDS, "form[action^='/invite'] .buttons .btn-primary", phone=True),
    _shot("campaigns", "city-officer", "/campaigns"),
    _shot("campaigns-en", "district-officer", "/campaigns", phone=True, language="en"),
    _shot("decision", "city-approver", "/decisions", _DECISION, phone=True),
    _shot(
        "approval-en",
        "city-approver",
        "/decisions",
        _DECISION,
        "main a[href*='/decision/approve']",
        phone=True,
        language="en",
    ),
    _shot("run", "city-officer", "/campaigns", _RUN),
    _shot("run-phone", "city-officer", "/campaigns", _RUN, phone=True, language="en"),
    _shot("rows", "auditor", "/counts", _ROWS),
    _shot("message", "auditor", "/counts", _ROWS, "main a[href*='/messages/']", language="en"),
    _shot("counts", "auditor", "/counts"),
    _shot("replies", "secretary", "/replies", phone=True),
    _shot("segments", "city-officer", "/segments"),
    _shot("templates-en", "city-officer", "/templates", language="en"),
    _shot("people", "admin", "/people"),
    _shot("units-en", "admin", "/units", language="en"),
    _shot("accounts", "admin", "/accounts"),
    _shot("stops", "city-officer", "/stops", phone=True),
    _shot("gateways", "operator", "/gateways"),
    _shot("unknowns-en", "operator", "/unknowns", language="en"),
    _shot("trail", "auditor", "/trail"),
)
