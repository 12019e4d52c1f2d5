"""A loaded model: right answers, errors that help, and nothing that a call leaves behind."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from bortlab.model import FilledMask, Model, NoHeadError, NoMaskError, NonFiniteError, assemble
from bortlab.models import FAMILIES, Network
from bortlab.text import Tokenizer
from bortlab.training.vocabulary import train_tokenizer

TEXTS = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat; a dog barked.",
] * 10
TEXT = "Paris is the [MASK] of France."
TWO = "The [MASK] sat on the [MASK]."


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {family.name: train_tokenizer(family.tokenizer, TEXTS, vocab_size=300) for family in FAMILIES.values()}


def make(name: str, tokenizer: Tokenizer, *, task: str = "masked-lm", spare: int = 0, positions: int = 32) -> Model:
    """A tiny random model; spare: rows of the word table beyond the tokenizer's vocabulary."""
    family = FAMILIES[name]
    config = replace(
        family.mini,
        vocab_size=tokenizer.vocab_size + spare,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        initializer_range=0.3,
    )
    network = family.network(config, task).initialise(torch.Generator().manual_seed(1))
    return assemble(f"{name}-tiny", family, network, tokenizer, heads={"masked-lm": "random"}, source="random weights")


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Model:
    return make(request.param, tokenizers[request.param])


@pytest.fixture
def bert(tokenizers: dict[str, Tokenizer]) -> Model:
    return make("bert", tokenizers["bert"])


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TEXT, TWO])
def test_fill_mask_is_the_softmax_of_the_whole_network_at_the_masks(model: Model, text: str) -> None:
    filled = model.fill_mask(text, top_k=4)
    encoding = filled.encoding
    with torch.no_grad():
        types = torch.tensor([encoding.type_ids])
        logits = model.network(torch.tensor([encoding.ids]), torch.ones(1, len(encoding)), types)[0]
    assert [blank.position for blank in filled.blanks] == list(encoding.mask_positions)
    assert len(filled.blanks) == text.count("[MASK]")
    for blank in filled.blanks:
        assert text[blank.start : blank.end] == "[MASK]"
        best = logits[blank.position].softmax(-1).topk(4)
        assert [c.id for c in blank.candidates] == best.indices.tolist()
        assert [c.probability for c in blank.candidates] == pytest.approx(best.values.tolist(), rel=1e-4)
        for candidate in blank.candidates:
            assert candidate.token == model.tokenizer.token_of(candidate.id)
            assert candidate.text == model.tokenizer.piece_text(candidate.id)
            assert math.exp(candidate.log_probability) == pytest.approx(candidate.probability)


def test_fill_mask_predicts_at_the_masks_only(bert: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    predict = Network.predict

    def spy(self: Network, hidden: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(hidden.shape))
        return predict(self, hidden)

    monkeypatch.setattr(Network, "predict", spy)
    bert.fill_mask(TWO)
    assert shapes == [(1, 2, 24)]


def test_ids_that_no_piece_stands_for_are_never_candidates(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("bert", tokenizers["bert"], spare=5)
    size = tokenizers["bert"].vocab_size
    with torch.no_grad():
        model.network.masked_lm.bias[size:] = 20.0  # type: ignore[union-attr]
    (blank,) = model.fill_mask(TEXT, top_k=size + 5).blanks
    assert len(blank.candidates) == size
    assert all(candidate.id < size for candidate in blank.candidates)
    assert sum(candidate.probability for candidate in blank.candidates) < 0.01  # over the whole vocabulary, as it is


def test_trace_agrees_with_logits_and_has_a_record_a_layer(model: Model) -> None:
    trace = model.trace(TEXT, "Rome is in Italy.")
    seq = len(trace.encoding)
    assert trace.attention.shape[0] == 3 and trace.attention.shape[2:] == (seq, seq)
    assert trace.hidden.shape == (4, seq, 24)
    assert not trace.logits.requires_grad and not trace.logits.is_inference()
    torch.testing.assert_close(trace.logits, model.logits(trace.encoding), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.network.predict(trace.hidden)[-1], trace.logits[0])


@pytest.mark.parametrize("caller", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_gradients_when_asked_whatever_mode_the_caller_is_in(model: Model, caller: type) -> None:
    with caller():
        trace = model.trace(TEXT, grad=True)
    score = trace.logits[0, trace.encoding.mask_positions[0]].max()
    gradients = torch.autograd.grad(score, [trace.output.embeddings, *(layer.hidden for layer in trace.layers)])
    assert len(gradients) == 4 and all(gradient.abs().sum() > 0 for gradient in gradients)
    assert all(parameter.grad is None for parameter in model.network.parameters())


def test_an_encoder_traces_but_does_not_predict(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("albert", tokenizers["albert"], task="encoder")
    assert model.trace(TEXT).logits.shape == (1, len(model.encode(TEXT)), 0)
    for ask in (lambda: model.fill_mask(TEXT), lambda: model.logits(model.encode(TEXT))):
        with pytest.raises(NoHeadError, match=r'task "encoder".*task="masked-lm"'):
            ask()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(tokenizers: dict[str, Tokenizer], dtype: torch.dtype) -> None:
    base = make("convbert", tokenizers["convbert"])
    network = copy.deepcopy(base.network).to(dtype)
    model = assemble("x", base.family, network, base.tokenizer, heads={}, source="random weights")
    assert model.dtype == dtype and model.n_bytes == base.n_bytes * dtype.itemsize // 4
    ours, theirs = model.fill_mask(TEXT).blanks[0].candidates[0], base.fill_mask(TEXT).blanks[0].candidates[0]
    assert ours.probability == pytest.approx(theirs.probability, rel=0.2)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_text_without_mask_says_what_to_do(model: Model) -> None:
    for text in ("Paris is the capital.", "", "[mask] <mask>"):
        with pytest.raises(NoMaskError, match=r"Write \[MASK\] where"):
            model.fill_mask(text)
    with pytest.raises(NoMaskError, match="beyond the 32 pieces"):
        model.fill_mask("Paris " * 100 + "[MASK]")


def test_a_long_text_is_cut_and_says_so(model: Model) -> None:
    filled = model.fill_mask("[MASK] " + "Paris is the capital of France. " * 40)
    assert len(filled.encoding) == 32 and filled.encoding.truncated > 0
    assert f"the last {filled.encoding.truncated} pieces" in str(filled)
    assert len(model.trace("Paris " * 100).encoding) == 32


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "👩‍👩‍👧 ́́́ مرحبا", "[CLS] [SEP] </s>", "a" * 3000])
def test_any_text_can_be_traced(model: Model, text: str) -> None:
    assert model.trace(text).logits.isfinite().all()


@pytest.mark.parametrize("top_k", [0, -1, 10**6, 2.5, "3"])
def test_top_k_out_of_range(bert: Model, top_k: int) -> None:
    with pytest.raises(ValueError, match="top_k: expected a whole number from 1 to"):
        bert.fill_mask(TEXT, top_k=top_k)


def test_ids_beyond_the_tables_never_reach_the_network(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("bert", tokenizers["bert"], spare=-40)
    with pytest.raises(ValueError, match="does not belong to this network"):
        model.trace("Paris is the capital of France")
    encoding = make("bert", tokenizers["bert"]).encode(TEXT)
    with pytest.raises(ValueError, match="does not belong to this network"):
        model.logits(encoding)
    with pytest.raises(ValueError, match="token type 1"):
        make("bort", tokenizers["bort"]).logits(replace(encoding, ids=(5,), type_ids=(1,)))
    with pytest.raises(ValueError, match="up to 32 pieces, got 40"):
        make("bert", tokenizers["bert"]).logits(replace(encoding, ids=(5,) * 40, type_ids=(0,) * 40))


def test_numbers_that_are_not_finite_are_an_error(model: Model) -> None:
    encoding = model.encode(TEXT)
    with torch.no_grad():
        model.network.block(1).feedforward_norm.bias[0] = torch.nan
    for ask in (lambda: model.fill_mask(TEXT), lambda: model.trace(TEXT), lambda: model.logits(encoding)):
        with pytest.raises(NonFiniteError, match=f"{model.key} gave numbers that are not finite"):
            ask()


# -- nothing is left behind --------------------------------------------------------------------------------------------


def state(model: Model) -> Iterator[object]:
    """Everything of a network that a call could change."""
    for name, module in model.network.named_modules():
        hooks = {key: dict(value) for key, value in vars(module).items() if "hooks" in key and isinstance(value, dict)}
        yield name, type(module), module.training, hooks, sorted(vars(module))
    for name, parameter in model.network.named_parameters():
        yield name, parameter.data_ptr(), parameter._version, parameter.requires_grad, parameter.grad, parameter.dtype
        yield parameter.detach().double().sum().item()


def test_calls_change_nothing(model: Model) -> None:
    before, fingerprint = list(state(model)), model.fingerprint
    model.fill_mask(TWO)
    model.trace(TEXT)
    trace = model.trace(TEXT, grad=True)
    torch.autograd.grad(trace.logits.sum(), trace.layers[0].hidden)
    model.logits(model.encode(TEXT))
    with pytest.raises(NoMaskError):
        model.fill_mask("none")
    assert list(state(model)) == before
    again = assemble(model.key, model.family, model.network, model.tokenizer, heads=model.heads, source=model.source)
    assert again.fingerprint == fingerprint


def test_many_threads_get_what_one_would(model: Model) -> None:
    texts = [f"{'The ' * n}[MASK] sat on the mat." for n in range(6)]

    def ask(number: int) -> object:
        text = texts[number % len(texts)]
        if number % 3 == 0:
            return model.fill_mask(text)
        trace = model.trace(text, grad=number % 3 == 1)
        return trace.logits.detach().clone(), trace.attention

    alone = [ask(number) for number in range(48)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(48)))
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, FilledMask):
            assert isinstance(other, FilledMask) and one.encoding == other.encoding
            for a, b in zip(one.blanks, other.blanks, strict=True):
                assert [c.id for c in a.candidates] == [c.id for c in b.candidates]
                assert [c.probability for c in a.candidates] == pytest.approx([c.probability for c in b.candidates])
        else:
            torch.testing.assert_close(one, other)


# -- about itself ------------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_that_of_the_contents(model: Model, tokenizers: dict[str, Tokenizer]) -> None:
    name = model.family.name
    assert make(name, tokenizers[name]).fingerprint == model.fingerprint
    others = [make(name, tokenizers[name], task="encoder"), make(name, tokenizers[name], positions=31)]
    changed = make(name, tokenizers[name]).network
    with torch.no_grad():
        next(changed.parameters()).flatten()[7] += 1e-3
    for network, heads in ((changed, model.heads), (model.network, {"masked-lm": "adapted"})):
        others.append(assemble("x", model.family, network, model.tokenizer, heads=heads, source="folder"))
    assert len({model.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_sizes_and_names(model: Model) -> None:
    assert model.n_bytes == 4 * model.n_parameters == 4 * sum(p.numel() for p in set(model.network.parameters()))
    assert model.key in repr(model) and model.family.title in repr(model) and "masked-lm random" in repr(model)
    assert f"{model.n_parameters / 1e6:.1f} M" in repr(model)
    with pytest.raises(TypeError):
        model.heads["masked-lm"] = "trained"  # type: ignore[index]
    with pytest.raises(AttributeError):
        model.key = "other"  # type: ignore[misc]


def test_a_filled_mask_prints_as_a_table(bert: Model) -> None:
    lines = str(bert.fill_mask(TWO, top_k=2)).splitlines()
    assert lines[0] == TWO and lines[1] == "blank 1, characters 4 to 10" and len(lines) == 7
    assert all(line.endswith("%") for line in (*lines[2:4], *lines[5:]))
    assert str(bert.fill_mask(TEXT, top_k=1)).count("\n") == 1


# -- tensors -----------------------------------------------------------------------------------------------------------


def test_encodings_become_tensors(model: Model) -> None:
    pair, text = model.encode("The cat", "a dog"), model.encode("The cat sat")
    ids, type_ids = model.inputs(pair)
    assert ids.tolist() == [list(pair.ids)] and type_ids.tolist() == [list(pair.type_ids)]
    assert ids.device == type_ids.device == model.device
    both, _ = model.inputs(text, text)
    assert both.tolist() == [list(text.ids)] * 2
    longer = model.encode("The cat sat on the mat")
    with pytest.raises(ValueError, match=f"one length, got {len(text)}, {len(longer)}"):
        model.inputs(text, longer)
    with pytest.raises(ValueError, match="got none"):
        model.inputs()
