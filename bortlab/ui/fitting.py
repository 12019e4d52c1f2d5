"""A button that fits a random head, or a tuned lens, here; how far that is, and what came of it."""

from __future__ import annotations

import streamlit as st

from bortlab.model import Model
from bortlab.registry import fitted
from bortlab.system.numbers import duration
from bortlab.training import fit
from bortlab.ui import shared
from bortlab.views.escape import markdown
from bortlab.work.jobs import Job, Status

POLL_S = 1.0
"""Seconds between two looks at a job that runs."""
HEAD_HELP = "Trains the masked-LM head, and nothing else, on the bundled corpus, and keeps it on this machine."


def about_head(model: Model) -> None:
    """Offer to fit a random masked-LM head; say of a fitted one what it is worth; nothing for a trained one."""
    provenance = model.heads.get("masked-lm")
    if provenance == fitted.PROVENANCE:
        _worth(model)
    elif provenance == "random" and model.source in fit.LOADABLE:
        job = fit.job(model)
        seconds = shared.ask(model, ("seconds to fit the head",), fit.estimated_seconds).value
        panel(job, seconds, what="head", help=HEAD_HELP)


def panel(job: Job, seconds: float, *, what: str, help: str) -> None:
    """The job of fitting something: start, progress, cancel. what: its name; help: what the button does."""
    status = job.status()
    alive = status is not None and status.alive
    st.fragment(_panel, run_every=POLL_S if alive else None)(job, seconds, what, help, was_alive=alive)


def _panel(job: Job, seconds: float, what: str, help: str, *, was_alive: bool) -> None:
    """was_alive: when the page was drawn."""
    status = job.status()
    if status is not None and status.alive:
        st.progress(status.progress, text=markdown(f"Fitting the {what}. {status.message}{_left(status)}"))
        if st.button("Cancel", key=f"cancel-{job.folder.name}", icon=":material/close:"):
            job.cancel()
            st.rerun()
    elif was_alive:
        st.rerun()  # the whole page: it loads the model again, and the badge says what it has
    else:
        _offer(job, seconds, what, help, status)


def _offer(job: Job, seconds: float, what: str, help: str, status: Status | None) -> None:
    interrupted = status is not None and status.state in ("failed", "cancelled")
    if status is not None and interrupted:
        (st.error if status.state == "failed" else st.info)(markdown(status.message))
    pressed = st.button(
        f"Go on fitting this {what}" if interrupted else f"Fit this {what} here",
        key=f"start-{job.folder.name}",
        icon=":material/build:",
        help=help,
    )
    st.caption(f"It takes {duration(seconds)} on this machine, beside your work.")
    if pressed:
        with shared.sentences():
            job.start()
            st.rerun()


def _worth(model: Model) -> None:
    """What the card of a fitted head says."""
    card = fitted.card_of(model.key, model.revision)
    if card is not None and card.get("encoder") == model.encoder_fingerprint:
        before, after = (100 * card["heldout"][when]["masked_accuracy"] for when in ("before", "after"))
        st.caption(
            f"Head fitted on {card['pieces_seen']:,} pieces in {duration(card['seconds'])}: "
            f"{after:.1f} % of held-out pieces guessed right, {before:.1f} % before."
        )


def _left(status: Status) -> str:
    seconds = status.numbers.get("seconds_left")
    return f" {duration(seconds).capitalize()} left." if isinstance(seconds, int | float) and seconds > 0 else ""
