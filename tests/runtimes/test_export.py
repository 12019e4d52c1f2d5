"""An exported folder: the same answers as torch, without torch."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bortlab.checkpoint import CheckpointError
from bortlab.cli import main
from bortlab.model import Model
from bortlab.models import FAMILIES
from bortlab.nn.feedforward import ACTIVATIONS as TORCH_ACTIVATIONS
from bortlab.runtimes import UnsupportedError, blocks, comparison
from bortlab.runtimes.comparison import compare, encoded, text_times
from bortlab.runtimes.export import export
from bortlab.runtimes.network import onnx_model
from bortlab.runtimes.outputs import INPUTS, published
from tests.exported import run_apart

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
BUILT = [(name, task) for name, family in FAMILIES.items() for task in family.tasks]
each_task = pytest.mark.parametrize(("name", "task"), BUILT, ids=["-".join(pair) for pair in BUILT])
TEXT, PAIR = "The capital of France is Paris.", ("Which capital?", "Rome is the capital of Italy.")
Make = Callable[..., Model]


def texts_for(task: str) -> list[Any]:
    return [("The cat", "sat on the mat.", "barked.")] if task == "multiple-choice" else [TEXT, PAIR, "The [MASK] sat."]


# -- numbers -----------------------------------------------------------------------------------------------------------


@each_task
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_batches_padding_and_types_are_as_in_torch(tiny_model: Make, name: str, task: str, precision: Any) -> None:
    import onnx as onnx_package

    model = tiny_model(name, task)
    network = model.network
    graph = onnx_model(network, precision=precision)
    onnx_package.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    config = network.config
    for batch, seq in ((1, 1), (3, 7), (2, config.max_position_embeddings)):
        shape = (batch, 2, seq) if task == "multiple-choice" else (batch, seq)
        ids = torch.randint(config.vocab_size, shape, generator=generator)
        type_ids = torch.randint(config.type_vocab_size, shape, generator=generator)
        mask = torch.ones_like(ids)
        mask[0, ..., (seq + 2) // 2 :] = 0
        expected = model.outputs(ids, mask, type_ids)
        feed = dict(zip(INPUTS, (part.numpy() for part in (ids, mask, type_ids)), strict=True))
        names = published(network)
        assert list(expected) == list(names)
        assert [entry.name for entry in session.get_outputs()] == list(names.values())
        for ours, values in zip(expected, session.run(None, feed), strict=True):
            theirs = expected[ours].numpy()
            assert values.shape == theirs.shape
            difference = np.abs(values - theirs).max()
            assert difference < (1e-5 if precision == "float32" else 0.1 * max(1.0, np.abs(theirs).max()))
            assert precision == "float32" or difference > 1e-5  # rounded indeed


@pytest.mark.parametrize("name", FAMILIES)
def test_records_of_every_layer(tiny_model: Make, name: str) -> None:
    model = tiny_model(name)
    encoding = model.encode(TEXT)
    trace = model.trace(TEXT)
    session = onnxruntime.InferenceSession(onnx_model(model.network, records=True).SerializeToString())
    ids, type_ids = model.inputs(encoding)
    feed = dict(zip(INPUTS, (ids.numpy(), np.ones_like(ids), type_ids.numpy()), strict=True))
    given = dict(zip([entry.name for entry in session.get_outputs()], session.run(None, feed), strict=True))
    for layer in range(model.config.depth):
        np.testing.assert_allclose(given[f"attentions.{layer}"][0], trace.attention[layer], atol=1e-5)
        assert (trace.kernels is not None) == (f"kernels.{layer}" in given)
        if trace.kernels is not None:
            np.testing.assert_allclose(given[f"kernels.{layer}"][0], trace.kernels[layer], atol=1e-5)


@pytest.mark.parametrize("activation", TORCH_ACTIVATIONS)
def test_every_activation(tiny_model: Make, activation: str) -> None:
    model = tiny_model("bert", hidden_act=activation)
    session = onnxruntime.InferenceSession(onnx_model(model.network).SerializeToString())
    ids = torch.arange(6)[None]
    feed = dict(zip(INPUTS, (ids.numpy(), np.ones_like(ids), np.zeros_like(ids)), strict=True))
    np.testing.assert_allclose(session.run(None, feed)[0], model.network(ids).detach(), atol=1e-5)


@pytest.mark.parametrize("summary", ["first", "last", "mean"])
@pytest.mark.parametrize("projects", [True, False])
def test_every_summary(tiny_model: Make, summary: str, projects: bool) -> None:
    changes = {
        "summary_type": summary,
        "summary_use_proj": projects,
        "summary_activation": "gelu" if projects else None,
    }
    model = tiny_model("convbert", "multiple-choice", **changes)
    session = onnxruntime.InferenceSession(onnx_model(model.network).SerializeToString())
    ids = torch.arange(24).view(2, 3, 4)
    feed = dict(zip(INPUTS, (ids.numpy(), np.ones_like(ids), np.zeros_like(ids)), strict=True))
    np.testing.assert_allclose(session.run(None, feed)[0], model.run(ids), atol=1e-5)


def test_a_shared_block_is_stored_once(tiny_model: Make) -> None:
    def n_numbers(depth: int) -> int:
        model = tiny_model("albert", num_hidden_layers=depth, num_hidden_groups=1, inner_group_num=1)
        return sum(int(np.prod(weight.dims)) for weight in onnx_model(model.network).graph.initializer)

    assert n_numbers(6) == n_numbers(2)
    network = tiny_model("albert", num_hidden_layers=6, num_hidden_groups=1, inner_group_num=1).network
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    assert n_parameters <= n_numbers(6) < n_parameters + 100  # and some constants: not even the tied decoder twice


def test_a_module_without_nodes_is_said() -> None:
    with pytest.raises(TypeError, match="No ONNX nodes are known for a Bilinear"):
        blocks.nodes(torch.nn.Bilinear(2, 2, 2), None, "x")  # type: ignore[arg-type]


# -- folders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_folder_of_every_task(tiny_model: Make, name: str, precision: Any, tmp_path: Path) -> None:
    for task in FAMILIES[name].tasks:
        model = tiny_model(name, task)
        exported = export(model, tmp_path / task, precision=precision, texts=texts_for(task))
        files = {"agreement.json", "config.json", "model.onnx", "run.py", "tokenizer.json"}
        assert set(exported.files) == {path.name for path in exported.folder.iterdir()} == files
        assert (exported.task, exported.precision) == (task, precision)
        assert exported.agreement.texts == len(texts_for(task))
        if precision == "float32":
            assert exported.agreement.largest_difference < 1e-4
            assert exported.agreement.same == exported.agreement.decisions
        else:
            assert 1e-6 < exported.agreement.largest_difference < 0.3 * max(1.0, exported.agreement.largest_value)
        assert (exported.agreement.decisions > 0) == (task != "encoder")
        saved = json.loads((exported.folder / "agreement.json").read_text(encoding="utf-8"))
        assert saved["largest_difference"] == exported.agreement.largest_difference
        assert saved["milliseconds"] == {"onnx": exported.ms, "torch": exported.torch_ms}
        assert min(exported.ms, exported.torch_ms) > 0
        compile((exported.folder / "run.py").read_text(encoding="utf-8"), "run.py", "exec")


def test_it_runs_without_torch(tiny_model: Make, tmp_path: Path) -> None:
    """One family a task, so that each script and each kind of tokenizer runs."""
    filler = tiny_model("bort")
    export(filler, tmp_path / "fills")
    candidates = filler.fill_mask("The [MASK] sat on the mat.").blanks[0].candidates
    expected = [f"{candidate.token} {candidate.probability:.4f}".rstrip("0") for candidate in candidates]
    printed = run_apart(tmp_path / "fills", "The [MASK] sat on the mat.")
    assert [line.rstrip("0") for line in printed] == expected

    labels = tuple(f"label {number}" for number in range(12))  # more than ten: "10" stands before "2" in a file
    classifier = tiny_model("albert", "sequence-classification", labels=labels)
    export(classifier, tmp_path / "classifies")
    printed = run_apart(tmp_path / "classifies", *PAIR)
    assert [line.rpartition(" ")[0] for line in printed] == [x.label for x in classifier.classify(*PAIR).labels]
    shares = [float(line.rpartition(" ")[2]) for line in printed]
    assert shares == pytest.approx([x.probability for x in classifier.classify(*PAIR).labels], abs=1e-4)

    tagger = tiny_model("convbert", "token-classification")
    export(tagger, tmp_path / "tags")
    encoding = tagger.encode(TEXT)
    best = tagger.scores(encoding)["token-classification"][0].argmax(-1).tolist()
    own = [(encoding.source(piece), best[piece]) for piece in range(len(encoding)) if not encoding.special[piece]]
    assert run_apart(tmp_path / "tags", TEXT) == [f"{source} {tagger.config.labels[label]}" for source, label in own]

    chooser = tiny_model("bert", "multiple-choice")
    assert export(chooser, tmp_path / "chooses").agreement.decisions == 2
    printed = run_apart(tmp_path / "chooses", "The cat", "sat on the mat.", "barked.")
    chosen = chooser.choose("The cat", ["sat on the mat.", "barked."])
    assert [line.rpartition(" ")[0] for line in printed] == [choice.text for choice in chosen.choices]


def test_answers_and_vectors_without_torch(tiny_model: Make, tmp_path: Path) -> None:
    question, context = PAIR
    reader = tiny_model("bert", "question-answering")
    export(reader, tmp_path / "reads")
    (passage,) = run_apart(tmp_path / "reads", question, context)
    encoding = reader.encode(question, context)
    scores = reader.scores(encoding)
    places = [place for place, part in enumerate(encoding.parts) if part == 1]
    spans = [(first, last) for first in places for last in places if first <= last]
    first, last = max(spans, key=lambda span: float(scores["start"][0, span[0]] + scores["end"][0, span[1]]))
    assert passage == context[encoding.offsets[first][0] : encoding.offsets[last][1]]

    encoder = tiny_model("albert", "encoder")
    export(encoder, tmp_path / "encodes")
    (line,) = run_apart(tmp_path / "encodes", TEXT)
    ids, type_ids = encoder.inputs(encoder.encode(TEXT))
    expected = encoder.run(ids, None, type_ids)[0].mean(0)
    np.testing.assert_allclose([float(number) for number in line.split()], expected, atol=1e-4)


@pytest.mark.parametrize(("labels", "kind"), [(("size",), None), (("a", "b", "c"), "multi_label_classification")])
def test_numbers_and_several_labels(tiny_model: Make, labels: Any, kind: Any, tmp_path: Path) -> None:
    model = tiny_model("bert", "sequence-classification", labels=labels, problem_type=kind)
    exported = export(model, tmp_path / "out", texts=[TEXT, PAIR])
    assert exported.agreement.decisions == (6 if kind else 0)
    printed = run_apart(tmp_path / "out", TEXT)
    answers = model.classify(TEXT).labels
    values = [answer.score if answer.probability is None else answer.probability for answer in answers]
    assert [line.rpartition(" ")[0] for line in printed] == [answer.label for answer in answers]
    assert [float(line.rpartition(" ")[2]) for line in printed] == pytest.approx(values, abs=1e-4)


def test_large_weights_lie_beside_the_model(tiny_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bortlab.runtimes.export.MAX_INLINE_BYTES", 1000)
    exported = export(tiny_model("bert"), tmp_path / "out")
    assert exported.files["model.onnx.data"] > 1000
    assert exported.agreement.largest_difference < 1e-4


# -- agreement ---------------------------------------------------------------------------------------------------------


def test_agreement_counts_what_differs(tiny_model: Make) -> None:
    model = tiny_model("bert", "sequence-classification")
    expected = model.scores(model.encode(TEXT))["sequence-classification"]

    def wrong(ids: Any, mask: Any, type_ids: Any) -> dict[str, torch.Tensor]:
        return {"sequence-classification": -model.run(ids, mask, type_ids)}

    found = compare(model, model.outputs, wrong, [TEXT])
    assert (found.same, found.decisions, found.texts) == (0, 1, 1)
    assert found.cosine == pytest.approx(-1)
    assert found.largest_difference == pytest.approx(2 * float(expected.abs().max()))
    assert found.largest_value == pytest.approx(float(expected.abs().max()))
    assert "0 of 1 decisions the same" in str(found)


@pytest.mark.parametrize(("seconds", "turns"), [(1e9, comparison.TURNS), (0.0, 1)])
def test_a_text_takes_the_median_of_the_shortest_turns(
    tiny_model: Make, monkeypatch: pytest.MonkeyPatch, seconds: float, turns: int
) -> None:
    model, clock, calls = tiny_model("bert", "sequence-classification"), [0.0], []
    monkeypatch.setattr(comparison.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(comparison, "SECONDS", seconds)

    def program(name: str, *ms: float) -> Any:
        def run(ids: torch.Tensor, mask: Any, type_ids: Any) -> dict[str, torch.Tensor]:
            calls.append(name)
            turn = (calls.count(name) - 1) // 3  # of three texts
            clock[0] += ms[min(turn, len(ms) - 1)] * ids.shape[1] / 1_000
            return model.outputs(ids, mask, type_ids)

        return run

    texts = ["a", "a a a", "a a a a a a a"]
    lengths = [len(model.encode(text)) for text in texts]
    programs = {"even": program("even", 2.0), "uneven": program("uneven", 0.1, 9.0, 5.0, 7.0)}  # 0.1: not counted
    ms = text_times(model, programs, texts)
    assert ms["even"] == pytest.approx(2 * sorted(lengths)[1])
    assert ms["uneven"] == pytest.approx((5 if turns > 1 else 9) * sorted(lengths)[1])
    assert calls == ["even", "uneven"] * 3 * (1 + turns)


def test_texts_that_do_not_fit_are_said(tiny_model: Make) -> None:
    with pytest.raises(ValueError, match="a prompt and its choices"):
        encoded(tiny_model("bert", "multiple-choice"), TEXT)
    with pytest.raises(ValueError, match="a pair of texts, got 3"):
        encoded(tiny_model("bert"), ("a", "b", "c"))
    with pytest.raises(ValueError, match="at least one text"):
        compare(tiny_model("bert"), lambda *_: {}, lambda *_: {}, [])


# -- errors, the command -----------------------------------------------------------------------------------------------


def test_wrong_calls_are_said(tiny_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("bert")
    with pytest.raises(ValueError, match="precision: expected float32 or int8, got 'int4'"):
        export(model, tmp_path / "out", precision="int4")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="Cannot write"):
        export(model, tmp_path / "file" / "out")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match="pip install onnx onnxruntime"):
        export(model, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]  # nothing half-written stays


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], own_folder: Callable[..., Path]) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(f"{TEXT}\n\n{PAIR[0]}\t{PAIR[1]}\n", encoding="utf-8")
    folder = own_folder("bert", "sequence-classification")
    command = ["export", str(folder), "--to", "onnx-int8", "--out", str(tmp_path / "out"), "--texts", str(texts)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "for sequence-classification, int8" in printed
    assert "over 2 texts" in printed
    assert re.search(r"ms for a text here, [\d.]+ ms with torch", printed)
    assert (tmp_path / "out" / "model.onnx").stat().st_size > 0
    assert main(["export", str(folder), "--to", "onnx", "--out", str(texts / "x")]) == 1
    assert "bortlab export: Cannot write" in capsys.readouterr().err
