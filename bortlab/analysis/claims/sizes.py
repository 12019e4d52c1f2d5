"""Every published size, as data."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

from bortlab import registry
from bortlab.analysis.claims.claim import Claim, Source
from bortlab.analysis.parameters import Sizes, formula

BORT_README = Source("alexa/bort, README", "https://github.com/alexa/bort")
BORT_PAPER = Source("Bort, abstract", "https://arxiv.org/abs/2010.10499")
BORT_BLOG = Source("author's blog, 2020", "https://github.com/adewynter/adewynter.github.io")
BORT_FILES = Source("amazon/bort, files", "https://huggingface.co/amazon/bort/tree/main")
ALBERT_URL = "https://arxiv.org/abs/1909.11942"
ALBERT_SECTION = Source("ALBERT, section 1", ALBERT_URL)
ALBERT_TABLE_1 = Source("ALBERT, table 1", ALBERT_URL)
ALBERT_TABLE_2 = Source("ALBERT, table 2", ALBERT_URL)
ALBERT_TABLES_3_4 = Source("ALBERT, tables 3 and 4", ALBERT_URL)
CONVBERT_PAPER = Source("ConvBERT, abstract", "https://arxiv.org/abs/2008.02496")
CONVBERT_README = Source("yitu-opensource/ConvBert, README", "https://github.com/yitu-opensource/ConvBert")
PADDLE = Source("PaddleNLP, ConvBERT", "https://github.com/PaddlePaddle/PaddleNLP")


@functools.cache
def counted(key: str, *heads: str, **changes: Any) -> Sizes:
    """The sizes of a published architecture with some fields changed, and the heads that stand on its body."""
    return formula(replace(registry.architecture(key)[1], **changes), heads)


def millions(weights: int) -> str:
    """11,683,584 -> "11.68 M"."""
    return f"{weights / 1e6:,.2f} M"


def sizes() -> tuple[Claim, ...]:
    """Every claim about sizes, checked."""
    return (*BORT, *ALBERT, *CONVBERT)


# -- Bort --------------------------------------------------------------------------------------------------------------

RELEASED_BORT = counted("bort", "masked-lm")
"""Width 1024, feed-forward 768."""
SWAPPED_BORT = counted("bort", "masked-lm", "pooler", hidden_size=768, intermediate_size=1024)
"""Bort as the first README had it: width 768, feed-forward 1024."""
_POOLED = counted("bort", "masked-lm", "pooler")
_BODY = counted("bort")
_LARGE = counted("bert-large-uncased", "masked-lm", "pooler")
_LARGE_BODY = counted("bert-large-uncased")
_LARGE_POOLED = counted("bert-large-uncased", "pooler")


def _embeddings(sizes: Sizes) -> int:
    return sizes.by_component()["embeddings"]


def _outside(sizes: Sizes) -> float:
    """Percentage of the weights outside the embeddings."""
    return 100 * sizes.effective / sizes.stored


_SWAPPED = "With width 768 and feed-forward 1024 it is {}; the released model has the two swapped."

BORT = (
    Claim(
        family="bort",
        about="Bort's parameters",
        claimed="56 M",
        value=RELEASED_BORT.stored / 1e6,
        reason=f"{_SWAPPED.format(millions(SWAPPED_BORT.stored))} 56 is the count with pooler and tied masked-LM head. "
        f"The released model has {RELEASED_BORT.stored:,} with that head, {_BODY.stored:,} without.",
        source=BORT_README,
    ),
    Claim(
        family="bort",
        about="Bort's embeddings",
        claimed="39 M",
        value=_embeddings(_POOLED) / 1e6,
        reason=_SWAPPED.format(f"{_embeddings(SWAPPED_BORT):,}"),
        source=BORT_README,
    ),
    Claim(
        family="bort",
        about="share of Bort's parameters outside the embeddings",
        claimed="30.3%",
        value=_outside(_POOLED),
        reason=f"{_SWAPPED.format(f'{_outside(SWAPPED_BORT):.1f}%')} Pooler and head are counted as outside.",
        source=BORT_README,
    ),
    Claim(
        family="bort",
        about="Bort's effective size, without embeddings, as a share of BERT-large's",
        claimed="5.5%",
        value=100 * _BODY.effective / _LARGE_BODY.effective,
        reason=f"Counted: the layers alone, {_BODY.effective:,} of {_LARGE_BODY.effective:,}. (56 − 39) / "
        "(340 − 31.8), from the README, is 5.5%, and these are the sizes of a Bort of width 768 and feed-forward "
        "1024; the released model has the two swapped.",
        source=BORT_PAPER,
    ),
    Claim(
        family="bort",
        about="Bort's net size as a share of BERT-large's",
        claimed="16%",
        value=100 * _BODY.stored / _LARGE_POOLED.stored,
        reason=f"Counted: {_BODY.stored:,} of {_LARGE_POOLED.stored:,}. 56 / 340 is 16%, and 56 M is a Bort of width "
        "768 and feed-forward 1024; the released model has the two swapped.",
        source=BORT_PAPER,
    ),
    Claim(
        family="bort",
        about="Bort's parameters (the author's blog)",
        claimed="51 M",
        value=_BODY.stored / 1e6,
        reason="No count of either configuration gives 51 M; the README says 56 M. The released word table alone has "
        f"{millions(_BODY.shares[0].stored)}.",
        source=BORT_BLOG,
    ),
    Claim(
        family="bort",
        about="BERT-large's parameters",
        claimed="340 M",
        value=_LARGE.stored / 1e6,
        reason="Counted with pooler and masked-LM head, for the uncased vocabulary of 30,522 pieces; 340 M is the "
        "number in BERT's paper.",
        source=BORT_README,
    ),
    Claim(
        family="bort",
        about="BERT-large's embeddings",
        claimed="31.8 M",
        value=_embeddings(_LARGE) / 1e6,
        reason="Word, position and type tables, and their norm.",
        source=BORT_README,
    ),
    Claim(
        family="bort",
        about="share of BERT-large's parameters outside the embeddings",
        claimed="90.6%",
        value=_outside(_LARGE),
        reason="(340 − 31.8) / 340 is 90.6%.",
        source=BORT_README,
    ),
    Claim(
        family="bort",
        about="Bort's file of TensorFlow weights, float32",
        claimed="305 MB",
        value=RELEASED_BORT.n_bytes() / 1e6,
        reason=f"{RELEASED_BORT.stored:,} weights of four bytes: the file itself shows that the released Bort has "
        "76 M.",
        source=BORT_FILES,
    ),
    Claim(
        family="bort",
        about="Bort's file of PyTorch weights, float16",
        claimed="255 MB",
        value=2 * RELEASED_BORT.executed / 1e6,
        reason=f"The {RELEASED_BORT.tied:,} weights of the word table are in it twice: once more as the decoder that "
        "is tied to it.",
        source=BORT_FILES,
    ),
    Claim(
        family="bort",
        about="GPU-hours of pre-training",
        claimed="288",
        value=None,
        reason="Nothing here repeats the authors' pre-training.",
        source=BORT_PAPER,
    ),
)

# -- ALBERT ------------------------------------------------------------------------------------------------------------

SHARING: tuple[tuple[int, str, int], ...] = (
    (64, "everything shared", 10),
    (128, "everything shared", 12),
    (256, "everything shared", 16),
    (768, "everything shared", 31),
    (64, "nothing shared", 87),
    (128, "nothing shared", 89),
    (256, "nothing shared", 93),
    (768, "nothing shared", 108),
    (128, "attention shared", 64),
    (128, "feed-forward shared", 38),
    (768, "attention shared", 83),
    (768, "feed-forward shared", 57),
)
"""ALBERT base in tables 3 and 4: E, what the layers share, and millions of parameters."""


def shared_partly(embed: int, shared: str) -> int:
    """Weights of ALBERT base with pooler when the layers share only parts of a block; no projection where E is H."""
    changes: Any = {"embedding_size": embed}
    config = replace(registry.architecture("albert-base-v2")[1], **changes)
    all_shared = formula(config, ("pooler",))
    block, copies = all_shared.of_block(0), config.depth - 1
    attention = block["attention"] + block["norms"] // 2  # a part's own norm goes with it
    whole = sum(block.values())
    repeated = {
        "everything shared": 0,
        "nothing shared": whole,
        "attention shared": whole - attention,
        "feed-forward shared": attention,
    }[shared]
    projection = 0 if embed != config.hidden_size else embed * config.hidden_size + config.hidden_size
    return all_shared.stored + copies * repeated - projection


def _released_albert(size: str, claimed: str) -> Claim:
    stored = counted(f"albert-{size}-v2", "pooler").stored
    with_head = counted(f"albert-{size}-v2", "pooler", "masked-lm").stored
    claim = Claim(
        family="albert",
        about=f"ALBERT {size}'s parameters",
        claimed=claimed,
        value=stored / 1e6,
        reason="Body and pooler.",
        source=ALBERT_TABLE_1,
    )
    if claim.verdict == "holds":
        return claim
    reason = f"The released model has fewer: {stored:,}, body and pooler; with the masked-LM head {with_head:,}."
    return replace(claim, reason=reason)


def _bert_in_alberts_table(size: str, claimed: str) -> Claim:
    own = counted(f"bert-{size}-uncased", "pooler").stored
    return Claim(
        family="albert",
        about=f"BERT-{size}'s parameters, in ALBERT's table",
        claimed=claimed,
        value=counted(f"bert-{size}-uncased", vocab_size=30_000).stored / 1e6,
        reason="With ALBERT's vocabulary of 30,000, without pooler; BERT with its own vocabulary and pooler has "
        f"{millions(own)}.",
        source=ALBERT_TABLE_1,
    )


def _sharing(embed: int, shared: str, claimed: int) -> Claim:
    stored, pooler = shared_partly(embed, shared), 768 * 768 + 768
    claim = Claim(
        family="albert",
        about=f"ALBERT base, E = {embed}, {shared}",
        claimed=f"{claimed} M",
        value=stored / 1e6,
        reason="Body and pooler.",
        source=ALBERT_TABLES_3_4,
    )
    without = replace(claim, value=(stored - pooler) / 1e6)
    reason = claim.reason
    if claim.verdict != "holds" and without.verdict == "holds":
        reason += f" Without the pooler it is {without.counted}, which rounds to the table's number."
    if embed == 768:
        reason += " E is H, so the table's network needs no projection."
    return replace(claim, reason=reason)


_ALBERT_LARGE = counted("albert-large-v2", "pooler")

ALBERT = (
    *(
        _released_albert(size, claimed)
        for size, claimed in (("base", "12 M"), ("large", "18 M"), ("xlarge", "60 M"), ("xxlarge", "235 M"))
    ),
    *(_bert_in_alberts_table(size, claimed) for size, claimed in (("base", "108 M"), ("large", "334 M"))),
    Claim(
        family="albert",
        about="times fewer parameters in ALBERT large than in BERT-large",
        claimed="18×",
        value=_LARGE_POOLED.stored / _ALBERT_LARGE.stored,
        reason=f"{_LARGE_POOLED.stored:,} / {_ALBERT_LARGE.stored:,}, both with pooler; 334 / 18, from table 1, is "
        "18.6: the paper rounds down. With every use counted, ALBERT executes "
        f"{millions(_ALBERT_LARGE.executed)}, for its one block is used 24 times.",
        source=ALBERT_SECTION,
        rounds_down=True,
    ),
    *(_sharing(embed, shared, claimed) for embed, shared, claimed in SHARING),
    Claim(
        family="albert",
        about="times faster training of ALBERT large than of BERT-large",
        claimed="1.7×",
        value=None,
        reason="Throughput of training on the authors' TPUs.",
        source=ALBERT_TABLE_2,
    ),
)

# -- ConvBERT ----------------------------------------------------------------------------------------------------------


def _convbert_file(key: str, claimed: str) -> Claim:
    checkpoint = registry.find(key)[1]
    head = counted(key, "masked-lm").n_bytes() / 1e6
    return Claim(
        family="convbert",
        about=f"{checkpoint.title}'s file, float32",
        claimed=claimed,
        value=counted(key).n_bytes() / 1e6,
        reason=f"The body alone; with a masked-LM head it would be {head:.1f} MB, so the file has none. The names of "
        "the tensors come on top.",
        source=Source(f"{checkpoint.source}, files", f"https://huggingface.co/{checkpoint.source}/tree/main"),
    )


CONVBERT = (
    Claim(
        family="convbert",
        about="ConvBERT medium-small's parameters",
        claimed="17 M",
        value=counted("conv-bert-medium-small").stored / 1e6,
        reason="The body, without head.",
        source=CONVBERT_README,
    ),
    Claim(
        family="convbert",
        about="ConvBERT base's parameters",
        claimed="106 M",
        value=counted("conv-bert-base").stored / 1e6,
        reason=f"The body, without head; BERT-base's body has {millions(counted('bert-base-uncased').stored)}.",
        source=PADDLE,
    ),
    _convbert_file("conv-bert-small", "52.7 MB"),
    _convbert_file("conv-bert-medium-small", "70 MB"),
    _convbert_file("conv-bert-base", "423 MB"),
    Claim(
        family="convbert",
        about="cost of pre-training, as a share of ELECTRA-base's",
        claimed="less than 1/4",
        value=None,
        reason="Nothing here repeats the authors' pre-training.",
        source=CONVBERT_PAPER,
    ),
)
