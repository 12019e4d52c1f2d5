"""The README says what is true of the repository."""

from __future__ import annotations

import re

from bortlab.analysis import latency
from bortlab.training.export import MARKS, README, minis_table


def test_the_table_of_the_minis_is_that_of_their_cards() -> None:
    text = README.read_text(encoding="utf-8")
    written = text.split(MARKS[0])[1].split(MARKS[1])[0].strip()
    assert written == minis_table(), "Run `python -m bortlab.training.export`."


def test_files_that_the_readme_names_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:bortlab|assets|tests|pages)/[\w./]*|app\.py|LICENSE)`", text))
    named |= {path for path in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in path}
    assert len(named) > 8
    assert [path for path in sorted(named) if not (README.parent / path).exists()] == []


def test_the_table_of_the_speed_claims_is_that_of_the_recorded_measurement() -> None:
    (path,) = latency.recorded()
    found = {
        (one.claim.baseline, one.case.model, one.case.seq): one for one in latency.check_claims(latency.load(path))
    }
    columns = list(dict.fromkeys(key[:2] for key in found))
    rows = []
    for seq in sorted({seq for *_, seq in found}):
        cells = [str(seq)]
        for column in columns:
            one = found[(*column, seq)]
            cells += [
                f"{one.speedup.value:.1f} ({one.speedup.low:.1f}–{one.speedup.high:.1f})",
                f"{one.flops:.1f}",
            ]
        rows.append(f"| {' | '.join(cells)} |")
    text = README.read_text(encoding="utf-8")
    written = text.split("<!-- claims: written from assets/latency -->")[1].split("<!-- /claims -->")[0]
    assert written.strip().splitlines()[2:] == rows
