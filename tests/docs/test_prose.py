"""Prose fits the page, the repository names only documents that it has, and the glossary names code that there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COLUMNS = 120
READ = {".py", ".sql", ".md", ".toml", ".txt", ".html", ".lua", ".yml", ".yaml", ".css", ".js", ".j2", ""}


def _prose(document: str) -> list[str]:
    """The lines that are neither code nor rows of a table nor hold a URL, which cannot be broken."""
    without_code = re.sub(r"^ *```.*?^ *```$", "", document, flags=re.DOTALL | re.MULTILINE)
    return [line for line in without_code.splitlines() if not line.startswith("|") and "://" not in line]


def _files() -> list[Path]:
    """The files that git keeps, or would keep, and that hold words."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in (ROOT / name for name in listed) if path.suffix in READ and path.is_file()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_prose_ends_before_column_120(document: Path) -> None:
    long = [line for line in _prose(document.read_text(encoding="utf-8")) if len(line) >= COLUMNS]
    assert not long


def test_no_file_names_a_document_that_is_not_there() -> None:
    files = _files()
    have = {path.name for path in files if path.suffix == ".md"}
    assert {"README.md", "sending.md"} <= have
    missing = set()
    for path in files:
        words = path.read_text(encoding="utf-8", errors="replace")
        named = set(re.findall(r"\b[\w-]+\.md\b", words)) | {
            f"{name}.md" for name in re.findall(r"\b([A-Z]+) §", words)
        }
        missing |= {(path.relative_to(ROOT).as_posix(), name) for name in named - have}
    assert not missing


def test_the_glossary_is_sorted_and_names_what_there_is() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*) ?\|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    words = [row[0] for row in rows if row[0] not in {"Word", "---"}]
    assert words == sorted(words)
    sources = (path for path in (ROOT / "sms_service").rglob("*") if path.suffix in (".py", ".sql"))
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    for word, _, names in rows:
        for name in re.findall(r"`([^`]+)`", names):
            found = list((ROOT / "sms_service").rglob(name)) if re.search(r"/|\.(py|sql)$", name) else None
            assert found or (found is None and all(part in code for part in name.split("."))), f"{word}: {name}"
