"""`python -m sms_service words …`: words that lint looks for, and hosts to which links may lead."""

from __future__ import annotations

from typing import IO

import click

from sms_service.cli.options import as_anybody, subtree

_KINDS = click.Choice(["block", "review", "host"])


@click.group()
def words() -> None:
    """Lists of words that are refused or need a tick, and of hosts that links may name."""


@words.command("list")
@click.option("--unit", "code", metavar="CODE", help="What holds for this unit and those below it.")
@click.option("--kind", type=_KINDS, help="Only this list.")
@as_anybody
def list_(code: str | None, kind: str | None, login: str | None) -> None:
    """List the words, by word."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.content.models import ListedWord, ListKind
    from sms_service.content.wordlists import find_words

    with open_session() as session:
        found = find_words(scope_of(session, acting(session, login), code), ListKind(kind) if kind else None)
        rows = session.execute(found.order_by(ListedWord.word, ListedWord.id)).all()
        for row in rows:
            click.echo(
                f"{row.ListedWord.id}: {row.ListedWord.kind} {row.ListedWord.word}, {row.Unit.code} {row.Unit.name}"
            )
        if not rows:
            click.echo("no word is listed")


@words.command()
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--kind", type=_KINDS, required=True, help="Which list.")
@subtree
@as_anybody
def add(file: IO[str], kind: str, code: str, login: str | None) -> None:
    """Put the words in FILE (`-`: standard input), one a line, on a unit's list."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content.models import ListKind
    from sms_service.content.wordlists import add_words

    with open_session() as session:
        actor, unit_id = acting(session, login), find_unit_id(session, code)
        added = add_words(session, actor, unit_id, ListKind(kind), file.read().splitlines())
    click.echo(f"words added: {added}")


@words.command()
@click.argument("word_id", metavar="ID", type=click.IntRange(1))
@as_anybody
def remove(word_id: int, login: str | None) -> None:
    """Take a word off its list."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.wordlists import remove_word

    with open_session() as session:
        remove_word(session, acting(session, login), word_id)
    click.echo(f"word {word_id} is removed")
