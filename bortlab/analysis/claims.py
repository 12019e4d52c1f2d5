"""What the papers claim about sizes, beside what the lab counts, with a verdict and the reason where they differ.

Claims about speed need a clock, so they are checked where the clock is, with the same `Claim`. Qualities that the
authors measured are in QUOTED, as quoted: nothing here can check them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bortlab import registry
from bortlab.analysis.parameters import Sizes, formula
from bortlab.models import Config

if TYPE_CHECKING:
    import pandas

Verdict = Literal["holds", "nearly", "differs", "open"]

VERDICTS: dict[Verdict, str] = {
    "holds": "the same number, rounded as the claim is",
    "nearly": "within 3 %",
    "differs": "further away",
    "open": "not checked here",
}
"""What the verdicts mean."""
NEARLY = 0.03

BORT_README = ("alexa/bort, README", "https://github.com/alexa/bort")
BORT_PAPER = ("Bort, abstract", "https://arxiv.org/abs/2010.10499")
ALBERT_PAPER = "https://arxiv.org/abs/1909.11942"
CONVBERT_PAPER = ("ConvBERT, abstract", "https://arxiv.org/abs/2008.02496")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim. family: whose paper it is. claimed and counted: as people write them. url: of the source."""

    family: str
    says: str
    claimed: str
    counted: str
    verdict: Verdict
    reason: str
    source: str
    url: str


def judge(claimed: float, counted: float, digit: float) -> Verdict:
    """The verdict on a number that was claimed to a multiple of `digit`."""
    if abs(counted - claimed) <= digit / 2:
        return "holds"
    return "nearly" if abs(counted - claimed) <= NEARLY * abs(claimed) else "differs"


def millions(weights: int) -> str:
    """11,683,584 -> "11.68 M"."""
    return f"{weights / 1e6:,.2f} M"


def _config(key: str, **changes: Any) -> Config:
    return replace(registry.architecture(key)[1], **changes)


def released_bort() -> Config:
    """Bort as published: width 1024, feed-forward 768."""
    return _config("bort")


def swapped_bort() -> Config:
    """Bort as the first README had it: width 768, feed-forward 1024."""
    return _config("bort", hidden_size=768, intermediate_size=1024)


def sizes() -> tuple[Claim, ...]:
    """Every claim about sizes, checked now."""
    return (*_bort(), *_albert(), *_convbert())


# -- Bort --------------------------------------------------------------------------------------------------------------

_BOTH = ("masked-lm", "pooler")
_SWAPPED = "With width 768 and feed-forward 1024 it is {}; the released model has the two swapped."


def _bort() -> list[Claim]:
    large = formula(_config("bert-large-uncased"), _BOTH)
    small, other = formula(released_bort(), _BOTH), formula(swapped_bort(), _BOTH)
    tables = [sizes.by_component()["embeddings"] for sizes in (small, other)]

    def claim(says: str, claimed: str, counted: str, verdict: Verdict, reason: str, source: tuple[str, str]) -> Claim:
        name, url = source
        return Claim(family="bort", says=says, claimed=claimed, counted=counted, verdict=verdict, reason=reason,
                     source=name, url=url)  # fmt: skip

    def share(part: int, whole: int) -> str:
        return f"{100 * part / whole:.1f} %"

    released = formula(released_bort(), ("masked-lm",))
    body, large_body = formula(released_bort()), formula(_config("bert-large-uncased"))
    large_pooled = formula(_config("bert-large-uncased"), ("pooler",))
    return [
        claim(
            "Bort's parameters", "56 M", millions(released.stored), judge(56e6, released.stored, 1e6),
            f"{_SWAPPED.format(millions(other.stored))} 56 is the count with pooler and tied masked-LM head. The "
            f"released model has {released.stored:,} with that head, {body.stored:,} without.", BORT_README,
        ),
        claim(
            "Bort's embeddings", "39 M", millions(tables[0]), judge(39e6, tables[0], 1e6),
            _SWAPPED.format(f"{tables[1]:,}"), BORT_README,
        ),
        claim(
            "share of Bort's parameters outside the embeddings", "30.3 %", share(small.effective, small.stored),
            judge(30.3, 100 * small.effective / small.stored, 0.1),
            f"{_SWAPPED.format(share(other.effective, other.stored))} Pooler and head are counted as outside.",
            BORT_README,
        ),
        claim(
            "Bort's effective size, without embeddings, of BERT-large's", "5.5 %",
            share(body.effective, large_body.effective), judge(5.5, 100 * body.effective / large_body.effective, 0.1),
            f"Counted: the layers alone, {body.effective:,} of {large_body.effective:,}. (56 − 39) / (340 − 31.8), "
            "from the README, is 5.5 %, and these are the sizes of a Bort of width 768 and feed-forward 1024; the "
            "released model has the two swapped.", BORT_PAPER,
        ),
        claim(
            "Bort's net size of BERT-large's", "16 %", f"{100 * body.stored / large_pooled.stored:.0f} %",
            judge(16, 100 * body.stored / large_pooled.stored, 1),
            f"Counted: {body.stored:,} of {large_pooled.stored:,}. 56 / 340 is 16 %, and 56 M is a Bort of width 768 "
            "and feed-forward 1024; the released model has the two swapped.", BORT_PAPER,
        ),
        claim(
            "Bort's parameters (the author's blog)", "51 M", millions(body.stored), judge(51e6, body.stored, 1e6),
            f"No count of either configuration gives 51 M; the README says 56 M. The released word table alone has "
            f"{millions(body.shares[0].stored)}.",
            ("author's blog, 2020", "https://github.com/adewynter/adewynter.github.io"),
        ),
        claim(
            "BERT-large's parameters", "340 M", millions(large.stored), judge(340e6, large.stored, 1e6),
            "Counted with pooler and masked-LM head, for the uncased vocabulary of 30,522 pieces; 340 M is the number "
            "in BERT's paper.", BORT_README,
        ),
        claim(
            "BERT-large's embeddings", "31.8 M", f"{large.by_component()['embeddings'] / 1e6:.1f} M",
            judge(31.8e6, large.by_component()["embeddings"], 1e5), "Word, position and type tables, and their norm.",
            BORT_README,
        ),
        claim(
            "share of BERT-large's parameters outside the embeddings", "90.6 %",
            share(large.effective, large.stored), judge(90.6, 100 * large.effective / large.stored, 0.1),
            "(340 − 31.8) / 340 is 90.6 %.", BORT_README,
        ),
        claim(
            "Bort's file of TensorFlow weights, float32", "305 MB",
            f"{released.n_bytes() / 1e6:.0f} MB",
            judge(305, released.n_bytes() / 1e6, 1),
            f"{released.stored:,} weights of four bytes: the file itself says that the released Bort has 76 M.",
            ("amazon/bort, files", "https://huggingface.co/amazon/bort/tree/main"),
        ),
        claim(
            "Bort's file of PyTorch weights, float16", "255 MB",
            f"{(released.executed * 2) / 1e6:.0f} MB", judge(255, released.executed * 2 / 1e6, 1),
            f"The {released.tied:,} weights of the word table stand in it twice: once more as the decoder tied to it.",
            ("amazon/bort, files", "https://huggingface.co/amazon/bort/tree/main"),
        ),
        claim(
            "GPU-hours of pre-training", "288", "", "open",
            "Nothing here repeats the authors' pre-training.", BORT_PAPER,
        ),
    ]  # fmt: skip


# -- ALBERT ------------------------------------------------------------------------------------------------------------


def _albert() -> list[Claim]:
    pooled = ("pooler",)

    def claim(says: str, claimed: int, counted: int, reason: str, table: str) -> Claim:
        return Claim(
            family="albert", says=says, claimed=f"{claimed} M", counted=millions(counted),
            verdict=judge(claimed * 1e6, counted, 1e6), reason=reason, source=f"ALBERT, {table}", url=ALBERT_PAPER,
        )  # fmt: skip

    usual = "Body and pooler."
    above = "The released model has fewer: {}, body and pooler; with the head for masked words {}."
    found = [
        claim(f"ALBERT {size}'s parameters", said, formula(config, pooled).stored,
              usual if size in ("base", "large") else
              above.format(f"{formula(config, pooled).stored:,}",
                           f"{formula(config, ('pooler', 'masked-lm')).stored:,}"), "table 1")
        for size, said in (("base", 12), ("large", 18), ("xlarge", 60), ("xxlarge", 235))
        for config in [_config(f"albert-{size}-v2")]
    ]  # fmt: skip
    for size, said in (("base", 108), ("large", 334)):
        config = _config(f"bert-{size}-uncased", vocab_size=30_000)
        own = formula(_config(f"bert-{size}-uncased"), pooled).stored
        reason = f"With ALBERT's vocabulary of 30,000, without pooler; BERT's own, with pooler, has {millions(own)}."
        found.append(
            claim(f"BERT-{size}'s parameters, in ALBERT's table", said, formula(config).stored, reason, "table 1")
        )
    large, albert = formula(_config("bert-large-uncased"), pooled), formula(_config("albert-large-v2"), pooled)
    ratio = large.stored / albert.stored
    found.append(
        Claim(
            family="albert", says="times fewer parameters in ALBERT large than in BERT-large", claimed="18×",
            counted=f"{ratio:.2f}×", verdict="holds" if int(ratio) == 18 else judge(18, ratio, 1),
            reason=f"{large.stored:,} / {albert.stored:,}, both with pooler; 334 / 18, from table 1, is 18.6: the "
            f"paper rounds down. Executed, ALBERT's tables and layers have {millions(albert.executed)}, "
            "for its one block is used 24 times.", source="ALBERT, section 1", url=ALBERT_PAPER,
        )
    )  # fmt: skip
    found += [_sharing(embed, which, said) for embed, which, said in SHARING]
    found.append(
        Claim(
            family="albert", says="times faster training of ALBERT large than of BERT-large", claimed="1.7×",
            counted="", verdict="open", reason="Throughput of training on the authors' TPUs.",
            source="ALBERT, table 2", url=ALBERT_PAPER,
        )
    )  # fmt: skip
    return found


SHARING: tuple[tuple[int, str, int], ...] = (
    (64, "everything shared", 10), (128, "everything shared", 12), (256, "everything shared", 16),
    (768, "everything shared", 31), (64, "nothing shared", 87), (128, "nothing shared", 89),
    (256, "nothing shared", 93), (768, "nothing shared", 108), (128, "attention shared", 64),
    (128, "feed-forward shared", 38), (768, "attention shared", 83), (768, "feed-forward shared", 57),
)  # fmt: skip
"""ALBERT base in tables 3 and 4: E, what the layers share, and millions of parameters."""


def shared_partly(embed: int, which: str) -> int:
    """Weights of ALBERT base with pooler when the layers share only some of a block; no projection where E is H."""
    config = _config("albert-base-v2", embedding_size=embed)
    one = formula(config, ("pooler",))
    block, copies = one.of_block(0), config.depth - 1
    # A part's own norm goes with it.
    own = {"attention": block["attention"] + block["norms"] // 2}
    own["feed-forward"] = sum(block.values()) - own["attention"]
    repeated = {
        "everything shared": 0,
        "nothing shared": sum(block.values()),
        "attention shared": own["feed-forward"],
        "feed-forward shared": own["attention"],
    }[which]
    project = 0 if embed != config.hidden_size else embed * config.hidden_size + config.hidden_size
    return one.stored + copies * repeated - project


def _sharing(embed: int, which: str, said: int) -> Claim:
    counted, pooler = shared_partly(embed, which), 768 * 768 + 768
    alone = counted - pooler
    reason = "Body and pooler."
    if judge(said * 1e6, counted, 1e6) != "holds" and judge(said * 1e6, alone, 1e6) == "holds":
        reason += f" Without the pooler it is {millions(alone)}, which rounds to the table's number."
    if embed == 768:
        reason += " E is H, so the table's network needs no projection."
    return Claim(
        family="albert", says=f"ALBERT base, E = {embed}, {which}", claimed=f"{said} M", counted=millions(counted),
        verdict=judge(said * 1e6, counted, 1e6), reason=reason,
        source="ALBERT, tables 3 and 4", url=ALBERT_PAPER,
    )  # fmt: skip


# -- ConvBERT ----------------------------------------------------------------------------------------------------------


def _convbert() -> list[Claim]:
    def body(key: str) -> Sizes:
        return formula(_config(key))

    def file(key: str, said: float, digit: float) -> Claim:
        megabytes = body(key).n_bytes() / 1e6
        head = formula(_config(key), ("masked-lm",)).n_bytes() / 1e6
        return Claim(
            family="convbert", says=f"{registry.find(key)[1].title}'s file, float32", claimed=f"{said:g} MB",
            counted=f"{megabytes:.1f} MB", verdict=judge(said, megabytes, digit),
            reason=f"The body alone; with a head for masked words it would be {head:.1f} MB, so the file has none. "
            "Names of tensors come on top.",
            source=f"{registry.find(key)[1].source}, files",
            url=f"https://huggingface.co/{registry.find(key)[1].source}/tree/main",
        )  # fmt: skip

    bert = body("bert-base-uncased")
    medium, base = body("conv-bert-medium-small").stored, body("conv-bert-base").stored
    return [
        Claim(
            family="convbert", says="ConvBERT medium-small's parameters", claimed="17 M", counted=millions(medium),
            verdict=judge(17e6, medium, 1e6), reason="The body, without head.",
            source="yitu-opensource/ConvBert, README", url="https://github.com/yitu-opensource/ConvBert",
        ),
        Claim(
            family="convbert", says="ConvBERT base's parameters", claimed="106 M", counted=millions(base),
            verdict=judge(106e6, base, 1e6),
            reason=f"The body, without head; BERT-base's body has {millions(bert.stored)}.",
            source="PaddleNLP, ConvBERT", url="https://github.com/PaddlePaddle/PaddleNLP",
        ),
        file("conv-bert-small", 52.7, 0.1),
        file("conv-bert-medium-small", 70, 1),
        file("conv-bert-base", 423, 1),
        Claim(
            family="convbert", says="cost of pre-training, of ELECTRA-base's", claimed="less than 1/4", counted="",
            verdict="open", reason="Nothing here repeats the authors' pre-training.", source=CONVBERT_PAPER[0],
            url=CONVBERT_PAPER[1],
        ),
    ]  # fmt: skip


def frame(claims: Iterable[Claim]) -> pandas.DataFrame:
    """One row a claim."""
    import pandas

    return pandas.DataFrame(
        [
            {
                "claim": claim.says, "claimed": claim.claimed, "counted here": claim.counted, "verdict": claim.verdict,
                "reason": claim.reason, "source": claim.source, "url": claim.url,
            }
            for claim in claims
        ]
    )  # fmt: skip


# -- as quoted ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A published table, as published. Empty cells: the source gives no number."""

    family: str
    title: str
    source: str
    url: str
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
        family="bort", title="Bort on GLUE, test sets", source=BORT_README[0], url=BORT_README[1],
        note="After fine-tuning with Agora. The authors say that conventional fine-tuning works less well.",
        columns=("model", "GLUE", "CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI-m", "MNLI-mm", "QNLI", "RTE", "WNLI",
                 "AX"),
        rows=_rows("""
            Bort | 83.6 | 63.9 | 96.2 | 94.1/92.3 | 89.2/88.3 | 66.0/85.9 | 88.1 | 87.8 | 92.3 | 82.7 | 71.2 | 51.9
            BERT-large|80.5|60.5|94.9 | 89.3/85.4 | 87.6/86.5 | 72.1/89.3 | 86.7 | 85.9 | 92.7 | 70.1 | 65.1 | 39.6
        """),
    ),
    Quoted(
        family="bort", title="Bort on SuperGLUE, test sets", source=BORT_README[0], url=BORT_README[1],
        note="After fine-tuning with Agora.",
        columns=("model", "SuperGLUE", "BoolQ", "CB", "COPA", "MultiRC", "ReCoRD", "RTE", "WiC", "WSC", "AX-b", "AX-g"),
        rows=_rows("""
            Bort | 74.1 | 83.7 | 81.9/86.5 | 89.6 | 83.7/54.1 | 49.8/49.0 | 81.2 | 70.1 | 65.8 | 48.0 | 96.1/61.5
            BERT-large | 69.0 | 77.4 | 75.7/83.6 | 70.6 | 70.0/24.1 | 72.0/71.3 | 71.7 | 69.6 | 64.4 | 23.0 | 97.8/51.7
        """),
    ),
    Quoted(
        family="albert", title="ALBERT and BERT after 125,000 steps", source="ALBERT, table 2", url=ALBERT_PAPER,
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
        family="albert", title="What sharing costs", source="ALBERT, table 4", url=ALBERT_PAPER,
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
        family="albert", title="What the width of the words is worth (average)", source="ALBERT, table 3",
        url=ALBERT_PAPER, note="ALBERT base; parameters are the paper's.",
        columns=("E", "nothing shared", "its average", "everything shared", "its average "),
        rows=_rows("""
            64 | 87 M | 81.3 | 10 M | 79.0
            128 | 89 M | 81.7 | 12 M | 80.1
            256 | 93 M | 81.8 | 16 M | 79.6
            768 | 108 M | 82.3 | 31 M | 79.8
        """),
    ),
    Quoted(
        family="albert", title="Versions 1 and 2", source="google-research/albert, README",
        url="https://github.com/google-research/albert",
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
        family="albert", title="ALBERT xxlarge on GLUE, development sets", source="ALBERT, table 9", url=ALBERT_PAPER,
        note="One model, 1.5 M steps. The ensemble reached 89.4 on the test sets.",
        columns=("model", "MNLI", "QNLI", "QQP", "RTE", "SST-2", "MRPC", "CoLA", "STS-B"),
        rows=_rows("ALBERT xxlarge | 90.8 | 95.3 | 92.2 | 89.2 | 96.9 | 90.9 | 71.4 | 93.0"),
    ),
    Quoted(
        family="convbert", title="ConvBERT base on GLUE", source=CONVBERT_PAPER[0], url=CONVBERT_PAPER[1],
        note="0.7 more than ELECTRA-base, for less than a quarter of its training cost, says the abstract.",
        columns=("model", "GLUE"), rows=_rows("ConvBERT base | 86.4"),
    ),
)  # fmt: skip
