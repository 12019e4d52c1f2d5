"""What the page counts: which architectures, built for which task, with which weights, for how much text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st
import torch

from bortlab import registry
from bortlab.analysis import flops
from bortlab.analysis import parameters as analysis
from bortlab.models import FAMILIES, Config
from bortlab.views.parameters import CountedModel

DEFAULT = ("albert-base-v2", "conv-bert-base", "bort", "bert-base-uncased", "bert-large-uncased")
TASKS = (
    "encoder",
    "masked-lm",
    "sequence-classification",
    "token-classification",
    "question-answering",
    "multiple-choice",
)
"""What every family can be built for."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the page counts for."""

    task: str
    dtype: str
    batch: int
    seq: int

    def heads(self, family: str) -> tuple[str, ...]:
        """What stands on a family's body for the task."""
        return FAMILIES[family].network.tasks[self.task]


def architectures() -> list[str]:
    """Keys of all known architectures."""
    return [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]


def choose() -> list[str]:
    """The architectures to compare, in the sidebar and in the link: all published ones, and the minis."""
    return st.sidebar.multiselect(
        "Architectures",
        architectures(),
        default=list(DEFAULT),
        key="architectures",
        bind="query-params",
        persist_state="session",
        help="Sizes need no weights: every published architecture is here, and nothing is downloaded.",
    )


def settings(keys: Sequence[str]) -> Setting:
    """What to count for: one row of controls."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        task = st.selectbox(
            "Built for",
            TASKS,
            key="task",
            bind="query-params",
            width=240,
            help="The encoder has a pooler where its family has one; each task has its own head.",
        )
        dtype = st.selectbox("Weights as", list(analysis.BYTES), key="dtype", bind="query-params", width=130)
        batch = st.number_input("Texts at once", 1, 4096, 1, key="batch", bind="query-params", width=130)
        longest = max((registry.architecture(key)[1].max_position_embeddings for key in keys), default=512)
        seq = st.number_input(
            "Pieces each",
            1,
            4096,
            128,
            key="pieces",
            bind="query-params",
            width=130,
            help=f"Up to {longest:,}, the positions of these models.",
        )
    return Setting(task or "encoder", dtype or "float32", int(batch), int(seq))


def count(keys: Sequence[str], setting: Setting) -> dict[str, CountedModel]:
    """The sizes of each architecture."""
    if not keys:
        st.info("Choose at least one architecture in the sidebar.")
    return {key: counted(key, registry.architecture(key)[1], setting) for key in keys}


def counted(key: str, config: Config, setting: Setting, title: str | None = None) -> CountedModel:
    """The sizes of a configuration of an architecture's family. title: the architecture's own unless told."""
    family = family_of(key)
    return CountedModel(title or title_of(key), family, config, analysis.formula(config, setting.heads(family)))


def title_of(key: str) -> str:
    """What people call an architecture."""
    return registry.find(key)[1].title


def family_of(key: str) -> str:
    """The name of an architecture's family."""
    return registry.architecture(key)[0].name


@lru_cache(maxsize=512)
def activation_memory(family: str, config: Config, setting: Setting) -> flops.Activations:
    """Bytes of activations; ValueError for a text that the model cannot read."""
    dtypes: Mapping[str, torch.dtype] = {"bfloat16": torch.bfloat16, "float16": torch.float16}
    return flops.activations(
        FAMILIES[family],
        config,
        setting.task,
        batch=setting.batch,
        seq=setting.seq,
        dtype=dtypes.get(setting.dtype, torch.float32),
    )
