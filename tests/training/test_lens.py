"""Tuned lenses: only the maps learn, killed runs go on to the same numbers, the gain is measured and what is kept fits.

Tiny networks with random numbers read a made-up corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import bortlab
from bortlab import registry
from bortlab.analysis import lens as analysis
from bortlab.data.corpus import Document
from bortlab.model import Model, NoHeadError, assemble, weights_fingerprint
from bortlab.models import FAMILIES
from bortlab.registry import Registry, lenses
from bortlab.system import assets
from bortlab.training import finishing, lens
from bortlab.training.hiding import IGNORED, DeviceText, Hidden, Template
from bortlab.training.masked_lm import measured_batches
from bortlab.training.packing import epoch_rows, parts_of
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
    Document(f"wordnet/n/{number:08d}", 1, (f"A {thing} is a thing.", f"This {thing} is {colour}."))
    for number, (thing, colour) in enumerate((thing, colour) for thing in THINGS for colour in COLOURS)
] + [Document(f"bible/Book/{thing}", 0, (f"And the {thing} was a thing, and it was good.",) * 2) for thing in THINGS]
TRAIN, HELDOUT = DOCUMENTS[::2], DOCUMENTS[1::2]
TEXT = "This robin is [MASK]."

each_family = pytest.mark.parametrize("family", list(FAMILIES))


def silent(progress: float, message: str = "", **numbers: Any) -> None:
    assert 0 <= progress <= 1 and message


TINY: dict[str, Any] = {"documents": TRAIN, "heldout": HELDOUT, "pieces": 8_000, "report": silent}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lens, "STEP_PIECES", 256)


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


def batches(model: Model, documents: lens.Documents) -> list[Hidden]:
    """The batches that a lens is measured with."""
    text = lens.encoded(model, documents)
    on_device = DeviceText(text, 0, Template.of(model.tokenizer), model.device)
    rows = epoch_rows(text, parts_of(text, 30), room=30, weights={}, seed=0, epoch=0)
    return list(measured_batches(on_device, rows, seed=0, batch_pieces=lens.STEP_PIECES))


@each_family
def test_only_the_maps_learn_and_they_bring_every_layer_closer(family: str, folders: dict[str, Path]) -> None:
    base = bortlab.load_from(folders[family])
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    tuned_lens, card = lens.fit(base, **TINY)
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.network.state_dict().items())
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in base.network.parameters())
    assert not base.network.training
    depth, hidden = base.config.depth, base.config.hidden_size
    assert tuned_lens.weight.shape == (depth, hidden, hidden) and not tuned_lens.weight.requires_grad
    plain, tuned = card["heldout"]["plain"], card["heldout"]["tuned"]
    for kind in lens.KINDS:
        assert plain[kind]["pieces"] == tuned[kind]["pieces"] > 0
        for a, b in zip(plain[kind]["divergence_bits"], tuned[kind]["divergence_bits"], strict=True):
            assert b < a
    assert len(card["layers"]) == depth and card["weights"] == weights_fingerprint(base.network)
    assert card["pieces_seen"] >= TINY["pieces"] and card["corpus"]["name"] != "assets/corpus"
    assert analysis.lens(base, TEXT, tuned=tuned_lens).divergence[-1].max() == 0


def test_the_gain_is_what_a_loop_by_hand_gives(base: Model) -> None:
    tuned, _ = lens.fit(base, **TINY, keep=False)
    document = [replace(HELDOUT[0], sentences=HELDOUT[0].sentences[:1])]
    (batch,) = batches(base, document)
    assert len(batch.ids) == 1
    output = base.network.encode(base.network.embed(batch.ids), keep_layers=True)
    states = [output.embeddings, *(layer.hidden for layer in output.layers)]
    places = batch.places[0][batch.labels[0] != IGNORED].tolist()
    for maps in (None, tuned):
        gain = lens.measure(base, maps, lens.encoded(base, document), length=32)["hidden"]
        assert gain.pieces == len(places)
        for layer in range(base.config.depth):
            bits, agrees = 0.0, 0
            for place in places:
                state = states[layer][0, place]
                if maps is not None:
                    state = state + maps.weight[layer] @ state + maps.bias[layer]
                last, here = (base.network.predict(s).softmax(-1) for s in (states[-1][0, place], state))
                bits += float((last * (last / here).log2()).sum())
                agrees += int(last.argmax() == here.argmax())
            assert gain.divergence[layer] == pytest.approx(bits / len(places), abs=2e-3)
            assert gain.agreement[layer] == pytest.approx(agrees / len(places), abs=1e-4)


def test_hidden_and_visible_pieces_are_apart_and_never_the_template(base: Model) -> None:
    def sets(states: Tensor) -> set[tuple[float, ...]]:
        return {tuple(state.tolist()) for state in states}

    n_visible = 0
    for batch in batches(base, TRAIN):
        states = lens.states_of(base, batch)
        n_hidden = int((batch.labels != IGNORED).sum())
        output = base.network.encode(base.network.embed(batch.ids), keep_layers=True)
        assert states["hidden"].shape == (base.config.depth + 1, n_hidden, base.config.hidden_size)
        hidden = output.hidden[batch.ids == base.tokenizer.mask_id]
        assert sets(states["hidden"][-1]) <= sets(hidden)  # a row may have more masks than it predicts
        others = torch.ones_like(batch.ids, dtype=torch.bool)
        others[:, [0, -1]] = False
        others &= batch.ids != base.tokenizer.mask_id
        assert sets(states["visible"][-1]) <= sets(output.hidden[others])
        assert states["visible"].shape[1] <= n_hidden
        n_visible += states["visible"].shape[1]
    assert n_visible


def test_a_killed_run_goes_on_to_the_same_numbers(base: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lens.fit(base, **TINY, keep=False).lens
    monkeypatch.setattr(finishing, "SAVE_S", 0.0)

    class Killed(Exception):
        pass

    def kill(progress: float, message: str = "", **numbers: Any) -> None:
        if progress > 0.45:
            raise Killed

    with pytest.raises(Killed):
        lens.fit(base, **(TINY | {"report": kill}), keep=False)
    shares: list[float] = []
    again = lens.fit(base, **(TINY | {"report": lambda p, *_, **__: shares.append(p)}), keep=False).lens
    assert same(again, whole)
    assert min(p for p in shares if p) > 0.4  # it did not begin anew


def test_the_same_lens_is_not_trained_twice_at_once(base: Model) -> None:
    def again(progress: float, message: str = "", **numbers: Any) -> None:
        if progress:
            lens.fit(base, **TINY, keep=False)

    with pytest.raises(finishing.BusyError, match="wait until it has ended"):
        lens.fit(base, **(TINY | {"report": again}), keep=False)


def test_what_is_kept_comes_back_for_this_model_alone(folders: dict[str, Path], base: Model) -> None:
    assert lens.read_lens(base) is None and lenses.stamp(base.key, base.revision) is None
    tuned, card = lens.fit(base, **TINY)
    kept = lens.read_lens(bortlab.load_from(folders["albert"]))
    assert kept is not None and same(kept.lens, tuned)
    assert kept.card["heldout"] == card["heldout"] and lenses.stamp(base.key, base.revision)
    assert lens.read_lens(other_head(base)) is None  # another head: another lens
    assert lens.read_lens(base) is not None
    folder = lenses.folder_of(base.key, base.revision)
    (folder / "lens.safetensors").write_bytes(b"damaged")
    assert lens.read_lens(base) is None
    (folder / "card.json").write_text(json.dumps({"weights": weights_fingerprint(base.network)}))
    assert lens.read_lens(base) is None


def test_a_bundled_lens_serves_until_another_is_trained_here(
    base: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "LENSES", tmp_path / "lenses")
    base = replace(base, key="tiny")  # a folder's key is its path, which no bundled lens has
    bundled = lens.fit(base, **TINY, out=assets.LENSES / base.key).lens
    before = lenses.stamp(base.key, base.revision)
    served = lens.read_lens(base)
    assert before and served is not None and same(served.lens, bundled)
    own = lens.fit(base, **(TINY | {"seed": 1})).lens
    served = lens.read_lens(base)
    assert served is not None and same(served.lens, own) and not same(own, bundled)
    assert lenses.stamp(base.key, base.revision) != before
    assert lens.read_lens(replace(base, key=f"../lenses/{base.key}")) is None


def test_what_cannot_be_trained_says_why(folders: dict[str, Path], base: Model) -> None:
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
    assert lens.estimated_seconds(base) > lens.STARTUP_S

    class Running(jobs.Running):
        def __init__(self) -> None:
            pass

        def report(self, progress: float, message: str = "", **numbers: Any) -> None:
            assert message

    with pytest.raises(ValueError, match="has changed"):
        lens.run(Running(), **(dict(job.arguments) | {"base": {**job.arguments["base"], "fingerprint": "another"}}))
