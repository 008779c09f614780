"""What is posted: the text where no particular person is meant, and whose it is, to whom it goes and when, in Chinese.

The line with which people stop texts is left out: nobody answers a group with R. Whom it goes to is told by unit and
number alone, since what a rule asks for may say more about people than their group should read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sms_service.catalogues import get_catalogue
from sms_service.content.compose import sign_text
from sms_service.content.general import fill_places, find_naming_path
from sms_service.content.language import get_compiled
from sms_service.said import Said, say, translate

LANGUAGE = "zh"


def write_content(
    session: Session,
    *,
    name: str,
    unit: str,
    timezone: str,
    version_id: int,
    body: str,
    values: Mapping[str, Any],
    signature: str,
    segment_rule: Mapping[str, Any],
    audience: int,
    at: datetime,
) -> dict[str, Any]:
    """What a run posts, as it is kept: `title`, `unit`, `text`, `whom`, `people` and `at`. Raises CannotRender."""
    compiled = get_compiled(version_id, body)
    path = find_naming_path(session, version_id, compiled, values)
    text = compiled.render(fill_places(session, compiled, get_catalogue(LANGUAGE), values, path=path))
    whom = (
        say("everybody in {unit} and below, {count} people", unit=unit, count=audience)
        if "everyone" in segment_rule
        else say("{count} people in {unit} and below", unit=unit, count=audience)
    )
    return {
        "title": name,
        "unit": unit,
        "text": sign_text(text, signature),
        "whom": _in_chinese(whom),
        "people": audience,
        "at": at.astimezone(ZoneInfo(timezone)).isoformat(timespec="minutes"),
    }


def write_test(channel: str, unit: str) -> dict[str, Any]:
    """What a test of a channel posts."""
    text = say("This is a test of the channel {channel}. There is nothing to forward.", channel=channel)
    return {"title": _in_chinese(say("Test")), "unit": unit, "text": _in_chinese(text)}


def write_plain_post(content: Mapping[str, Any], keyword: str | None) -> str:
    """All of it as one text, with the channel's keyword where it is not in there anyway."""
    lines = [_in_chinese(say("Sent by: {unit}", unit=content["unit"]))]
    if "whom" in content:
        moment = datetime.fromisoformat(content["at"])
        shown = f"{moment.month}月{moment.day}日 {moment:%H:%M}"
        lines += [
            _in_chinese(say("To: {whom}", whom=content["whom"])),
            _in_chinese(say("Texts leave from: {time}", time=shown)),
        ]
    plain = "\n".join([content["title"], *lines, "", content["text"]])
    return plain if keyword is None or keyword in plain else f"{plain}\n\n{keyword}"


def _in_chinese(said: Said) -> str:
    return str(translate(said, get_catalogue(LANGUAGE)))
