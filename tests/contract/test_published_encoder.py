"""A real published encoder, read from its own files: transformers gives the same, and the analyses work on it.

It is the only published checkpoint that the tests have; `published_encoder` says where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import bortlab
from bortlab import registry
from bortlab.analysis import attribution, latency
from bortlab.analysis.latency.cases import architecture, n_parameters
from bortlab.model import Model, NoHeadError
from bortlab.registry import Registry
from bortlab.runtimes import RUNTIMES, TOLERANCES, SingleOutput
from bortlab.text import MASK

TEXT = "The old film was slow, and yet nobody wanted to leave."
AWKWARD = (
    "",
    "   \t\n ",
    "Naïve café: Ångström, Ñandú, İstanbul, STRASSE, straße!",
    "e" + "\u0301" * 40 + " combining",
    "東京は日本の首都です。 서울은 한국의 수도다.",
    "שלום עולם مرحبا بالعالم",
    "😀 👩🏽‍🚀 🏳️‍🌈 \u200bzero\u200c\u2060width\ufeff",
    "a\x01\x08\x1b[31m\x7f\x85b \ue000\ufffe\U0010ffff",
    "don't can't 3.14159 1,000,000 C++ x_1=y^2; https://example.org/a?b=c#d",
    "pneumonoultramicroscopicsilicovolcanoconiosis " + "x" * 101,
    "[mask] <mask> <s> </s> [ CLS ] ##ing",
    "the cat sat on the mat " * 12,
)
DIFFERENCE = 5e-6
"""Most that what leaves the encoder, or a probability, may differ in float32; inside it, states are larger."""
SIZES = "bert-base-uncased:hidden_size=384,num_hidden_layers=6,intermediate_size=1536"
"""Its architecture as a name that can be timed."""


@pytest.fixture(scope="module", autouse=True)
def own_registry() -> Iterator[None]:
    """These models leave memory with this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry.loading, "REGISTRY", Registry())
        yield


@pytest.fixture(scope="module")
def model(published_encoder: Path) -> Model:
    return bortlab.load_from(published_encoder, task="encoder")


@pytest.fixture(scope="module")
def oracle(published_encoder: Path) -> Any:
    return transformers.AutoModel.from_pretrained(published_encoder, attn_implementation="eager").eval()


def test_what_its_files_hold(published_encoder: Path, model: Model, oracle: Any) -> None:
    assert (model.family.name, model.tokenizer.kind, dict(model.heads)) == ("bert", "wordpiece", {"pooler": "trained"})
    assert registry.own_task_from(published_encoder) == "encoder"
    assert model.n_parameters == sum(parameter.numel() for parameter in oracle.parameters()) == 22_713_216
    with pytest.raises(NoHeadError):
        model.fill_mask(f"Paris is the {MASK} of France.")
    assert bortlab.load_from(published_encoder).heads == {"masked-lm": "random"}


def test_pieces_equal_transformers_on_awkward_texts(published_encoder: Path, model: Model) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(published_encoder)
    for text in AWKWARD:
        assert list(model.encode(text).ids) == theirs(text).input_ids, text
    encoding = model.encode(TEXT, AWKWARD[2])
    assert list(encoding.ids) == theirs(TEXT, AWKWARD[2]).input_ids


@torch.no_grad()
def test_states_and_attention_equal_transformers(model: Model, oracle: Any) -> None:
    for text in AWKWARD:
        trace = model.trace(text)
        expected = oracle(
            input_ids=torch.tensor([trace.encoding.ids]), output_hidden_states=True, output_attentions=True
        )
        states, attention = torch.cat(expected.hidden_states), torch.cat(expected.attentions)
        torch.testing.assert_close(trace.hidden[-1], states[-1], rtol=0, atol=DIFFERENCE)
        torch.testing.assert_close(trace.hidden, states, rtol=0, atol=2 * DIFFERENCE)
        torch.testing.assert_close(trace.attention, attention, rtol=0, atol=DIFFERENCE)
        pooled = model.network.pooler(trace.output.hidden)
        torch.testing.assert_close(pooled, expected.pooler_output, rtol=0, atol=DIFFERENCE)


def test_what_is_saved_gives_transformers_the_same(model: Model, oracle: Any, tmp_path: Path) -> None:
    model.save(tmp_path)
    saved = transformers.AutoModel.from_pretrained(tmp_path).state_dict()
    assert saved.keys() == oracle.state_dict().keys()
    assert all(torch.equal(saved[name], tensor) for name, tensor in oracle.state_dict().items())


def test_attribution_of_a_label_equals_the_gradients_of_transformers(published_encoder: Path, oracle: Any) -> None:
    """Its pooler, and a classifier of random weights on it: for and against a label of a whole sentence."""
    model = bortlab.load_from(published_encoder, task="sequence-classification")
    assert model.heads == {"pooler": "trained", "sequence-classification": "random"}
    encoding = model.encode(TEXT)
    target = attribution.label(model, 1, encoding=encoding, against=0)
    ours = attribution.attribute(model, encoding, target, method="input-x-gradient", baseline="zero", by="pieces")

    words = oracle.embeddings.word_embeddings(torch.tensor([encoding.ids])).detach().requires_grad_()
    scores = model.network.state_dict()["sequence.weight"] @ oracle(inputs_embeds=words).pooler_output[0]
    (slopes,) = torch.autograd.grad(scores[1] - scores[0], words)
    scores, expected = scores.detach(), (slopes * words).sum(-1)[0].double().detach()
    expected[list(encoding.special)] = 0  # the template is not the text's
    assert float(expected.abs().max()) > 1e-3
    torch.testing.assert_close(ours.values, expected, rtol=1e-3, atol=1e-5)

    integrated = attribution.attribute(model, encoding, target, steps=100)
    assert integrated.relative_error < 0.02
    assert ours.value == pytest.approx(float(scores[1] - scores[0]), abs=1e-5)


@pytest.mark.parametrize("runtime", ["fused", "eager", "onnx"])
@torch.no_grad()
def test_every_runtime_computes_its_states(model: Model, oracle: Any, runtime: str) -> None:
    if runtime == "onnx":
        pytest.importorskip("onnxruntime")
    ids = torch.tensor([model.encode(TEXT).ids])
    module = SingleOutput(model.network, "encoder", explicit=RUNTIMES[runtime].explicit)
    states = torch.as_tensor(RUNTIMES[runtime].open(module)(ids)())
    expected = oracle(input_ids=ids).last_hidden_state
    assert float((states - expected).abs().max() / expected.abs().max()) < TOLERANCES["float32"]


def test_its_latency_is_measured(model: Model) -> None:
    """By its sizes: values do not change the time."""
    config = architecture(SIZES)[1]
    sizes = ("hidden_size", "depth", "heads", "intermediate_size", "vocab_size", "max_position_embeddings")
    assert [getattr(config, size) for size in sizes] == [getattr(model.config, size) for size in sizes]
    assert n_parameters(SIZES, "encoder") == model.n_parameters
    run = latency.measure(latency.plan([SIZES], seq=[16], threads=[1], rounds=3, seconds=0.0))
    (measured,) = [measured for measured in run.measured if measured.case.model == SIZES]
    assert not measured.error and measured.parameters == model.n_parameters
    assert 0 < measured.p50.value < 10_000  # milliseconds
