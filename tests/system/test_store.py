"""Files and folders appear whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bortlab.system import store


class Broken(Exception):
    """What happens in the middle of writing."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "file"
    store.write(path, b"old", durable=durable)
    with store.whole_file(path, durable=durable) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and names(path.parent) == ["file"]
    with pytest.raises(Broken), store.whole_file(path, durable=durable) as file:
        file.write(b"half of")
        raise Broken
    assert path.read_bytes() == b"new" and names(path.parent) == ["file"]


def test_a_new_folder_appears_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    with store.whole_folder(folder) as partial:
        (partial / "a").write_text("1")
        assert not folder.exists()
    assert names(folder) == ["a"] and names(tmp_path) == ["made"]


def test_in_an_old_folder_files_are_replaced_one_by_one_and_others_stay(tmp_path: Path) -> None:
    for name in ("a", "other"):
        (tmp_path / "made").mkdir(exist_ok=True)
        (tmp_path / "made" / name).write_text("old")
    with store.whole_folder(tmp_path / "made") as partial:
        (partial / "a").write_text("new")
        assert (tmp_path / "made" / "a").read_text() == "old"
    assert names(tmp_path / "made") == ["a", "other"] and names(tmp_path) == ["made"]
    assert [(tmp_path / "made" / name).read_text() for name in ("a", "other")] == ["new", "old"]


def test_a_folder_that_was_not_finished_vanishes(tmp_path: Path) -> None:
    with pytest.raises(Broken), store.whole_folder(tmp_path / "made") as partial:
        (partial / "a").write_text("1")
        raise Broken
    assert names(tmp_path) == []


def test_what_vouches_for_the_others_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made").mkdir()
    moved: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, to: (moved.append(path.name), replace(path, to))[1])
    with store.whole_folder(tmp_path / "made", last="b") as partial:
        for name in "abc":
            (partial / name).touch()
    assert moved == ["a", "c", "b"]
