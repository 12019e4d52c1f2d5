"""A network of any family and task as an ONNX model, with free batch and length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bortlab.models import SPANS, Network
from bortlab.nn import MaskedLMHead
from bortlab.runtimes import blocks
from bortlab.runtimes.graph import Axis, Graph, Precision, Value
from bortlab.runtimes.outputs import INPUTS, published

if TYPE_CHECKING:
    from onnx import ModelProto

TEXT: tuple[Axis, ...] = ("batch", "seq")
HIDDEN = "hidden"
"""What the body gives and the heads take, where they are models of their own."""
CHOICES: tuple[Axis, ...] = ("batch", "choices", "seq")


def onnx_model(network: Network, *, precision: Precision = "float32", records: bool = False) -> ModelProto:
    """The network as an ONNX model: inputs INPUTS, outputs as `published` names them, all axes but widths free.

    records: what every layer looked at is given out too, as attentions.LAYER (batch, heads, query, key) and, where
    there are convolutions, kernels.LAYER (batch, heads, seq, width); for multiple choice, batch counts choices.
    """
    graph = Graph(network, precision)
    choices = network.task == "multiple-choice"
    ids, mask, type_ids = (graph.input(name, CHOICES if choices else TEXT) for name in INPUTS)
    shape = graph.node("Shape", ids, start=0, end=2)  # (batch, choices)
    if choices:
        rows = graph.node("Concat", graph.constant([-1]), graph.node("Shape", ids, start=2, end=3), axis=0)
        ids, mask, type_ids = (graph.node("Reshape", part, rows) for part in (ids, mask, type_ids))
    results = _results(network, graph, _encode(network, graph, (ids, mask, type_ids), records=records))
    if choices:
        results = {name: graph.node("Reshape", value, shape) for name, value in results.items()}
    for ours, name in published(network).items():
        graph.output(results[ours], name, _axes(network, ours))
    return _finish(network, graph)


def encoder_model(network: Network, *, precision: Precision = "float32") -> ModelProto:
    """The body alone: inputs INPUTS (batch, seq), output HIDDEN (batch, seq, hidden)."""
    graph = Graph(network, precision)
    ids, mask, type_ids = (graph.input(name, TEXT) for name in INPUTS)
    graph.output(_encode(network, graph, (ids, mask, type_ids)), HIDDEN, _axes(network, "hidden"))
    return _finish(network, graph)


def heads_model(network: Network, *, precision: Precision = "float32") -> ModelProto | None:
    """The heads alone: input HIDDEN (batch, seq, hidden), outputs by our names, for choices (batch x choices, 1).

    None for an encoder without pooler, which has nothing on it.
    """
    graph = Graph(network, precision)
    results = _results(network, graph, graph.input(HIDDEN, _axes(network, "hidden"), "FLOAT"))
    given = {name: value for name, value in results.items() if name != "hidden"}
    for name, value in given.items():
        graph.output(value, name, _axes(network, name))
    return _finish(network, graph) if given else None


def _encode(network: Network, graph: Graph, inputs: tuple[Value, Value, Value], *, records: bool = False) -> Value:
    """ids, mask and type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
    ids, mask, type_ids = inputs
    hidden, added = blocks.embed(network.embeddings, graph, ids, type_ids), blocks.visible(graph, mask)
    for layer in range(network.config.depth):
        written = blocks.block(network.block(layer), graph, hidden, added)
        hidden = written.hidden
        if records:
            graph.output(written.attention, f"attentions.{layer}", ("rows", "heads", "seq", "seq"))
            if written.kernels is not None:
                graph.output(written.kernels, f"kernels.{layer}", ("rows", "heads", "seq", "width"))
    return hidden


def _finish(network: Network, graph: Graph) -> ModelProto:
    about = {"family": network.config.model_type, "task": network.task, "precision": graph.precision}
    return graph.model(f"{network.config.model_type} {network.task}", about)


def _results(network: Network, graph: Graph, hidden: Value) -> dict[str, Value]:
    """Last hidden states (batch, seq, hidden) -> the outputs by our names."""
    pooled = None if network.pooler is None else blocks.nodes(network.pooler, graph, hidden)
    if network.task == "encoder":
        return {"hidden": hidden} | ({"pooled": pooled} if pooled else {})
    results: dict[str, Value] = {}
    for name, head in network.heads():
        if isinstance(head, MaskedLMHead):
            results[name] = blocks.masked_lm(head, graph, hidden, network.embeddings.words.weight)
        else:
            results[name] = blocks.nodes(head, graph, pooled or hidden)
    if "question-answering" in results:
        parts = graph.nodes("Split", results["question-answering"], outputs=2, axis=-1, num_outputs=2)
        return {
            name: graph.node("Squeeze", part, graph.constant([-1])) for name, part in zip(SPANS, parts, strict=True)
        }
    return results


def _axes(network: Network, output: str) -> tuple[Axis, ...]:
    """The axes of an output: sizes that are free, by name, and widths."""
    config = network.config
    match output:
        case "hidden":
            return (*TEXT, config.hidden_size)
        case "pooled":
            return ("batch", config.hidden_size)
        case "masked-lm":
            return (*TEXT, config.vocab_size)
        case "sentence-order":
            return ("batch", 2)
        case "sequence-classification":
            return ("batch", len(config.labels))
        case "token-classification":
            return (*TEXT, len(config.labels))
        case "multiple-choice":
            return ("batch", "choices")
        case _:
            return TEXT
