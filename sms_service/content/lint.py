"""What is odd about a text before anybody sends it: one list of findings with severity, place and remedy.

`lint_body` reads the text as it is written, `lint_texts` what people would read. Both are pure; the lists that hold
for the unit are handed in.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from sms_service.content.classes import UNSUBSCRIBE_LINE, class_rules
from sms_service.content.comparing import CannotRender, Unfilled
from sms_service.content.compose import Composed, compose_text
from sms_service.content.fields import FieldKind, TemplateField, examples_of, fields_of
from sms_service.content.findings import FindingKind, LintFinding, Severity, make_finding, sort_findings
from sms_service.content.language import find_adjacent, get_compiled
from sms_service.content.models import TemplateVersion
from sms_service.content.values import write_value
from sms_service.content.wordlists import WordLists, find_listed, load_lists, write_comparable
from sms_service.masking import mask_text
from sms_service.parts import measure_text
from sms_service.said import Said, as_said, say
from sms_service.stop_words import find_misused_words, offers_stop
from sms_service.vocabulary import TextClass

LONG = 500  # characters above which carriers may cut or refuse a text


_LINK = re.compile(
    r"(?:https?://[^\s\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+"
    r"|(?<![A-Za-z0-9@._-])(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,12}(?![A-Za-z0-9@._-])(?:/[!-~]*)?)",
    re.IGNORECASE,
)
_OWN_WAY = re.compile(
    r"(?:退订|拒收|不再接收)[^，。；！]{0,4}(?:回复?|发送?)|(?:回复?|发送?)\W?(?:TD|T|R|N|退订|拒收)", re.IGNORECASE
)
_SIGNATURE = re.compile(r"\A\s*【[^】]*】")
_TEXT = as_said("the text")


def lint_body(body: str, class_: str, fields: Iterable[TemplateField], values: Mapping[str, Any]) -> list[LintFinding]:
    """Of a text as it is written, with the campaign's values; `class_` is what kind of text it is."""
    found: list[LintFinding] = []
    pairs, has_words, plain = find_adjacent(body)
    for first, second in pairs:
        text = say("{first} and {second} stand next to each other with nothing between", first=first, second=second)
        remedy = as_said("put a word or a mark between them")
        found.append(make_finding(FindingKind.adjacent, Severity.note, f"{first},{second}", _TEXT, text, remedy))
    if not has_words:
        text = as_said("the text consists of variables alone: nobody can tell what it will say")
        found.append(
            make_finding(
                FindingKind.only_variables, Severity.note, "", _TEXT, text, as_said("write what is the same for all")
            )
        )
    if re.search("[【】]", _SIGNATURE.sub("", plain)):
        text = as_said("【】 stands in the text; carriers take what is in it for a signature")
        remedy = as_said("use other brackets, such as （） or “”")
        found.append(make_finding(FindingKind.brackets, Severity.tick, "", _TEXT, text, remedy))
    if class_rules(class_).unsubscribe_line and _OWN_WAY.search(plain.replace(UNSUBSCRIBE_LINE, "")):
        text = say("the text says itself how to opt out, and ends with “{line}” as well", line=UNSUBSCRIBE_LINE)
        found.append(
            make_finding(
                FindingKind.unsubscribe, Severity.note, "", _TEXT, text, as_said("leave the one in the text out")
            )
        )
    found += _lint_values(fields, values)
    return found


def _lint_values(fields: Iterable[TemplateField], values: Mapping[str, Any]) -> list[LintFinding]:
    kinds = {field.name: field.kind for field in fields}
    found = []
    for name, value in values.items():
        written, place = write_value(value), say("the value of {name}", name=name)
        if _LINK.search(written) and kinds.get(name) != FieldKind.link:
            text = as_said("a link stands in a value")
            remedy = as_said("ask for it in a field of the kind link, or write it into the text")
            found.append(make_finding(FindingKind.link_in_value, Severity.note, name, place, text, remedy))
        elif mask_text(written) != written and kinds.get(name) != FieldKind.phone:
            text = as_said("a phone number stands in a value")
            remedy = as_said("make sure that it may be published, or ask for it in a field of the kind phone")
            found.append(make_finding(FindingKind.phone_in_value, Severity.note, name, place, text, remedy))
    return found


def lint_texts(
    made: Sequence[tuple[str, Composed]], class_: str, lists: WordLists, price_fen: float | None = None
) -> list[LintFinding]:
    """Of texts as people would read them, each with the person's name; `price_fen`: of a part, if it is known."""
    if not made:
        return []
    found = _lint_words(made, lists) + _lint_links(made, lists, price_fen) + _lint_offers(made, class_)
    name, longest = max(made, key=lambda one: (one[1].parts, one[1].units))
    place = say("the text of {person}", person=name) if name else _TEXT
    if len(longest.text) > LONG:
        text = say("the longest text has {number} characters", number=len(longest.text))
        remedy = say("shorten it to {most}: carriers may cut or refuse longer ones", most=LONG)
        found.append(make_finding(FindingKind.long, Severity.tick, "", place, text, remedy))
    if class_rules(class_).unsubscribe_line and any(not one.text.endswith(UNSUBSCRIBE_LINE) for _, one in made):
        text = say("a text does not end with “{line}”", line=UNSUBSCRIBE_LINE)
        found.append(
            make_finding(
                FindingKind.unsubscribe, Severity.refused, "missing", place, text, as_said("end it with that line")
            )
        )
    parts = sorted(text.parts for _, text in made)
    if parts[-1] > 1:
        if parts[0] == parts[-1]:
            alike = "each text takes {parts} parts; the longest has {units} characters"
            text = say(alike, parts=parts[0], units=longest.units)
        else:
            message = "texts take {least} to {most} parts, in the middle {median}; the longest has {units} characters"
            middle = int(statistics.median_low(parts))
            text = say(message, least=parts[0], most=parts[-1], median=middle, units=longest.units)
        found.append(make_finding(FindingKind.parts, Severity.note, "", place, text, as_said("shorten it to pay less")))
    if costly := find_costly(longest):
        text = say("the character “{character}” alone costs a part", character=costly)
        found.append(
            make_finding(
                FindingKind.costly_character, Severity.note, costly, place, text, as_said("leave it out or replace it")
            )
        )
    return found


def _lint_words(made: Sequence[tuple[str, Composed]], lists: WordLists) -> list[LintFinding]:
    found = []
    every = join_texts(made)
    for kind, severity, words in (
        (FindingKind.blocked_word, Severity.refused, lists.blocked),
        (FindingKind.review_word, Severity.tick, lists.reviewed),
    ):
        for word in find_listed(words, every):
            form = write_comparable(word)
            place = find_holder(made, lambda text, form=form: form in write_comparable(text.text))
            if severity == Severity.refused:
                text, remedy = say("“{word}” is on the block list", word=word), as_said("write it in other words")
            else:
                text = say("“{word}” is on the review list", word=word)
                remedy = as_said("an approver has to tick that it may be said")
            found.append(make_finding(kind, severity, word, place, text, remedy))
    return found


def _lint_offers(made: Sequence[tuple[str, Composed]], class_: str) -> list[LintFinding]:
    """What texts ask people to send. N stops texts only where one says so; who is invited takes it for a no."""
    every, found = join_texts(made), []
    for word in dict.fromkeys(find_misused_words(every)):
        if word != "n" or class_ == TextClass.invitation or offers_stop(every):
            place = find_holder(made, lambda text, word=word: word in find_misused_words(text.text))
            said = say("the text asks for {word} as an answer, which stops texts or resumes them", word=word.upper())
            remedy = as_said("ask for 1 and 0, or for other words")
            found.append(make_finding(FindingKind.stop_word, Severity.refused, word, place, said, remedy))
    return found


def join_texts(made: Sequence[tuple[str, Composed]]) -> str:
    """All texts as one, to be searched for words. Between two of them stands what no word has and nothing takes out, so
    that no word is found across them.
    """
    return "\uffff".join(dict.fromkeys(text.text for _, text in made))


def find_holder(made: Sequence[tuple[str, Composed]], holds: Callable[..., bool]) -> Said:
    """Whose text it is that `holds` is true of, if it is not true of everybody's."""
    holders = [name for name, text in made if holds(text)]
    everywhere = len(holders) == len(made) or not holders[0]
    return _TEXT if everywhere else say("the text of {person}", person=holders[0])


def _lint_links(made: Sequence[tuple[str, Composed]], lists: WordLists, price_fen: float | None) -> list[LintFinding]:
    found: dict[str, LintFinding] = {}
    for name, text in made:
        for link in find_links(text.text):
            host = host_of(link)
            if host in found:
                continue
            place = say("the text of {person}", person=name) if name else _TEXT
            if not lists.allows_host(host):
                said = say("the link leads to {host}, which is not on the list of allowed hosts", host=host)
                remedy = as_said("leave it out, or have the host put on the list")
                found[host] = make_finding(FindingKind.link_not_allowed, Severity.refused, host, place, said, remedy)
                continue
            without = measure_text(text.text.replace(link, "")).parts
            more = text.parts - without
            parts = "the link {link} has {number} characters and costs {more} parts of each text"
            said = say(parts, link=link, number=len(link), more=more)
            if price_fen is not None:
                money = "the link {link} has {number} characters and costs {more} parts of each text, {yuan:.2f} yuan"
                said = say(money, link=link, number=len(link), more=more, yuan=more * price_fen / 100)
            remedy = as_said("a shorter link costs less")
            found[host] = make_finding(FindingKind.link, Severity.note, host, place, said, remedy)
    return list(found.values())


def find_links(text: str) -> list[str]:
    """The links in a text, also those without http://."""
    return [link.rstrip(".,;:!?)]}'\"") for link in _LINK.findall(text)]


def host_of(link: str) -> str:
    """The host to which a link leads, in lower case: evil.cn of https://12371.cn@evil.cn/."""
    try:
        host = urlsplit(link if "://" in link else f"//{link}").hostname
    except ValueError:
        host = None
    return (host or link).casefold().rstrip(".")


def find_costly(text: Composed) -> str | None:
    """The one character without which the text takes a part less, such as an emoji or a letter outside GSM-7."""
    foreign = {character for character in text.text if measure_text(character).encoding == "UCS-2"}
    candidates = foreign if len(foreign) == 1 else {one for one in text.text if one > "\uffff"}
    for character in sorted(candidates):
        few = text.text.count(character) <= 2
        if few and measure_text(text.text.replace(character, "")).parts < text.parts:
            return character
    return None


def lint_template(
    session: Session, class_: str, version: TemplateVersion, path: str, signature: str
) -> list[LintFinding]:
    """Of a version of a template, with its examples and names in the places of values; `path` is that of the unit whose
    lists hold. What is refused comes first.
    """
    examples: dict[str, str] = examples_of(version)
    try:
        compiled = get_compiled(version.id, version.body)
        places = {name: Unfilled(f"〔{name}〕") for name in compiled.variables}
        text = compose_text(compiled, {**places, **examples}, signature, class_)
    except CannotRender as error:
        remedy = as_said("correct the text")
        return [make_finding(FindingKind.unrendered, Severity.refused, "", _TEXT, error.said, remedy)]
    found = lint_body(version.body, class_, fields_of(version), {})
    return sort_findings(found + lint_texts([("", text)], class_, load_lists(session, path)))
