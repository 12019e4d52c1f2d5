"""The README and docs/ say what is true of the repository: files, tables, links, and Python that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bortlab.analysis import latency
from bortlab.system.documents import read_block
from bortlab.training.cards import README, TABLE_PAGES, models_table
from tests import agora_table, search_table, tasks_table
from tests.test_rooms import PROGRAM, ROOMS, room_of

ROOT = README.parent
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def blocks(text: str) -> list[str]:
    """The Python blocks of a page, each on the lines where the page has it, so that a traceback leads there."""
    return [
        "\n" * text[: found.start(1)].count("\n") + found[1]
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    """Where the page's links and pictures lead."""
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page.read_text(encoding="utf-8"))], ids=lambda p: p.stem
)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Top to bottom in one namespace, in an empty folder, without a network or a browser."""
    opened: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(text):
        exec(compile(block, str(page), "exec"), namespace)
    assert len(opened) == text.count(").show()")


def test_there_are_python_blocks_to_run() -> None:
    count = {page.name: len(blocks(page.read_text(encoding="utf-8"))) for page in PAGES}
    assert count["README.md"] >= 1 and count["library.md"] >= 8


def test_the_readme_can_be_read_in_a_few_minutes() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    quoted = re.findall(r"`([\w./-]+)`", text)
    folders = ("bortlab/", "assets/", "tests/", "pages/", "docs/", ".ci/", ".streamlit/")
    files = {name for name in quoted if name.startswith(folders) or name in ("app.py", "LICENSE", "NOTICE", "Makefile")}
    examples = {name for name in files if name.endswith("/NAME.py")}  # to be written by the reader
    assert [name for name in sorted(files - examples) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in links(text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [README]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        paths = [(page.parent / link.partition("#")[0]).resolve() for link in links(page.read_text(encoding="utf-8"))]
        waiting += [path for path in paths if path.suffix == ".md" and path.is_file() and path not in reached]
    assert set(PAGES) <= reached


def test_commands_that_a_page_shows_are_parsed() -> None:
    """Lines of code that begin with `bortlab` or end in it are calls that the command takes."""
    from bortlab import cli

    count = 0
    for page in PAGES:
        for line in re.findall(r"^    (?:\.venv/bin/)?bortlab (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            words = [word.strip("\"'") for word in re.findall(r'"[^"]*"|\S+', line.partition("  #")[0])]
            if words[0] in cli.COMMANDS and "--help" not in words:
                cli.parser_for(words[0]).parse_known_args(words)
                count += 1
    assert count > 6


def test_the_picture_of_the_rooms_is_that_of_the_imports() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = text[text.index("    system <-") :].partition("\n\n")[0]
    drawn = [name for part in picture.split("<-") for name in re.findall(r"\w+(?=/|\.py|\)|\s*$)", part.strip())]
    there = {room_of(module) for module in PROGRAM}
    expected = [room for room in ROOMS if room in there and room != "__main__"]
    assert ["__init__" if name == "bortlab" else name for name in drawn] == expected
    table = re.findall(r"^\| `bortlab/(\w+)/`", text, re.MULTILINE)
    assert set(table) == {room for room in expected if (ROOT / "bortlab" / room).is_dir()}


@pytest.mark.parametrize("page", TABLE_PAGES, ids=["README", "minis"])
def test_the_table_of_the_minis_is_that_of_their_cards(page: Path) -> None:
    assert read_block(page, "minis") == models_table(), "Write it anew with bortlab.training.cards.write_table()."


def test_the_table_of_the_speed_claims_is_that_of_the_recorded_measurement() -> None:
    (path,) = latency.recorded()
    checked = {
        (check.published.baseline, check.case.model, check.case.seq): check
        for check in latency.measured_speedups(latency.load(path))
    }
    columns = list(dict.fromkeys(key[:2] for key in checked))
    rows = []
    for seq in sorted({seq for *_, seq in checked}):
        cells = [str(seq)]
        for column in columns:
            check = checked[(*column, seq)]
            cells += [
                f"{check.speedup.value:.1f} ({check.speedup.low:.1f}–{check.speedup.high:.1f})",
                f"{check.flops:.1f}",
            ]
        rows.append(f"| {' | '.join(cells)} |")
    written = read_block(ROOT / "docs" / "measurements.md", "claims")
    assert written.splitlines()[2:] == rows


def test_the_results_of_agora_are_those_of_the_files() -> None:
    written = read_block(agora_table.DOCUMENT, "agora")
    assert written == agora_table.block(), "Write it anew with python -m tests.agora_table."


def test_the_results_of_the_search_are_those_of_the_files() -> None:
    written = read_block(search_table.DOCUMENT, "search")
    assert written == search_table.block(), "Write it anew with python -m tests.search_table."


def test_the_table_of_the_tasks_is_that_of_the_recorded_comparisons() -> None:
    record = json.loads(tasks_table.FILE.read_text(encoding="utf-8"))
    assert read_block(tasks_table.DOCUMENT, "tasks").splitlines() == tasks_table.table(record)
    for task in record["tasks"].values():
        fine_tuned = [entry for key, entry in task["entries"].items() if key not in tasks_table.BASELINES]
        assert len(fine_tuned) == 5 and all(len(entry["seeds"]) == 5 for entry in fine_tuned)
        for entry in task["entries"].values():
            value, low, high = entry["figures"][task["measure"]]
            assert low <= value <= high and abs(value - sum(entry["seeds"]) / len(entry["seeds"])) < 1e-3
