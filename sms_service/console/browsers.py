"""A browser's own name for itself, in the words of those who use it."""

from __future__ import annotations

import re

from sms_service.said import Said, as_said, say

# The first that fits counts: nearly every browser also claims to be the ones after it here.
_BROWSERS = (
    ("WeChat", re.compile(r"MicroMessenger|WeChat|WindowsWechat")),
    ("Edge", re.compile(r"Edg(?:e|A|iOS)?/")),
    ("Firefox", re.compile(r"Firefox/|FxiOS/")),
    ("Chrome", re.compile(r"Chrome/|CriOS/|Chromium/")),
    ("Safari", re.compile(r"Version/[0-9.]+.*Safari/|Safari/")),
)
_SYSTEMS = (
    ("Android", re.compile(r"Android|HarmonyOS")),
    ("iOS", re.compile(r"iPhone|iPad|iPod")),
    ("Windows", re.compile(r"Windows")),
    ("macOS", re.compile(r"Macintosh|Mac OS X")),
    ("Linux", re.compile(r"Linux|X11")),
)


def name_browser(user_agent: str) -> Said:
    """`Chrome on Windows`, or what of it is known."""
    browser = next((name for name, sign in _BROWSERS if sign.search(user_agent)), None)
    system = next((name for name, sign in _SYSTEMS if sign.search(user_agent)), None)
    if browser and system:
        return say("{browser} on {system}", browser=browser, system=system)
    if browser:
        return as_said(browser)
    return say("a browser on {system}", system=system) if system else as_said("an unknown browser")
