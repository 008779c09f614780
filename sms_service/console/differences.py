"""What is different from what was approved last, in words: the part of a decision that an approver reads first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from flask import g

from sms_service.channels.choosing import name_channels
from sms_service.console.languages import say_here, translate_here, write_number, write_time
from sms_service.console.rendering import name_here
from sms_service.console.texts import compose_in_general
from sms_service.content.compose import Composed
from sms_service.directory.units import format_clock
from sms_service.said import Said, as_said, say
from sms_service.schedules.rhythms import describe_recurrence


class Changed(NamedTuple):
    """Something that is different from what was approved last, in words."""

    label: Said
    then: str
    now: str


_TEXT = ("body", "values", "signature", "class")


def list_changes(campaign: dict[str, Any], whom: Said) -> list[Changed]:
    """What is different from what was approved last."""
    before = campaign["approved_before"]
    if before is None:
        return []
    then, now, names = before["covered"], campaign["content"].covered(), before["changes"]
    changed = []
    if names & set(_TEXT):
        changed.append(Changed(as_said("Text"), write_text(then), write_text(now)))
    changed += _list_changed_items(then, now)
    if "segment_rule" in names:
        changed.append(Changed(as_said("To whom"), translate_here(before["whom"]), translate_here(whom)))
    for name, label, write in _OTHERS:
        if name in names:
            changed.append(Changed(label, write(then.get(name)), write(now.get(name))))
    return changed


def _list_changed_items(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Changed]:
    """Of a schedule, each text that was changed, came or went."""
    before, after = ({item["number"]: item for item in covered.get("items", ())} for covered in (then, now))
    return [
        Changed(
            say("Text of {item}", item=(after.get(number) or before[number])["label"]),
            _item_text(then, before.get(number)),
            _item_text(now, after.get(number)),
        )
        for number in sorted({*before, *after})
        if before.get(number) != after.get(number)
    ]


def _item_text(covered: Mapping[str, Any], item: Mapping[str, Any] | None) -> str:
    if item is None:
        return say_here("none")
    if item.get("skipped"):
        return say_here("Left out")
    own = {name: item[name] for name in ("template_version", "body", "class") if name in item}
    return write_text({**covered, **own, "values": {**covered["values"], **item["values"]}})


def _schedule(rule: Mapping[str, Any] | None) -> str:
    """By what rule it is sent."""
    if not rule:
        return say_here("once")
    if "rrule" in rule:
        return translate_here(describe_recurrence(rule))
    if "begins" in rule:
        return write_time(datetime.fromisoformat(rule["begins"]))
    return " ".join(f"{value}" for value in rule.values())


def _window(window: list[Any] | None) -> str:
    return say_here("as usual") if window is None else f"{format_clock(window[1])}–{format_clock(window[2])}"


def write_text(covered: Mapping[str, Any]) -> str:
    """The text of what a digest covers, where no particular person is meant; why there is none otherwise."""
    text = compose_in_general(
        covered["template_version"], covered["body"], covered["class"], covered["signature"], covered["values"]
    )
    return text.text if isinstance(text, Composed) else translate_here(text)


def _yes_or_no(value: Any) -> str:
    return say_here("yes") if value else say_here("no")


def _channels(value: Any) -> str:
    return say_here(", ").join(name_channels(g.session, value or ()).values()) or "–"


def _moment(value: str | None) -> str:
    return write_time(datetime.fromisoformat(value)) if value else say_here("at once")


_OTHERS: tuple[tuple[str, Said, Callable[[Any], str]], ...] = (
    ("planned_at", as_said("When"), _moment),
    ("schedule", as_said("When"), _schedule),
    ("window", as_said("Sending window"), _window),
    ("launch_on_approval", as_said("Sent by its approval"), _yes_or_no),
    ("class", as_said("Kind of text"), name_here),
    ("validity_s", as_said("Valid for"), lambda value: say_here("{hours} hours", hours=write_number(value / 3600))),
    ("urgent", as_said("Urgent"), _yes_or_no),
    ("canary_receipts", as_said("Wait for the first receipts"), _yes_or_no),
    ("channels", as_said("Also posted to"), _channels),
    (
        "pools",
        as_said("Questions of the quiz"),
        lambda value: write_number(sum(one[0] for one in (value or {}).values())),
    ),
    ("route", as_said("Route"), lambda value: f"{value}"),
)
