"""What every engine promises: torch's answers, for every family and task, and sentences where it cannot."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

import bortlab
from bortlab.model import EXAMPLE, Model, NoHeadError, NoMaskError
from bortlab.models import FAMILIES
from bortlab.runtimes import UnsupportedError
from bortlab.runtimes.engines import ENGINES
from bortlab.system import settings

BUILT = [(name, task) for name, family in FAMILIES.items() for task in family.tasks]
KERAS = f"keras-{settings.KERAS_BACKEND.read() or 'jax'}"
"""Keras has one backend in a process: the others have their turn in a process of their own, in test_keras.py."""
INSTALLED = [
    name for name, kind in ENGINES.items() if not kind.missing() and (name == KERAS or not name.startswith("keras"))
]
each_engine = pytest.mark.parametrize("engine", INSTALLED)
each_task = pytest.mark.parametrize(("name", "task"), BUILT, ids=["-".join(pair) for pair in BUILT])
TEXT, PAIR = "The capital of France is [MASK].", ("Which capital?", "Rome is the capital of Italy.")
Make = Callable[..., Model]


def tolerance(engine: str, values: torch.Tensor) -> float:
    return 1e-4 if ENGINES[engine].exact else 0.1 * max(1.0, float(values.abs().max()))


# -- numbers -----------------------------------------------------------------------------------------------------------


@each_engine
@each_task
def test_tensors_are_torchs(tiny_model: Make, engine: str, name: str, task: str) -> None:
    """Batches with padding and types, one piece, the longest text; and what is left out means the same."""
    shallow = {"num_hidden_layers": 2, "num_hidden_groups": 1, "inner_group_num": 1} if engine == KERAS else {}
    model = tiny_model(name, task, **shallow)
    other, config, longest = model.on(engine), model.config, model.config.max_position_embeddings
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 7)] if engine.startswith("keras") and task != "masked-lm" else [(1, 1), (3, 7), (2, longest)]
    for batch, seq in shapes:  # Keras is compiled for each shape
        shape = (batch, 2, seq) if task == "multiple-choice" else (batch, seq)
        ids = torch.randint(config.vocab_size, shape, generator=generator)
        type_ids = torch.randint(config.type_vocab_size, shape, generator=generator)
        mask = torch.ones_like(ids)
        mask[0, ..., (seq + 2) // 2 :] = 0
        for given in ((ids, mask, type_ids), (ids,), (ids.int(), mask.bool(), None)):
            expected, actual = model.outputs(*given), other.outputs(*given)
            assert list(actual) == list(expected)
            for output, values in expected.items():
                assert actual[output].shape == values.shape
                assert actual[output].dtype == values.dtype
                assert float((actual[output] - values).abs().max()) < tolerance(engine, values)
        run = other.run(ids, mask, type_ids)
        assert run.shape == model.run(ids, mask, type_ids).shape
        if task in ("masked-lm", "pre-training"):
            with torch.no_grad():
                expected_run = model.network(ids, mask, type_ids)
            assert float((run - expected_run).abs().max()) < tolerance(engine, expected_run)


@each_engine
@pytest.mark.parametrize("name", FAMILIES)
def test_answers_are_torchs(tiny_model: Make, engine: str, name: str) -> None:
    if not ENGINES[engine].exact:
        pytest.skip("8 bits may decide otherwise; how often is measured")
    tasks = FAMILIES[name].tasks
    if engine.startswith("keras"):  # what is asked is the engine's part, and how is not
        tasks = tasks[:1]
    for task in tasks:
        model = tiny_model(name, task)
        other = model.on(engine)
        vector = other.embed(*PAIR)
        torch.testing.assert_close(vector, model.embed(*PAIR), rtol=0, atol=1e-4)
        match task:
            case "masked-lm" | "pre-training":
                ours, theirs = (asked.fill_mask(TEXT, top_k=4).blanks[0].candidates for asked in (model, other))
                assert [candidate.id for candidate in ours] == [candidate.id for candidate in theirs]
            case "sequence-classification":
                ours, theirs = (asked.classify(*PAIR).labels for asked in (model, other))
                assert [label.label for label in ours] == [label.label for label in theirs]
            case "token-classification":
                ours, theirs = (asked.tag(TEXT).tags for asked in (model, other))
                assert [tag.label for tag in ours] == [tag.label for tag in theirs]
            case "question-answering":
                long = " ".join([PAIR[1]] * 12)  # in windows
                ours, theirs = (asked.answer(PAIR[0], long) for asked in (model, other))
                assert ours.windows == theirs.windows > 1
                assert [passage.text for passage in ours.passages] == [passage.text for passage in theirs.passages]
            case "multiple-choice":
                ours, theirs = (
                    asked.choose("The cat", ["sat.", "is the capital."]).choices for asked in (model, other)
                )
                assert [choice.text for choice in ours] == [choice.text for choice in theirs]


@pytest.mark.parametrize("kind", [None, "regression", "multi_label_classification"])
@each_engine
def test_every_kind_of_label(tiny_model: Make, engine: str, kind: str | None) -> None:
    labels = ("size",) if kind == "regression" else ("a", "b", "c")
    model = tiny_model("bert", "sequence-classification", labels=labels, problem_type=kind)
    ours, theirs = (
        sorted(asked.classify(*PAIR).labels, key=lambda label: label.id) for asked in (model, model.on(engine))
    )
    for one, other in zip(ours, theirs, strict=True):
        assert (one.label, one.probability is None) == (other.label, other.probability is None)
        assert one.score == pytest.approx(other.score, abs=1e-4 if ENGINES[engine].exact else 0.3)


@each_engine
def test_agreement_is_measured(tiny_model: Make, engine: str) -> None:
    agreement = tiny_model("bert").on(engine).agreement  # type: ignore[attr-defined]
    assert agreement.texts == 5
    assert agreement.decisions > 20
    assert agreement.largest_difference < (1e-4 if ENGINES[engine].exact else 0.1 * agreement.largest_value)
    if engine == "torch":
        assert agreement.largest_difference == 0
    if ENGINES[engine].exact:
        assert agreement.same == agreement.decisions


@pytest.mark.parametrize("engine", [name for name in INSTALLED if name != "torch"])
def test_many_threads_may_ask_at_once(tiny_model: Make, engine: str) -> None:
    model = tiny_model("convbert")
    other = model.on(engine, threads=1)
    texts = [f"{word} is the capital of [MASK]." for word in ("Paris", "Rome", "The cat", "A dog, a cat") * 4]
    expected = [other.fill_mask(text).blanks for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: other.fill_mask(text).blanks, texts)) == expected


# -- what is kept ------------------------------------------------------------------------------------------------------


@each_engine
def test_an_engine_is_made_once_and_goes_with_its_model(tiny_model: Make, engine: str) -> None:
    model = tiny_model("albert")
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    other = model.on(engine)
    assert model.on(engine) is other
    assert model.on(engine, threads=1) is not other
    other.fill_mask(TEXT)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    gone = weakref.ref(model)
    del model
    assert gone() is None  # at once: no circle of references keeps its weights
    assert other.fill_mask(TEXT)
    gc.collect()


def test_traces_stay_torchs(tiny_model: Make) -> None:
    model = tiny_model("bert")
    before = model.trace(EXAMPLE, grad=True)
    model.on("torch-packed").fill_mask(EXAMPLE)
    after = model.trace(EXAMPLE, grad=True)
    assert torch.equal(before.hidden, after.hidden)
    assert torch.autograd.grad(after.logits.sum(), after.layers[0].hidden)[0].abs().max() > 0


# -- errors ------------------------------------------------------------------------------------------------------------


@each_engine
def test_wrong_questions_are_said(tiny_model: Make, engine: str) -> None:
    model = tiny_model("bert")
    other, longest = model.on(engine), model.config.max_position_embeddings
    assert model.key in repr(other)
    with pytest.raises(NoMaskError, match="no blank"):
        other.fill_mask("A text.")
    with pytest.raises(NoHeadError, match='task "masked-lm" and has no sequence-classification head'):
        other.classify("A text.")
    ids = torch.zeros(1, 4, dtype=torch.long)
    for given, sentence in (
        ((ids[0],), r"ids: expected \(batch, seq\), none of them 0, got a tensor of shape \(4,\)"),
        ((ids[:, :0],), r"got a tensor of shape \(1, 0\)"),
        ((ids, ids[:, :2]), r"mask: expected the shape of ids, \(1, 4\), got \(1, 2\)"),
        ((ids, None, ids + 7), "type_ids: expected 0 to 1, got 7 to 7"),
        ((ids + model.config.vocab_size,), "ids: expected 0 to"),
        ((ids.repeat(1, 99),), f"reads up to {longest} pieces, got 396"),
    ):
        with pytest.raises(ValueError, match=sentence):
            other.run(*given)


def test_what_cannot_be_opened_is_said(tiny_model: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("bert")
    with pytest.raises(UnsupportedError, match=r"Unknown engine 'tpu'\. Known: torch, torch-packed, onnx, "):
        model.on("tpu")
    with pytest.raises(ValueError, match="threads: expected a whole number from 1 to 1024, got 0"):
        model.on("torch-packed", threads=0)
    narrow = bortlab.load("bert-mini", dtype="bfloat16")
    with pytest.raises(UnsupportedError, match=r"bert-mini is loaded as torch.bfloat16 on cpu. Load it with dtype="):
        narrow.on("torch-packed")
    assert narrow.on("torch").fill_mask(EXAMPLE).blanks
    if KERAS in INSTALLED:
        model.on(KERAS)
        another = "keras-torch" if KERAS != "keras-torch" else "keras-jax"
        with pytest.raises(UnsupportedError, match=r"has one backend in a process\. Start Python again and ask"):
            model.on(another)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, kind in ENGINES.items():
        if name.startswith("torch"):
            assert not kind.missing()
        else:
            with pytest.raises(
                UnsupportedError, match=r"is not installed here: pip install \w+.*, then start Python again"
            ):
                tiny_model("bert").on(name)


def test_only_what_is_asked_for_is_imported() -> None:
    """The contract itself costs nothing at import: libraries of engines come with the engines."""
    import subprocess
    import sys

    code = (
        "import sys, bortlab.runtimes.engines as e\n"
        "heavy = {'onnx', 'onnxruntime', 'openvino', 'keras', 'jax', 'tensorflow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
