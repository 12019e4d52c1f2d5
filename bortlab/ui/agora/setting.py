"""How Agora runs on the visitor's data: the model, how many examples, the labeller, and the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from bortlab.analysis.intervals import Interval
from bortlab.data.labelled import LabelledData, fingerprint
from bortlab.system.machine import cores
from bortlab.training.agora import GENERATORS, RULES, job, labeller_accuracy, labeller_named, scarce
from bortlab.training.finetune import ComparisonPlan
from bortlab.ui import opened, shared
from bortlab.ui.finetune.running import TRAINING_FLOPS, mean_pieces, reference_of
from bortlab.ui.startup import bundled
from bortlab.work.reference import ModelReference

LEARNER, ENCODER = "bort-mini", "minilm-l6"
LABELLERS = {"frozen MiniLM + linear": f"frozen {ENCODER}", "TF-IDF + linear": "words"}
"""What the box and the link call them, and their names for `labeller_named`."""
AMOUNTS = (50, 100, 200, 300)
USUAL = 100
SETS = (2, 3, 4, 6, 8)
EPOCHS = (1, 2, 4, 8, 15)


@dataclass(frozen=True, slots=True)
class Setting:
    """The visitor's choices. name: of the data as chosen. data: what is left of them. choices: of the job."""

    name: str
    data: LabelledData
    model: str
    labeller: str
    choices: dict[str, Any]

    @property
    def reference(self) -> ModelReference:
        """How the job loads the model."""
        return reference_of(self.model)


def choose_setting(data: LabelledData) -> Setting:
    """Two rows of controls, the second in an expander."""
    first = st.columns(4)
    model = first[0].selectbox(
        "The model that learns",
        models := opened.choosable(bundled()),
        index=models.index(LEARNER) if LEARNER in models else 0,
        key="learner",
        bind="query-params",
    )
    learn = _amount(first[1], "Examples to learn from (D)", "learn", len(data.train))
    search = _amount(first[2], "Examples to search with (E)", "search", len(data.dev))
    labeller = first[3].selectbox(
        "Labeller of new points (S)",
        list(LABELLERS),
        key="labeller",
        bind="query-params",
        help="It learns from D alone. Agora assumes that it is right in more than 2/3.",
    )
    return Setting(data.name, scarce(data, learn=learn, search=search), model or "", LABELLERS[labeller], _choices())


def _amount(column: Any, label: str, key: str, most: int) -> int:
    """How many examples, from AMOUNTS as far as there are more; else all."""
    options = [*(n for n in AMOUNTS if n < most), most]
    if st.session_state.get(key, options[0]) not in options:
        del st.session_state[key]  # of other data
    usual = options.index(USUAL) if USUAL in options else len(options) - 1
    return int(column.selectbox(label, options, index=usual, key=key, bind="query-params"))


def _choices() -> dict[str, Any]:
    """Of `agora`: the small preset, and what is changed of it."""
    with st.expander("Options"):
        boxes = st.columns(4)
        sets = boxes[0].selectbox(
            "Sets of hyper-parameters",
            SETS,
            index=SETS.index(job.SMALL["n_sets"]),
            key="sets",
            bind="query-params",
            help="Drawn from a grid of rate, dropout, batch and seed. Each is trained in every round until it leaves.",
        )
        epochs = boxes[1].selectbox(
            "Epochs", EPOCHS, index=EPOCHS.index(job.SMALL["epochs"]), key="epochs", bind="query-params"
        )
        generator = boxes[2].selectbox(
            "New points by",
            list(GENERATORS),
            key="generator",
            bind="query-params",
            help="masked-lm: words that the model itself proposes; embedding-noise: nearby words of its word table; "
            "swap, delete: words exchanged or left out.",
        )
        rule = boxes[3].selectbox(
            "Sets leave by",
            list(RULES),
            key="rule",
            bind="query-params",
            help="Readings of “the longest common sequence, rooted at the first element”; worst: the worst set alone.",
        )
    budget = sets * (sets + 1) // 2
    return {
        **job.SMALL,
        "n_sets": sets,
        "epochs": epochs,
        "generator": generator,
        "options": {"budget": budget, "rule": rule},
    }


def labeller_right(setting: Setting) -> Interval:
    """How often the labeller is right on E; computed once for the data and the labeller."""
    key = (fingerprint(setting.data), setting.labeller)
    kept = st.session_state.get("labeller-right")
    if kept is None or kept[0] != key:
        with st.spinner("The labeller learns …"):
            accuracy = _measured(setting, key)
        st.session_state["labeller-right"] = kept = (key, (accuracy.value, accuracy.low, accuracy.high))
    return Interval(*kept[1])


def _measured(setting: Setting, key: tuple[str, str]) -> Interval:
    data, labeller = setting.data, setting.labeller
    if labeller == "words":
        return labeller_accuracy(labeller_named(labeller, data), data.dev)
    with opened.lease(ENCODER) as model:
        return shared.compute(
            model, ("labeller", *key), lambda _: labeller_accuracy(labeller_named(labeller, data), data.dev)
        )


def estimated_seconds(setting: Setting) -> float:
    """About how long a run takes at most on an idle machine; one training at a time, on all cores."""
    data, choices, reference = setting.data, setting.choices, setting.reference
    plan = ComparisonPlan(models=(reference,), changes={name: choices[name] for name in ("epochs", "length")})
    config, pieces = reference.load().config, mean_pieces(data)
    learned = 3 * plan.cost(config, len(data.train) + len(data.dev), pieces=pieces)
    scored = plan.cost(config, len(data.dev), pieces=pieces)
    macs = job.most_trainings(choices) * (learned + scored) + plan.cost(config, len(data.test), pieces=pieces)
    return 20.0 + 2 * macs / (TRAINING_FLOPS * cores())
