"""Blocks of documents that a program writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bortlab.system.documents import read_block, write_block

PAGE = """# Sizes

<!-- sizes: written by a script -->
| old |
<!-- /sizes -->

Between.

<!-- other: by hand -->

kept

<!-- /other -->
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_a_block_is_written_in_the_place_of_the_old_one_and_nothing_else_changes(page: Path) -> None:
    write_block(page, "sizes", "| ü |\n| 1 |")
    assert read_block(page, "sizes") == "| ü |\n| 1 |"
    assert page.read_text(encoding="utf-8") == PAGE.replace("| old |", "| ü |\n| 1 |")


def test_blank_lines_around_a_block_stay(page: Path) -> None:
    write_block(page, "other", "new")
    write_block(page, "other", "new")
    assert page.read_text(encoding="utf-8") == PAGE.replace("kept", "new")


@pytest.mark.parametrize("name", ["weights", "size"])
def test_a_document_without_the_block_is_left_alone(page: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"page\.md has no block '{name}': expected <!-- {name}: "):
        write_block(page, name, "lost")
    assert page.read_text(encoding="utf-8") == PAGE
