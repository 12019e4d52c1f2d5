"""Which program computes behind Keras: one in a process, chosen before Keras is imported."""

from __future__ import annotations

import importlib.util
import platform
import sys

from bortlab.runtimes.runtime import UnsupportedError
from bortlab.system import settings

_TENSORFLOW = "tensorflow-cpu" if platform.machine() in ("x86_64", "AMD64") else "tensorflow"
BACKENDS = {"jax": "jax", "tensorflow": _TENSORFLOW, "torch": "torch"}
"""What can compute behind Keras, and the package to install for it: TensorFlow without CUDA where there is a choice."""


def use_backend(name: str | None = None) -> str:
    """Import Keras with a backend, and return its name.

    None: the one that Keras has in this process or is set by KERAS_BACKEND, else the first of BACKENDS that is
    installed. Raises UnsupportedError for another name, for what is not installed, and where Keras has another one.
    """
    running = current()
    name = name or running or settings.KERAS_BACKEND.read() or next(filter(_installed, BACKENDS))
    if reason := missing(name):
        raise UnsupportedError(reason)
    if running not in (None, name):
        raise UnsupportedError(
            f"Keras runs on {running} in this process, and has one backend in a process. Start Python again and ask "
            f"for {name} first."
        )
    settings.choose_keras_backend(name)
    import keras

    return str(keras.backend.backend())


def current() -> str | None:
    """The backend that Keras has in this process; None where it was not imported."""
    keras = sys.modules.get("keras")
    return None if keras is None else str(keras.backend.backend())


def missing(name: str) -> str:
    """What has to be installed for a backend, as a sentence with the line that does it; "" for nothing."""
    if name not in BACKENDS:
        return f"Unknown backend {name!r} of Keras. Known: {', '.join(BACKENDS)}."
    packages = {"keras": "keras", name: BACKENDS[name]}
    needed = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
    if not needed:
        return ""
    extra = {"jax": "keras", "tensorflow": "keras-tensorflow"}.get(name)
    whole = f" (or bortlab[{extra}], which has all of it)" if extra else ""
    return f"Keras on {name} is not installed here: pip install {' '.join(needed)}{whole}, then start Python again."


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
