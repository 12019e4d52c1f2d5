"""Fitting a random head, or a tuned lens, on this machine: the button, the progress, and what was gained."""

from __future__ import annotations

import streamlit as st

from bortlab.model import Model
from bortlab.registry import fitted
from bortlab.system.numbers import duration
from bortlab.training import fit
from bortlab.ui import shared
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.work.jobs import Job
from bortlab.work.reference import can_be_loaded_again

HEAD_HELP = "Trains the masked-LM head, and nothing else, on the bundled corpus, and keeps it on this machine."


def about_head(model: Model) -> None:
    """Offer to fit a random masked-LM head, or say how good a fitted one is; nothing for a trained one."""
    provenance = model.heads.get("masked-lm")
    if provenance == fitted.PROVENANCE:
        _worth(model)
    elif provenance == "random" and can_be_loaded_again(model):
        job = fit.job(model)
        seconds = shared.ask(model, ("seconds to fit the head",), fit.estimated_seconds)
        panel(job, seconds, what="head", help=HEAD_HELP)


def panel(job: Job, seconds: float, *, what: str, help: str) -> None:
    """The job of fitting something. seconds: how long it will take. what: its name; help: what the button does."""
    labels = Labels(
        doing=f"Fitting the {what}",
        start=f"Fit this {what} here",
        resume=f"Resume fitting this {what}",
        note=f"It takes {duration(seconds)} on this machine, in the background.",
        help=help,
        icon=":material/build:",
    )
    job_panel(job, labels)


def _worth(model: Model) -> None:
    """How good a fitted head is, by its card."""
    card = fitted.card_of(model.key, model.revision)
    if card is not None and card.get("encoder") == model.encoder_fingerprint:
        before, after = (100 * card["heldout"][when]["masked_accuracy"] for when in ("before", "after"))
        st.caption(
            f"Head fitted on {card['pieces_seen']:,} pieces in {duration(card['seconds'])}: "
            f"it guesses {after:.1f} % of held-out pieces right, up from {before:.1f} %."
        )
