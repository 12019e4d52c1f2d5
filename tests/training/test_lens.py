"""Tuned lenses: only the maps learn, killed fits go on to the same numbers, the gain is measured and what is kept fits.

Tiny networks with random numbers read a made-up corpus.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

import bortlab
from bortlab import registry
from bortlab.analysis import lens as analysis
from bortlab.data.corpus import Document
from bortlab.model import Model, NoHeadError, assemble
from bortlab.models import FAMILIES
from bortlab.registry import Registry, lenses
from bortlab.training import lens, lesson
from bortlab.training.batches import encode_documents, hide
from bortlab.training.vocabulary import train_tokenizer
from bortlab.work import jobs

SIZES = {
    "hidden_size": 32,
    "embedding_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_kernel_size": 5,
    "max_position_embeddings": 32,
}
COLOURS = ("red", "grey", "green", "brown")
THINGS = ("robin", "wren", "lark", "crow", "trout", "carp", "pike", "oak", "elm", "ash", "fir", "pine")
DOCUMENTS = [
    Document(f"wordnet/n/{number:08d}", number % 5, (f"A {thing} is a thing.", f"This {thing} is {colour}."))
    for number, (thing, colour) in enumerate((thing, colour) for thing in THINGS for colour in COLOURS)
] + [Document(f"bible/Book/{thing}", 0, (f"And the {thing} was a thing, and it was good.",) * 2) for thing in THINGS]
TRAIN, HELDOUT = DOCUMENTS[::2], DOCUMENTS[1::2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())


def silent(progress: float, message: str = "", **numbers: Any) -> None:
    assert 0 <= progress <= 1 and message


TINY: dict[str, Any] = {"documents": TRAIN, "heldout": HELDOUT, "pieces": 8_000, "report": silent}
TEXT = "This robin is [MASK]."

each_family = pytest.mark.parametrize("family", list(FAMILIES))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A tiny model of each family, with numbers so large that its layers say different things, in a folder."""
    root = tmp_path_factory.mktemp("models")
    texts = [sentence for document in DOCUMENTS for sentence in document.sentences]
    for name, family in FAMILIES.items():
        tokenizer = train_tokenizer(family.tokenizer, texts, vocab_size=320)
        own = {entry.name for entry in fields(family.mini)}
        sizes = {key: value for key, value in SIZES.items() if key in own}
        config = replace(family.mini, vocab_size=tokenizer.vocab_size, initializer_range=0.3, **sizes)
        network = family.network(config).initialise(torch.Generator().manual_seed(1))
        assemble(name, family, network, tokenizer, heads={"masked-lm": "trained"}, source="tests").save(root / name)
    yield {name: root / name for name in FAMILIES}


def other_head(model: Model) -> Model:
    """The same encoder under a masked-LM head with another bias."""
    network = model.family.network(model.config)
    network.load_state_dict(model.network.state_dict())
    assert network.masked_lm is not None
    torch.nn.init.constant_(network.masked_lm.bias, 0.5)
    return assemble(model.key, model.family, network, model.tokenizer, heads=model.heads, source=model.source)


@pytest.fixture
def base(folders: dict[str, Path]) -> Model:
    return bortlab.load_from(folders["albert"])


def same(one: analysis.TunedLens, other: analysis.TunedLens) -> bool:
    return torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)


@each_family
def test_only_the_maps_learn_and_they_bring_every_layer_closer(family: str, folders: dict[str, Path]) -> None:
    base = bortlab.load_from(folders[family])
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    found, card = lens.fit(base, **TINY)
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.network.state_dict().items())
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in base.network.parameters())
    depth, hidden = base.config.depth, base.config.hidden_size
    assert found.weight.shape == (depth, hidden, hidden) and not found.weight.requires_grad
    plain, tuned = card["heldout"]["plain"], card["heldout"]["tuned"]
    for kind in lens.KINDS:
        assert plain[kind]["pieces"] == tuned[kind]["pieces"] > 0
        for a, b in zip(plain[kind]["divergence_bits"], tuned[kind]["divergence_bits"], strict=True):
            assert b < a
    assert len(card["layers"]) == depth and card["model"] == base.fingerprint
    assert analysis.lens(base, TEXT, tuned=found).divergence[-1].max() == 0


def test_the_gain_is_what_a_loop_by_hand_gives(base: Model) -> None:
    found, _ = lens.fit(base, **TINY, keep=False)
    document = encode_documents([replace(HELDOUT[0], sentences=HELDOUT[0].sentences[:1])], base.tokenizer)
    batch = hide(_framed(base, document[0].sentences[0]), rate=0.15, mask=base.tokenizer.mask_id, seed=(0, 0))
    output = base.network.encode(base.network.embed(batch.ids), keep_layers=True)
    states = [output.embeddings, *(layer.hidden for layer in output.layers)]
    hidden = (batch.labels[0] >= 0).nonzero()[:, 0].tolist()
    for tuned in (None, found):
        gain = lens.measure(base, tuned, {"wordnet": document}, length=32)["hidden"]
        assert gain.pieces == len(hidden)
        for layer in range(base.config.depth):
            bits, agrees = 0.0, 0
            for place in hidden:
                seen = states[layer][0, place]
                if tuned is not None:
                    seen = seen + tuned.weight[layer] @ seen + tuned.bias[layer]
                last, here = (base.network.predict(s).softmax(-1) for s in (states[-1][0, place], seen))
                bits += float((last * (last / here).log2()).sum())
                agrees += int(last.argmax() == here.argmax())
            assert gain.divergence[layer] == pytest.approx(bits / len(hidden), abs=2e-3)
            assert gain.agreement[layer] == pytest.approx(agrees / len(hidden), abs=1e-4)


def _framed(model: Model, pieces: Any) -> Any:
    import numpy as np

    return np.concatenate([[model.tokenizer.cls_id], pieces, [model.tokenizer.sep_id]])[None].astype(np.int32)


def test_hidden_and_visible_pieces_are_apart_and_never_the_template(base: Model) -> None:
    documents = encode_documents(TRAIN, base.tokenizer)
    for number, pieces in enumerate(itertools.islice((s for d in documents for s in d.sentences), 20)):
        batch = hide(_framed(base, pieces), rate=0.4, mask=base.tokenizer.mask_id, seed=(number,))
        states = lens.states_of(base, batch)
        hidden = int((batch.labels >= 0).sum())
        assert states["hidden"].shape == (base.config.depth + 1, hidden, base.config.hidden_size)
        assert 0 <= states["visible"].shape[1] <= hidden
        output = base.trace(base.tokenizer.decode(pieces.tolist()))
        assert output.hidden.shape[0] == states["hidden"].shape[0]


def test_a_killed_fit_goes_on_to_the_same_numbers(base: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lens.fit(base, **TINY, keep=False).lens
    monkeypatch.setattr(lesson, "SAVE_S", 0.0)

    class Killed(Exception):
        pass

    def kill(progress: float, message: str = "", **numbers: Any) -> None:
        if progress > 0.45:
            raise Killed

    with pytest.raises(Killed):
        lens.fit(base, **(TINY | {"report": kill}), keep=False)
    seen: list[float] = []
    again = lens.fit(base, **(TINY | {"report": lambda p, *_, **__: seen.append(p)}), keep=False).lens
    assert same(again, whole)
    assert min(p for p in seen if p) > 0.4  # it did not begin anew


def test_what_is_kept_comes_back_for_this_model_alone(folders: dict[str, Path], base: Model) -> None:
    assert lens.read_lens(base) is None and lenses.stamp(base.key, base.revision) is None
    found, card = lens.fit(base, **TINY)
    read = lens.read_lens(bortlab.load_from(folders["albert"]))
    assert read is not None and same(read.lens, found)
    assert read.card["heldout"] == card["heldout"] and lenses.stamp(base.key, base.revision)
    assert lens.read_lens(other_head(base)) is None  # another head: another lens
    assert lens.read_lens(base) is not None
    folder = lenses.folder_of(base.key, base.revision)
    (folder / "lens.safetensors").write_bytes(b"damaged")
    assert lens.read_lens(base) is None
    (folder / "card.json").write_text(json.dumps({"encoder": base.fingerprint}))
    assert lens.read_lens(base) is None


def test_what_cannot_be_fitted_says_why(folders: dict[str, Path], base: Model) -> None:
    with pytest.raises(NoHeadError, match='task="masked-lm"'):
        lens.fit(bortlab.load_from(folders["bert"], task="encoder"))
    with pytest.raises(ValueError, match=r"torch\.float32"):
        lens.fit(bortlab.load_from(folders["bert"], dtype="bfloat16"))
    with pytest.raises(ValueError, match="neither"):
        lens.fit(base, TRAIN)
    with pytest.raises(ValueError, match="cannot be loaded by a job"):
        lens.job(replace(base, source="random weights"))


def test_the_job_is_of_this_model_and_takes_no_other(base: Model) -> None:
    job = lens.job(base)
    assert job == lens.job(base) and job.arguments["base"]["fingerprint"] == base.fingerprint
    assert lens.job(base, pieces=9) != job
    assert lens.estimated_seconds(base) > lesson.STARTUP_S

    class Running(jobs.Running):
        def __init__(self) -> None:
            pass

        def report(self, progress: float, message: str = "", **numbers: Any) -> None:
            assert message

    with pytest.raises(ValueError, match="has changed"):
        lens.run(Running(), **(dict(job.arguments) | {"base": {**job.arguments["base"], "fingerprint": "another"}}))
