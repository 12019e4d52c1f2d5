"""Keras on JAX, TensorFlow and torch: compiled by JAX for each shape, by TensorFlow once as a graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bortlab.models import Network
from bortlab.runtimes.engines.program import EngineKind
from bortlab.runtimes.keras import BACKENDS, use_backend
from bortlab.runtimes.keras.backend import missing
from bortlab.runtimes.keras.building import design_of, give_weights
from bortlab.runtimes.network import HIDDEN
from bortlab.runtimes.outputs import INPUTS

Call = Callable[[dict[str, Any]], dict[str, Any]]
"""Named arrays in, named arrays out."""


class KerasProgram:
    """A network as two Keras models that share nothing: its body, and its heads. Its threads are the backend's own."""

    def __init__(self, network: Network, threads: int, *, backend: str) -> None:
        use_backend(backend)
        import keras

        design = design_of(network)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}
        body = keras.Model(inputs, {HIDDEN: design.body(*inputs.values())})
        hidden = keras.Input((None, network.config.hidden_size), name=HIDDEN)
        scores = {name: values for name, values in design.outputs(hidden).items() if name != HIDDEN}
        give_weights(design, network)
        compiled = COMPILERS[backend]
        self.body = compiled(body)
        self.heads = compiled(keras.Model({HIDDEN: hidden}, scores)) if scores else None
        self.names = list(scores)  # JAX gives a dictionary back in the order of its names

    def encode(self, ids: Tensor, mask: Tensor, type_ids: Tensor) -> Tensor:
        """ids, mask and type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        given = zip(INPUTS, (ids, mask, type_ids), strict=True)
        return _tensors(self.body({name: part.to(torch.int32).numpy() for name, part in given}))[HIDDEN]

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> the heads' logits by our names."""
        if self.heads is None:
            return {}
        scores = _tensors(self.heads({HIDDEN: hidden.contiguous().numpy()}))
        return {name: scores[name] for name in self.names}


def _by_jax(model: Any) -> Call:
    """Compiled by XLA, for each shape when it first comes."""
    import jax

    trained = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    call = jax.jit(lambda *given: model.stateless_call(*given)[0])
    return lambda feed: call(trained, others, feed)


def _by_tensorflow(model: Any) -> Call:
    """One graph for all shapes."""
    import tensorflow

    kinds = {tensor.name: tensorflow.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs}
    return tensorflow.function(lambda feed: model(feed), input_signature=[kinds])  # type: ignore[no-any-return]


def _by_torch(model: Any) -> Call:
    """As it comes."""

    def call(feed: dict[str, Any]) -> dict[str, Any]:
        with torch.no_grad():
            return model({name: torch.from_numpy(values) for name, values in feed.items()})  # type: ignore[no-any-return]

    return call


COMPILERS: dict[str, Callable[[Any], Call]] = {"jax": _by_jax, "tensorflow": _by_tensorflow, "torch": _by_torch}
"""How each backend gets a Keras model ready."""


def _tensors(values: dict[str, Any]) -> dict[str, Tensor]:
    """A backend's arrays as tensors of torch, in memory of their own."""
    import keras

    return {name: torch.tensor(keras.ops.convert_to_numpy(value)) for name, value in values.items()}


_TITLES = {"jax": "Keras on JAX", "tensorflow": "Keras on TensorFlow", "torch": "Keras on torch"}
_ABOUT = {"jax": "compiled for each shape", "tensorflow": "one graph for all shapes", "torch": "layer by layer"}
KINDS = {
    f"keras-{name}": EngineKind(
        title=_TITLES[name],
        about=f"float32, {_ABOUT[name]}",
        open=partial(KerasProgram, backend=name),
        missing=partial(missing, name),
    )
    for name in BACKENDS
}
"""An engine for each backend of Keras."""
