"""From a torch network to a Keras model with the same weights, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from bortlab.models import FAMILIES, Network
from bortlab.runtimes.keras.backend import use_backend
from bortlab.runtimes.outputs import INPUTS, published
from bortlab.runtimes.runtime import UnsupportedError

if TYPE_CHECKING:
    import keras

    from bortlab.runtimes.keras.design import Design


def keras_model(network: Network, *, backend: str | None = None) -> keras.Model:
    """A network of any family and task as a functional Keras model with the same weights.

    Inputs input_ids, attention_mask and token_type_ids, whole numbers (batch, seq) of any size, for multiple choice
    (batch, choices, seq); outputs a dictionary with the names of transformers' classes: "logits", "start_logits", ...
    `training` gives the losses for `compile`, `solve` outputs and loss at once, `to_network` brings weights back.

    backend: "jax", "tensorflow" or "torch"; None: the one that Keras has in this process, or the first installed.
    Raises UnsupportedError where Keras is not installed or has another backend already.
    """
    use_backend(backend)
    import keras

    design, choices = design_of(network), network.task == "multiple-choice"
    inputs = {name: keras.Input((None, None) if choices else (None,), dtype="int32", name=name) for name in INPUTS}
    parts = list(inputs.values())
    if choices:
        from bortlab.runtimes.keras.heads import ByChoice, Flat

        results = design.outputs(design.body(*(Flat(name=f"flat_{part.name}")(part) for part in parts)))
        results = {name: ByChoice(name="by_choice")(values, parts[0]) for name, values in results.items()}
    else:
        results = design.outputs(design.body(*parts))
    outputs = {name: results[ours] for ours, name in published(network).items()}
    give_weights(design, network)
    return keras.Model(inputs, outputs, name=f"{network.config.model_type}_{network.task.replace('-', '_')}")


def design_of(network: Network) -> Design:
    """The Keras layers of a network, by its family, with weights of their own. Keras has been imported."""
    from bortlab.runtimes.keras import albert, bert, bort, convbert

    designs: dict[str, type[Design]] = {
        "albert": albert.AlbertDesign,
        "bert": bert.BertDesign,
        "bort": bort.BortDesign,
        "convbert": convbert.ConvBertDesign,
    }
    name = next(name for name, family in FAMILIES.items() if family.network is type(network))
    if name not in designs:
        raise UnsupportedError(f"{FAMILIES[name].title} has no Keras definition yet: write one beside {__name__}.")
    return designs[name](network)


def give_weights(design: Design, network: Network) -> None:
    """Set the variables of Keras layers, which have been called once, to the network's numbers."""
    from bortlab.runtimes.keras.design import pairs

    for parameter, variable, backwards in pairs(design.layers, network):
        numbers = parameter.detach().to("cpu", torch.float32).numpy()
        variable.assign((numbers.T if backwards else numbers).reshape(variable.shape))


@torch.no_grad()
def to_network(model: keras.Model, network: Network) -> Network:
    """Copy a Keras model's weights into a torch network of the same family, task and sizes, and return that.

    So what was fine-tuned in Keras can be saved, explained and compared as everything else here. Raises ValueError
    where they do not belong together.
    """
    import keras

    from bortlab.runtimes.keras.design import pairs

    layers = {layer.name: layer for layer in model.layers}
    try:
        for parameter, variable, backwards in pairs(layers, network):
            numbers: Any = torch.from_numpy(keras.ops.convert_to_numpy(variable).copy())
            shape = parameter.shape[::-1] if backwards else parameter.shape
            numbers = numbers.reshape(shape)
            parameter.copy_(numbers.permute(*reversed(range(numbers.ndim))) if backwards else numbers)
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"The Keras model {model.name} is no {network.config.model_type} of these sizes for "
            f"{network.task}: {error}."
        ) from error
    return network
