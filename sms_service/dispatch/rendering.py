"""The final texts of a run's rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.content.comparing import CannotRender
from sms_service.content.compose import Composed, compose_text
from sms_service.content.language import CompiledTemplate, compile_places, get_compiled
from sms_service.content.models import TemplateVersion
from sms_service.db.engine import Database
from sms_service.errors import Invalid
from sms_service.ledger.models import Run
from sms_service.ledger.protocol import Claimed, Rendered
from sms_service.said import say


@dataclass(frozen=True, slots=True)
class RunText:
    """What all texts of a run have in common."""

    template: CompiledTemplate
    values: dict[str, Any] = field(repr=False)
    signature: str
    class_: str

    def compose(self, own: Mapping[str, Any] | None) -> Composed:
        """The text for a recipient with these values of their own. Raises CannotRender."""
        return compose_text(self.template, {**self.values, **own} if own else self.values, self.signature, self.class_)


def load_compiled(session: Session, run_id: int) -> RunText:
    """Raises CannotRender for a template of before an upgrade that the allow-list refuses now."""
    run, version = session.execute(
        select(Run, TemplateVersion)
        .join(TemplateVersion, TemplateVersion.id == Run.template_version_id)
        .where(Run.id == run_id)
    ).one()
    return text_of(run, version)


def text_of(run: Run, version: TemplateVersion) -> RunText:
    """The run's text of this version, which is its own. Raises CannotRender as `load` does."""
    return RunText(get_compiled(version.id, version.body), run.values, run.signature, run.class_)


class Renderer:
    """Renders rows, keeping what the runs of late have in common. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._run_text = lru_cache(maxsize=256)(self._load)
        self._places = lru_cache(maxsize=256)(self._load_places)

    def render(self, run_id: int, rows: Iterable[Claimed]) -> tuple[list[Rendered], dict[int, str]]:
        """The rows with their texts, and by message id the errors of rows that cannot be rendered; these do not stop
        the others. A row that an earlier attempt rendered keeps its text.
        """
        rendered: list[Rendered] = []
        errors: dict[int, str] = {}
        for row in rows:
            if row.text is not None and row.parts is not None:
                rendered.append(Rendered(row.id, row.text, row.parts))
                continue
            try:
                composed = self._run_text(run_id).compose(row.values)
            except CannotRender as error:
                errors[row.id] = str(error)
            else:
                rendered.append(Rendered(row.id, composed.text, composed.parts))
        return rendered, errors

    def fill_places(self, run_id: int, names: Iterable[str], own: Mapping[str, Any] | None) -> dict[str, str]:
        """What stands in the places of these variables in the text of a recipient with these values of their own.
        Raises CannotRender.
        """
        values, places = self._places(run_id)
        given = {**values, **own} if own else values
        try:
            return {name: places[name].fill(given) for name in names}
        except KeyError as error:
            raise CannotRender(say("the text has no place of {name}", name=str(error.args[0]))) from None

    def _load_places(self, run_id: int) -> tuple[dict[str, Any], dict[str, CompiledTemplate]]:
        with self._database.session() as session:
            values, body = session.execute(
                select(Run.values, TemplateVersion.body)
                .join(TemplateVersion, TemplateVersion.id == Run.template_version_id)
                .where(Run.id == run_id)
            ).one()
        try:
            return values, compile_places(body)
        except Invalid as error:
            raise CannotRender(error.reason) from None

    def _load(self, run_id: int) -> RunText:
        with self._database.session() as session:
            return load_compiled(session, run_id)
