"""Every act on a campaign, in every status, by people of every right: as the one table says, and nothing else.

Where the table does not have it, it is refused and nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Date, func, select, text, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, load_actor
from sms_service.campaigns.acts import ACTS, Act, CampaignAct
from sms_service.campaigns.delegations import lend_approval
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import list_acts, move_campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.errors import Conflict, Forbidden, NotFound
from sms_service.schedules.correcting import change_item
from tests.campaigns.approving import Tree
from tests.campaigns.every_status import DO, add_old_run, bring_to, now_of, write_kind
from tests.factories import make_account, make_actor, make_unit

A, S, K = CampaignAct, CampaignStatus, CampaignKind
KINDS = (K.recurring, K.event, K.plain)
BY_PEOPLE = [act for act in A if ACTS[act].rights]
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "approval.md"

_ALL = """
SELECT (SELECT json_agg(t ORDER BY id)::text FROM campaigns t),
       (SELECT json_agg(t ORDER BY campaign_id, number)::text FROM campaign_items t),
       (SELECT json_agg(t ORDER BY id)::text FROM runs t),
       (SELECT json_agg(t ORDER BY id)::text FROM messages t),
       (SELECT count(*) FROM decisions), (SELECT count(*) FROM attendances), (SELECT count(*) FROM trail)
"""


@pytest.fixture
def tree(session: Session) -> Tree:
    return Tree(session)


def make_people(session: Session, tree: Tree) -> dict[str, Actor]:
    """People of every role with scope over the street, and of all rights without it. None of them wrote anything."""
    every = ("officer", "approver", "administrator")
    approver = make_actor(session, tree.city, ("approver",))
    make_account(session, tree.street, "delegate", ())
    today = session.scalars(select(func.timezone("Asia/Shanghai", func.sms_now()).cast(Date))).one()
    lent = lend_approval(session, approver, unit_id=tree.street.id, login="delegate", until=today, why="出差")
    return {
        "officer": make_actor(session, tree.street),
        "approver": make_actor(session, tree.district, ("approver",)),
        "both": make_actor(session, tree.city, ("officer", "approver")),
        "delegate": load_actor(session, lent.delegation.account_id),
        "administrator": make_actor(session, tree.city, ("administrator",)),
        "operator": make_actor(session, tree.city, ("operator",)),
        "auditor": make_actor(session, tree.city, ("auditor",)),
        "below": make_actor(session, tree.branch, every),
        "elsewhere": make_actor(session, make_unit(session, parent=tree.city), every),
    }


def bring_all(
    session: Session, tree: Tree, kind: CampaignKind, statuses: Iterable[CampaignStatus] = S
) -> Iterator[tuple[str, Campaign]]:
    """A campaign of the street in each status, and one of each status in which it can be undecided."""
    author, approver = make_actor(session, tree.street), make_actor(session, tree.street, ("approver",))
    for status in statuses:
        campaign = bring_to(session, write_kind(session, tree, tree.street, author, kind), status, author, approver)
        if campaign is not None:
            yield status, campaign
    if kind != K.plain:
        for status in {S.active, S.suspended} & set(statuses):
            campaign = bring_to(session, write_kind(session, tree, tree.street, author, kind), status, author, approver)
            assert campaign is not None
            change_item(session, author, campaign.id, 1, {"values": {"说明": "另"}})
            assert campaign.undecided
            yield f"{status}, changed", campaign


def sources_of(act: CampaignAct) -> dict[CampaignStatus, tuple[CampaignStatus, ...]]:
    """An item of a draft is changed as the draft is, by the same call."""
    return {**(ACTS[A.change].moves if act == A.correct else {}), **ACTS[act].moves}


@pytest.mark.parametrize("act", BY_PEOPLE)
def test_everybody_can_do_what_the_table_says_and_nothing_else(session: Session, tree: Tree, act: CampaignAct) -> None:
    kind = next(kind for kind in KINDS if kind in ACTS[act].kinds)
    people, terms, done = make_people(session, tree), ACTS[act], set()
    for where, campaign in list(bring_all(session, tree, kind)):
        campaign_id, status = campaign.id, S(campaign.status)
        if act == A.resend:
            add_old_run(session, campaign)
        if act == A.tick_off:  # it has begun
            begun = (now_of(session) - timedelta(hours=1)).isoformat()
            campaign.schedule = {**(campaign.schedule or {}), "begins": begun}
            session.flush()
        is_open = status in sources_of(act) and (campaign.undecided or status not in terms.undecided)
        for who, actor in people.items():
            case = f"{who}: {act} a {kind} one that is {where}"
            is_allowed = all(actor.can(right, tree.street.path) for right in terms.rights)
            if act != A.correct:
                assert (act in list_acts(actor, campaign, tree.street.path)) == (is_allowed and is_open), case
            before = session.execute(text(_ALL)).one()
            attempt = session.begin_nested()
            refused: Exception | None = None
            try:
                DO[act](session, actor, campaign)
                session.flush()
            except (Forbidden, Conflict) as error:
                refused = error
            after = session.execute(text(_ALL)).one()
            becomes = session.scalars(select(Campaign.status).where(Campaign.id == campaign_id)).one()
            attempt.rollback()
            session.expire_all()
            if is_allowed and is_open:
                assert refused is None, f"{case}: {refused}"
                assert becomes in sources_of(act)[status], case
                assert after != before, case
                done.add(status)
                continue
            assert after == before, case
            if not is_allowed:
                assert isinstance(refused, Forbidden), case
            elif (act, status) != (A.start, S.active):  # once started it stays so
                assert isinstance(refused, Conflict), case
    assert done == set(sources_of(act))


@pytest.mark.parametrize(("act", "kind"), [(act, k) for act in BY_PEOPLE for k in KINDS if k not in ACTS[act].kinds])
def test_an_act_is_for_its_kinds(session: Session, tree: Tree, act: CampaignAct, kind: CampaignKind) -> None:
    both = make_people(session, tree)["both"]
    for where, campaign in list(bring_all(session, tree, kind, (S.draft, S.approved, S.active))):
        assert act not in list_acts(both, campaign, tree.street.path)
        before = session.execute(text(_ALL)).one()
        with pytest.raises((Conflict, NotFound)):
            DO[act](session, both, campaign)
        assert session.execute(text(_ALL)).one() == before, where


@pytest.mark.parametrize("act", A)
def test_a_campaign_moves_only_as_the_table_says(session: Session, tree: Tree, act: CampaignAct) -> None:
    campaign = tree.write(tree.branch, tree.secretary)
    for source in S:
        for target in S:
            session.execute(update(Campaign).values(status=source.value))
            session.refresh(campaign)
            if target in ACTS[act].moves.get(source, ()):
                move_campaign(session, campaign, act, target)
                assert campaign.status == target
            else:
                with pytest.raises(Conflict):
                    move_campaign(session, campaign, act, target)
                assert campaign.status == source


def test_every_act_of_people_is_tried() -> None:
    assert set(DO) == set(BY_PEOPLE)
    assert {status for terms in ACTS.values() for status in (*terms.moves, *sum(terms.moves.values(), ()))} == set(S)
    assert not [act for act, terms in ACTS.items() if S.withdrawn in terms.moves], "withdrawn is final"


def test_the_table_of_the_docs_is_that_of_the_code() -> None:
    rows = [
        f"| `{act}` | {_words(terms.kinds)} | {_moves(terms)} | {_words(terms.rights) or 'the clock'} | {terms.also} |"
        for act, terms in ACTS.items()
    ]
    head = "| Act | Kinds | From → to | Who: right over its unit | And |\n|---|---|---|---|---|"
    table = "\n".join([head, *rows]).replace("  |", " |")
    found = re.search(r"<!-- generated: acts -->\n(.*?)\n<!-- end -->", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, "docs/approval.md has no table between the marks of 'acts'"
    assert found[1] == table, f"write this between the marks of 'acts' in docs/approval.md:\n{table}"


def _words(words: object) -> str:
    named = list(words)  # type: ignore[call-overload]
    return "all" if named == list(K) else ", ".join(f"`{word}`" for word in named)


def _moves(terms: Act) -> str:
    """Statuses with the same targets together."""
    by_target: dict[str, list[str]] = {}
    for source, targets in terms.moves.items():
        stays = targets == (source,)
        mark = "*" if source in terms.undecided else ""
        by_target.setdefault("stays so" if stays else _words(targets).replace(", ", " or "), []).append(
            f"`{source}`{mark}"
        )
    return "; ".join(f"{', '.join(sources)} → {target}" for target, sources in by_target.items())
