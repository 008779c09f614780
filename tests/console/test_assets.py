"""What browsers load besides pages: vendored files are the packages' own, addresses hold hashes, nothing is inline."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from sms_service.console import assets, rendering
from sms_service.ledger.states import MessageStatus
from sms_service.web.statement_papers import STYLES

VENDOR = assets.STATIC / "vendor"
TEMPLATES = Path(rendering.__file__).parent / "templates"
PACKAGES = tomllib.loads((VENDOR / "versions.toml").read_text(encoding="utf-8"))["package"]
# Scripts, styles and handlers in the page itself would need a hole in the Content-Security-Policy.
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|\|\s*safe\b|javascript:|hx-on", re.IGNORECASE)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_a_vendored_file_is_what_the_package_holds(package):
    assert package["licence"]
    assert package["integrity"].startswith("sha512-")
    for name, digest in package["sha256"].items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
    assert set(package["sha256"]) == {name for name in package["files"].values() if not name.endswith("LICENSE")}
    assert all((VENDOR / name).is_file() for name in package["files"].values())


def test_nothing_else_is_vendored():
    named = {name for package in PACKAGES for name in package["files"].values()} | {"versions.toml"}
    assert {path.name for path in VENDOR.iterdir()} == named


def test_an_asset_is_kept_for_ever_under_an_address_with_its_hash(app):
    client = app.test_client()
    for name, asset in assets.read_assets().items():
        answer = client.get(f"/assets/{asset.hashed}", headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Encoding"] == "gzip"
        plain = client.get(f"/assets/{asset.hashed}", headers={"Accept-Encoding": "identity"})
        assert plain.data == (STYLES if name == STYLES.name else assets.STATIC / name).read_bytes()
    assert client.get("/assets/console.000000000000.css").status_code == 404


def test_a_first_visit_is_small():
    assert sum(len(asset.zipped) for asset in assets.read_assets().values()) < 100_000
    assert len((assets.STATIC / "console.css").read_bytes()) <= 12_000


def test_the_stylesheet_has_no_class_that_no_page_uses():
    """What stands in a class attribute counts, and the words of a macro's look, such as "good"."""
    css = re.sub(
        r"/\*.*?\*/|\{[^{}]*\}", " ", (assets.STATIC / "console.css").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    pages = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html"))
    used = {
        word
        for pair in re.findall(r'class="([^"]*)"|"(\w+)"\)', pages)
        for word in re.findall(r"[\w-]+", " ".join(pair))
    }
    named = set(re.findall(r"\.([a-z][\w-]*)", css))
    by_status = {f"s-{status}" for status in MessageStatus}  # built from a row's status
    assert sorted(named - used - by_status) == []


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_no_template_has_anything_inline(path):
    found = [line for line in path.read_text(encoding="utf-8").splitlines() if INLINE.search(line)]
    assert found == []


def test_the_stylesheet_needs_no_newer_browser():
    css = (assets.STATIC / "console.css").read_text(encoding="utf-8")
    assert re.findall(r":has\(|:is\(|:where\(|(?<![-\w])gap:|@layer|@container|color-mix|\binset:", css) == []
