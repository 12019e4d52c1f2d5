"""The parts of the Models page."""

from __future__ import annotations

import time

import streamlit as st

from bortlab import hub, registry
from bortlab.models import FAMILIES
from bortlab.registry import Resident
from bortlab.system import settings
from bortlab.system.numbers import ago, data_size
from bortlab.ui import opened, shared
from bortlab.ui.opened import Download
from bortlab.ui.startup import bundled, minis, wait_for_minis
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown
from bortlab.views.models import SOURCES

POLL_S = 0.5
"""How often the page looks at a download."""
CARD = 210
"""Width of a loaded model's card in pixels: three stand side by side on a laptop, one on a phone."""

EXPLANATION = f"""
* **Memory** holds the weights in float32, four bytes a number. When a model does not fit beside the others, the
  least recently used one is unloaded, and loaded again when it is needed; one in use is never unloaded. The limit is
  a quarter of this machine's memory, or `{settings.BUDGET.name}` megabytes.
* **Hugging Face**: *Look it up* sends the repository's name there, a download asks for its files, and nothing else is
  ever sent. A file is kept only if its checksum is right, in the cache that all Hugging Face libraries share; after
  that it needs no network. `HF_ENDPOINT` names a mirror; no token is sent unless it stands in `{settings.TOKEN.name}`.
* **Safety**: nothing in a checkpoint can run code. Configurations are read through a list of allowed keys with bounds,
  pickles by a reader that builds tensors alone, and every tensor must fit.
* **Heads**: *trained* was trained with the encoder; *random* is noise. The published ConvBERT files hold no masked-LM
  head, and Bort's was never trained, so their guesses mean nothing. Their encoders are real.
* **Family**: a published Bort calls itself `bert` in its config.json. Say *Bort* for one.
* **Folders** of this machine can be opened only where the server listens to this machine alone, for their names would
  tell others what is on its disk; `{settings.FOLDERS.name}=1` allows it anywhere, `0` nowhere.
"""


# -- in memory ---------------------------------------------------------------------------------------------------------


def in_memory() -> None:
    """What is loaded, with a meter of the memory and a button to unload each."""
    st.header("In memory", anchor=False)
    wait_for_minis()
    with shared.sentences():
        loaded, budget = registry.loaded(), registry.REGISTRY.budget
        taken = sum(resident.n_bytes for resident in loaded)
        st.progress(
            min(1.0, taken / budget),
            f"{len(loaded)} {'model' if len(loaded) == 1 else 'models'}, {data_size(taken)} of {data_size(budget)}",
        )
        with st.container(horizontal=True, gap="small"):
            for number, resident in enumerate(reversed(loaded)):
                _card(resident, number)


def _card(resident: Resident, number: int) -> None:
    used = "in use now" if resident.in_use else f"used {ago(time.time() - resident.last_used)}"
    where = SOURCES.get(resident.source, resident.source)
    if resident.source == "hub":
        where += f", commit {resident.revision[:7]}"
    heading = model_heading(
        opened.title(resident.key),
        resident.family,
        head=resident.heads.get("masked-lm"),
        facts=[data_size(resident.n_bytes), used],
        look=shared.look(),
        adaptation=resident.adaptation,
        here=resident.source == registry.ADAPTED,
    )
    with st.container(border=True, width=CARD, gap="xxsmall"):
        st.html(heading)
        st.caption(f"{markdown(where)}  \nlicence: {markdown(opened.licence(resident.key))}")
        if st.button(
            "Unload",
            key=f"unload-{number}-{resident.key}",
            help="Frees the memory; the model is loaded again when it is asked for.",
            disabled=resident.in_use,
        ):
            registry.unload(resident.key)
            st.rerun()


# -- another one -------------------------------------------------------------------------------------------------------


def open_another() -> None:
    """Choose a model, see what it is and what getting it would cost, and get it."""
    st.header("Open another", anchor=False)
    name, family = _choose()
    with shared.sentences():
        running = opened.download()
        if running is not None and not running.over.is_set():
            _progress(running)
        elif name:
            _offer(name, family)


def _choose() -> tuple[str, str | None]:
    """The name of a model, as a key, a repository or a path, and its family where the visitor says one."""
    published = [
        checkpoint.key
        for family in FAMILIES.values()
        for checkpoint in family.checkpoints
        if checkpoint.source != "bundled" or checkpoint.key in bundled()
    ]
    left, right, last = st.columns([3, 4, 2])
    chosen = left.selectbox(
        "A known model",
        published,
        index=None,
        key="model",
        bind="query-params",
        placeholder="Choose one",
        help="Published checkpoints of the four families.",
    )
    folder = " or a folder" if opened.folders_allowed() else ""
    named = right.text_input(
        f"or any repository{folder}",
        key="named",
        placeholder="owner/name" + (" or /path/to/folder" if folder else ""),
        help="A Hugging Face repository of one of the four families"
        + (", or a folder of this machine with config.json, weights and tokenizer files." if folder else "."),
    )
    named = (named or "").strip()
    family = last.selectbox(
        "Family",
        ["", *FAMILIES],
        format_func=lambda name: FAMILIES[name].title if name else "as its files say",
        key="family",
        disabled=not named,
        help="Needed where config.json cannot tell: a published Bort calls itself bert.",
    )
    return named or chosen or "", (family or None) if named else None


def _offer(name: str, family: str | None) -> None:
    """What this model is, and the next step towards having it."""
    latest = opened.download()
    if latest is not None and latest.name == name:
        _result(latest)
        return
    if opened.is_folder(name):
        _load_button(name, family)
        return
    checkpoint = None if registry.is_repository(name) else registry.find(name)[1]
    repository, revision = (checkpoint.source, checkpoint.revision) if checkpoint else (name, None)
    if repository == "bundled" or hub.cached(repository, revision) is not None:
        _load_button(name, family)
    elif (plan := _plan(repository, revision)) is not None:
        _agree(name, plan, family)


def _load_button(name: str, family: str | None) -> None:
    key = st.session_state.get("just-opened", {}).get((name, family))
    if any(resident.key == key for resident in registry.loaded()):
        _ready(key)
        return
    st.markdown(f"{markdown(name)} needs no download.")
    if st.button("Load", key="load", type="primary"):
        with st.spinner("Loading …"):
            model = opened.open_model(name, family=family)
        st.session_state["just-opened"] = {(name, family): model.key}
        st.rerun()


def _ready(key: str) -> None:
    """A model is there: on to the pages that use it."""
    st.success(f"{markdown(opened.title(key))} is loaded. Every page that has models in its sidebar offers it now.")
    if st.button("Predict with it", key="predict", icon=":material/edit:"):
        st.switch_page("pages/predict.py", query_params={"models": [*minis(), key]})


def _plan(repository: str, revision: str | None) -> hub.DownloadPlan | None:
    """What the hub says of a repository, once the visitor lets us ask."""
    plan: hub.DownloadPlan | None = st.session_state.get("plan")
    if plan is not None and plan.repo_id == repository:
        return plan
    st.markdown(
        f"{markdown(repository)} is not on this machine. Looking it up sends its name to the hub, which returns its "
        "size and licence."
    )
    if not st.button("Look it up", key="look-up", type="primary", help=f"Asks {hub.endpoint()}"):
        return None
    with st.spinner(f"Asking {hub.endpoint()} …"):
        st.session_state["plan"] = hub.plan(repository, revision=revision)
    st.rerun()


def _agree(name: str, plan: hub.DownloadPlan, family: str | None) -> None:
    """Say what a download brings, and ask."""
    with st.container(border=True):
        st.markdown(
            f"**{markdown(plan.repo_id)}** at commit `{plan.revision[:12]}` · licence: **{markdown(plan.licence)}** · "
            f"{data_size(plan.missing_bytes)} to download, {data_size(plan.free_bytes)} free on the disk"
        )
        st.dataframe(
            [{"File": file.name, "Size": data_size(file.size)} for file in plan.files],
            hide_index=True,
            width="content",
            alt=f"The files of {plan.repo_id} and their sizes",
        )
        st.caption("By downloading you accept its licence. Read it where it was published, if you do not know it.")
        with st.container(horizontal=True):
            if st.button(
                f"Download {data_size(plan.missing_bytes)} and load",
                key="download",
                type="primary",
                icon=":material/download:",
            ):
                opened.start_download(name, plan, family)
                st.session_state["plan"] = None
                st.rerun()
            if st.button("No, thanks", key="decline"):
                st.session_state["plan"] = None
                st.rerun()


@st.fragment(run_every=POLL_S)
def _progress(running: Download) -> None:
    """How far the download is; looks again by itself, and draws the whole page when it is over."""
    if running.over.is_set():
        st.rerun(scope="app")
    total = running.plan.total_bytes
    share = min(1.0, running.done / total) if total else 1.0
    state = "loading" if share == 1.0 else f"{data_size(running.done)} of {data_size(total)}"
    st.progress(share, f"{markdown(running.plan.repo_id)}: {state}")
    if st.button("Cancel", key="cancel", disabled=running.stop.is_set()):
        running.stop.set()


def _result(latest: Download) -> None:
    """How the latest download ended."""
    if latest.error is None:
        _ready(latest.key)
        return
    if isinstance(latest.error, hub.CancelledError):
        st.info("The download was cancelled. Completed files are kept.")
    else:
        with shared.sentences():
            raise latest.error
    if st.button("Back", key="back"):
        opened.dismiss_download()
        st.rerun()


# -- the catalogue -----------------------------------------------------------------------------------------------------


def catalogue() -> None:
    """Every known checkpoint, what can be read from the table, and the table to take away."""
    st.header("All known models", anchor=False)
    table = registry.checkpoints()
    here = int(table["offline"].sum())
    largest = table.nlargest(1, "parameters").iloc[0]
    st.markdown(
        f"**{here} of {len(table)}** are on this machine; the others come from Hugging Face when you ask for them. The "
        f"largest, {markdown(str(largest['title']))}, takes {data_size(1e6 * largest['size_mb'])} of memory. "
        f"{int((table['masked_lm'] == 'random').sum())} have no trained masked-LM head, so only their encoders mean "
        "something."
    )
    st.dataframe(
        table[["key", "offline", "family", "source", "size_mb", "parameters", "licence", "masked_lm"]],
        hide_index=True,
        width="stretch",
        height="content",
        column_config={
            "key": st.column_config.TextColumn("Key", width=165),
            "family": st.column_config.TextColumn("Family", width=75),
            "source": st.column_config.TextColumn("Source", width=200),
            "parameters": st.column_config.NumberColumn("Parameters", format="localized"),
            "size_mb": st.column_config.NumberColumn("Memory", format="%.1f MB", help="Of the weights in float32."),
            "licence": "Licence",
            "masked_lm": st.column_config.TextColumn("Head", help="Whether the file holds a trained masked-LM head."),
            "offline": st.column_config.CheckboxColumn("Here", help="On this machine; works without a network."),
        },
        alt="All known checkpoints: family, source, size, licence, head, and whether they are on this machine",
    )
    shared.downloads(
        table,
        name="models",
        python="import bortlab\nfrom bortlab import registry\n\n"
        "print(bortlab.checkpoints())\nprint(registry.loaded())\n",
    )
