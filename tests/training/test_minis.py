"""The runs that make the bundled models, over a tiny folder of text and with a tiny teacher."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bortlab import checkpoint
from bortlab.data import corpus
from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.text import Tokenizer
from bortlab.training import minis
from bortlab.training.masked_lm import MaskedLMRun, Recipe
from bortlab.training.minis import _sampled, encoder_run, mini_run, piece_counts, read_texts, run_of
from bortlab.training.vocabulary import train_tokenizer

SENTENCES = [
    "The cat sat on the mat.",
    "A bird sang in the old tree.",
    "Rain fell on the quiet town, mostly.",
    "The dog!",
]
RECIPE = Recipe(pieces=600, step_pieces=100, length=24, warmup=100, rate=1e-3)
FULL = train_tokenizer("wordpiece", [*SENTENCES, "Unrelated words of another text."] * 3, vocab_size=300)


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of text; the bundled corpus is one document, and vocabularies are small."""
    bundled = {"train": [("bible", ("Rain fell.",))], "heldout": [("bible", ("Held rain.",))]}
    documents = {split: [SimpleNamespace(source=s, sentences=t) for s, t in some] for split, some in bundled.items()}
    monkeypatch.setattr(corpus, "read", documents.__getitem__)
    monkeypatch.setattr(minis, "VOCABULARY", 290)
    folder = tmp_path / "text"
    folder.mkdir()
    rows = [{"id": str(i), "source": "stories", "sentences": SENTENCES} for i in range(8)]
    (folder / "stories.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    held = {"id": "h", "source": "stories", "sentences": ["Kept away."]}
    (folder / "heldout.jsonl").write_text(json.dumps(held), encoding="utf-8")
    return folder


@pytest.fixture
def tiny(tiny_config: Callable[..., Config]) -> Callable[[str], Family]:
    """tiny(name): a family whose mini is tiny and has no dropout."""

    def make(name: str) -> Family:
        family = FAMILIES[name]
        own = tiny_config(family, max_position_embeddings=24)
        return replace(family, mini=replace(own, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))

    return make


@pytest.fixture
def teacher(
    tiny_config: Callable[..., Config], build: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> Network:
    bert = FAMILIES["bert"]
    network = build(bert, tiny_config(bert, vocab_size=FULL.vocab_size, max_position_embeddings=64))
    monkeypatch.setattr(minis, "load", lambda key: SimpleNamespace(network=network, tokenizer=FULL))
    return network


def weights_of(network: Network) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def finish(run: MaskedLMRun) -> None:
    before = weights_of(run.network)
    for _ in run.train():
        pass
    assert run.seen >= RECIPE.pieces
    assert any(not torch.equal(a, b) for a, b in zip(before, run.network.parameters(), strict=True))
    run.check_finite()


def test_texts_are_of_the_folders_and_then_the_bundled_ones(texts: Path) -> None:
    assert read_texts([texts, texts], heldout=False) == [("stories", tuple(SENTENCES))] * 16 + [
        ("bible", ("Rain fell.",))
    ]
    assert read_texts([texts], heldout=True) == [("stories", ("Kept away.",)), ("bible", ("Held rain.",))]


# -- the minis ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_mini_is_trained_with_a_teacher(
    name: str, texts: Path, tiny: Callable[[str], Family], teacher: Network, tmp_path: Path
) -> None:
    before, family = weights_of(teacher), tiny(name)
    run = mini_run(family, [texts], tmp_path / "run", recipe=RECIPE, device="cpu")
    alike = family.tokenizer == "wordpiece"
    assert len(run.text.cuttings) == (1 if alike else 2)
    assert run.teacher is not None
    assert (run.teacher.shared is None) == alike
    assert run.teacher.network is not teacher
    assert (tmp_path / "run" / "tokenizer").exists() == (not alike)
    finish(run)
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in teacher.parameters() if parameter.ndim == 2)
    if not alike:
        assert 0 < int(run.teacher.taught) <= int(run.teacher.hidden)


@pytest.mark.parametrize("name", ["bert", "bort"])
def test_a_mini_learns_from_text_alone(name: str, texts: Path, tiny: Callable[[str], Family], tmp_path: Path) -> None:
    run = mini_run(tiny(name), [texts], tmp_path / "run", recipe=RECIPE, device="cpu", teacher=None)
    assert run.teacher is None
    assert run.recipe.teach == 0.0
    finish(run)


@pytest.mark.parametrize("name", ["convbert", "albert"])
def test_the_word_table_may_start_from_the_teachers(
    name: str, texts: Path, tiny: Callable[[str], Family], teacher: Network, tmp_path: Path
) -> None:
    def start(start_from_teacher: bool) -> MaskedLMRun:
        folder = tmp_path / "run"
        return mini_run(tiny(name), [texts], folder, recipe=RECIPE, device="cpu", start_from_teacher=start_from_teacher)

    run = start(True)
    random, taught, asked = start(False).network, run.network, run.teacher
    assert asked is not None
    assert not torch.equal(random.embeddings.words.weight, taught.embeddings.words.weight)
    for (key, one), other in zip(random.named_parameters(), taught.parameters(), strict=True):
        assert key == "embeddings.words.weight" or torch.equal(one, other), key
    if asked.shared is not None:
        mine = set(asked.shared.student.tolist())
        others = [row for row in range(random.config.vocab_size) if row not in mine]
        assert torch.equal(random.embeddings.words.weight[others], taught.embeddings.words.weight[others])


def test_a_head_starts_from_how_frequent_pieces_are(
    texts: Path, tiny: Callable[[str], Family], teacher: Network, tmp_path: Path
) -> None:
    run = mini_run(tiny("bert"), [texts], tmp_path / "run", recipe=RECIPE, device="cpu")
    head = run.network.masked_lm
    assert head is not None
    counts = Counter(run.text.cuttings[0].pieces.tolist())
    total = run.text.n_pieces + FULL.vocab_size
    for piece in (FULL.id_of("the"), FULL.id_of("cat"), FULL.mask_id):
        assert float(head.bias[piece].detach().exp()) == pytest.approx((counts[piece] + 1) / total, rel=1e-4)


def test_the_model_is_kept_at_numbers_of_pieces_however_often_the_run_stops(
    texts: Path, tiny: Callable[[str], Family], tmp_path: Path
) -> None:
    def new() -> MaskedLMRun:
        return mini_run(tiny("bert"), [texts], tmp_path / "run", recipe=RECIPE, device="cpu", teacher=None)

    kept: list[tuple[int, int]] = []
    heldout = read_texts([texts], heldout=True)
    for minutes in (0.0, 0.0, 9.0):  # nothing but one step, twice; then the rest
        run = new()
        finished = minis.train(
            run,
            heldout,
            every=10**9,
            minutes=minutes,
            title="x",
            keep=[90, 300, 10**9],
            write=lambda pieces, run=run: kept.append((pieces, run.seen)),  # type: ignore[misc]
        )
    assert finished
    assert [pieces for pieces, _ in kept] == [90, 300]
    assert all(pieces <= seen < pieces + RECIPE.step_pieces for pieces, seen in kept)


def test_a_vocabulary_is_made_once(
    texts: Path, tiny: Callable[[str], Family], teacher: Network, tmp_path: Path
) -> None:
    first = mini_run(tiny("bort"), [texts], tmp_path / "run", recipe=RECIPE, device="cpu")
    made = (tmp_path / "run" / "tokenizer" / "tokenizer.json").read_bytes()
    (texts / "modern.jsonl").write_text(
        json.dumps({"id": "x", "source": "modern", "sentences": ["zebra zebra zebra"] * 50}), encoding="utf-8"
    )
    again = mini_run(tiny("bort"), [texts], tmp_path / "run", recipe=RECIPE, device="cpu")
    assert (tmp_path / "run" / "tokenizer" / "tokenizer.json").read_bytes() == made
    assert again.network.config.vocab_size == first.network.config.vocab_size


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown bundled model 'gpt'.*minilm-l6, albert-mini"):
        run_of("gpt", [], tmp_path, recipe=RECIPE, device="cpu", start=None)
    with pytest.raises(ValueError, match="--start"):
        run_of("minilm-l6", [], tmp_path, recipe=RECIPE, device="cpu", start=None)


# -- the encoder -------------------------------------------------------------------------------------------------------


def test_the_encoder_is_cut_and_trained(
    texts: Path, own_start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minis, "VOCABULARY", 80)
    monkeypatch.setattr(minis, "LENGTH", 24)
    run = encoder_run(own_start, [texts], tmp_path / "run", recipe=replace(RECIPE, muon=False), device="cpu")
    tokenizer = Tokenizer.from_folder(tmp_path / "run" / "tokenizer")
    assert tokenizer.vocab_size == run.network.config.vocab_size <= 80 < FULL.vocab_size
    assert run.network.config.max_position_embeddings == 24
    assert run.network.config.hidden_dropout_prob == 0.0
    assert run.teacher is None
    head = run.network.masked_lm
    assert head is not None
    assert float(head.bias.detach().exp().sum()) == pytest.approx(1.0, rel=1e-4)
    finish(run)


@pytest.fixture
def own_start(tiny_config: Callable[..., Config], build: Callable[..., Network], tmp_path: Path) -> Path:
    """A folder with a tiny published encoder, its head and its vocabulary."""
    bert = FAMILIES["bert"]
    network = build(bert, tiny_config(bert, vocab_size=FULL.vocab_size, max_position_embeddings=64))
    checkpoint.save(tmp_path / "start", bert, network.config, network, FULL)
    return tmp_path / "start"


# -- vocabularies ------------------------------------------------------------------------------------------------------


def test_pieces_are_counted_by_the_weight_of_their_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minis, "VOCABULARY_WEIGHTS", {"rare": 0.25, "often": 3.0})
    counts = piece_counts(FULL, [("rare", ("the cat the",)), ("often", ("cat", "mat.")), ("plain", ("the",))])
    expected = {"the": 1.5, "cat": 3.25, "mat": 3.0, ".": 3.0}
    assert {FULL.token_of(number): count for number, count in counts.items()} == expected


def test_sampled_sentences_are_the_same_every_time_and_follow_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minis, "VOCABULARY_WEIGHTS", {"rare": 0.1, "often": 2.5})
    texts = [(source, tuple(f"{source} {i}" for i in range(4000))) for source in ("rare", "plain", "often")]
    sampled = list(_sampled(texts))
    assert sampled == list(_sampled(texts))
    counts = Counter(sentence.split()[0] for sentence in sampled)
    for source, weight in (("rare", 0.1), ("plain", 1.0), ("often", 2.5)):
        assert counts[source] == pytest.approx(4000 * weight * minis.VOCABULARY_SHARE, rel=0.15)
