"""`make vendor`: fetch each package of versions.toml from the npm registry, check its integrity, write its files.

To take a newer version: change `version` and `integrity` (`npm view NAME@VERSION dist.integrity`), then run it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tarfile
import tomllib
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "sms_service" / "console" / "static" / "vendor"
REGISTRY = os.environ.get("NPM_REGISTRY", "https://registry.npmjs.org").rstrip("/")


def fetch_package(name: str, version: str, integrity: str) -> bytes:
    """The package's archive. Ends the process where its SHA-512 is not the one of `integrity`."""
    url = f"{REGISTRY}/{name}/-/{name}-{version}.tgz"
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - the registry that was named
        archive: bytes = response.read()
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != integrity:
        sys.exit(f"{url} is {found}, not {integrity}: nothing of it was written")
    return archive


def main() -> None:
    """Write every file of every package."""
    for package in tomllib.loads((FOLDER / "versions.toml").read_text(encoding="utf-8"))["package"]:
        archive = fetch_package(package["name"], package["version"], package["integrity"])
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            for inside, name in package["files"].items():
                file = files.extractfile(inside)
                assert file is not None, f"{inside} is no file"
                (FOLDER / name).write_bytes(file.read())
                print(f"{package['name']} {package['version']}: {name}")  # noqa: T201


if __name__ == "__main__":
    main()
