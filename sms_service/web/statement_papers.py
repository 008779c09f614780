"""A statement as it stands on paper: in both languages, for the page, and as a PDF where Chromium is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sms_service.catalogues import get_catalogue
from sms_service.directory.models import CITY_ZONE
from sms_service.errors import Conflict
from sms_service.reports.export_models import IssuedStatement
from sms_service.said import as_said, say, translate
from sms_service.web.words import ENGLISH, name_of

FOLDER = Path(__file__).with_name("papers")
STYLES = FOLDER / "statement.css"
CHECK_PATH = "/statements/check"  # the page on which anybody can check one
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_PDF_S = 30
_TAGS = {"zh": "zh-Hans", "en": "en"}


def write_paper(statement: IssuedStatement, language: str, public_url: str) -> Markup:
    """What was issued, in `zh` or `en`, as HTML for a page that has the rules of STYLES. `public_url`: where the
    console is, for whoever wants to check it.
    """
    template = _environment(language).get_template("statement.html")
    moment = statement.issued_at.astimezone(ZoneInfo(CITY_ZONE))
    return Markup(  # noqa: S704 - the environment escapes what it fills in
        template.render(
            statement=statement,
            said=json.loads(statement.content),
            issued_at=f"{moment:%Y-%m-%d %H:%M}",
            check_at=f"{public_url}{CHECK_PATH}",
        )
    )


def find_chromium() -> str | None:
    """The path of a browser that can print; None where there is none."""
    return next((path for name in _CHROMIUM if (path := shutil.which(name))), None)


def print_statement(statement: IssuedStatement, language: str, public_url: str) -> bytes:
    """The same as a PDF, made in a folder that nobody else can read. Raises Conflict where there is no browser."""
    browser = find_chromium()
    if browser is None:
        raise Conflict("there is no Chromium on this machine; print the page")
    paper, styles = write_paper(statement, language, public_url), STYLES.read_text(encoding="utf-8")
    head = f'<meta charset="utf-8"><title>{statement.number}</title><style>{styles}</style>'
    with tempfile.TemporaryDirectory() as folder:
        html, pdf = Path(folder, "statement.html"), Path(folder, "statement.pdf")
        html.write_text(
            f'<!doctype html><html lang="{_TAGS[language]}"><head>{head}</head><body>{paper}</body></html>',
            encoding="utf-8",
        )
        # A sandbox needs another user than root; the page has no scripts and loads nothing.
        options = [f"--user-data-dir={folder}/profile", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        options += ["--headless", "--disable-gpu", "--no-pdf-header-footer", "--no-first-run"]
        try:
            subprocess.run(
                [browser, *options, f"--print-to-pdf={pdf}", html.as_uri()],
                check=True,
                capture_output=True,
                timeout=_PDF_S,
            )
            return pdf.read_bytes()
        except (OSError, subprocess.SubprocessError):
            raise Conflict(as_said("Chromium made no PDF; print the page")) from None


@cache
def _environment(language: str) -> Environment:
    catalogue = ENGLISH if language == "en" else get_catalogue(language)
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = lambda message, **values: translate(say(message, **values), catalogue)
    environment.filters |= {
        "number": lambda number: f"{number:,}",
        "yuan": lambda fen: f"{fen / 100:,.2f}",
        "word": lambda member: translate(name_of(member), catalogue),
    }
    return environment
