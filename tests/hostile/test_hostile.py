"""Whatever checkpoint is opened: one documented error, soon, in little memory, and the server keeps serving.

A process of its own opens the whole corpus in turn (corpus.attack); the tests read what became of each.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.corpus import CORPUS, HANG_S

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
"""Of processor time, so that a busy machine does not count."""
MEGABYTES = 300.0


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each, by its name."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.corpus", str(tmp_path_factory.mktemp("hostile"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * HANG_S,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {record["name"]: record for record in map(json.loads, done.stdout.splitlines())}


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 40


@pytest.mark.parametrize("name", CORPUS)
def test_it_ends_in_one_error_and_the_server_serves(name: str, records: dict[str, dict[str, Any]]) -> None:
    hostile, record = CORPUS[name], records[name]
    assert hostile.error in record["kinds"], f"{record['error']}: {record['said']}"
    assert re.search(hostile.says, record["said"]), record["said"]
    assert len(record["said"]) < 2000 and record["said"].isprintable()
    assert record["seconds"] < SECONDS
    assert not record["proof"], "code of the checkpoint has run"
    assert record["kept"] and record["serves"] and record["cached"] == 2


def test_memory(records: dict[str, dict[str, Any]]) -> None:
    """The peak of the process grows with each new record, so what all of them add is the most that one can need."""
    grown = {name: record["grown_mb"] for name, record in records.items() if record["grown_mb"] > 20}
    assert sum(record["grown_mb"] for record in records.values()) < MEGABYTES, grown
