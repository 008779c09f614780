"""`make messages`: brings each catalogue up to the sources. What is new stands there without a translation; what the
sources say no more is gone. Names what has to be translated.
"""

from __future__ import annotations

import sys

from sms_service.catalogues import FOLDER
from wording.catalogue import refresh_catalogue
from wording.extracting import find_messages


def main() -> int:
    """Refresh the catalogues; 1 if something has to be translated."""
    found = find_messages()
    missing = 0
    for path in sorted(FOLDER.glob("*/messages.po")):
        for message in refresh_catalogue(path, found):
            missing += 1
            sys.stdout.write(f"{path}: to be translated: {message!r}\n")
    sys.stdout.write(f"{len(found)} messages, {missing} to be translated\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
