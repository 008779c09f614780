"""`make screenshots`: take every picture of shots.py into docs/pictures, of a demonstration that it starts, or of the
one that runs at ADDRESS. It needs Chromium.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, Response, sync_playwright

from screenshots.shots import SHOTS, Shot
from sms_service.ops.supervisor import free_port

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
LARGEST = 60_000  # bytes of a picture
_COLOURS = (128, 64, 32, 16)
_LOCALES = {"zh": "zh-CN", "en": "en-GB"}
_READY = "open it in a browser"  # in the line that the demonstration says when it is there


def main() -> None:
    """Take the pictures; whatever cannot be taken is named, and the exit status is 1."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not here: apt-get install chromium fonts-noto-cjk, or name one in CHROMIUM")
    FOLDER.mkdir(exist_ok=True)
    failed = []
    with running_demonstration() as address, sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in SHOTS:
            try:
                size = save_picture(shot, _take(browser, address, shot))
                print(f"{shot.name}.png {size / 1000:.0f} kB", flush=True)
            except Exception as error:  # noqa: BLE001 - the others are taken all the same
                failed.append(f"{shot.name}: {str(error).splitlines()[0]}")
    if failed:
        sys.exit("\n".join(failed))


@contextmanager
def running_demonstration() -> Iterator[str]:
    """The address of the one that ADDRESS names, or of a new one in a throw-away folder."""
    if address := os.environ.get("ADDRESS"):
        yield address.rstrip("/")
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="sms_service-pictures-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        given = {"DATA_DIR": folder, "PORT": str(port), "SIMULATOR_PORT": str(free_port()), "ENV_FILE": os.devnull}
        command = [sys.executable, "-m", "sms_service", "run"]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # what it says of itself, such as that it is ready
            text=True,
        )
        ready = threading.Event()
        listener = threading.Thread(target=_listen, args=(process, ready))
        listener.start()
        try:
            ready.wait()
            if process.poll() is not None:
                sys.exit("the demonstration ended by itself")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            listener.join()


def _listen(process: subprocess.Popen[str], ready: threading.Event) -> None:
    """Pass on what it says to the end, so that it never waits for a reader; `ready` is set when it is there or over."""
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", file=sys.stderr, flush=True)
        if _READY in line:
            ready.set()
    process.wait()
    ready.set()


def save_picture(shot: Shot, png: bytes) -> int:
    """Write the picture with as many colours as fit into LARGEST bytes; its size. Raises ValueError if none does."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        packed = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
        if packed.tell() <= LARGEST:
            return (FOLDER / f"{shot.name}.png").write_bytes(packed.getvalue())
    raise ValueError(f"it is larger than {LARGEST} bytes")


def _take(browser: Browser, address: str, shot: Shot) -> bytes:
    context = browser.new_context(
        viewport={"width": shot.size[0], "height": shot.size[1]}, locale=_LOCALES[shot.language],
        timezone_id="Asia/Shanghai",
    )  # fmt: skip
    context.set_default_timeout(15_000)
    try:
        page = context.new_page()
        refused: list[str] = []
        page.on("response", lambda answer: _note_refusal(refused, answer))
        if shot.login:
            page.goto(f"{address}/log-in")
            with page.expect_navigation():
                page.click(f"form:has(input[name=login][value='{shot.login}']) button")
        for step in shot.steps:
            _follow(page, address, step)
        page.wait_for_timeout(700)  # the text as it is being written comes a moment later
        if refused:
            raise ValueError(refused[0])
        return page.screenshot()
    finally:
        context.close()


def _note_refusal(refused: list[str], answer: Response) -> None:
    if answer.status >= 400 and answer.request.is_navigation_request():
        refused.append(f"{answer.url} answered {answer.status}")


def _follow(page: Page, address: str, step: str) -> Any:
    if step.startswith("/"):
        return page.goto(address + step)
    if step.startswith("[name") and "]=" in step:
        selector, _, text = step.rpartition("=")
        return page.fill(selector, text)
    with page.expect_navigation():
        page.locator(f"{step} >> visible=true").first.click()
    return None


if __name__ == "__main__":
    main()
