"""What makes the demonstration's city look lived in, so that every page of the console shows something.

Beside the two campaigns that went: a draft, one that waits for approval, one that was sent back, one planned for
tomorrow, one under way over a slow line, one that its canary held, texts of which nobody knows, answers of people.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns import approval, services
from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.ops.demonstration_campaigns import APPROVERS, send_demonstration_campaign, write_demonstration_campaign
from sms_service.ops.http import instruct_simulator
from sms_service.ops.supervisor import Running

SLOW_ROUTE = "slow"  # of gateways.toml: two texts a second, so that a run is under way for an hour
LONGEST_S = 25.0  # how long each step waits for what it wants to be seen
_ANSWERS = ("参加", "参加，带一位同事", "出差，不能来", "几点开始？", "收到", "退订")
_LOOK_S = 0.3


_INVITATION = {"主题": "走访困难党员", "时间": "本周日上午9时", "地点": "社区党群服务中心"}
_STUDY = {"日期": "今日", "内容": "学而不思则罔，思而不学则殆；把学习成果落实到服务群众的每一件小事上。"}


@dataclass(frozen=True)
class Life:
    """Fills the city. `officers`: who acts, by login; `behaviour`: what the simulator does by itself.

    What does not come about in time is left out: nothing depends on it.
    """

    running: Running
    database: Database
    city_id: int
    officers: Mapping[str, Actor]
    behaviour: Mapping[str, Any]

    def fill_city(self) -> None:
        """What a working day leaves behind."""
        self._write_some()
        self._hear_answers()
        self._hold_one()
        self._lose_some()
        with self.database.session() as session:
            self._send(session, "city-officer", self.city_id, "党史上的今天", route=SLOW_ROUTE)
        self.running.say("the city has a working day behind it: drafts, approvals, answers, a held run, one under way")

    @property
    def _branch_id(self) -> int:
        return self.officers["secretary"].grants[0].unit_id

    @property
    def _district_id(self) -> int:
        return self.officers["district-officer"].grants[0].unit_id

    def _write_some(self) -> None:
        """A draft, campaigns that wait for one approval and for the second, one sent back, one planned for tomorrow."""
        with self.database.session() as session:
            self._write(session, "secretary", self._branch_id, "七一走访慰问")
            waits = self._write(session, "district-officer", self._district_id, "党章学习第三讲")
            services.submit_campaign(session, self.officers["district-officer"], waits)
            back = self._write(session, "district-officer", self._district_id, "周末志愿服务")
            services.submit_campaign(session, self.officers["district-officer"], back)
            approver = self.officers["city-approver"]
            why = "时间与支部大会冲突，请改期后再提交。"
            approval.decide_approval(session, approver, back, approve=False, comment=why)
            second = self._write(session, "city-officer", self.city_id, "主题教育动员")
            services.submit_campaign(session, self.officers["city-officer"], second)
            approval.decide_approval(session, approver, second, approve=True)
            now: datetime = session.scalars(select(func.sms_now())).one()
            self._send(session, "city-officer", self.city_id, "每周一课", at=_next_morning(now))

    def _hear_answers(self) -> None:
        """People of the branch answer an invitation: yes, no, a question, and one wants no more texts."""
        rules = [
            {"match": re.escape(phone), "reply": reply}
            for phone, reply in zip(self._phones(0, len(_ANSWERS)), _ANSWERS, strict=False)
        ]
        self._instruct(receipt_delay_s=[0.1, 0.3], by_phone=rules)
        with self.database.session() as session:
            run_id = self._send(session, "secretary", self._branch_id, "参观党史馆")
        self._wait_until(lambda session: session.get_one(Run, run_id).status in (RunStatus.finished, RunStatus.closed))
        self.running.stopping.wait(3)  # the phones answer a moment after they have the text

    def _hold_one(self) -> None:
        """The provider refuses the first texts of a run, so that its canary holds the rest."""
        self._instruct(refuse_share=1.0, refuse_code="content", by_phone=[])
        with self.database.session() as session:
            run_id = self._send(session, "district-officer", self._district_id, "应知应会测试通知")
        self._wait_until(lambda session: session.get_one(Run, run_id).status == RunStatus.held)
        self._instruct(by_phone=[])

    def _lose_some(self) -> None:
        """The slow line breaks while it takes a few texts: what became of them is for a person to find out."""
        rules = [
            {"match": re.escape(phone), "answer": "reset", "receipt": "none"}
            for phone in self._phones(len(_ANSWERS), 3)
        ]
        self._instruct(by_phone=rules)
        with self.database.session() as session:
            run_id = self._send(session, "secretary", self._branch_id, "组织生活会通知", route=SLOW_ROUTE)
        self._wait_until(lambda session: _count(session, run_id, MessageStatus.unknown) == len(rules))
        self._instruct(by_phone=[])

    def _instruct(self, **changes: Any) -> None:
        instruct_simulator(self.running.variables, {**self.behaviour, **changes})

    def _phones(self, offset: int, number: int) -> list[str]:
        of_the_branch = select(Person.phone).where(Person.unit_id == self._branch_id, Person.phone.is_not(None))
        with self.database.session() as session:
            found = session.scalars(of_the_branch.order_by(Person.id).offset(offset).limit(number))
            return [phone for phone in found if phone is not None]

    def _write(self, session: Session, author: str, unit_id: int, name: str) -> int:
        template, values = _content_of(author)
        return write_demonstration_campaign(
            session, self.officers[author], unit_id=unit_id, name=name, template=template, values=values
        )

    def _send(
        self,
        session: Session,
        author: str,
        unit_id: int,
        name: str,
        at: datetime | None = None,
        route: str = DEFAULT_ROUTE,
    ) -> int:
        """Write it, have it approved and launched; returns the run's id."""
        template, values = _content_of(author)
        return send_demonstration_campaign(
            session,
            self.officers[author],
            [self.officers[login] for login in APPROVERS],
            unit_id=unit_id,
            name=name,
            template=template,
            values=values,
            route=route,
            at=at,
        )

    def _wait_until(self, is_so: Callable[[Session], bool]) -> None:
        """Until it is so, or for LONGEST_S."""
        began = time.monotonic()
        while time.monotonic() - began < LONGEST_S and not self.running.stopping.wait(_LOOK_S):
            with self.database.session() as session:
                if is_so(session):
                    return


def _content_of(author: str) -> tuple[str, Mapping[str, str]]:
    """The template that this author uses, by name, and its values."""
    return ("主题党日邀请", _INVITATION) if author == "secretary" else ("学习内容", _STUDY)


def _count(session: Session, run_id: int, status: MessageStatus) -> int:
    of_the_run = select(func.count()).select_from(Message).where(Message.run_id == run_id, Message.status == status)
    return session.scalars(of_the_run).one()


def _next_morning(now: datetime) -> datetime:
    """Half past eight in the city, tomorrow."""
    local = now.astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(days=1)
    return local.replace(hour=8, minute=30, second=0, microsecond=0)
