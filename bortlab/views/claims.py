"""Published numbers beside the counted ones, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from bortlab.analysis import claims
from bortlab.analysis.claims import Claim
from bortlab.analysis.claims.claim import Verdict
from bortlab.views.cells import Cell, grid, style
from bortlab.views.theme import Look
from bortlab.views.view import Fragment, View

MARKS: dict[Verdict, str] = {"holds": "✓ holds", "nearly": "≈ nearly", "differs": "✗ differs", "open": "· open"}
"""The verdicts, as they are written."""


def checked(chosen: Sequence[Claim], look: Look, *, title: str) -> View:
    """What was claimed, what is counted here, and whether they agree."""
    rows = [
        (
            claim.about,
            [
                Cell(claim.claimed),
                Cell(claim.counted or "–"),
                Cell(MARKS[claim.verdict], title=claim.reason, settled=claim.verdict == "differs"),
            ],
        )
        for claim in chosen
    ]
    body = grid(
        "claim",
        ["published", "counted here", "verdict"],
        rows,
        colours=[look.ink] * len(rows),
        label=title,
    )
    own = "<style>.bq .bl.bl tbody th { white-space: normal; min-width: 8rem; max-width: 17rem; }</style>"
    words = "; ".join(
        f"{c.about}: published {c.claimed}, counted {c.counted or 'nothing'}, {c.verdict}" for c in chosen
    )
    return View(
        title, Fragment(f'<div class="bq">{body}</div>', style(look) + own), f"{title}: {words}.", claims.frame(chosen)
    )
