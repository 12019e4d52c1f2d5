"""Milliseconds in the place of operations: representatives timed by the Latency page's own harness.

Operations are an estimate of time that leaves out memory, narrow matrices and the number of heads. Here the
representatives take turns on this machine, and what the estimate is worth is said by Spearman's rank correlation.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bortlab.analysis import latency
from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency import Plan, Run
from bortlab.search.extraction import EQUAL, Extraction, Row
from bortlab.search.objective import TINY, size_of
from bortlab.search.space import FEED_FORWARD, Space, SpaceError, Subarchitecture, space
from bortlab.system import assets

if TYPE_CHECKING:
    import pandas

FEWEST, MOST = 3, 100
"""Representatives that are timed."""
RESAMPLES = 1_000
"""Draws of the candidates for an interval."""


@dataclass(frozen=True, slots=True)
class TimedCandidate:
    """A candidate with its costs, and the median time of one text in milliseconds with its 95% interval."""

    candidate: Subarchitecture
    parameters: int
    operations: int
    ms: Interval

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.candidate.name

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.ms.value * 1000


@dataclass(frozen=True, slots=True)
class FeedForwardPair:
    """The narrowest and the widest feed-forward part among candidates that differ in nothing else."""

    narrow: TimedCandidate
    wide: TimedCandidate

    @property
    def operations(self) -> float:
        """How many times the operations of the narrow one the wide one has."""
        return self.wide.operations / self.narrow.operations

    @property
    def ms(self) -> float:
        """How many times as long it takes."""
        return self.wide.ms.value / self.narrow.ms.value


@dataclass(frozen=True)
class Timed:
    """What a measurement of candidates says.

    pieces: of the text. error: what e is, in words. winners: the candidates with the largest W where i is
    milliseconds; winners_by_operations: the same where i is operations, among the same candidates with the same T.
    machine: where. disturbed: why the machine was too busy to trust it, a sentence each.
    """

    space: Space
    pieces: int
    error: str
    candidates: tuple[TimedCandidate, ...]
    winners: tuple[str, ...]
    winners_by_operations: tuple[str, ...]
    machine: Mapping[str, Any]
    disturbed: tuple[str, ...] = ()

    @cached_property
    def spearman(self) -> Interval:
        """Rank correlation of operations and milliseconds, from -1 to 1; the interval draws the candidates again.

        A draw of one candidate alone ranks nothing, and is left out.
        """
        from scipy.stats import ConstantInputWarning, DegenerateDataWarning, bootstrap, spearmanr

        operations = [entry.operations for entry in self.candidates]
        ms = [entry.ms.value for entry in self.candidates]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantInputWarning)
            warnings.simplefilter("ignore", DegenerateDataWarning)
            drawn = bootstrap(
                (operations, ms),
                _rank_correlation,
                paired=True,
                n_resamples=RESAMPLES,
                method="percentile",
                rng=np.random.default_rng(0),
            ).bootstrap_distribution
        low, high = np.nanquantile(drawn, (0.025, 0.975))
        return Interval(float(spearmanr(operations, ms).statistic), float(low), float(high))

    @property
    def feed_forward_pairs(self) -> tuple[FeedForwardPair, ...]:
        """The narrowest feed-forward part beside the widest, for every combination of the other sizes."""
        if FEED_FORWARD not in self.space.sizes:
            return ()
        place = list(self.space.sizes).index(FEED_FORWARD)
        alike: dict[tuple[int, ...], list[TimedCandidate]] = {}
        for entry in self.candidates:
            sizes = entry.candidate.sizes
            alike.setdefault(sizes[:place] + sizes[place + 1 :], []).append(entry)
        ordered = (sorted(group, key=lambda entry: entry.candidate.sizes[place]) for group in alike.values())
        return tuple(FeedForwardPair(group[0], group[-1]) for group in ordered if len(group) > 1)

    def frame(self) -> pandas.DataFrame:
        """One row a candidate."""
        import pandas

        return pandas.DataFrame(
            [
                {
                    "candidate": entry.name,
                    "parameters": entry.parameters,
                    "operations": entry.operations,
                    "p50 ms": entry.ms.value,
                    "from ms": entry.ms.low,
                    "to ms": entry.ms.high,
                    "operations a second": entry.rate,
                }
                for entry in self.candidates
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with the machine and what disturbed it."""
        return {
            "space": self.space.name,
            "pieces": self.pieces,
            "spearman": self.spearman.value,
            "spearman interval": [self.spearman.low, self.spearman.high],
            "winners by milliseconds": list(self.winners),
            "winners by operations": list(self.winners_by_operations),
            "error": self.error,
            "candidates": self.frame().to_dict("records"),
            "machine": dict(self.machine),
            "disturbed": list(self.disturbed),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Timed:
        """From JSON; SpaceError for candidates of another space."""
        where = space(data["space"])
        return cls(
            space=where,
            pieces=data["pieces"],
            error=data["error"],
            candidates=tuple(
                TimedCandidate(
                    where.named(entry["candidate"]),
                    entry["parameters"],
                    entry["operations"],
                    Interval(entry["p50 ms"], entry["from ms"], entry["to ms"]),
                )
                for entry in data["candidates"]
            ),
            winners=tuple(data["winners by milliseconds"]),
            winners_by_operations=tuple(data["winners by operations"]),
            machine=data["machine"],
            disturbed=tuple(data["disturbed"]),
        )


def recorded() -> dict[str, Timed]:
    """The measurements that come with bortlab, by the name of their file."""
    paths = sorted(assets.EXPERIMENTS.glob("search-latency*.json"))
    return {path.stem: Timed.from_dict(json.loads(path.read_text(encoding="utf-8"))) for path in paths}


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
    measured = {entry.case.model: entry.p50 for entry in run.timed}
    names = _names(extraction)
    rows = [row for row in extraction.representatives if names[row.name] in measured]
    if len(rows) < FEWEST:
        raise SpaceError(f"Only {len(rows)} representatives were timed; expected {FEWEST} or more.")
    p50s = [measured[names[row.name]] for row in rows]
    return Timed(
        space=extraction.space,
        pieces=extraction.seq,
        error=extraction.error,
        candidates=tuple(
            TimedCandidate(row.candidate, row.costs.parameters, row.costs.operations, p50)
            for row, p50 in zip(rows, p50s, strict=True)
        ),
        winners=_winners(extraction, rows, [p50.value for p50 in p50s]),
        winners_by_operations=_winners(extraction, rows, [row.costs.operations for row in rows]),
        machine=dict(run.environment),
        disturbed=tuple(run.disturbed()),
    )


def _winners(extraction: Extraction, rows: Sequence[Row], work: Sequence[float]) -> tuple[str, ...]:
    """The candidates with the largest W where i is this work.

    i_T is the most among the timed, p_T the search's own. A representative without an error has no W.
    """
    most = max(work)
    ws = {
        row.name: (1 - size_of(row.costs, extraction.size) / extraction.maximum.parameters)
        * (1 - value / most)
        / (row.error + TINY)
        for row, value in zip(rows, work, strict=True)
        if row.error is not None
    }
    top = max(ws.values(), default=0.0)
    return tuple(name for name, w in ws.items() if w >= top * (1 - EQUAL))


def _names(extraction: Extraction) -> Mapping[str, str]:
    """The name of each representative in the harness, by its own."""
    return {row.name: extraction.space.model_of(row.candidate.config) for row in extraction.representatives}


def _rank_correlation(first: Any, second: Any, axis: int = -1) -> Any:
    """Spearman's rank correlation of many draws at once; NaN where one ranks nothing."""
    from scipy.stats import pearsonr, rankdata

    return pearsonr(rankdata(first, axis=axis), rankdata(second, axis=axis), axis=axis).statistic
