"""Decoders of a masked-LM head: the word table, a rounded copy of it, or one of its own, as transformers reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import bortlab
from bortlab.analysis.parameters import count, formula
from bortlab.checkpoint import CheckpointError
from bortlab.models import FAMILIES
from bortlab.runtimes.export import export
from bortlab.text import Tokenizer, TokenizerKind
from tests.contract.folders import (
    FORMATS,
    MODELS,
    SENTENCES,
    TASKS,
    edit_config,
    expected_logits,
    family_argument,
    write_model,
    write_tokenizer,
    write_weights,
)

pytestmark = pytest.mark.usefixtures("fresh_registry")
HEAD_TENSORS = {
    "albert": ("predictions.decoder.weight", "predictions.decoder.bias", "predictions.bias"),
    "convbert": ("generator_lm_head.weight", "generator_lm_head.bias", "generator_lm_head.bias"),
    "bort": ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "cls.predictions.bias"),
    "bert": ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "cls.predictions.bias"),
}
"""The published names of a decoder, of the bias beside it, and of the bias that is usually the only one."""


def write_decoder(folder: Path, family: str, change: Any, *, both: bool = True) -> None:
    """Write a decoder, the word table changed, into the file; both: and its bias, where that has a name of its own."""
    state = load_file(folder / "model.safetensors")
    decoder, decoder_bias, bias = HEAD_TENSORS[family]
    (table,) = (tensor for name, tensor in state.items() if name.endswith("embeddings.word_embeddings.weight"))
    state[decoder] = change(table)
    if both:
        state[decoder_bias] = state[bias].clone()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def write_family(folder: Path, tokenizers: dict[TokenizerKind, Tokenizer], family: str, **options: Any) -> Any:
    """A model of a family with the family's own tokenizer, and no bias or norm that is 0 or 1 throughout."""
    model = write_model(folder, family, **options)
    write_tokenizer(folder, tokenizers[FAMILIES[family].tokenizer], classic=False)
    state = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(1)
    biases = {
        name: tensor + torch.randn(tensor.shape, generator=generator)
        for name, tensor in state.items()
        if name.endswith("bias")
    }
    save_file(state | biases, folder / "model.safetensors", metadata={"format": "pt"})
    return model


def transformers_reads(folder: Path, family: str, task: str = "masked-lm") -> Any:
    return getattr(transformers, MODELS[family][1] + TASKS[task]).from_pretrained(folder).eval()


def assert_same_logits(model: Any, oracle: Any) -> None:
    encoding = model.encode(SENTENCES[1])
    torch.testing.assert_close(model.logits(encoding), expected_logits(oracle, encoding.ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", ["bert", "albert"])
def test_a_decoder_that_was_rounded_is_read_and_stays_tied(
    tmp_path: Path,
    tokenizers: dict[TokenizerKind, Tokenizer],
    caplog: pytest.LogCaptureFixture,
    family: str,
    dtype: torch.dtype,
) -> None:
    write_family(tmp_path, tokenizers, family)
    write_decoder(tmp_path, family, lambda table: table.to(dtype).float())
    with caplog.at_level("WARNING", logger="bortlab"):
        model = bortlab.load_from(tmp_path)
    assert "differs from" in caplog.text and "rounding" in caplog.text and not model.has_own_decoder
    encoding = model.encode(SENTENCES[1])
    theirs = expected_logits(transformers_reads(tmp_path, family), encoding.ids)
    torch.testing.assert_close(model.logits(encoding), theirs, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("tied", [True, False, None], ids=["said to be tied", "said to be untied", "nothing said"])
@pytest.mark.parametrize("family", MODELS)
def test_a_decoder_of_its_own_is_read_as_transformers_reads_it(
    tmp_path: Path,
    tokenizers: dict[TokenizerKind, Tokenizer],
    caplog: pytest.LogCaptureFixture,
    family: str,
    tied: bool | None,
) -> None:
    write_family(tmp_path, tokenizers, family)
    write_decoder(tmp_path, family, lambda table: table + 0.25 * torch.linspace(-1, 1, table.numel()).view_as(table))
    edit_config(tmp_path, tie_word_embeddings=tied)
    with caplog.at_level("WARNING", logger="bortlab"):
        model = bortlab.load_from(tmp_path, family=family_argument(family))
    assert model.has_own_decoder and not model.config.tie_word_embeddings and "untied decoder" in repr(model)
    assert dict(model.heads) == {"masked-lm": "trained"} and ("untied" in caplog.text) == (tied is not False)
    oracle = transformers_reads(tmp_path, family)
    assert_same_logits(model, oracle)
    parameters = {id(parameter): parameter.numel() for parameter in oracle.parameters()}
    unused = 0 if tied is not False or family == "convbert" else model.config.vocab_size  # a bias that nothing reads
    assert model.n_parameters == sum(parameters.values()) - unused
    counted, by_formula = count(model.network), formula(model.config, ("masked-lm",))
    assert counted.stored == by_formula.stored == model.n_parameters and counted.executed == by_formula.executed
    assert not any("decoder" in tie.what for tie in (*counted.ties, *by_formula.ties))

    model.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["tie_word_embeddings"] is False
    assert_same_logits(model, transformers_reads(tmp_path / "saved", family))
    again = bortlab.load_from(tmp_path / "saved")
    assert again.has_own_decoder and again.network.state_dict().keys() == model.network.state_dict().keys()
    assert all(
        torch.equal(tensor, model.network.state_dict()[name]) for name, tensor in again.network.state_dict().items()
    )


def test_an_untied_decoder_that_equals_the_word_table_stays_one(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]
) -> None:
    """It may be trained on, apart from the table."""
    write_family(tmp_path, tokenizers, "bert")
    write_decoder(tmp_path, "bert", torch.clone)
    assert not bortlab.load_from(tmp_path).has_own_decoder
    edit_config(tmp_path, tie_word_embeddings=False)
    model = bortlab.load_from(tmp_path)
    assert model.has_own_decoder
    assert_same_logits(model, transformers_reads(tmp_path, "bert"))


@pytest.mark.parametrize("form", FORMATS)
def test_an_untied_decoder_in_every_format_of_weights(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], form: str
) -> None:
    oracle = write_family(tmp_path, tokenizers, "bert")
    write_decoder(tmp_path, "bert", lambda table: table + 0.25)
    write_weights(tmp_path, oracle, form)
    model = bortlab.load_from(tmp_path)
    assert model.has_own_decoder
    assert_same_logits(model, transformers_reads(tmp_path, "bert"))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["bert", "albert"])
def test_the_bias_beside_the_decoder_is_the_one_in_use(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], family: str, tied: bool
) -> None:
    write_family(tmp_path, tokenizers, family)
    write_decoder(tmp_path, family, torch.clone)
    state = load_file(tmp_path / "model.safetensors")
    _, beside, usual = HEAD_TENSORS[family]
    save_file(state | {beside: state[usual] + 1.5}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    edit_config(tmp_path, tie_word_embeddings=tied)
    assert_same_logits(bortlab.load_from(tmp_path), transformers_reads(tmp_path, family))


def test_untied_and_no_decoder_is_told(tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]) -> None:
    """transformers would make one up: its guesses differ each time."""
    write_family(tmp_path, tokenizers, "bert")
    edit_config(tmp_path, tie_word_embeddings=False)
    with pytest.raises(CheckpointError, match=r"tie_word_embeddings is false.*no cls\.predictions\.decoder\.weight"):
        bortlab.load_from(tmp_path)
    assert bortlab.load_from(tmp_path, task="encoder").task == "encoder"


def test_an_encoder_that_says_untied_gets_a_tied_head_of_random_weights(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]
) -> None:
    write_family(tmp_path, tokenizers, "bert", task="encoder")
    edit_config(tmp_path, tie_word_embeddings=False)
    model = bortlab.load_from(tmp_path)
    assert model.heads == {"masked-lm": "random"} and not model.has_own_decoder
    encoder = bortlab.load_from(tmp_path, task="encoder")
    encoder.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["tie_word_embeddings"] is False


def test_an_untied_pre_training_head(tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]) -> None:
    write_family(tmp_path, tokenizers, "albert", task="pre-training")
    write_decoder(tmp_path, "albert", lambda table: -table)
    model = bortlab.load_from(tmp_path, task="pre-training")
    assert model.has_own_decoder and "random" not in model.heads.values()
    encoding = model.encode(SENTENCES[1])
    theirs = expected_logits(transformers_reads(tmp_path, "albert", "pre-training"), encoding.ids)
    torch.testing.assert_close(model.scores(encoding)["masked-lm"], theirs, rtol=1e-4, atol=1e-5)


def test_an_exported_network_has_its_own_decoder(tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]) -> None:
    pytest.importorskip("onnxruntime")
    write_family(tmp_path, tokenizers, "bert")
    write_decoder(tmp_path, "bert", lambda table: 1.5 - table)
    model = bortlab.load_from(tmp_path)
    assert model.has_own_decoder
    assert export(model, tmp_path / "exported", texts=[SENTENCES[1]]).agreement.largest_difference < 1e-4
