"""docs/console.md says which role sees and does what, as the code has it; its pictures are there and small."""

from __future__ import annotations

import re

from screenshots.matrix import API_DOCUMENT, DOCUMENT, MARKS, build_api_matrix, build_matrix

PICTURES = DOCUMENT.parent / "pictures"
MOST_PICTURES, LARGEST_PICTURE = 24, 60_000


def test_the_matrix_is_that_of_the_code():
    for document, matrix in ((DOCUMENT, build_matrix()), (API_DOCUMENT, build_api_matrix())):
        found = MARKS.search(document.read_text(encoding="utf-8"))
        assert found is not None
        assert found[2] == matrix, "run `python -m screenshots.matrix`"


def test_every_picture_is_shown_and_small():
    sizes = {path.name: path.stat().st_size for path in PICTURES.iterdir()}
    assert set(re.findall(r"\(pictures/([^)]+)\)", DOCUMENT.read_text(encoding="utf-8"))) == set(sizes)
    assert len(sizes) <= MOST_PICTURES
    assert {name: size for name, size in sizes.items() if size > LARGEST_PICTURE} == {}
