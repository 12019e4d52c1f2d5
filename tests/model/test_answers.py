"""Labels, tags, passages and choices: they are what the network's logits say, about the user's own characters."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from bortlab.model import Model, NoHeadError, answers, assemble
from bortlab.models import FAMILIES
from bortlab.text import Tokenizer, word_spans
from bortlab.training.vocabulary import train_tokenizer

TEXTS = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat; a dog barked.",
] * 10
TEXT, OTHER = "The capital of France is Paris, naïvely.", "A dog sat."
Make = Callable[..., Model]


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {family.name: train_tokenizer(family.tokenizer, TEXTS, vocab_size=300) for family in FAMILIES.values()}


@pytest.fixture(params=FAMILIES)
def make(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Make:
    """make(task, **changes of the configuration): a tiny random model of each family."""
    family, tokenizer = FAMILIES[request.param], tokenizers[request.param]

    def build(task: str, **changes: Any) -> Model:
        sizes: dict[str, Any] = {
            "vocab_size": tokenizer.vocab_size,
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 96,
            "initializer_range": 0.5,
        }
        network = family.network(replace(family.mini, **(sizes | changes)), task)
        network.initialise(torch.Generator().manual_seed(1))
        heads = dict.fromkeys(network.tasks[task], "random")
        return assemble(f"{family.name}-tiny", family, network, tokenizer, heads=heads, source="random weights")

    return build


def logits(model: Model, *texts: str) -> dict[str, Tensor]:
    """What the network says about one text or pair, asked directly."""
    encoding = model.encode(*texts)
    return dict(model.network.solve(torch.tensor([encoding.ids]), type_ids=torch.tensor([encoding.type_ids])).logits)


# -- a whole text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [None, OTHER])
@pytest.mark.parametrize("kind", [None, "single_label_classification", "multi_label_classification"])
def test_labels_of_a_text(make: Make, kind: str | None, pair: str | None) -> None:
    model = make("sequence-classification", labels=("good", "bad", "dull"), problem_type=kind)
    found = model.classify(TEXT, pair)
    scores = logits(model, *([TEXT] if pair is None else [TEXT, pair]))["sequence-classification"][0]
    wanted = scores.sigmoid() if kind and "multi" in kind else scores.softmax(-1)
    assert [label.id for label in found.labels] == scores.argsort(descending=True).tolist()
    for label in found.labels:
        assert label.label == model.config.labels[label.id]
        assert label.score == pytest.approx(float(scores[label.id]), abs=1e-5)
        assert label.probability == pytest.approx(float(wanted[label.id]), abs=1e-5)
    assert len({label.score for label in found.labels}) == 3
    assert str(found).splitlines()[0].split()[0] == found.labels[0].label


@pytest.mark.parametrize(("labels", "kind"), [(("size",), None), (("x", "y", "z"), "regression")])
def test_numbers_of_a_text(make: Make, labels: tuple[str, ...], kind: str | None) -> None:
    model = make("sequence-classification", labels=labels, problem_type=kind)
    found = model.classify(TEXT).labels
    assert tuple(label.label for label in found) == labels  # in their own order: there is no best one
    assert [label.probability for label in found] == [None] * len(labels)
    torch.testing.assert_close(
        torch.tensor([label.score for label in found]), logits(model, TEXT)["sequence-classification"][0]
    )


# -- words -------------------------------------------------------------------------------------------------------------


def test_tags_of_words(make: Make) -> None:
    model = make("token-classification", labels=("O", "LOC", "PER"))
    found = model.tag(TEXT)
    assert [(tag.start, tag.end) for tag in found.tags] == list(word_spans(TEXT))
    assert [tag.text for tag in found.tags] == ["The", "capital", "of", "France", "is", "Paris", ",", "naïvely", "."]
    shares = logits(model, TEXT)["token-classification"][0].softmax(-1)  # (seq, labels)
    for number, tag in enumerate(found.tags):
        first = found.encoding.words.index(number)
        assert tag.id == int(shares[first].argmax()) and tag.label == model.config.labels[tag.id]
        assert tag.probability == pytest.approx(float(shares[first].max()), abs=1e-5)
    assert len({tag.probability for tag in found.tags}) == 9
    assert len(str(found).splitlines()) == 9


def test_words_beyond_the_model_have_no_tag_and_that_is_told(make: Make) -> None:
    found = make("token-classification", max_position_embeddings=8).tag(TEXT)
    assert found.encoding.truncated > 0
    assert 1 <= len(found.tags) < 9
    assert make("token-classification").tag("").tags == ()


# -- passages ----------------------------------------------------------------------------------------------------------

QUESTION = "Which city is it?"


@pytest.mark.parametrize("max_pieces", [1, 4, 30])
def test_passages_are_the_best_of_all_pairs_of_start_and_end(make: Make, max_pieces: int) -> None:
    model = make("question-answering")
    found = model.answer(QUESTION, TEXT, top_k=4, max_pieces=max_pieces)
    encoding, said = model.encode(QUESTION, TEXT), logits(model, QUESTION, TEXT)
    context = [piece for piece, part in enumerate(encoding.parts) if part == 1]
    starts, ends = (said[name][0][[0, *context]].softmax(-1).tolist() for name in ("start", "end"))
    best: dict[tuple[int, int], float] = {}
    for one, two in itertools.product(range(1, len(context) + 1), repeat=2):
        start, end = encoding.offsets[context[one - 1]][0], encoding.offsets[context[two - 1]][1]
        words = [(a, b) for a, b in word_spans(TEXT) if a < end and b > start]  # whole words, and no space alone
        span = (words[0][0], words[-1][1]) if words else (0, 0)
        if words and 0 <= two - one < max_pieces:
            best[span] = max(best.get(span, 0.0), starts[one] * ends[two])
    wanted = sorted(best.items(), key=lambda item: -item[1])[:4]
    assert [(passage.start, passage.end) for passage in found.passages] == [span for span, _ in wanted]
    assert [passage.probability for passage in found.passages] == pytest.approx(
        [share for _, share in wanted], abs=1e-5
    )
    assert all(passage.text == TEXT[passage.start : passage.end] for passage in found.passages)
    assert found.no_answer == pytest.approx(starts[0] * ends[0], abs=1e-5)
    assert found.windows == 1
    assert str(found).splitlines()[0].strip().startswith(found.passages[0].text)


def test_a_long_context_is_read_to_its_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is replaced by one that looks for one piece, which stands at the end of a text of many windows."""
    model = make("question-answering", max_position_embeddings=48)
    context = "The cat sat on the mat. " * 12 + "Italy barked. " + "The cat sat on the mat. " * 3
    wanted = model.tokenizer.encode_word("Italy")
    seen: list[str] = []

    def look(encoding: Any, task: str) -> dict[str, Tensor]:
        assert task == "question-answering" and len(encoding) <= 48
        seen.append(encoding.pair)
        ids = list(encoding.ids)
        places = [n for n in range(len(ids)) if tuple(ids[n : n + len(wanted)]) == wanted]
        hits = [
            [float(n in places) for n in range(len(ids))],
            [float(n - len(wanted) + 1 in places) for n in range(len(ids))],
        ]
        return {name: 20 * torch.tensor([hit]) for name, hit in zip(("start", "end"), hits, strict=True)}

    monkeypatch.setattr(Model, "scores", lambda self, encoding, task: look(encoding, task))
    found = model.answer("Which?", context, top_k=1)
    assert found.passages[0].text.strip() == "Italy"
    assert found.passages[0].start == pytest.approx(context.index("Italy"), abs=1)
    assert found.passages[0].probability > 0.9
    assert found.windows == len(seen) > 3
    assert all(context.endswith(part) for part in seen)  # each reaches as far as the model can read
    assert all(len(two) < len(one) for one, two in itertools.pairwise(seen))


@pytest.mark.parametrize(
    ("question", "context", "said"),
    [
        (QUESTION, "", "context is empty"),
        (QUESTION, " \n", "context is empty"),
        ("Which? " * 60, TEXT * 10, "question is too long for the 96 pieces"),
        (QUESTION, TEXT * 1000, "context is too long: .* over 5 parts"),
    ],
)
def test_what_cannot_be_answered_says_why(make: Make, question: str, context: str, said: str, monkeypatch: Any) -> None:
    model = make("question-answering")
    monkeypatch.setattr(answers, "MAX_WINDOWS", 5)
    monkeypatch.setattr(
        Model, "scores", lambda self, encoding, task: dict.fromkeys(("start", "end"), torch.zeros(1, len(encoding)))
    )
    with pytest.raises(ValueError, match=said):
        model.answer(question, context)


# -- choices -----------------------------------------------------------------------------------------------------------


def test_choices(make: Make) -> None:
    model = make("multiple-choice")
    choices = ["It barked.", "It is the capital of Italy, and the cat sat on it.", "It is."]
    found = model.choose(OTHER, choices)
    scores = torch.stack([logits(model, OTHER, choice)["multiple-choice"][0] for choice in choices])
    assert [choice.index for choice in found.choices] == scores.argsort(descending=True).tolist()
    assert [choice.text for choice in found.choices] == [choices[choice.index] for choice in found.choices]
    shares = scores.softmax(-1)
    assert [c.probability for c in found.choices] == pytest.approx(
        [float(shares[c.index]) for c in found.choices], abs=1e-5
    )
    assert not any(choice.truncated for choice in found.choices)
    assert str(found).splitlines()[0].split("  ")[1] == found.choices[0].text
    for wrong in ([], ["one"], "a text", ["x"] * 101):
        with pytest.raises(ValueError, match="choices: expected a list of 2 to 100 texts"):
            model.choose(OTHER, wrong)


# -- all ---------------------------------------------------------------------------------------------------------------


def test_a_model_of_another_task_says_which_is_needed(make: Make) -> None:
    model = make("masked-lm")
    questions: dict[str, Callable[[], object]] = {
        "sequence-classification": lambda: model.classify(TEXT),
        "token-classification": lambda: model.tag(TEXT),
        "question-answering": lambda: model.answer(QUESTION, TEXT),
        "multiple-choice": lambda: model.choose(TEXT, ["a", "b"]),
    }
    for task, ask in questions.items():
        with pytest.raises(NoHeadError, match=rf'"masked-lm" and has no {task} head\. Load it with task="{task}"'):
            ask()
    with pytest.raises(
        NoHeadError, match=r'"token-classification" and has no masked-LM head\. Load it with task="masked-lm"'
    ):
        make("token-classification").fill_mask("A [MASK].")


def test_half_precision_answers_too(make: Make) -> None:
    model = make("sequence-classification")
    half = assemble("half", model.family, model.network.to(torch.bfloat16), model.tokenizer, heads={}, source="folder")
    assert sum(label.probability or 0 for label in half.classify(TEXT).labels) == pytest.approx(1, abs=1e-6)
