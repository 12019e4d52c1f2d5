"""Every environment variable that bortlab reads or sets, with what it does; nothing else in bortlab touches them.

They are read when they are needed, so a change counts from then on, but for those of other programs (OpenMP, glibc,
oneDNN), which read theirs when they start. docs/settings.md shows `table()`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable. default: what holds where it is not set. meaning: what it does. Both in Markdown."""

    name: str
    default: str
    meaning: str

    def read(self) -> str | None:
        """Its value without spaces around it; None where it is not set, or empty."""
        return os.environ.get(self.name, "").strip() or None

    def folder(self) -> Path | None:
        """Its value as a folder, with ~ and $VARIABLES filled in; None where it is not set."""
        value = self.read()
        return None if value is None else Path(os.path.expandvars(os.path.expanduser(value))).absolute()

    def is_true(self) -> bool:
        """Is it set to what the Hugging Face libraries read as yes: 1, on, yes or true?"""
        return (self.read() or "").upper() in ("1", "ON", "YES", "TRUE")


CACHE = Variable(
    "BORTLAB_CACHE",
    "`~/.cache/bortlab`",
    "The folder for what bortlab makes on this machine: jobs, adapted models, lenses fitted here, latency "
    "measurements, pre-training runs, tasks that were fetched. It may be deleted; then that work is lost.",
)
RUNS = Variable(
    "BORTLAB_RUNS", "`runs` in the folder of `BORTLAB_CACHE`", "The folder of pre-training runs and their checkpoints."
)
BUDGET = Variable(
    "BORTLAB_MODEL_BUDGET_MB",
    "a quarter of the memory that the process may use",
    "Megabytes that loaded models may take together; the least recently used ones leave first.",
)
ENGINE = Variable(
    "BORTLAB_ENGINE",
    "the fastest by a short measurement",
    "The engine that `fastest_engine` gives, without a measurement: `torch`, `torch-packed`, `onnx`, `onnx-int8`, "
    "`openvino`, `keras-jax`, `keras-tensorflow` or `keras-torch`. The lab's predictions go through it, unless it "
    "does not compute in float32 (`onnx-int8`).",
)
PRODUCTS = Variable(
    "BORTLAB_PRODUCTS",
    "the faster by a short measurement",
    "What multiplies by the weights of linear maps, without a measurement: `torch`, as everybody else's models do, or "
    "`onednn`. The last digits of an answer depend on it.",
)
FOLDERS = Variable(
    "BORTLAB_FOLDERS",
    "`1` where the lab listens to this machine only, otherwise `0`",
    "Whether visitors of the lab may open folders of the machine that it runs on: `1` or `0`.",
)
LESSONS = Variable(
    "BORTLAB_LESSONS",
    "none",
    "A folder with lessons of your own, `*.md`, which the lab shows after those that come with it. One of the same "
    "name as a bundled one takes its place.",
)
CLASS = Variable(
    "BORTLAB_CLASS",
    "`0`; `1` set by `bortlab lab --class`",
    "Whether every page of the lab shows the address for a class: `1` or `0`.",
)
TOKEN = Variable(
    "BORTLAB_HF_TOKEN",
    "none",
    "The token that is sent to Hugging Face for private or gated repositories. No other one (`HF_TOKEN`, a login) is "
    "ever sent.",
)
ENDPOINT = Variable(
    "HF_ENDPOINT", "`https://huggingface.co`", "The address of the hub, or of a mirror, that models come from."
)
HUB_CACHE = Variable(
    "HF_HUB_CACHE",
    "`hub` in the folder of `HF_HOME`",
    "The folder of downloaded models, which all Hugging Face libraries share.",
)
OLD_HUB_CACHE = Variable("HUGGINGFACE_HUB_CACHE", "`HF_HUB_CACHE`", "The older name of `HF_HUB_CACHE`, which wins.")
HUB_HOME = Variable(
    "HF_HOME",
    "`huggingface` in the folder of `XDG_CACHE_HOME`",
    "The folder of all that Hugging Face's libraries keep.",
)
USER_CACHE = Variable("XDG_CACHE_HOME", "`~/.cache`", "The folder of this user's caches; Hugging Face's lies in it.")
OFFLINE = Variable("HF_HUB_OFFLINE", "`0`", "`1` forbids every download; what was downloaded before is used.")
TRANSFORMERS_OFFLINE = Variable("TRANSFORMERS_OFFLINE", "`0`", "As `HF_HUB_OFFLINE`.")
OPENMP_WAIT = Variable(
    "OMP_WAIT_POLICY",
    "`PASSIVE`, set by `bortlab lab`, by `app.py` and for jobs",
    "How torch's threads wait for work. Threads that wait actively slow each other down many times over when several "
    "visitors compute. OpenMP reads it when torch is imported.",
)
MALLOC_ARENAS = Variable(
    "MALLOC_ARENA_MAX",
    "`2` on Linux, set by `bortlab lab` and `make app`",
    "How many heaps glibc keeps. Its own choice, eight a core, holds on to memory that many threads once used.",
)
ONEDNN_KERNELS = Variable(
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
    "`64`, set by `bortlab lab` and by `app.py`",
    "How many compiled kernels oneDNN keeps, one for every shape of a product. Its own choice, 1024, grows by hundreds "
    "of megabytes while a class writes texts of ever new lengths. Read when torch first computes.",
)
TORCH_KERNELS = Variable(
    "LRU_CACHE_CAPACITY",
    "as `ONEDNN_PRIMITIVE_CACHE_CAPACITY`",
    "How many of oneDNN's kernels each of torch's threads keeps besides. Read when torch first computes.",
)
HUGE_PAGES = Variable(
    "THP_MEM_ALLOC_ENABLE",
    "`1`, set by `bortlab lab`, by `app.py`, for jobs and for what the Latency page measures",
    "Whether torch asks Linux for pages of 2 MB for larger tensors: `1` or `0`. The logits of a long text over a whole "
    "vocabulary are 100 MB, and making them of pages of 4 kB takes up to a quarter of a forward pass. Read when torch "
    "first makes a tensor.",
)
RAY_ADDRESS = Variable(
    "RAY_ADDRESS",
    "none",
    "The address of the Ray cluster that sweeps of trainings run on (`auto`, `HOST:PORT`). Without one they run in "
    "processes of this machine.",
)
RAY_STATISTICS = Variable(
    "RAY_USAGE_STATS_ENABLED", "`0`, set for sweeps on Ray", "Whether Ray reports its use to its makers."
)
OPENMP_THREADS = Variable(
    "OMP_NUM_THREADS",
    "`1`, set for the workers of a sweep",
    "How many threads torch computes with. The last digits of trained weights depend on it.",
)
KERAS_BACKEND = Variable(
    "KERAS_BACKEND",
    "the engine that is asked for first, or the first of JAX, TensorFlow and torch that is installed",
    "What computes behind Keras: `jax`, `tensorflow` or `torch`. Keras reads it when it is imported.",
)
SETTINGS = (
    CACHE,
    RUNS,
    BUDGET,
    ENGINE,
    PRODUCTS,
    FOLDERS,
    LESSONS,
    CLASS,
    TOKEN,
    ENDPOINT,
    HUB_CACHE,
    OLD_HUB_CACHE,
    HUB_HOME,
    USER_CACHE,
    OFFLINE,
    TRANSFORMERS_OFFLINE,
    OPENMP_WAIT,
    OPENMP_THREADS,
    MALLOC_ARENAS,
    ONEDNN_KERNELS,
    TORCH_KERNELS,
    HUGE_PAGES,
    RAY_ADDRESS,
    RAY_STATISTICS,
    KERAS_BACKEND,
)


def cache_folder() -> Path:
    """Where bortlab keeps what it makes on this machine."""
    return CACHE.folder() or Path.home() / ".cache" / "bortlab"


def runs_folder() -> Path:
    """Where pre-training runs lie."""
    return RUNS.folder() or cache_folder() / "runs"


def hub_cache_folder() -> Path:
    """The cache of downloads that all Hugging Face libraries share, by the variables that they read."""
    home = HUB_HOME.folder() or (USER_CACHE.folder() or Path.home() / ".cache") / "huggingface"
    return HUB_CACHE.folder() or OLD_HUB_CACHE.folder() or home / "hub"


def offline_by() -> Variable | None:
    """The setting that forbids downloads, if one does."""
    return next((setting for setting in (OFFLINE, TRANSFORMERS_OFFLINE) if setting.is_true()), None)


def show_class_banner() -> None:
    """Let every page of the lab show the address for a class."""
    os.environ[CLASS.name] = "1"


def let_threads_sleep() -> None:
    """Make torch's threads sleep while they wait, unless set otherwise. To be called before torch is imported."""
    os.environ.setdefault(OPENMP_WAIT.name, "PASSIVE")


def keep_few_kernels() -> None:
    """Bound how many compiled kernels oneDNN and torch keep, unless set otherwise. To be called before they compute."""
    for variable in (ONEDNN_KERNELS, TORCH_KERNELS):
        os.environ.setdefault(variable.name, "64")


def take_huge_pages() -> None:
    """Let torch use pages of 2 MB, unless set otherwise. To be called before it makes a tensor."""
    os.environ.setdefault(HUGE_PAGES.name, "1")


def keep_ray_quiet() -> None:
    """Let Ray report nothing to its makers, unless set otherwise. To be called before it starts."""
    os.environ.setdefault(RAY_STATISTICS.name, "0")


def choose_keras_backend(name: str) -> None:
    """What computes behind Keras, which reads it when it is imported."""
    os.environ[KERAS_BACKEND.name] = name


def keep_few_heaps() -> None:
    """On Linux, restart this very program with two heaps unless a number is set: glibc reads it at the start."""
    if sys.platform == "linux" and MALLOC_ARENAS.read() is None:
        os.environ[MALLOC_ARENAS.name] = "2"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def environment_for(python_path: Path, **more: str) -> dict[str, str]:
    """The environment of a Python process of our own: as this one's, with threads that sleep while they wait, and huge
    pages.

    python_path: where it finds bortlab, before what PYTHONPATH names. more: variables for it alone.
    """
    inherited: Mapping[str, str] = os.environ
    paths = [str(python_path), *filter(None, [inherited.get("PYTHONPATH")])]
    usual = {OPENMP_WAIT.name: "PASSIVE", HUGE_PAGES.name: "1"}
    return usual | dict(inherited) | {"PYTHONPATH": os.pathsep.join(paths)} | more


def table() -> str:
    """All settings as a table in Markdown."""
    rows = [f"| `{setting.name}` | {setting.default} | {setting.meaning} |" for setting in SETTINGS]
    return "\n".join(["| Variable | Unless set | What it does |", "| --- | --- | --- |", *rows])
