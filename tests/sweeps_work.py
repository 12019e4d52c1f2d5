"""Functions that the tests call in the workers of a sweep."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Progress = Callable[..., None]


def train(setting: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Fit a line in 40 steps with a checkpoint after each; `die`: be killed in the middle, that many times."""
    import torch

    torch.manual_seed(setting["seed"])
    x = torch.randn(64, 8)
    y = x @ torch.randn(8, 1)
    line, first, state = torch.nn.Linear(8, 1), 0, folder / "state.pt"
    if state.is_file():
        first, weights = torch.load(state)
        line.load_state_dict(weights)
    optimiser = torch.optim.SGD(line.parameters(), setting["rate"])
    for step in range(first, 40):
        if step == 20:
            die(folder, setting.get("die", 0))
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(line(x), y)
        loss.backward()
        optimiser.step()
        torch.save((step + 1, line.state_dict()), state)
        progress((step + 1) / 40, f"seed {setting['seed']}, step {step + 1}")
    return {"loss": loss.item(), "weights": line.weight.tolist(), "threads": torch.get_num_threads()}


def die(folder: Path, times: int) -> None:
    """Kill this process, so many times in all."""
    deaths = len(list(folder.glob("death-*")))
    if deaths < times:
        (folder / f"death-{deaths}").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def square(setting: dict[str, Any], folder: Path, progress: Progress) -> Any:
    """The square of a number, printed too; 13 raises an error, and 7 dies whenever it is tried."""
    print("not an event")
    with (folder / "calls").open("a") as calls:
        calls.write("x")
    if setting["number"] == 13:
        raise ValueError("Thirteen brings\n bad luck.")
    if setting["number"] == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    progress(0.5, f"squaring {setting['number']}")
    return setting["number"] ** 2


def wait(setting: dict[str, Any], folder: Path, progress: Progress) -> None:
    """Say who this is, and do not end."""
    (folder / "pid").write_text(str(os.getpid()))
    progress(0.1, "waiting")
    time.sleep(600)


def not_json(setting: dict[str, Any], folder: Path, progress: Progress) -> Any:
    """Something that JSON does not know."""
    return {"folder": folder}
