"""Pre-training: the recipe, the start, a step, a measurement, and above all that a killed run goes on as if it was not.

Everything runs on a corpus of a few dozen made-up documents and networks two layers deep. Run as a script
(`python test_pretrain.py FOLDER`) this file is the trainer that a test kills.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bortlab.data.corpus import Document
from bortlab.models import FAMILIES, Network
from bortlab.nn import MixedAttention, SelfAttention
from bortlab.training import pretrain
from bortlab.training.batches import IGNORED, Batch, EncodedDocument, encode_documents, hide
from bortlab.training.pretrain import Measurement, Optimizers, Recipe, Run, atomic_save, measure, starting_point

each_family = pytest.mark.parametrize("family", list(FAMILIES))
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")

RECIPE = Recipe(
    family="", pieces=6_000, step_pieces=192, length=24, rate=1e-2, weight_decay=0.01, warmup=1_000, decay=0.4,
    recite_from=2_000,
)  # fmt: skip
EVERY = 1_500
SIZES = {
    "vocab_size": 300, "hidden_size": 32, "embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "conv_kernel_size": 5, "max_position_embeddings": 32, "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}  # fmt: skip


# -- a tiny world ------------------------------------------------------------------------------------------------------


def tiny_read(split: str) -> list[Document]:
    """A corpus of made-up documents."""
    kinds = {"bird": "robin wren lark crow finch", "fish": "trout carp pike cod eel", "tree": "oak elm ash fir pine"}
    facts = [
        (name, kind, colour)
        for colour in ("red", "grey", "green", "brown")
        for kind, names in kinds.items()
        for name in names.split()
    ]
    documents = [
        Document(
            f"wordnet/n/{number:08d}",
            number % 5,
            (f"A {name} is a kind of {kind}.", f"This {name} is {colour}.", f"Kinds of {kind} are the {name}s."),
        )
        for number, (name, kind, colour) in enumerate(facts)
    ]
    documents += [
        Document(f"bible/Book/{number}", 0, (f"And the {name} was {colour}, and it was a {kind}.",) * 2)
        for number, (name, kind, colour) in enumerate(facts[::4])
    ]
    return [document for index, document in enumerate(documents) if (index % 8 == 7) == (split == "heldout")]


def tiny_world(patch: pytest.MonkeyPatch) -> None:
    """Let pre-training see the tiny corpus and tiny minis."""
    patch.setattr(pretrain, "read", tiny_read)
    for name, family in FAMILIES.items():
        own = {entry.name for entry in fields(family.mini)}
        mini = replace(family.mini, **{key: value for key, value in SIZES.items() if key in own})
        patch.setitem(FAMILIES, name, replace(family, mini=mini))


def train(family: str, folder: Path, **changes: Any) -> Run:
    """A tiny run to its end (or for some minutes)."""
    minutes = changes.pop("minutes", math.inf)
    folder.mkdir(parents=True, exist_ok=True)
    return pretrain.train(replace(RECIPE, family=family, **changes), folder, device="cpu", minutes=minutes, every=EVERY)


def main(folder: Path) -> None:
    """Train every family in a process of its own, slowly; say each one's process and end with the last."""
    torch.set_num_threads(1)
    take_step = Run.take_step

    def slowly(run: Run, chosen: Any) -> float:
        time.sleep(0.05)
        return take_step(run, chosen)

    with pytest.MonkeyPatch.context() as patch:
        tiny_world(patch)
        patch.setattr(Run, "take_step", slowly)
        for family in FAMILIES:
            child = os.fork()
            if not child:
                train(family, folder / family)
                os._exit(0)
            print(family, child, flush=True)
        for _ in FAMILIES:
            os.wait()


@pytest.fixture(scope="module", autouse=True)
def world() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        tiny_world(patch)
        yield


@pytest.fixture(scope="module")
def finished(world: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """An uninterrupted run of each family."""
    folder = tmp_path_factory.mktemp("finished")
    return {family: train(family, folder / family) for family in FAMILIES}


def again(run: Run, folder: Path, **changes: Any) -> Run:
    """A run of the same corpus and recipe that has not begun, in another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Run(replace(run.recipe, **changes), folder, run.documents, run.tokenizer)


def assert_same(one: object, two: object, where: str = "") -> None:
    """Equal to the last bit, through dictionaries and lists."""
    assert type(one) is type(two), where
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        assert one.dtype == two.dtype and torch.equal(one, two), where
    elif isinstance(one, dict) and isinstance(two, dict):
        assert list(one) == list(two), where
        for key in one:
            assert_same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, list | tuple) and isinstance(two, list | tuple):
        assert len(one) == len(two), where
        for index, (first, second) in enumerate(zip(one, two, strict=True)):
            assert_same(first, second, f"{where}[{index}]")
    else:
        assert one == two, where


def assert_same_run(one: Run, two: Run) -> None:
    """The same weights, optimiser state, place in the corpus and learning curve; only the clock may differ."""
    assert_same(dict(one.network.state_dict()), dict(two.network.state_dict()), "network")
    assert_same(one.optimizers.state_dict(), two.optimizers.state_dict(), "optimizers")
    assert [one.step, one.seen, one.epoch, one.taken] == [two.step, two.seen, two.epoch, two.taken]
    curves = [
        [{key: value for key, value in point.items() if key != "seconds"} for point in r.curve] for r in (one, two)
    ]
    assert_same(curves[0], curves[1], "curve")


# -- the recipe --------------------------------------------------------------------------------------------------------

ROUND = Recipe(family="bert", pieces=1000, step_pieces=10, rate=1.0, warmup=100, decay=0.4, mask_rate=0.35)


@pytest.mark.parametrize(
    ("seen", "rate", "hidden"),
    [
        (0, 0.1, 0.35),  # warm-up counts the step under way, so that none has rate 0
        (40, 0.5, 0.35),
        (90, 1.0, 0.35),
        (599, 1.0, 0.35),
        (600, 1.0, 0.35),
        (700, 0.75, 0.30),
        (800, 0.5, 0.25),
        (990, 0.025, 0.155),
        (1000, 0.0, 0.15),
        (1003, 0.0, 0.15),  # a last step may go a little beyond the budget
    ],
)
def test_rates(seen: int, rate: float, hidden: float) -> None:
    assert ROUND.decay_from == 600
    assert ROUND.rate_at(seen) == pytest.approx(rate)
    assert ROUND.mask_rate_at(seen) == pytest.approx(hidden)


def test_rates_without_decay_or_warm_up() -> None:
    flat = replace(ROUND, decay=0.0, warmup=0)
    assert flat.decay_from == 1000
    assert {flat.rate_at(seen) for seen in (0, 500, 999)} == {1.0}
    assert {flat.mask_rate_at(seen) for seen in (0, 500, 999)} == {0.35}
    assert replace(ROUND, rate=0.5).rate_at(800) == 0.25


def test_recitals_begin_late_and_give_way_to_reading_in_the_decay() -> None:
    recipe = Recipe("bert", pieces=1_000, decay=0.4, recite_from=300, recite=0.6)
    assert [recipe.recite_at(seen) for seen in (0, 299)] == [0, 0]
    assert [recipe.recite_at(seen) for seen in (300, 600)] == [0.6, 0.6]
    assert recipe.recite_at(800) == pytest.approx(0.4) and recipe.recite_at(1_000) == pytest.approx(0.2)
    assert replace(recipe, recite=0.0).recite_at(500) == 0


def test_a_larger_budget_begins_as_a_smaller_one() -> None:
    large = replace(ROUND, pieces=5000)
    assert all(ROUND.rate_at(seen) == large.rate_at(seen) for seen in range(0, 600, 7))
    assert all(ROUND.mask_rate_at(seen) == large.mask_rate_at(seen) for seen in range(0, 600, 7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "moun"}, "Unknown optimizer 'moun'. Known: muon, adamw"),
        ({"length": 2}, "length: expected 3 to"),
        ({"decay": 1.5}, "decay: expected 0 to 1, got 1.5"),
        ({"mask_rate": -0.1}, "mask_rate: expected 0 to 1"),
        ({"step_pieces": 0}, "step_pieces: expected 1 to"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ROUND, **change)


def test_a_state_holds_the_fields_that_older_states_have(finished: dict[str, Run]) -> None:
    """Runs are days old: their state.pt must stay readable."""
    state = torch.load(finished["bert"].folder / "state.pt", weights_only=True)
    assert set(state) == {"recipe", "counters", "network", "optimizers"}
    assert set(state["counters"]) == {
        "step", "seen", "epoch", "taken", "recitals", "recited", "seconds", "curve",
    }  # fmt: skip
    assert list(state["recipe"]) == [
        "family", "pieces", "step_pieces", "length", "optimizer", "rate", "weight_decay", "warmup", "decay",
        "mask_rate", "recite_from", "recite", "clip", "seed",
    ]  # fmt: skip


# -- the start ---------------------------------------------------------------------------------------------------------


def fresh(family: str, seed: int = 0) -> Network:
    return starting_point(FAMILIES[family].network(FAMILIES[family].mini), torch.Generator().manual_seed(seed))


@each_family
@torch.no_grad()
def test_the_start(family: str) -> None:
    network = fresh(family)
    spread = network.config.initializer_range
    positions = network.embeddings.positions.weight
    count, width = positions.shape
    for place in (0, 1, count - 1):
        for pair in (0, 1, width // 2 - 1):
            angle = place / 10_000 ** (2 * pair / width)
            expected = [spread * math.sin(angle), spread * math.cos(angle)]
            assert positions[place, 2 * pair : 2 * pair + 2].tolist() == pytest.approx(expected, abs=1e-6)
    for module in network.modules():
        if isinstance(module, SelfAttention):
            parts = ((module.query, 0.7), (module.key, 0.7), (module.value, 0.5), (module.output, -0.5))
            for linear, share in parts:
                noise = linear.weight - share * torch.eye(network.config.hidden_size)
                assert abs(noise.mean()) < 0.005 and noise.std() == pytest.approx(spread, rel=0.15)
                assert not linear.bias.any()
        elif isinstance(module, MixedAttention):
            taps = module.span.depthwise.weight[:, 0]  # (hidden, width)
            assert taps[:, module.width // 2].mean() == pytest.approx(1.0, abs=0.02)
            assert abs(taps[:, 0]).max() < 0.1
            assert module.query.weight.std() == pytest.approx(spread, rel=0.15)
    assert network.embeddings.words.weight.std() == pytest.approx(spread, rel=0.1)
    assert all((p == 1).all() for n, p in network.named_parameters() if "norm.weight" in n)


@each_family
def test_the_start_follows_the_generator(family: str) -> None:
    torch.manual_seed(1)
    one = fresh(family).state_dict()
    torch.manual_seed(2)
    assert_same(dict(one), dict(fresh(family).state_dict()))
    assert not torch.equal(one["embeddings.words.weight"], fresh(family, 1).embeddings.words.weight)


@each_family
def test_a_run_starts_knowing_how_frequent_pieces_are(finished: dict[str, Run], tmp_path: Path, family: str) -> None:
    run = again(finished[family], tmp_path)
    pieces = [piece for document in run.documents for sentence in document.sentences for piece in sentence.tolist()]
    counts = pretrain.piece_counts(run.documents, run.tokenizer.vocab_size)
    assert dict(enumerate(counts.tolist())) == {number: pieces.count(number) for number in range(len(counts))}
    assert run.network.masked_lm is not None
    share = (counts + 1) / (counts + 1).sum()
    torch.testing.assert_close(run.network.masked_lm.bias.detach(), torch.tensor(np.log(share), dtype=torch.float32))
    entropy = -np.log(share[pieces]).mean()
    assert next(run.train()) == pytest.approx(entropy, abs=0.5)  # far below that of a blind guess
    assert entropy < np.log(len(counts)) - 0.5


TABLES = {f"embeddings.{table}.weight" for table in ("words", "positions", "types")}


# -- optimisers --------------------------------------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_every_parameter_has_one_optimiser(family: str, optimizer: str) -> None:
    network = fresh(family)
    optimizers = Optimizers(network, replace(RECIPE, family=family, optimizer=optimizer))
    groups = [group for one in optimizers.all for group in one.param_groups]
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(parameter) for parameter in network.parameters() if parameter.requires_grad}
    assert [type(one).__name__ for one in optimizers.all] == ["AdamW", "Muon"][: 1 + (optimizer == "muon")]
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for group in groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            spared = parameter.ndim == 1 or name.endswith("bias") or name in TABLES
            assert group["weight_decay"] == (0.0 if spared else RECIPE.weight_decay)
    if optimizer == "muon":
        turned = [parameter for group in optimizers.all[1].param_groups for parameter in group["params"]]
        assert all(p.ndim == 2 and not names[id(p)].startswith("masked_lm.") for p in turned)
        assert not TABLES & {names[id(p)] for p in turned} and not any(names[id(p)].endswith("bias") for p in turned)
        assert any("query" in names[id(p)] for p in turned) and any("expand" in names[id(p)] for p in turned)


@each_family
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_step_moves_every_trained_tensor_and_no_other(
    finished: dict[str, Run], tmp_path: Path, family: str, optimizer: str
) -> None:
    run = again(finished[family], tmp_path, optimizer=optimizer)
    before = {name: parameter.clone() for name, parameter in run.network.named_parameters()}
    steps = run.train()
    next(steps), next(steps)
    moved = {name for name, parameter in run.network.named_parameters() if not torch.equal(parameter, before[name])}
    untrained = {"embeddings.types.weight"} if family == "bort" else set()
    # Softmax is blind to what all keys share: that gradient is rounding, and may round to nothing.
    assert {name for name in before if name not in moved and not name.endswith("key.bias")} == untrained
    if family == "bort":
        assert not run.network.embeddings.types.weight.any()
        assert not finished[family].network.embeddings.types.weight.any()
    assert all(parameter.grad is None for parameter in run.network.parameters())


def test_the_rate_of_a_step_is_the_recipe_s(finished: dict[str, Run], tmp_path: Path) -> None:
    run = again(finished["bort"], tmp_path)
    steps = run.train()
    for _ in range(3):
        seen = run.seen
        next(steps)
        rates = {group["lr"] for one in run.optimizers.all for group in one.param_groups}
        assert rates == {run.recipe.rate_at(seen)}


# -- a step ------------------------------------------------------------------------------------------------------------


@each_family
def test_hidden_pieces_are_those_of_whole_forward_passes(family: str) -> None:
    network = fresh(family).eval()
    generator = np.random.default_rng(0)
    batches = [
        hide(generator.integers(10, 200, shape).astype(np.int32), rate=0.3, mask=4, seed=(0, number))
        for number, shape in enumerate([(3, 9), (1, 3), (2, 24)])
    ]
    logits, labels = pretrain.hidden_pieces(network, batches)
    expected = torch.cat([network(batch.ids)[batch.labels != IGNORED] for batch in batches])
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    assert labels.tolist() == [label for batch in batches for label in batch.labels.flatten().tolist() if label >= 0]
    loss = F.cross_entropy(logits, labels)
    whole = F.cross_entropy(
        torch.cat([network(batch.ids).flatten(0, 1) for batch in batches]),
        torch.cat([batch.labels.flatten() for batch in batches]),
        ignore_index=IGNORED,
    )
    assert loss.item() == pytest.approx(whole.item(), rel=1e-5)


def test_autocast_is_off_where_there_is_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(device: str) -> torch.dtype:
        with pretrain.autocast(torch.device(device)):
            return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert kind("cpu") == torch.float32
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert kind("cpu") == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not pretrain.autocast(torch.device("cuda"))._enabled  # type: ignore[attr-defined]


def test_a_step_without_bfloat16_trains_too(
    finished: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    losses = [loss for _, loss in zip(range(4), again(finished["albert"], tmp_path).train(), strict=False)]
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    rounded = [loss for _, loss in zip(range(4), again(finished["albert"], tmp_path).train(), strict=False)]
    assert losses == pytest.approx(rounded, abs=0.05) and losses != rounded


def test_a_step_hides_by_the_recipe_and_each_step_others(
    finished: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[float, tuple[int, ...]]] = []

    def spy(batch: Any, *, rate: float, mask: int, seed: tuple[int, ...]) -> Batch:
        told.append((rate, seed))
        return hide(batch, rate=rate, mask=mask, seed=seed)

    monkeypatch.setattr(pretrain, "hide", spy)
    run = again(
        finished["bort"], tmp_path, pieces=1_200, decay=0.5, mask_rate=0.45, seed=3
    )  # it ends before it recites
    steps = run.train()
    seeds = []
    while run.seen < run.recipe.pieces:
        seen, step = run.seen, run.step
        told.clear()
        next(steps)
        assert {rate for rate, _ in told} == {run.recipe.mask_rate_at(seen)}
        assert [seed for _, seed in told] == [(3, step, index) for index in range(len(told))]
        seeds.extend(seed for _, seed in told)
    assert len(seeds) == len(set(seeds)) > run.step > 4
    assert run.recipe.mask_rate_at(seen) < 0.3


@pytest.mark.parametrize("where", ["weights", "gradient"])
def test_numbers_that_are_not_finite_end_the_run(
    finished: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    run = again(finished["bort"], tmp_path)
    steps = run.train()
    next(steps)
    if where == "weights":
        with torch.no_grad():
            run.network.embeddings.norm.weight[0] = math.nan
    else:  # a loss may be finite and its gradient not, as bfloat16 overflows backwards
        run.network.embeddings.norm.bias.register_hook(lambda gradient: gradient / 0)
    before = {name: parameter.clone() for name, parameter in run.network.named_parameters()}
    with pytest.raises(FloatingPointError, match=r"step 1: lower --rate"):
        next(steps)
    assert run.step == 1
    for name, parameter in run.network.named_parameters():
        assert torch.equal(parameter.nan_to_num(), before[name].nan_to_num()), name


# -- measuring ---------------------------------------------------------------------------------------------------------


class Stub(torch.nn.Module):
    """A network that always guesses one piece, with odds of 3 to 1 against all others together."""

    def __init__(self, vocab: int, guess: int) -> None:
        super().__init__()
        self.embeddings = SimpleNamespace(words=torch.nn.Embedding(vocab, 1))
        self.table = self.embeddings.words
        self.guess, self.vocab = guess, vocab

    def embed(self, ids: Tensor) -> Tensor:
        return ids[..., None].float()

    def encode(self, words: Tensor, *, keep_layers: bool = False) -> SimpleNamespace:
        return SimpleNamespace(hidden=words)

    def predict(self, hidden: Tensor) -> Tensor:
        odds = torch.full((self.vocab,), 0.25 / (self.vocab - 1))
        odds[self.guess] = 0.75
        return odds.log().expand(len(hidden), -1)


def test_a_measurement_counted_by_hand(finished: dict[str, Run]) -> None:
    """All of one source's pieces are 7, all of the other's 8, and the network says 7."""
    documents = {
        source: [EncodedDocument((np.full(30, piece, dtype=np.int32), np.full(5, piece, dtype=np.int32)), 1)]
        for source, piece in (("bible", 7), ("wordnet", 8))
    }
    stub = Stub(vocab=11, guess=7)
    found = measure(stub, documents, finished["bert"].tokenizer, length=22)  # type: ignore[arg-type]
    sizes = {source: int((found.sources == source).sum()) for source in documents}
    assert found.labels.tolist() == [7] * sizes["bible"] + [8] * sizes["wordnet"]
    assert all(2 <= size <= 15 for size in sizes.values())  # of 35 pieces in sequences of 20 and 15
    assert found.by_source == {"bible": 1.0, "wordnet": 0.0}
    assert found.accuracy == pytest.approx(sizes["bible"] / len(found.labels))
    right, wrong = -math.log(0.75), -math.log(0.025)
    assert found.losses.tolist() == pytest.approx([right] * sizes["bible"] + [wrong] * sizes["wordnet"], rel=1e-2)


def test_the_numbers_of_a_measurement() -> None:
    found = Measurement(
        labels=np.array([5, 5, 1500, 3, 1500]),
        right=np.array([True, False, True, True, False]),
        losses=np.array([1, 2, 3, 4, 5], dtype=np.float32),
        sources=np.array(["a", "a", "b", "b", "b"]),
    )
    assert (found.loss, found.accuracy) == (3.0, 0.6)
    assert found.by_source == pytest.approx({"a": 1 / 2, "b": 2 / 3})
    counts = np.full(2500, 10)
    counts[[5, 1500]] = 99, 1  # 5 is the most frequent piece, 1500 the rarest; ties stand in order of id
    assert found.by_frequency(counts) == pytest.approx({"1 to 1,000": 2 / 3, "2,001 to 3,000": 1 / 2})
    counts[3] = 0
    assert list(found.by_frequency(counts)) == ["1 to 1,000", "2,001 to 3,000"]


@each_family
@pytest.mark.parametrize("training", [True, False])
def test_a_measurement_changes_nothing(finished: dict[str, Run], family: str, training: bool) -> None:
    run = finished[family]
    unseen = pretrain.heldout(run.tokenizer)
    assert list(unseen) == ["bible", "wordnet"]
    was = run.network.training
    run.network.train(training)
    before = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    random = torch.random.get_rng_state()
    one, two = (measure(run.network, unseen, run.tokenizer, length=24) for _ in range(2))
    assert run.network.training is training
    run.network.train(was)
    assert_same(before, dict(run.network.state_dict()))
    assert torch.equal(random, torch.random.get_rng_state())
    assert all(parameter.grad is None for parameter in run.network.parameters())
    for name in ("labels", "right", "losses", "sources"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    point = run.curve[-1]
    assert (point["loss"], point["accuracy"]) == (round(one.loss, 4), round(one.accuracy, 4))
    assert {source: point[source] for source in unseen} == {s: round(v, 4) for s, v in one.by_source.items()}


# -- state on disk -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["torch.save", "os.fsync"])
def test_a_half_written_checkpoint_never_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    path = tmp_path / "state.pt"
    atomic_save({"step": 1}, path)

    def half(state: object, file: Any) -> None:
        file.write(b"half a file")
        raise OSError("no space left on device")

    def fail(handle: int) -> None:
        raise OSError("input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(failing, half if failing == "torch.save" else fail)
        with pytest.raises(OSError):
            atomic_save({"step": 2}, path)
        with pytest.raises(OSError):
            atomic_save({"step": 2}, tmp_path / "other.pt")
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert not (tmp_path / "other.pt").exists()
    atomic_save({"step": 3}, path)
    assert torch.load(path, weights_only=True) == {"step": 3}
    assert [found.name for found in tmp_path.glob("state*")] == ["state.pt"]


def test_nothing_to_resume(finished: dict[str, Run], tmp_path: Path) -> None:
    assert not again(finished["bert"], tmp_path).resume()


@pytest.mark.parametrize(
    ("stream", "epoch", "taken"), [("reading", "epoch", "taken"), ("recital", "recitals", "recited")]
)
def test_batches_go_on_where_they_stopped(
    finished: dict[str, Run], tmp_path: Path, stream: str, epoch: str, taken: str
) -> None:
    """Also within an epoch, and beyond its end."""
    run = again(finished["bert"], tmp_path)
    batches = getattr(run, stream)()
    whole, places = [], []
    while getattr(run, epoch) < 2 or getattr(run, taken) < 3:
        places.append((getattr(run, epoch), getattr(run, taken)))
        whole.append(next(batches))
    for index in (0, 5, len(whole) // 2, len(whole) - 2):
        other = again(finished["bert"], tmp_path)
        for name, value in zip((epoch, taken), places[index], strict=True):
            setattr(other, name, value)
        for expected, got in zip(whole[index:], getattr(other, stream)(), strict=False):
            assert np.array_equal(expected, got)


def test_most_batches_recite_once_a_run_has_read_enough(finished: dict[str, Run], tmp_path: Path) -> None:
    run = again(finished["bert"], tmp_path, recite=0.7)
    batches = run.batches()
    told = [recites(run, next(batches)) for _ in range(400)]
    assert sum(told) < 20  # a few documents are one short sentence, of which one piece may be hidden
    assert run.recited == run.recitals == 0
    run.seen = run.recipe.recite_from
    told = [recites(run, next(batches)) for _ in range(400)]
    assert sum(told) / 400 == pytest.approx(0.7, abs=0.07)
    assert run.recitals > 0


def test_a_corpus_without_anything_to_recite_is_read(finished: dict[str, Run], tmp_path: Path) -> None:
    done = finished["bert"]
    mute = [replace(document, recited=()) for document in done.documents]
    run = Run(replace(done.recipe, recite=1.0, recite_from=0), tmp_path, mute, done.tokenizer)
    assert not any(recites(run, batch) for batch, _ in zip(run.batches(), range(50), strict=False))


def recites(run: Run, batch: Batch) -> bool:
    """Whether every sequence of a batch is a recited sentence with one piece hidden."""
    said = {tuple(sentence.tolist()) for document in run.documents for sentence in document.recited}
    shown = torch.where(batch.labels != IGNORED, batch.labels, batch.ids)[:, 1:-1].tolist()
    return bool(((batch.labels != IGNORED).sum(1) == 1).all()) and all(tuple(sequence) in said for sequence in shown)


@each_family
def test_a_run_learns(finished: dict[str, Run], family: str) -> None:
    run = finished[family]
    first, last = run.curve[0], run.curve[-1]
    assert run.seen >= RECIPE.pieces > run.seen - 2 * RECIPE.step_pieces
    assert first["loss"] < math.log(run.tokenizer.vocab_size)
    assert last["loss"] < first["loss"] - 0.3
    assert last["train_loss"] < first["train_loss"] - 0.3
    assert last["accuracy"] > 0.15
    assert [point["pieces"] for point in run.curve] == sorted({point["pieces"] for point in run.curve})
    assert len(run.curve) == 4
    assert all(math.isfinite(value) for point in run.curve for value in point.values())
    assert run.network.training


def wait_for(path: Path, trainer: subprocess.Popen[str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until and trainer.poll() is None, f"{path} did not appear: {trainer.communicate()}"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def killed(world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each family that was killed with -9 some time after its first checkpoint."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    folder = tmp_path_factory.mktemp("killed")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as trainer:
        assert trainer.stdout is not None
        children = dict(trainer.stdout.readline().split() for _ in FAMILIES)
        for family, child in children.items():
            wait_for(folder / family / "state.pt", trainer)
            time.sleep(0.12)  # some steps that the checkpoint does not know
            os.kill(int(child), signal.SIGKILL)
    return folder


@each_family
def test_a_killed_run_goes_on_to_the_same_bits(killed: Path, finished: dict[str, Run], family: str) -> None:
    state = torch.load(killed / family / "state.pt", weights_only=True)
    assert 0 < state["counters"]["seen"] < RECIPE.pieces  # killed in the middle
    run = train(family, killed / family)
    assert_same_run(run, finished[family])
    assert run.seconds > state["counters"]["seconds"] > 0
    saved = torch.load(killed / family / "state.pt", weights_only=True)
    assert_same(dict(saved["network"]), dict(finished[family].network.state_dict()))


def test_the_minutes_of_a_slice_change_no_weight(finished: dict[str, Run], tmp_path: Path) -> None:
    """A run in slices of one step; its curve has more points, and the common ones agree but for the training loss."""
    for _ in range(6):
        run = train("bort", tmp_path, minutes=0.0)
    assert run.step == 6 and len(run.curve) == 6
    run = train("bort", tmp_path)
    assert_same(dict(run.network.state_dict()), dict(finished["bort"].network.state_dict()))
    points = {point["pieces"]: point["loss"] for point in run.curve}
    expected = {point["pieces"]: point["loss"] for point in finished["bort"].curve[1:]}
    assert expected.items() <= points.items()


def test_a_finished_run_stays_as_it_is(finished: dict[str, Run]) -> None:
    before = (finished["bort"].folder / "state.pt").read_bytes()
    run = train("bort", finished["bort"].folder)
    assert_same_run(run, finished["bort"])
    assert (finished["bort"].folder / "state.pt").read_bytes() == before


def copy_state(run: Run, folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes((run.folder / name).read_bytes())
    return folder


def test_a_larger_budget_goes_on_from_the_constant_part(finished: dict[str, Run], tmp_path: Path) -> None:
    """To the weights that the larger budget reaches from the beginning."""
    run = finished["bort"]
    constant = torch.load(run.folder / "constant.pt", weights_only=True)
    assert constant["counters"]["seen"] >= run.recipe.decay_from > constant["counters"]["seen"] - 500
    larger = again(run, copy_state(run, tmp_path / "larger", "state.pt", "constant.pt"), pieces=9_000)
    assert larger.resume()
    assert_same(dict(constant["network"]), dict(larger.network.state_dict()))
    assert larger.seen == constant["counters"]["seen"]
    for _ in larger.train():
        pass
    whole = again(run, tmp_path / "whole", pieces=9_000)
    for _ in whole.train():
        pass
    assert_same(dict(whole.network.state_dict()), dict(larger.network.state_dict()))
    assert_same(whole.optimizers.state_dict(), larger.optimizers.state_dict())
    assert torch.load(larger.folder / "constant.pt", weights_only=True)["counters"]["seen"] >= larger.recipe.decay_from


def test_a_decayed_run_is_not_silently_begun_anew(finished: dict[str, Run], tmp_path: Path) -> None:
    run = finished["bort"]
    folder = copy_state(run, tmp_path, "state.pt")
    with pytest.raises(ValueError, match=r"has decayed for 6,000 pieces .*no constant\.pt"):
        again(run, folder, pieces=9_000).resume()
    # The decay may begin at the same piece and yet be another one.
    with pytest.raises(ValueError, match="has decayed for 6,000 pieces"):
        again(run, folder, pieces=7_200, decay=0.5).resume()
    assert again(run, folder).resume()


def test_a_smaller_budget_decays_from_where_the_run_stands(finished: dict[str, Run], tmp_path: Path) -> None:
    """And leaves that place on disk, for a larger budget later."""
    large = again(finished["bort"], tmp_path, pieces=60_000)
    steps = large.train()
    while large.seen < 5_000:
        next(steps)
    large.save()
    small = again(large, tmp_path, pieces=6_000)
    assert small.resume()
    assert small.seen == large.seen
    assert small.recipe.rate_at(small.seen) < RECIPE.rate
    for _ in small.train():
        pass
    small.save()
    back = again(large, tmp_path)
    assert back.resume()
    assert back.seen == large.seen
    assert_same(dict(back.network.state_dict()), dict(large.network.state_dict()))
    next(back.train()), next(steps)
    assert_same(dict(back.network.state_dict()), dict(large.network.state_dict()))


@pytest.mark.parametrize("change", [{"rate": 0.5}, {"seed": 1}, {"length": 12}, {"optimizer": "adamw"}])
def test_another_recipe_is_refused(finished: dict[str, Run], tmp_path: Path, change: dict[str, Any]) -> None:
    folder = copy_state(finished["bort"], tmp_path, "state.pt", "constant.pt")
    with pytest.raises(
        ValueError, match=r"state\.pt is of another recipe: .*Give the same options, or another --folder"
    ):
        again(finished["bort"], folder, **change).resume()


def test_another_seed_gives_another_run(finished: dict[str, Run], tmp_path: Path) -> None:
    one, two = (next(again(finished["bort"], tmp_path, seed=seed).train()) for seed in (0, 1))
    assert one != two
    assert one == next(again(finished["bort"], tmp_path).train())


def test_the_tokenizer_is_trained_once(finished: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pretrain, "train_tokenizer")
    run = finished["albert"]
    found = pretrain.prepare_tokenizer(FAMILIES["albert"], run.folder)
    assert found.definition == run.tokenizer.definition
    assert run.network.config.vocab_size == found.vocab_size


# -- the command -------------------------------------------------------------------------------------------------------

OPTIONS = ["--family", "bort", "--step-pieces", "192", "--length", "24", "--threads", "1", "--device", "cpu"]


# -- on a GPU ----------------------------------------------------------------------------------------------------------


@needs_cuda
@each_family
def test_a_run_learns_on_cuda(finished: dict[str, Run], tmp_path: Path, family: str) -> None:
    tokenizer = finished[family].tokenizer
    documents = encode_documents(tiny_read("train"), tokenizer)
    run = Run(finished[family].recipe, tmp_path, documents, tokenizer, "cuda")
    losses = list(run.train())
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2
    assert all(parameter.is_cuda for parameter in run.network.parameters())
    run.save()
    unseen = pretrain.heldout(tokenizer)
    there = measure(run.network, unseen, tokenizer, length=24)
    here = again(finished[family], tmp_path)  # a state goes from device to device
    assert here.resume() and next(here.network.parameters()).device.type == "cpu"
    assert measure(here.network, unseen, tokenizer, length=24).loss == pytest.approx(there.loss, abs=0.05)


@needs_cuda
@each_family
def test_hidden_pieces_on_cuda_equal_those_on_the_cpu(family: str) -> None:
    network = fresh(family).eval()
    pieces = np.random.default_rng(0).integers(10, 200, (3, 9)).astype(np.int32)
    batch: Batch = hide(pieces, rate=0.3, mask=4, seed=(0,))
    expected, labels = pretrain.hidden_pieces(network, [batch])
    got, theirs = pretrain.hidden_pieces(network.cuda(), [batch])
    torch.testing.assert_close(got.cpu(), expected, rtol=1e-3, atol=1e-4)
    assert torch.equal(theirs.cpu(), labels)


@needs_cuda
def test_cuda_computes_in_bfloat16_where_it_can() -> None:
    able = torch.cuda.is_bf16_supported(including_emulation=False)
    with pretrain.autocast(torch.device("cuda")):
        found = (torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")).dtype
    assert found == (torch.bfloat16 if able else torch.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
