"""Claims: the verdicts, and the numbers behind them."""

from __future__ import annotations

import pytest

from bortlab.analysis import claims
from bortlab.models import FAMILIES

CLAIMS = {claim.about: claim for claim in claims.sizes()}


@pytest.mark.parametrize(
    ("about", "counted", "verdict"),
    [
        ("Bort's parameters", "76.21 M", "differs"),
        ("Bort's embeddings", "52.00 M", "differs"),
        ("share of Bort's parameters outside the embeddings", "32.7%", "differs"),
        ("Bort's effective size, without embeddings, as a share of BERT-large's", "7.6%", "differs"),
        ("Bort's net size as a share of BERT-large's", "22.4%", "differs"),
        ("BERT-large's embeddings", "31.78 M", "holds"),
        ("Bort's file of TensorFlow weights, float32", "304.8 MB", "holds"),
        ("Bort's file of PyTorch weights, float16", "255.4 MB", "holds"),
        ("ALBERT base's parameters", "11.68 M", "holds"),
        ("ALBERT large's parameters", "17.68 M", "holds"),
        ("ALBERT xlarge's parameters", "58.72 M", "nearly"),
        ("ALBERT xxlarge's parameters", "222.60 M", "differs"),
        ("BERT-base's parameters, in ALBERT's table", "108.49 M", "holds"),
        ("times fewer parameters in ALBERT large than in BERT-large", "18.95×", "holds"),
        ("ConvBERT medium-small's parameters", "17.48 M", "holds"),
        ("ConvBERT base's parameters", "105.68 M", "holds"),
        ("ConvBERT base's file, float32", "422.7 MB", "holds"),
    ],
)
def test_verdicts(about: str, counted: str, verdict: str) -> None:
    assert (CLAIMS[about].counted, CLAIMS[about].verdict) == (counted, verdict)


def test_the_swapped_bort_gives_the_published_numbers() -> None:
    assert "55.99 M" in CLAIMS["Bort's parameters"].reason
    assert "38,999,040" in CLAIMS["Bort's embeddings"].reason
    assert "30.3%" in CLAIMS["share of Bort's parameters outside the embeddings"].reason


def test_alberts_tables_hold_but_for_the_pooler() -> None:
    for embed, shared, millions in claims.SHARING:
        claim = CLAIMS[f"ALBERT base, E = {embed}, {shared}"]
        assert claim.verdict in ("holds", "nearly") and claim.claimed == f"{millions} M"
        if claim.verdict == "nearly":
            assert "Without the pooler" in claim.reason


def test_every_claim_is_complete() -> None:
    assert len(CLAIMS) == len(claims.sizes())
    for claim in CLAIMS.values():
        assert (
            claim.family in FAMILIES and claim.source.url.startswith("https://") and claim.source.name and claim.reason
        )
        assert (claim.counted == "") == (claim.verdict == "open")
        assert claim.verdict in claims.VERDICTS
    assert claims.frame(CLAIMS.values())["claim"].is_unique


@pytest.mark.parametrize(
    ("claimed", "counted", "digit", "verdict"),
    [
        (12e6, 12.49e6, 1e6, "holds"),
        (12e6, 11.5e6, 1e6, "holds"),
        (60e6, 58.3e6, 1e6, "nearly"),
        (60e6, 58.1e6, 1e6, "differs"),
        (5.5, 5.549, 0.1, "holds"),
        (5.5, 5.56, 0.1, "nearly"),
    ],
)
def test_judging(claimed: float, counted: float, digit: float, verdict: str) -> None:
    assert claims.judge(claimed, counted, digit) == verdict


def test_quoted_tables_are_whole() -> None:
    for quoted in claims.QUOTED:
        table = quoted.frame()
        assert table.columns.is_unique and len(table) and quoted.source.url.startswith("https://")
        assert table.map(lambda cell: isinstance(cell, str) and cell != "").all(axis=None), quoted.title
    glue = next(q for q in claims.QUOTED if q.title.startswith("Bort on GLUE")).frame().set_index("model")
    assert glue.loc["Bort", "GLUE"] == "83.6" and glue.loc["BERT-large", "AX"] == "39.6"
