"""The options of a load, beside the key: one record, checked when it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from bortlab.models import FAMILIES, Family
from bortlab.system.checks import check_whole

Weights = Literal["published", "random"]
Device = str | torch.device | None
Dtype = str | torch.dtype | None
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
_OF_FOLDERS = ("task", "device", "dtype", "family")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The keyword arguments of `bortlab.load`, which says what they mean. ValueError for values that there are not."""

    task: str = "masked-lm"
    weights: Weights = "published"
    seed: int = 0
    device: Device = None
    dtype: Dtype = None
    revision: str | None = None
    family: str | None = None
    download: bool = False

    def __post_init__(self) -> None:
        if self.weights not in ("published", "random"):
            raise ValueError(f'weights: expected "published" or "random", got {self.weights!r}.')
        if self.family is not None and self.family not in FAMILIES:
            raise ValueError(f"Unknown family {self.family!r}. Known: {', '.join(FAMILIES)}.")
        if self.weights == "random":
            check_whole("seed", self.seed, 0, 2**63 - 1)

    def of_load(self) -> dict[str, Any]:
        """As the keyword arguments of `load`."""
        return asdict(self)

    def of_load_from(self) -> dict[str, Any]:
        """As the keyword arguments of `load_from`: those that a folder has a use for."""
        return {name: value for name, value in asdict(self).items() if name in _OF_FOLDERS}

    def task_of(self, family: Family) -> str:
        """The task, if networks of this family can do it."""
        if self.task not in family.tasks:
            raise ValueError(f"{family.title} has no task {self.task!r}. Known: {', '.join(family.tasks)}.")
        return self.task

    def device_here(self) -> str:
        """The device's full name, if this machine has it."""
        try:
            device = torch.device("cpu" if self.device is None else self.device)
        except RuntimeError:
            raise ValueError(f"Unknown device {self.device!r}. Known: cpu, cuda, cuda:1, mps.") from None
        if device.type == "cuda" and (device.index or 0) < torch.cuda.device_count():
            return f"cuda:{device.index or 0}"
        if device.type == "cpu" or (device.type == "mps" and torch.backends.mps.is_available()):
            return device.type
        raise ValueError(f'This machine has no device "{device}" that can run a model. Use device="cpu".')

    def torch_dtype(self) -> torch.dtype:
        """The precision as torch has it."""
        dtype = DTYPES.get(str(self.dtype or "float32").removeprefix("torch."))
        if dtype is None:
            raise ValueError(f"Unknown dtype {self.dtype!r}. Known: {', '.join(DTYPES)}.")
        return dtype


USUAL = Options()
"""What `load` does by default."""
