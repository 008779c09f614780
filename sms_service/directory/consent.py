"""On what basis a person's number is kept and used, and where the data comes from: two attributes of a person.

The bases are those of article 13 of the Personal Information Protection Law (个人信息保护法, 2021) without the one for
news.
"""

from __future__ import annotations

from sms_service.directory.text import plain_text
from sms_service.vocabulary import Words

BASIS, SOURCE = "consent_basis", "consent_source"  # names of the attributes


class ConsentBasis(Words):
    """Why a person's data may be used."""

    consent = "consent"  # the person agreed
    contract = "contract"  # it is needed for a contract with the person, or for staff
    duty = "duty"  # it is needed for what the law makes the office's task
    emergency = "emergency"  # it protects life, health or property
    public = "public"  # the person made it public
    law = "law"  # another law allows it


_WRITTEN = {
    ConsentBasis.consent: ("本人同意", "同意", "已同意", "个人同意", "是", "consent"),
    ConsentBasis.contract: ("合同", "履行合同", "人力资源管理", "contract"),
    ConsentBasis.duty: ("法定职责", "职责", "履行职责", "履行法定职责", "法定义务", "duty"),
    ConsentBasis.emergency: ("突发事件", "应急", "紧急情况", "emergency"),
    ConsentBasis.public: ("已公开", "公开", "本人公开", "public"),
    ConsentBasis.law: ("法律规定", "法律法规规定", "其他法律规定", "law"),
}
_MEANT = {word: basis for basis, words in _WRITTEN.items() for word in words}
WRITTEN_FORMS = tuple(words[0] for words in _WRITTEN.values())  # one for each, as an office writes it


def read_basis(written: str) -> ConsentBasis | None:
    """The basis that a cell names; None if it names none."""
    return _MEANT.get(plain_text(written).casefold())
