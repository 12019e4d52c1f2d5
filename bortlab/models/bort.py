"""Bort: the sub-architecture of BERT that a search found optimal in size, speed and error.

de Wynter and Perry 2020, "Optimal Subarchitecture Extraction For BERT" (arXiv 2010.10499). Four of BERT's blocks, with
a feed-forward part (768) narrower than the width (1024), eight heads, RoBERTa's cased byte-level vocabulary, 512
positions counted from 0, no token types and no pooler. Published as a BERT with one token type whose vector is zero
(`type_vocab_size` 1); that row is kept, so that sizes and files agree, and stays zero and untrained.

The published file has a masked-LM head, but the conversion that made it copied none: its weights are random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch

from bortlab.models.bert import RENAMES, TASKS, TIED, Bert, BertConfig
from bortlab.models.config import Config
from bortlab.models.family import Checkpoint, Family


@dataclass(frozen=True, kw_only=True)
class BortConfig(BertConfig):
    """Sizes of a Bort. Its config.json says model_type "bert"."""

    vocab_size: int = 50265
    hidden_size: int = 1024
    num_hidden_layers: int = 4
    num_attention_heads: int = 8
    intermediate_size: int = 768
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-5
    pad_token_id: int = 1


class Bort(Bert):
    """BERT's blocks with Bort's sizes, one constant token type, and no pooler in the body.

    A text as a whole is judged by dense, tanh and a linear map on the first position, as the authors' classifier does:
    BERT's pooler and classifier, which is also how transformers builds and names them. They are new for each task.
    """

    tasks = {name: heads for name, heads in TASKS.items() if name != "pre-training"} | {"encoder": ()}

    def __init__(self, config: Config, task: str = "masked-lm") -> None:
        super().__init__(config, task)
        self.embeddings.types.weight.requires_grad_(False)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> Self:
        """Random weights as BERT's, and zeros for the token type that Bort does not have."""
        super().initialise(generator)
        self.embeddings.types.weight.zero_()
        return self


FAMILY = Family(
    name="bort",
    title="Bort",
    idea="Search the sizes: few layers and a narrow feed-forward part lose little and are several times faster.",
    paper="https://arxiv.org/abs/2010.10499",
    config=BortConfig,
    network=Bort,
    architecture="BertForMaskedLM",
    tokenizer="byte-bpe",
    renames=RENAMES,
    tied=TIED,
    prefix="bert.",
    mini=BortConfig(
        vocab_size=8192,
        hidden_size=352,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=264,
        max_position_embeddings=128,
        hidden_act="gelu_new",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ),
    checkpoints=(
        Checkpoint(key="bort-mini", title="Bort mini", source="bundled", licence="Apache-2.0"),
        Checkpoint(
            key="bort",
            title="Bort",
            source="amazon/bort",
            licence="Apache-2.0",
            config=BortConfig(),
            masked_lm="random",
            note="The published masked-LM head was never trained: the conversion left it random.",
        ),
    ),
)
