"""A pair of hands on a tab: what they tap, type and read is counted, so that a flow has a length in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.browser.conftest import Tab

TAP_S, CHARACTER_S, READING_S = 1.1, 0.6, 30.0  # what one costs somebody who does it for the first time
_MOST_TABS = 120


@dataclass
class Hands:
    """Taps and typing on a tab. Every tap waits for the page that it leads to."""

    tab: Tab
    taps: int = 0
    typed: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long a person needs for all of it, reading included."""
        return self.taps * TAP_S + sum(len(text) for text in self.typed) * CHARACTER_S + READING_S

    def find(self, selector: str) -> Any:
        """The first of these that can be seen."""
        return self.tab.page.locator(f"{selector} >> visible=true").first

    def tap(self, selector: str) -> None:
        """One tap on what can be seen, and the page that comes after it."""
        self.taps += 1
        with self.tab.page.expect_navigation():
            self.find(selector).click()

    def open(self, selector: str) -> None:
        """One tap on what opens something on the same page, such as the menu of a phone."""
        self.taps += 1
        self.find(selector).click()

    def write(self, selector: str, text: str) -> None:
        """Type into a field; to be in it costs no tap where the field before it is left by the keyboard's own key."""
        self.typed.append(text)
        self.find(selector).fill(text)

    def tab_to(self, selector: str) -> None:
        """Press Tab until the focus is on it. Fails where the keyboard does not lead there."""
        for _ in range(_MOST_TABS):
            self.tab.page.keyboard.press("Tab")
            if self.tab.page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
                return
        raise AssertionError(f"Tab does not lead to {selector}")

    def press(self, key: str) -> None:
        """A key, and the page that it leads to."""
        with self.tab.page.expect_navigation():
            self.tab.page.keyboard.press(key)
