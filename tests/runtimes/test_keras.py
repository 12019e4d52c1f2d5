"""The networks as Keras models: torch's numbers, torch's losses, and what Keras and its backends do with any model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bortlab.model import Model
from bortlab.models import FAMILIES, Network
from bortlab.runtimes import UnsupportedError
from bortlab.runtimes.keras import BACKENDS, keras_model, solve, to_network, training, use_backend
from bortlab.runtimes.keras.backend import missing
from bortlab.runtimes.outputs import INPUTS, published
from bortlab.system import settings

BACKEND = settings.KERAS_BACKEND.read() or "jax"
needs_keras = pytest.mark.skipif(bool(missing(BACKEND)), reason=missing(BACKEND) or "installed")
pytestmark = needs_keras
BUILT = [(name, task) for name, family in FAMILIES.items() for task in family.tasks]
Make = Callable[..., Model]
SHALLOW = {"num_hidden_layers": 2, "num_hidden_groups": 1, "inner_group_num": 1}
"""Compilers take longer for more layers; ALBERT's one block still serves two."""
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout_prob": 0.0}
"""Without dropout a step of training has one result."""


def some_inputs(network: Network, seq: int = 6) -> dict[str, Tensor]:
    """A batch of two with padding, by the names of inputs."""
    generator, config = torch.Generator().manual_seed(0), network.config
    shape = (2, 3, seq) if network.task == "multiple-choice" else (2, seq)
    ids = torch.randint(config.vocab_size, shape, generator=generator)
    mask = torch.ones_like(ids)
    mask[0, ..., seq - 2 :] = 0
    return dict(
        zip(INPUTS, (ids, mask, torch.randint(config.type_vocab_size, shape, generator=generator)), strict=True)
    )


def as_arrays(values: dict[str, Tensor]) -> dict[str, Any]:
    return {name: value.numpy().astype("int32") for name, value in values.items()}


def some_labels(network: Network) -> dict[str, Tensor]:
    """Labels of a batch of two, by our names; -100 where there is none."""
    words = torch.tensor([[3, -100, 5, -100, -100, 1], [-100, 2, -100, -100, 4, -100]])
    several = network.config.problem_type == "multi_label_classification"
    labels = {
        "masked-lm": words,
        "sentence-order": torch.tensor([1, 0]),
        "sequence-classification": torch.tensor([[1.0, 0, 1], [0, 1, 0]]) if several else torch.tensor([2, 0]),
        "multiple-choice": torch.tensor([2, 0]),
        "token-classification": words.clamp(max=2),
        "start": torch.tensor([1, 6]),  # the second lies beyond what was read
        "end": torch.tensor([3, 4]),
    }
    return {name: labels[name] for name in published(network)}


@pytest.fixture(autouse=True)
def backend() -> str:
    """Chosen before a test imports Keras."""
    return use_backend(BACKEND)


def as_numpy(value: Any) -> Any:
    import keras

    return keras.ops.convert_to_numpy(value)


@pytest.mark.parametrize(("name", "task"), BUILT, ids=["-".join(pair) for pair in BUILT])
def test_outputs_and_losses_are_torchs(tiny_model: Make, name: str, task: str) -> None:
    network = tiny_model(name, task, hidden_act="gelu_new", **SHALLOW).network
    model, inputs = keras_model(network, backend=BACKEND), some_inputs(network)
    ids, mask, type_ids = inputs.values()
    if task == "encoder":
        outputs = model(as_arrays(inputs))
        expected = network.encode(network.embed(ids), type_ids, mask).hidden
        np.testing.assert_allclose(as_numpy(outputs["last_hidden_state"]), expected, atol=1e-5)
        assert ("pooler_output" in outputs) == (network.pooler is not None)
    else:
        labels = some_labels(network)
        solved = network.solve(ids, mask, type_ids, labels)
        given = {published(network)[ours]: value.numpy() for ours, value in labels.items()}
        outputs = solve(model, network, as_arrays(inputs), given)
        assert list(outputs) == ["loss", *published(network).values()]
        for ours, theirs in published(network).items():
            np.testing.assert_allclose(as_numpy(outputs[theirs]), solved.logits[ours], atol=1e-5)
        assert float(outputs["loss"]) == pytest.approx(float(solved.loss), abs=1e-5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="labels: expected "):
            solve(model, network, as_arrays(inputs), {"nonsense": labels})
    fresh = FAMILIES[name].network(network.config, task)
    for one, other in zip(to_network(model, fresh).parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [(("size",), None), (("x", "y", "z"), "regression"), (("x", "y", "z"), "multi_label_classification")],
)
def test_losses_of_every_kind_of_label(tiny_model: Make, labels: Any, kind: Any) -> None:
    network = tiny_model("bert", "sequence-classification", labels=labels, problem_type=kind).network
    logits = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]])[:, : len(labels)]
    given = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])[:, : len(labels)]
    (loss,) = training(network)["loss"].values()
    expected = network._loss("sequence-classification", logits, given)
    assert float(loss(given.numpy(), logits.numpy())) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "task", "changes"),
    [
        ("albert", "pre-training", {}),
        ("convbert", "sequence-classification", {"problem_type": "multi_label_classification"}),
        ("bort", "question-answering", {}),
    ],
)
def test_fine_tuning_is_torchs(tiny_model: Make, name: str, task: str, changes: Any) -> None:
    """Three steps of gradient descent in Keras and in torch: the same losses, and the same weights after them."""
    import keras

    model = tiny_model(name, task, **SHALLOW, **CALM, **changes)
    network, inputs, labels = model.network, some_inputs(model.network), some_labels(model.network)
    twin = keras_model(network, backend=BACKEND)
    twin.compile(optimizer=keras.optimizers.SGD(0.05), **training(network))
    given = {published(network)[ours]: value.numpy() for ours, value in labels.items()}
    theirs = twin.fit(as_arrays(inputs), given, epochs=3, batch_size=2, shuffle=False, verbose=0).history["loss"]
    trained = [parameter for parameter in network.parameters() if parameter is not network.embeddings.types.weight]
    if name != "bort":
        trained.append(network.embeddings.types.weight)
    optimizer = torch.optim.SGD([parameter.requires_grad_() for parameter in trained], 0.05)
    ours = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = network.solve(inputs["input_ids"], *list(inputs.values())[1:], labels).loss
        assert loss is not None
        loss.backward()
        optimizer.step()
        ours.append(loss.item())
    assert theirs == pytest.approx(ours, abs=2e-4)
    assert ours[2] < ours[0]
    back = to_network(twin, FAMILIES[name].network(network.config, task))
    for one, other in zip(back.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", ["albert", "convbert"])
def test_saved_by_keras(tiny_model: Make, name: str, tmp_path: Path) -> None:
    """A shared block and the tied decoder are shared and tied in what is read back."""
    import keras

    network = tiny_model(name, **SHALLOW).network
    model = keras_model(network, backend=BACKEND)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.count_params() == model.count_params() == sum(p.numel() for p in network.parameters())
    inputs = as_arrays(some_inputs(network))
    np.testing.assert_allclose(as_numpy(loaded(inputs)["logits"]), as_numpy(model(inputs)["logits"]), atol=1e-6)


def test_dropout_is_for_training_alone(tiny_model: Make) -> None:
    network = tiny_model("bert", "sequence-classification", **SHALLOW).network
    model, inputs = keras_model(network, backend=BACKEND), as_arrays(some_inputs(network))
    calm = [as_numpy(model(inputs)["logits"]) for _ in range(2)]
    assert np.array_equal(*calm)
    assert not np.array_equal(calm[0], as_numpy(model(inputs, training=True)["logits"]))


@pytest.mark.skipif(BACKEND != "jax", reason="JAX's own transformations")
def test_jax_transforms_it(tiny_model: Make) -> None:
    import jax

    network = tiny_model("albert", **SHALLOW, **CALM).network
    model, inputs = keras_model(network, backend="jax"), as_arrays(some_inputs(network))
    trained = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def logits(trained: Any, feed: Any) -> Any:
        return model.stateless_call(trained, others, feed)[0]["logits"]

    expected = as_numpy(model(inputs)["logits"])
    np.testing.assert_allclose(jax.jit(logits)(trained, inputs), expected, atol=1e-5)
    alone = {name: values[:, None] for name, values in inputs.items()}  # a batch of batches of one
    np.testing.assert_allclose(jax.jit(jax.vmap(logits, (None, 0)))(trained, alone)[:, 0], expected, atol=1e-5)
    gradients = jax.jit(jax.grad(lambda weights: logits(weights, inputs).mean()))(trained)
    words = network.embeddings.words.weight.requires_grad_()
    ids, mask, type_ids = some_inputs(network).values()
    network(ids, mask, type_ids).mean().backward()
    place = next(i for i, variable in enumerate(model.trainable_variables) if variable.path == "words/table")
    np.testing.assert_allclose(gradients[place], words.grad, atol=1e-6)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's own format")
def test_exported_for_tensorflow(tiny_model: Make, tmp_path: Path) -> None:
    import tensorflow

    network = tiny_model("convbert", **SHALLOW).network
    model, inputs = keras_model(network, backend="tensorflow"), as_arrays(some_inputs(network))
    model.export(tmp_path / "saved", verbose=False)
    loaded = tensorflow.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.serve(inputs)["logits"], as_numpy(model(inputs)["logits"]), atol=1e-5)


def test_what_does_not_fit_is_said(tiny_model: Make) -> None:
    with pytest.raises(UnsupportedError, match=r"Unknown backend 'mxnet' of Keras\. Known: jax, tensorflow, torch"):
        use_backend("mxnet")
    model = keras_model(tiny_model("bert").network, backend=BACKEND)
    for name, task in (("bert", "sequence-classification"), ("albert", "masked-lm")):
        with pytest.raises(ValueError, match=f"is no {name} of these sizes for {task}"):
            to_network(model, tiny_model(name, task).network)


@pytest.mark.slow
@pytest.mark.skipif("KERAS_BACKEND" in os.environ, reason="runs in the process that starts this one")
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "jax" and not missing(name)])
def test_other_backends_in_a_process_of_their_own(backend: str) -> None:
    """The tests of this file, and the engine's contract, once more on TensorFlow; some of them on torch."""
    folder = Path(__file__).parent
    some = "saved or exported or (fine_tuning and bort) or (outputs and not bort) or (keras and masked and tensors)"
    chosen = "keras" if backend == "tensorflow" else some
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", chosen]
    files = [str(folder / "test_keras.py"), str(folder / "test_engines.py")]
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run([*command, *files], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
