"""Published tables of quality, as published: nothing here can check them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bortlab.analysis.claims.claim import Source
from bortlab.analysis.claims.sizes import ALBERT_URL, BORT_README, CONVBERT_PAPER

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A published table, as published. Empty cells: the source gives no number."""

    family: str
    title: str
    source: Source
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def frame(self) -> pandas.DataFrame:
        """The table."""
        import pandas

        return pandas.DataFrame(self.rows, columns=list(self.columns))


def _rows(text: str) -> list[list[str]]:
    """Lines of cells between bars."""
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


_ALBERT_TASKS = ("SQuAD 1.1 F1/EM", "SQuAD 2.0 F1/EM", "MNLI", "SST-2", "RACE", "average")

QUOTED: tuple[Quoted, ...] = (
    Quoted(
        family="bort",
        title="Bort on GLUE, test sets",
        source=BORT_README,
        note="After fine-tuning with Agora. The authors say that conventional fine-tuning works less well.",
        columns=(
            "model",
            "GLUE",
            "CoLA",
            "SST-2",
            "MRPC",
            "STS-B",
            "QQP",
            "MNLI-m",
            "MNLI-mm",
            "QNLI",
            "RTE",
            "WNLI",
            "AX",
        ),
        rows=_rows("""
            Bort | 83.6 | 63.9 | 96.2 | 94.1/92.3 | 89.2/88.3 | 66.0/85.9 | 88.1 | 87.8 | 92.3 | 82.7 | 71.2 | 51.9
            BERT-large|80.5|60.5|94.9 | 89.3/85.4 | 87.6/86.5 | 72.1/89.3 | 86.7 | 85.9 | 92.7 | 70.1 | 65.1 | 39.6
        """),
    ),
    Quoted(
        family="bort",
        title="Bort on SuperGLUE, test sets",
        source=BORT_README,
        note="After fine-tuning with Agora.",
        columns=("model", "SuperGLUE", "BoolQ", "CB", "COPA", "MultiRC", "ReCoRD", "RTE", "WiC", "WSC", "AX-b", "AX-g"),
        rows=_rows("""
            Bort | 74.1 | 83.7 | 81.9/86.5 | 89.6 | 83.7/54.1 | 49.8/49.0 | 81.2 | 70.1 | 65.8 | 48.0 | 96.1/61.5
            BERT-large | 69.0 | 77.4 | 75.7/83.6 | 70.6 | 70.0/24.1 | 72.0/71.3 | 71.7 | 69.6 | 64.4 | 23.0 | 97.8/51.7
        """),
    ),
    Quoted(
        family="albert",
        title="ALBERT and BERT after 125,000 steps",
        source=Source("ALBERT, table 2", ALBERT_URL),
        note="Speed is throughput of training, of BERT-large's, on the authors' TPUs; it says nothing about "
        "predicting.",
        columns=("model", *_ALBERT_TASKS, "training speed"),
        rows=_rows("""
            BERT base | 90.4/83.2 | 80.4/77.6 | 84.5 | 92.8 | 68.2 | 82.3 | 4.7×
            BERT large | 92.2/85.5 | 85.0/82.2 | 86.6 | 93.0 | 73.9 | 85.2 | 1.0×
            ALBERT base | 89.3/82.3 | 80.0/77.1 | 81.6 | 90.3 | 64.0 | 80.1 | 5.6×
            ALBERT large | 90.6/83.9 | 82.3/79.4 | 83.5 | 91.7 | 68.5 | 82.4 | 1.7×
            ALBERT xlarge | 92.5/86.1 | 86.1/83.1 | 86.4 | 92.4 | 74.8 | 85.5 | 0.6×
            ALBERT xxlarge | 94.1/88.3 | 88.1/85.1 | 88.0 | 95.2 | 82.3 | 88.7 | 0.3×
        """),
    ),
    Quoted(
        family="albert",
        title="What sharing costs",
        source=Source("ALBERT, table 4", ALBERT_URL),
        note="ALBERT base. Parameters are the paper's.",
        columns=("E", "shared", "parameters", *_ALBERT_TASKS),
        rows=_rows("""
            768 | everything | 31 M | 88.6/81.5 | 79.2/76.6 | 82.0 | 90.6 | 63.3 | 79.8
            768 | attention | 83 M | 89.9/82.7 | 80.0/77.2 | 84.0 | 91.4 | 67.7 | 81.6
            768 | feed-forward | 57 M | 89.2/82.1 | 78.2/75.4 | 81.5 | 90.8 | 62.6 | 79.5
            768 | nothing | 108 M | 90.4/83.2 | 80.4/77.6 | 84.5 | 92.8 | 68.2 | 82.3
            128 | everything | 12 M | 89.3/82.3 | 80.0/77.1 | 82.0 | 90.3 | 64.0 | 80.1
            128 | attention | 64 M | 89.9/82.8 | 80.7/77.9 | 83.4 | 91.9 | 67.6 | 81.7
            128 | feed-forward | 38 M | 88.9/81.6 | 78.6/75.6 | 82.3 | 91.7 | 64.4 | 80.2
            128 | nothing | 89 M | 89.9/82.8 | 80.3/77.3 | 83.2 | 91.5 | 67.9 | 81.6
        """),
    ),
    Quoted(
        family="albert",
        title="What the width of the words is worth (average)",
        source=Source("ALBERT, table 3", ALBERT_URL),
        note="ALBERT base; parameters are the paper's.",
        columns=("E", "nothing shared", "its average", "everything shared", "its average "),
        rows=_rows("""
            64 | 87 M | 81.3 | 10 M | 79.0
            128 | 89 M | 81.7 | 12 M | 80.1
            256 | 93 M | 81.8 | 16 M | 79.6
            768 | 108 M | 82.3 | 31 M | 79.8
        """),
    ),
    Quoted(
        family="albert",
        title="Versions 1 and 2",
        source=Source("google-research/albert, README", "https://github.com/google-research/albert"),
        note="Version 2: no dropout, more data, longer training.",
        columns=("model", "average", *_ALBERT_TASKS[:-1]),
        rows=_rows("""
            base v2 | 82.3 | 90.2/83.2 | 82.1/79.3 | 84.6 | 92.9 | 66.8
            large v2 | 85.7 | 91.8/85.2 | 84.9/81.8 | 86.5 | 94.9 | 75.2
            xlarge v2 | 87.9 | 92.9/86.4 | 87.9/84.1 | 87.9 | 95.4 | 80.7
            xxlarge v2 | 90.9 | 94.6/89.1 | 89.8/86.9 | 90.6 | 96.8 | 86.8
            base v1 | 80.1 | 89.3/82.3 | 80.0/77.1 | 81.6 | 90.3 | 64.0
            large v1 | 82.4 | 90.6/83.9 | 82.3/79.4 | 83.5 | 91.7 | 68.5
            xlarge v1 | 85.5 | 92.5/86.1 | 86.1/83.1 | 86.4 | 92.4 | 74.8
            xxlarge v1 | 91.0 | 94.8/89.3 | 90.2/87.4 | 90.8 | 96.9 | 86.5
        """),
    ),
    Quoted(
        family="albert",
        title="ALBERT xxlarge on GLUE, development sets",
        source=Source("ALBERT, table 9", ALBERT_URL),
        note="One model, 1.5 M steps. The ensemble reached 89.4 on the test sets.",
        columns=("model", "MNLI", "QNLI", "QQP", "RTE", "SST-2", "MRPC", "CoLA", "STS-B"),
        rows=_rows("ALBERT xxlarge | 90.8 | 95.3 | 92.2 | 89.2 | 96.9 | 90.9 | 71.4 | 93.0"),
    ),
    Quoted(
        family="convbert",
        title="ConvBERT base on GLUE",
        source=CONVBERT_PAPER,
        note="0.7 more than ELECTRA-base, for less than a quarter of its training cost, says the abstract.",
        columns=("model", "GLUE"),
        rows=_rows("ConvBERT base | 86.4"),
    ),
)
