"""Every page of the console by its address, filled with one of everything or with nothing."""

from __future__ import annotations

from typing import Any

from flask import Flask

# Parts that refresh themselves, answers that are no page, and the catch-all.
NO_PAGES = {"console.serve_asset", "console.show_nothing", "console.download_export", "console.download_statement"}
NO_PAGES |= {"console.download_comparison"}
# Every permission that there is, by two roles: whoever approves does not hand out roles.
ROLES = ("administrator", "approver")


def list_pages(app: Flask) -> list[tuple[str, str]]:
    """(endpoint, rule) of every page that a GET shows, without the parts that refresh themselves."""
    return sorted(
        (rule.endpoint, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("console.")
        and "GET" in (rule.methods or ())
        and rule.endpoint not in NO_PAGES
        and not getattr(app.view_functions[rule.endpoint], "is_fragment", False)
    )


def is_of_event(rule: str) -> bool:
    """Whether the page is of a campaign that is an event; of any other there is none."""
    return rule.startswith("/campaigns/") and ("/event" in rule or rule.endswith("/attendance"))


# Pages of campaigns of one kind, by what comes after the campaign, with the sample that is one.
OF_KIND = {"series": "series_id", "progress": "series_id"}


def fill(rule: str, ids: dict[str, Any]) -> str | None:
    """The rule's address with the samples' ids, or None where there is none for a part of it."""
    kind = rule.partition("<int:campaign_id>/")[2].partition("/")[0]
    ids = ids | {"campaign_id": ids[OF_KIND[kind]]} if OF_KIND.get(kind) in ids else ids
    for name, value in ids.items():
        for kind in (f"<int:{name}>", f"<{name}>"):
            rule = rule.replace(kind, str(value))
    return None if "<" in rule else rule
