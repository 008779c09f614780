"""What the gateway accounts of a campaign's route would not let through: their content policies, and bindings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Session

from sms_service.content.compose import Composed
from sms_service.content.findings import FindingKind, LintFinding, Severity, make_finding
from sms_service.content.lint import find_holder, find_links, join_texts
from sms_service.content.wordlists import find_listed, write_comparable
from sms_service.controls.accounts import lacks_binding
from sms_service.controls.models import AccountState, GatewayAccount, RouteMember
from sms_service.said import Said, as_said, say

Rules = Sequence[Mapping[str, Any]]
Window = tuple[int, int]  # minutes after midnight at which texts of a unit begin and cease to leave


def select_rules(
    route_id: ColumnElement[int], version_id: ColumnElement[int], demonstration: ColumnElement[bool]
) -> Any:
    """SQL for what `lint_policies` has to know: the accounts of a route that may be handed such a text at all, each
    with its policy, and whether a binding of the template version is missing.
    """
    unbound = lacks_binding(version_id)
    entry = func.json_build_object("name", GatewayAccount.name, "policy", GatewayAccount.policy, "unbound", unbound)
    return (
        select(func.coalesce(func.json_agg(entry, type_=JSON), literal([], JSON)))
        .select_from(RouteMember)
        .join(GatewayAccount, GatewayAccount.id == RouteMember.gateway_account_id)
        .where(
            RouteMember.route_id == route_id,
            GatewayAccount.state != AccountState.removed,
            or_(GatewayAccount.simulated, ~demonstration),
        )
        .scalar_subquery()
    )


def load_rules(session: Session, route_id: int, version_id: int, demonstration: bool) -> Rules:
    """What `select_rules` asks, by a statement of its own."""
    asked = select_rules(literal(route_id), literal(version_id), literal(demonstration))
    return session.scalars(select(asked)).one()  # type: ignore[no-any-return]


def lint_policies(rules: Rules, made: Sequence[tuple[str, Composed]], window: Window) -> list[LintFinding]:
    """Of texts as people would read them, each with the person's name. An account without the binding that it needs
    gets no text, so nothing else is said of it; if all are such, the campaign is refused.
    """
    accounts = sorted(rules, key=lambda rule: str(rule["name"]))
    unbound = [account["name"] for account in accounts if account["unbound"]]
    found = []
    if unbound:
        none_left = len(unbound) == len(accounts)
        place = as_said("the template")
        message = (
            "only registered templates pass at {accounts}, and this version is usable at none: nothing could leave"
        )
        if not none_left:
            message = (
                "only registered templates pass at {accounts}, and this version is not: another account takes its texts"
            )
        remedy = as_said("have the version registered, and write its number there into its binding")
        severity = Severity.refused if none_left else Severity.note
        found.append(make_finding(FindingKind.binding, severity, "", place, say(message, accounts=unbound), remedy))
    for account in accounts:
        if not account["unbound"]:
            found += _lint_account(account["name"], account["policy"], made, window)
    return found


def describe_policy(needs_binding: bool, policy: Mapping[str, Any]) -> list[Said]:
    """What an account's provider lets through, in sentences; none if it lets all through."""
    said = []
    if needs_binding:
        said.append(as_said("Only texts of registered templates"))
    if words := policy.get("refused_words"):
        said.append(say("No text with {words: or }", words=list(words)))
    if policy.get("no_links"):
        said.append(as_said("No text with a link"))
    if longest := policy.get("longest_text"):
        said.append(say("Texts of at most {most} characters", most=longest))
    if suffix := policy.get("suffix"):
        said.append(say("Only texts that end with “{line}”", line=suffix))
    if hours := policy.get("window"):
        said.append(say("Texts from {opens} to {closes}", opens=hours[0], closes=hours[1]))
    return said


def _lint_account(
    name: str, policy: Mapping[str, Any], made: Sequence[tuple[str, Composed]], window: Window
) -> Iterator[LintFinding]:
    def finding(severity: Severity, about: str, place: Said, text: Said, remedy: str | Said) -> LintFinding:
        said = as_said(remedy) if isinstance(remedy, str) else remedy
        return make_finding(FindingKind.policy, severity, f"{name}:{about}", place, text, said)

    refused_words = {write_comparable(word): word for word in policy.get("refused_words", ())}
    for word in find_listed(refused_words, join_texts(made)):
        text = say("{account} lets no text through that has “{word}”", account=name, word=word)
        form = write_comparable(word)
        place = find_holder(made, lambda one, form=form: form in write_comparable(one.text))
        yield finding(
            Severity.refused, f"word:{word}", place, text, as_said("write it in other words, or take another route")
        )
    if policy.get("no_links") and any(find_links(text.text) for _, text in made):
        place = find_holder(made, lambda one: bool(find_links(one.text)))
        text = say("{account} lets no text through that has a link", account=name)
        yield finding(Severity.refused, "link", place, text, as_said("leave the link out, or take another route"))
    longest = policy.get("longest_text")
    if longest and any(len(text.text) > longest for _, text in made):
        most = max(len(text.text) for _, text in made)
        place = find_holder(made, lambda one: len(one.text) == most)
        message = "the longest text has {number} characters; {account} lets at most {most} through"
        text = say(message, number=most, account=name, most=longest)
        yield finding(Severity.refused, "long", place, text, as_said("shorten it, or take another route"))
    suffix = policy.get("suffix")
    if suffix and any(not text.text.endswith(suffix) for _, text in made):
        place = find_holder(made, lambda one: not one.text.endswith(suffix))
        text = say("{account} lets only texts through that end with “{line}”", account=name, line=suffix)
        yield finding(Severity.refused, "suffix", place, text, as_said("end it with that, or take another route"))
    if hours := policy.get("window"):
        opens, closes = map(_minutes, hours)
        if window[0] < opens or window[1] > closes:
            hours_said = "{account} takes texts from {opens} to {closes}; the unit's texts may leave at other times"
            text = say(hours_said, account=name, opens=hours[0], closes=hours[1])
            remedy = as_said("send it so that it is through in these hours: nothing keeps the others back")
            yield finding(Severity.note, "window", as_said("the time of sending"), text, remedy)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
