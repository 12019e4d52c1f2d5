"""Masked-LM runs: they learn, go on bit for bit after any interruption, and are measured without being changed."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bortlab.models import FAMILIES, Network
from bortlab.training import masked_lm
from bortlab.training.encoded import encode_text
from bortlab.training.hiding import Template
from bortlab.training.masked_lm import MEASURED_RATE, SHORTEST, MaskedLMRun, Recipe, measure
from bortlab.training.vocabulary import train_tokenizer

DOCUMENTS = [
    ("stories", ["The cat sat on the mat.", "The dog lay under the table.", "A bird sang in the old tree."]),
    ("stories", ["The cat sat on the mat.", "A bird sang in the old tree."]),
    ("modern", ["Rain fell on the quiet town.", "The dog lay under the table.", "Yes."]),
]
TOKENIZER = train_tokenizer("wordpiece", [s for _, some in DOCUMENTS for s in some] * 4, vocab_size=300)
TEMPLATE = Template(TOKENIZER.cls_id, TOKENIZER.sep_id, TOKENIZER.mask_id)
TEXT = encode_text(DOCUMENTS, [TOKENIZER])
RECIPE = Recipe(
    pieces=2500, step_pieces=60, length=24, rate=1e-2, warmup=300, seed=3, weights={"stories": 1.5, "modern": 0.5}
)


def network(seed: int = 0) -> Network:
    bert = FAMILIES["bert"]
    config = replace(
        bert.mini,
        vocab_size=TOKENIZER.vocab_size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    made = bert.network(config)
    made.initialise(torch.Generator().manual_seed(seed))
    return made


def new_run(folder: Path, recipe: Recipe = RECIPE) -> MaskedLMRun:
    return MaskedLMRun(recipe, folder, network(), TEXT, TOKENIZER)


def go(run: MaskedLMRun, steps: int) -> None:
    turns = run.train()
    for _ in range(steps):
        next(turns)


def finish(run: MaskedLMRun) -> MaskedLMRun:
    for _ in run.train():
        pass
    return run


def equal(one: Network, other: Network) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def save_at_every_step(folder: Path) -> None:
    """What the process that is killed does."""
    torch.set_num_threads(1)
    run = new_run(folder)
    run.resume()
    for _ in run.train():
        run.save()
        print(run.step, flush=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> MaskedLMRun:
    """An uninterrupted run."""
    return finish(new_run(tmp_path_factory.mktemp("whole")))


# -- the recipe --------------------------------------------------------------------------------------------------------


def test_the_rate_rises_stays_and_falls() -> None:
    recipe = Recipe(pieces=1000, step_pieces=10, warmup=100, decay=0.4, rate=2.0)
    assert recipe.rate_at(0) == pytest.approx(0.2)
    assert recipe.rate_at(40) == pytest.approx(1.0)
    assert recipe.rate_at(90) == recipe.rate_at(600) == pytest.approx(2.0)
    assert recipe.rate_at(800) == pytest.approx(1.0)
    assert recipe.rate_at(1000) == recipe.rate_at(2000) == 0.0


def test_the_share_of_hidden_words_falls_to_the_one_that_is_measured() -> None:
    recipe = Recipe(pieces=1000, decay=0.5, hide=0.25)
    assert recipe.hide_at(0) == recipe.hide_at(500) == pytest.approx(0.25)
    assert recipe.hide_at(750) == pytest.approx((0.25 + MEASURED_RATE) / 2)
    assert recipe.hide_at(1000) == pytest.approx(MEASURED_RATE)


def test_a_recipe_may_do_without_warmup_and_decay() -> None:
    recipe = Recipe(pieces=1000, warmup=0, decay=0.0, rate=2.0)
    assert recipe.rate_at(0) == recipe.rate_at(1000) == 2.0


# -- learning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("muon", [True, False])
def test_a_run_learns(tmp_path: Path, muon: bool) -> None:
    run = new_run(tmp_path, replace(RECIPE, pieces=20_000, step_pieces=200, muon=muon))
    before = measure(run.network, TEXT, TEMPLATE, length=24)
    finish(run)
    after = measure(run.network, TEXT, TEMPLATE, length=24)
    assert before.loss == pytest.approx(math.log(TOKENIZER.vocab_size), abs=0.5)
    assert after.loss < 0.6 * before.loss
    assert after.accuracy > before.accuracy + 0.2


def test_a_run_sees_its_budget_and_stops(whole: MaskedLMRun) -> None:
    assert RECIPE.pieces <= whole.seen < RECIPE.pieces + RECIPE.step_pieces
    assert whole.epoch > 2  # so that going on is tried across epochs
    assert whole.seconds > 0
    assert list(whole.train()) == []


def test_rows_of_a_batch_are_of_one_width_and_longer_than_one_word(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    batches = run.batches()
    for _ in range(40):
        rows = next(batches)
        lengths = run.on_device.rows(rows.chunks)[1]
        assert set(lengths.tolist()) == {rows.widths[0]}
        assert SHORTEST < rows.widths[0] + 2 <= RECIPE.length


def test_text_without_a_row_to_learn_from_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for documents in ([], [("a", ["cat"])]):
        run = MaskedLMRun(RECIPE, tmp_path, network(), encode_text(documents, [TOKENIZER]), TOKENIZER)
        with pytest.raises(ValueError, match="nothing to learn from"):
            next(run.train())
    unread = replace(RECIPE, weights={"stories": 0.0, "modern": 0.0})
    with pytest.raises(ValueError, match="nothing to learn from"):
        next(new_run(tmp_path, unread).train())


def test_a_frozen_parameter_stays(tmp_path: Path) -> None:
    start = network()
    start.embeddings.positions.weight.requires_grad_(False)
    before = start.embeddings.positions.weight.clone()
    go(MaskedLMRun(RECIPE, tmp_path, start, TEXT, TOKENIZER), 3)
    assert torch.equal(start.embeddings.positions.weight, before)


# -- stopping and going on ---------------------------------------------------------------------------------------------


def test_the_same_run_twice_is_the_same_run(whole: MaskedLMRun, tmp_path: Path) -> None:
    torch.manual_seed(123)  # what others draw does not matter
    again = finish(new_run(tmp_path))
    assert equal(again.network, whole.network)
    assert not equal(finish(new_run(tmp_path, replace(RECIPE, seed=4))).network, whole.network)


def test_a_run_that_is_stopped_again_and_again_ends_as_one_that_is_not(whole: MaskedLMRun, tmp_path: Path) -> None:
    assert not new_run(tmp_path).resume()
    steps = 0
    for some in (1, 6, 7, 2, 11):
        run = new_run(tmp_path)
        assert run.resume() == (steps > 0)
        assert run.step == steps
        go(run, some)
        run.save()
        go(run, 1)  # lost: it comes after the checkpoint
        steps += some
    last = new_run(tmp_path)
    last.resume()
    finish(last)
    assert equal(last.network, whole.network)
    assert (last.step, last.seen, last.epoch, last.taken) == (whole.step, whole.seen, whole.epoch, whole.taken)


def test_a_run_goes_on_where_an_epoch_ends(whole: MaskedLMRun, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    turns = run.train()
    while run.epoch == 0:
        run.save()
        next(turns)
    last = new_run(tmp_path)
    last.resume()
    assert last.epoch == 0
    assert equal(finish(last).network, whole.network)


def test_a_run_that_is_killed_goes_on_to_the_same_weights(whole: MaskedLMRun, tmp_path: Path) -> None:
    here, root = Path(__file__).resolve(), Path(__file__).resolve().parents[2]
    program = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(here.parent)!r}]; from pathlib import Path;"
        f"import {here.stem}; {here.stem}.save_at_every_step(Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if int(line) >= 5:
                    break
        finally:
            process.kill()  # -9, most likely in the middle of a step or of a save
    run = new_run(tmp_path)
    assert run.resume()
    assert 5 <= run.step < whole.step
    assert equal(finish(run).network, whole.network)


def test_a_half_written_checkpoint_is_never_read(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    go(run, 1)
    run.save()
    (tmp_path / ".state.pt.partial").write_bytes(b"half of a")
    again = new_run(tmp_path)
    assert again.resume()
    assert equal(again.network, run.network)
    again.save()
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.save()
    other = new_run(tmp_path, replace(RECIPE, rate=0.5))
    before = [parameter.detach().clone() for parameter in other.network.parameters()]
    with pytest.raises(ValueError, match=r"state\.pt is of another recipe.*another folder"):
        other.resume()
    assert all(torch.equal(a, b) for a, b in zip(other.network.parameters(), before, strict=True))
    assert not other.resume("another.pt")


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.save()
    saved = (tmp_path / "state.pt").read_bytes()
    for value in (math.nan, math.inf):
        with torch.no_grad():
            run.network.embeddings.words.weight[3, 2] = value
        with pytest.raises(FloatingPointError, match="not finite after step 0"):
            run.save()
    assert (tmp_path / "state.pt").read_bytes() == saved
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_lm, "CHECK_EVERY", 4)
    run = new_run(tmp_path)
    with torch.no_grad():
        run.network.embeddings.words.weight.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="nan at step 4"):
        finish(run)


# -- measuring ---------------------------------------------------------------------------------------------------------


def one_piece_speaker(piece: int) -> Network:
    """A network that says this piece everywhere, with probability 1 / 2."""
    made = network()
    head = made.masked_lm
    assert head is not None
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
        head.bias[piece] = math.log(TOKENIZER.vocab_size - 1)
    return made


def test_measuring_by_hand() -> None:
    cat, dog = (TOKENIZER.id_of(word) for word in ("cat", "dog"))
    documents = [("cats", ["cat cat cat cat"] * 6), ("dogs", ["dog dog dog"] * 9), ("cats", ["cat"])]
    text = encode_text(documents, [TOKENIZER], names=("none", "dogs", "cats"))
    assert set(text.cuttings[0].pieces.tolist()) == {cat, dog}
    found = measure(one_piece_speaker(cat), text, TEMPLATE)
    assert found.by_source == {"dogs": 0.0, "cats": 1.0}
    assert 0 < found.accuracy < 1
    right = round(found.accuracy * found.n_hidden)
    other = math.log(2 * (TOKENIZER.vocab_size - 1))
    expected = (right * math.log(2) + (found.n_hidden - right) * other) / found.n_hidden
    assert found.loss == pytest.approx(expected, rel=1e-5)


def test_measuring_is_deterministic_and_changes_nothing() -> None:
    made = network()
    made.train()
    made.embeddings.words.weight.grad = torch.ones_like(made.embeddings.words.weight)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    state = torch.get_rng_state()
    first = measure(made, TEXT, TEMPLATE, length=24)
    torch.manual_seed(99)
    assert measure(made, TEXT, TEMPLATE, length=24) == first
    made.eval()
    assert measure(made, TEXT, TEMPLATE, length=24) == first
    assert not made.training
    made.train()
    measure(made, TEXT, TEMPLATE, length=24)
    assert all(module.training for module in made.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())
    assert all(parameter.requires_grad for parameter in made.parameters())
    gradients = [parameter.grad for parameter in made.parameters() if parameter.grad is not None]
    assert len(gradients) == 1
    assert (gradients[0] == 1).all()
    torch.set_rng_state(state)
    measure(made, TEXT, TEMPLATE, length=24)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_limit_measures_fewer_batches() -> None:
    made = network()
    assert (
        0
        < measure(made, TEXT, TEMPLATE, length=24, limit=1).n_hidden
        < measure(made, TEXT, TEMPLATE, length=24).n_hidden
    )


def test_measuring_nothing() -> None:
    found = measure(network(), encode_text([("a", ["cat"])], [TOKENIZER]), TEMPLATE)
    assert (found.loss, found.accuracy, found.by_source, found.n_hidden) == (0, 0, {}, 0)
