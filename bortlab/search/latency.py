"""Milliseconds in the place of operations: representatives timed by the Latency page's own harness.

Operations are an estimate of time that leaves out memory, narrow matrices and the number of heads. Here the
representatives take turns on this machine, and what the estimate is worth is said by Spearman's rank correlation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bortlab.analysis import latency
from bortlab.analysis.latency import Plan, Run
from bortlab.search.extraction import EQUAL, Extraction, Row
from bortlab.search.objective import TINY, size_of
from bortlab.search.space import SpaceError

if TYPE_CHECKING:
    import pandas

FEWEST, MOST = 3, 100
"""Representatives that are timed."""


@dataclass(frozen=True)
class Timed:
    """Representatives with their median time and its 95 % interval, in milliseconds; run: the whole measurement."""

    rows: tuple[Row, ...]
    ms: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    run: Run

    @property
    def spearman(self) -> float:
        """Rank correlation of operations and milliseconds, from -1 to 1."""
        from scipy.stats import spearmanr

        return float(spearmanr([row.costs.operations for row in self.rows], self.ms).statistic)

    def winners(self, extraction: Extraction) -> tuple[str, ...]:
        """The representatives with the largest W where i is milliseconds."""
        return self._winners(extraction, self.ms)

    def winners_by_operations(self, extraction: Extraction) -> tuple[str, ...]:
        """The same where i is operations, for a fair comparison: among the same candidates, with the same T."""
        return self._winners(extraction, [row.costs.operations for row in self.rows])

    def _winners(self, extraction: Extraction, work: Sequence[float]) -> tuple[str, ...]:
        """i_T is the most among the timed, p_T the search's own. A representative without an error has no W."""
        most = max(work)
        ws = {
            row.name: (1 - size_of(row.costs, extraction.size) / extraction.maximum.parameters)
            * (1 - value / most)
            / (row.error + TINY)
            for row, value in zip(self.rows, work, strict=True)
            if row.error is not None
        }
        top = max(ws.values(), default=0.0)
        return tuple(name for name, w in ws.items() if w >= top * (1 - EQUAL))

    def frame(self) -> pandas.DataFrame:
        """One row a representative."""
        import pandas

        return pandas.DataFrame(
            [
                {
                    "candidate": row.name,
                    "parameters": row.costs.parameters,
                    "operations": row.costs.operations,
                    "p50 ms": ms,
                    "from ms": low,
                    "to ms": high,
                    "operations a second": row.costs.operations / ms * 1000,
                }
                for row, ms, (low, high) in zip(self.rows, self.ms, self.intervals, strict=True)
            ]
        )

    def to_dict(self, extraction: Extraction) -> dict[str, Any]:
        """As JSON, with the machine and what disturbed it."""
        return {
            "space": extraction.space.name,
            "pieces": extraction.seq,
            "spearman": self.spearman,
            "winners by milliseconds": list(self.winners(extraction)),
            "winners by operations": list(self.winners_by_operations(extraction)),
            "error": extraction.error,
            "candidates": self.frame().to_dict("records"),
            "machine": dict(self.run.environment),
            "disturbed": list(self.run.disturbed()),
        }


def latency_plan(extraction: Extraction, *, threads: int = 1, rounds: int = 12, seconds: float = 0.3) -> Plan:
    """What is to be timed: the representatives of a search, one text of its length at a time.

    Raises:
        SpaceError: for too few representatives, or too many.
    """
    n = len(extraction.representatives)
    if not FEWEST <= n <= MOST:
        raise SpaceError(
            f"{n} representatives cannot be timed: expected {FEWEST} to {MOST}. Choose "
            f"{'a larger' if n > MOST else 'a smaller'} stride."
        )
    return latency.plan(
        list(_names(extraction).values()),
        output=extraction.space.output,
        seq=[extraction.seq],
        threads=[threads],
        rounds=rounds,
        seconds=seconds,
        roof=False,
    )


def timed(extraction: Extraction, run: Run) -> Timed:
    """The representatives that a measurement timed; SpaceError for fewer than FEWEST."""
    measured = {entry.case.model: entry for entry in run.timed}
    names = _names(extraction)
    rows = tuple(row for row in extraction.representatives if names[row.name] in measured)
    if len(rows) < FEWEST:
        raise SpaceError(f"Only {len(rows)} representatives were timed; expected {FEWEST} or more.")
    p50s = [measured[names[row.name]].p50 for row in rows]
    return Timed(rows, tuple(p50.value for p50 in p50s), tuple((p50.low, p50.high) for p50 in p50s), run)


def _names(extraction: Extraction) -> Mapping[str, str]:
    """The name of each representative in the harness, by its own."""
    return {row.name: extraction.space.model_of(row.candidate.config) for row in extraction.representatives}
