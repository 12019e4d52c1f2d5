"""Fine-tuning: items against their examples, exact resume, every task and family, baselines, and whole comparisons."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bortlab
from bortlab.analysis.evaluation import measure_of
from bortlab.data.labelled import Example, LabelledData, fingerprint, store, stored
from bortlab.models import FAMILIES
from bortlab.training.finetune import (
    BASELINES,
    ComparisonPlan,
    FinetuneRecipe,
    FinetuneRun,
    NotEnoughMemoryError,
    compare,
    finetune,
    frozen,
    predict,
)
from bortlab.training.finetune import run as run_module
from bortlab.training.finetune.items import LEFT_OUT, collate, first_pieces, items_of, shuffled_batches
from bortlab.training.finetune.start import parameter_groups, starting_network
from bortlab.work.reference import ModelReference

MINIS = [family.mini_key for family in FAMILIES.values()]
GOOD, BAD = ("good", "fine", "happy", "lovely", "kind"), ("bad", "poor", "sad", "cruel", "mean")
THINGS = ("day", "man", "house", "story", "dog", "city", "meal", "king")


def sentences(n: int, seed: int) -> list[tuple[str, str]]:
    """(text, class): what decides is one adjective."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        label = ("sad", "glad")[rng.integers(2)]
        word = rng.choice(GOOD if label == "glad" else BAD)
        rows.append((f"It was a {word} {rng.choice(THINGS)}, and a {rng.choice(THINGS)} too.", label))
    return rows


def classes(n: int = 60) -> LabelledData:
    parts = [tuple(Example(text, label, row=i) for i, (text, label) in enumerate(sentences(n, s))) for s in range(3)]
    return LabelledData(
        "moods", "sequence-classification", "single_label_classification", ("glad", "sad"), *parts, source="Made up."
    )


def of_task(task: str, problem_type: str | None, n: int = 12) -> LabelledData:
    """A few examples of any task."""

    def example(text: str, label: str, number: int) -> Example:
        match problem_type or task:
            case "regression":
                return Example(text, float(label == "glad") + number / 100, pair="How was it?")
            case "multi_label_classification":
                return Example(text, (label,) if number % 3 else (label, "long"))
            case "single_label_classification":
                return Example(text, label)
            case "token-classification":
                words = tuple(text.replace(",", "").replace(".", "").split())
                return Example(" ".join(words), tuple("A" if w in GOOD + BAD else "O" for w in words), words=words)
            case "multiple-choice":
                choices = ("It was good.", "It was bad.", "It was long.")[: 2 + number % 2]
                return Example(text, 0 if label == "glad" else 1, choices=choices)
            case _:
                word = next(w for w in text.split() if w in GOOD + BAD)
                answers = ((text.index(word), word),) if number % 4 else ()
                return Example("How was it?", answers, pair=text)

    labels = {
        "multi_label_classification": ("glad", "long", "sad"),
        "single_label_classification": ("glad", "sad"),
        "token-classification": ("A", "O"),
    }.get(problem_type or task, ())
    splits = [tuple(example(*row, i) for i, row in enumerate(sentences(n, s))) for s in range(3)]
    return LabelledData("any", task, problem_type, labels, *splits)


TASKS = [
    ("sequence-classification", "single_label_classification"),
    ("sequence-classification", "multi_label_classification"),
    ("sequence-classification", "regression"),
    ("token-classification", None),
    ("multiple-choice", None),
    ("question-answering", None),
]
QUICK = {"epochs": 1, "batch": 8, "rate": 1e-3, "length": 48}


def quick(key: str, **changes: object) -> FinetuneRecipe:
    return FinetuneRecipe.default(bortlab.load(key).config, **{**QUICK, **changes})


# -- items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", MINIS)
def test_labels_stand_on_the_first_pieces_of_words(key: str) -> None:
    tokenizer = bortlab.load(key).tokenizer
    words = ("Unbelievably", "don't", "she", "—", "went", "(home)")
    example = Example(" ".join(words), ("A", "B", "A", "B", "A", "B"), words=words)
    data = LabelledData("x", "token-classification", None, ("A", "B"), (example,), (), ())
    (item,) = items_of(data, data.train, tokenizer, length=64)
    encoding, targets = item.encodings[0], item.targets["token-classification"]
    pieces = first_pieces(example, encoding)
    for word, label, piece in zip(words, example.label, pieces, strict=True):
        assert piece is not None
        start, end = encoding.offsets[piece]
        assert example.text[start:end] and word.startswith(example.text[start:end])
        assert targets[piece] == data.labels.index(label)
    assert sum(target != LEFT_OUT for target in targets) == len(words)


@pytest.mark.parametrize("key", MINIS)
def test_an_answer_is_found_again_in_its_window(key: str) -> None:
    tokenizer = bortlab.load(key).tokenizer
    context = "The cat sat. " * 20 + "The king lived in an old castle by the sea. " + "The dog ran. " * 20
    answer = "an old castle"
    example = Example("Where did the king live?", ((context.index(answer), answer),), pair=context)
    data = LabelledData("x", "question-answering", None, (), (example,), (), ())
    items = items_of(data, data.train, tokenizer, length=64)
    assert len(items) > 1
    with_answer = [item for item in items if item.targets["start"]]
    assert with_answer
    for item in with_answer:
        encoding = item.encodings[0]
        start, end = (encoding.offsets[item.targets[name]] for name in ("start", "end"))
        assert context[item.offset + start[0] : item.offset + end[1]] == answer


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 3)), min_size=1, max_size=80),
    st.integers(1, 9),
    st.integers(0, 3),
)
def test_an_epoch_reads_every_item_once(shapes, size: int, epoch: int) -> None:
    class Shaped:
        def __init__(self, length: int, width: int) -> None:
            self.length, self.encodings = length, (None,) * width

    items = [Shaped(*shape) for shape in shapes]
    batches = shuffled_batches(items, size, seed=1, epoch=epoch)  # type: ignore[arg-type]
    assert sorted(number for batch in batches for number in batch) == list(range(len(items)))
    assert all(len(batch) <= size and len({len(items[n].encodings) for n in batch}) == 1 for batch in batches)
    assert batches == shuffled_batches(items, size, seed=1, epoch=epoch)  # type: ignore[arg-type]


def test_a_batch_is_padded_and_its_mask_says_where() -> None:
    data, tokenizer = of_task("multiple-choice", None), bortlab.load("bert-mini").tokenizer
    items = [item for item in items_of(data, data.train, tokenizer, length=64) if len(item.encodings) == 3][:2]
    batch = collate(items, tokenizer, torch.device("cpu"))
    assert batch.ids.shape == batch.mask.shape == batch.type_ids.shape == (2, 3, batch.ids.shape[-1])
    for item, ids, mask in zip(items, batch.ids, batch.mask, strict=True):
        for encoding, row, real in zip(item.encodings, ids, mask, strict=True):
            assert tuple(row[real == 1].tolist()) == encoding.ids
            assert set(row[real == 0].tolist()) <= {tokenizer.pad_id}


# -- the start ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", MINIS)
def test_training_starts_from_the_encoder_and_leaves_the_model_alone(key: str) -> None:
    base, data = bortlab.load(key), classes(16)
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    network = starting_network(base, data, quick(key)).eval()
    encoding = base.encode("It was a good day.")
    ids, types = base.inputs(encoding)
    with torch.no_grad():
        states = network.encode(network.embed(ids), types).hidden
        assert torch.equal(states, base.network.encode(base.network.embed(ids), types).hidden)
    finetune(base, data, recipe=quick(key))
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.network.state_dict().items())


def test_frozen_layers_stay_and_the_others_learn() -> None:
    base, data = bortlab.load("bert-mini"), classes(16)
    run = FinetuneRun(base, data, quick("bert-mini", frozen_layers=4))
    start = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    list(run.train())
    moved = {name for name, tensor in run.network.state_dict().items() if not torch.equal(tensor, start[name])}
    assert not any(name.startswith(("embeddings.", *(f"blocks.{n}." for n in range(4)))) for name in moved)
    assert {name.split(".")[1] for name in moved if name.startswith("blocks.")} == {"4", "5"}
    with pytest.raises(ValueError, match="share one block"):
        FinetuneRun(bortlab.load("albert-mini"), data, quick("albert-mini", frozen_layers=2))


def test_lower_layers_learn_at_lower_rates() -> None:
    network = starting_network(bortlab.load("bert-mini"), classes(4), quick("bert-mini"))
    groups = parameter_groups(network, quick("bert-mini", layer_decay=0.5))
    share = {id(parameter): group["share"] for group in groups for parameter in group["params"]}
    names = dict(network.named_parameters())
    assert share[id(names["sequence.weight"])] == share[id(names["pooler.dense.weight"])] == 10
    assert share[id(next(iter(network.block(5).parameters())))] == 0.5
    assert share[id(next(iter(network.block(0).parameters())))] == 0.5**6
    assert share[id(names["embeddings.words.weight"])] == 0.5**7
    assert {id(parameter) for parameter in names.values() if parameter.requires_grad} == set(share)


def test_rates_rise_and_fall() -> None:
    recipe = FinetuneRecipe(rate=1.0, warmup=0.1)
    rates = [recipe.rate_at(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1
    assert rates[-1] == pytest.approx(1 / 90)
    assert all(a > b for a, b in pairwise(rates[10:]))


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"rate": float("nan")}, {"batch": 0}, {"accumulate": 99}, {"length": 3}, {"dropout": 1.0}]
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        FinetuneRecipe(**{"rate": 1e-4, **wrong})


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "problem_type"), TASKS)
@pytest.mark.parametrize("key", MINIS)
def test_every_task_of_every_family_learns_and_answers(key: str, task: str, problem_type: str | None) -> None:
    data = of_task(task, problem_type)
    result = finetune(key, data, recipe=quick(key))
    assert len(result.predictions) == len(data.test)
    assert np.isfinite([figure.value for figure in result.figures.values()]).all()
    assert {record["epoch"] for record in result.curve} == {1}


@pytest.mark.parametrize(("task", "problem_type"), TASKS)
def test_predictions_are_what_the_model_itself_answers(task: str, problem_type: str | None) -> None:
    data = of_task(task, problem_type)
    result = finetune("convbert-mini", data, recipe=quick("convbert-mini"))
    model = result.model
    for example, label in list(zip(data.test, result.predictions.labels, strict=True))[:4]:
        match problem_type or task:
            case "regression":
                assert model.classify(example.text, example.pair).labels[0].score == pytest.approx(label, abs=1e-5)
            case "multi_label_classification":
                likely = {row.label for row in model.classify(example.text).labels if (row.probability or 0) > 0.5}
                assert likely == set(label)
            case "single_label_classification":
                assert model.classify(example.text).labels[0].label == label
            case "token-classification":
                assert [tag.label for tag in model.tag(example.text).tags] == list(label)
            case "multiple-choice":
                assert model.choose(example.text, example.choices).choices[0].index == label
            case _:
                answer = model.answer(example.text, example.pair)
                best = answer.passages[0]
                assert label == (((best.start, best.text),) if best.probability > answer.no_answer else ())


def test_what_one_word_decides_is_learned() -> None:
    result = finetune("bert-mini", classes(), recipe=quick("bert-mini", epochs=6, rate=3e-4))
    assert result.figures["accuracy"].value > 0.9
    assert result.model.classify("It was a lovely day.").labels[0].label == "glad"
    assert "accuracy" in str(result)


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_a_run_goes_on_to_the_weights_it_would_have_reached(tmp_path: Path, stop: int) -> None:
    base, data, recipe = bortlab.load("bort-mini"), classes(24), quick("bort-mini", epochs=3)
    whole = FinetuneRun(base, data, recipe)
    list(whole.train())
    first = FinetuneRun(base, data, recipe, folder=tmp_path)
    for step, _ in enumerate(first.train(), 1):
        if step == stop:
            first.save()
            break
    second = FinetuneRun(base, data, recipe, folder=tmp_path)
    assert second.resume()
    list(second.train())
    assert second.curve == whole.curve
    for name, tensor in whole.best.items():
        assert torch.equal(tensor, second.best[name]), name
    with pytest.raises(ValueError, match="another recipe"):
        FinetuneRun(base, data, replace(recipe, rate=2e-3), folder=tmp_path).resume()


def test_parts_of_a_batch_add_up_to_it() -> None:
    base, data = bortlab.load("bert-mini"), classes(16)
    runs = [FinetuneRun(base, data, quick("bert-mini", dropout=0.0, accumulate=parts)) for parts in (1, 4)]
    for run in runs:
        next(run.train())
    for one, other in zip(*(run.network.parameters() for run in runs), strict=True):
        torch.testing.assert_close(one, other, atol=3e-6, rtol=1e-3)


def test_rare_classes_count_more_when_balanced() -> None:
    data = classes(40)
    glad = tuple(example for example in data.train if example.label == "glad")[:15]
    sad = tuple(example for example in data.train if example.label == "sad")[:5]
    run = FinetuneRun(bortlab.load("bert-mini"), replace(data, train=glad + sad), quick("bert-mini", balanced=True))
    assert run.weights is not None
    torch.testing.assert_close(run.weights, torch.tensor([20 / 30, 20 / 10]))
    list(run.train())


def test_a_run_without_better_scores_ends() -> None:
    run = FinetuneRun(bortlab.load("bert-mini"), classes(16), quick("bert-mini", epochs=30, patience=2, rate=1e-9))
    list(run.train())
    assert run.epoch == run.best_epoch + 2 < 30


def test_a_loss_that_is_no_number_is_told_and_not_saved(tmp_path: Path) -> None:
    run = FinetuneRun(bortlab.load("bert-mini"), classes(16), quick("bert-mini"), folder=tmp_path)
    with torch.no_grad():
        next(iter(run.network.parameters())).fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="choose a lower rate"):
        list(run.train())
    assert not list(tmp_path.iterdir())


def test_memory_is_counted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "memory_available", lambda: 10_000_000)
    with pytest.raises(NotEnoughMemoryError, match="Nothing was started"):
        FinetuneRun(bortlab.load("bert-mini"), classes(4), quick("bert-mini"))


def test_data_that_cannot_be_learned_from_are_refused() -> None:
    base = bortlab.load("bert-mini")
    with pytest.raises(ValueError, match="no examples in dev"):
        FinetuneRun(base, replace(classes(4), dev=()), quick("bert-mini"))
    with pytest.raises(ValueError, match="reads up to 128 pieces, got 200"):
        FinetuneRun(base, classes(4), quick("bert-mini", length=200))


@pytest.mark.parametrize("key", MINIS)
def test_a_saved_model_answers_alike_also_in_transformers(key: str, tmp_path: Path) -> None:
    import transformers

    result = finetune(key, classes(16), recipe=quick(key))
    result.save(tmp_path / "model")
    again = bortlab.load_from(tmp_path / "model", family=key.split("-")[0], task="sequence-classification")
    text = "It was a lovely day."
    assert again.classify(text) == result.model.classify(text)
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["base"] == key
    assert card["data"]["examples"] == {"train": 16, "dev": 16, "test": 16}
    assert "95% interval" in (tmp_path / "model" / "README.md").read_text()
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    ids, types = again.inputs(again.encode(text))
    with torch.no_grad():
        logits = theirs(input_ids=ids, token_type_ids=types if again.config.type_vocab_size > 1 else None).logits
    ours = again.scores(again.encode(text))["sequence-classification"]
    torch.testing.assert_close(logits, ours, atol=2e-5, rtol=1e-4)
    assert theirs.config.id2label == {0: "glad", 1: "sad"}


# -- baselines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "problem_type"), TASKS)
def test_baselines_answer_every_task_they_can(task: str, problem_type: str | None) -> None:
    data = of_task(task, problem_type)
    measure = measure_of(data)
    made = [make(data) for make in BASELINES.values()] + [frozen(data, bortlab.load("bert-mini"))]
    assert made[0] is not None
    for baseline in filter(None, made):
        predictions = baseline.predict(data.test)
        assert len(predictions) == len(data.test)
        assert measure.figures(measure.outcomes(data, data.test, predictions))
        alone = baseline.predict(data.test[:2]).labels
        assert predictions.labels[:2] == (alone if problem_type != "regression" else pytest.approx(alone))


def test_words_find_what_one_word_decides_and_the_commonest_class_does_not() -> None:
    data = classes()
    measure = measure_of(data)
    scores = {}
    for name, make in BASELINES.items():
        baseline = make(data)
        assert baseline is not None
        outcomes = measure.outcomes(data, data.test, baseline.predict(data.test))
        scores[name] = measure.figures(outcomes)["accuracy"]
    commonest = max(data.counts(), key=data.counts().__getitem__)
    assert scores["majority"] == data.counts("test")[commonest] / len(data.test)
    assert scores["words"] > 0.9


def test_baselines_bear_a_single_class_and_texts_without_words() -> None:
    data = replace(classes(), train=tuple(Example("😀 😀", "glad") for _ in range(5)))
    for make in BASELINES.values():
        baseline = make(data)
        if baseline is not None:
            assert set(baseline.predict(data.test).labels) == {"glad"}
    data = replace(data, train=tuple(Example("good day", "glad") for _ in range(5)))
    words = BASELINES["words"](data)
    assert words is not None
    assert set(words.predict(data.test).labels) == {"glad"}


# -- comparisons -------------------------------------------------------------------------------------------------------


@pytest.fixture
def plan(own_folder: Callable[..., Path]) -> ComparisonPlan:
    """Two tiny encoders, two seeds each, and a learning curve of one size."""
    models = tuple(ModelReference.named(own_folder(name, "masked-lm"), family=name) for name in ("bert", "convbert"))
    return ComparisonPlan(models=models, seeds=2, changes={**QUICK, "epochs": 2}, sizes=(12,))


def test_a_comparison_is_whole_and_goes_on_where_it_was_stopped(plan: ComparisonPlan, tmp_path: Path) -> None:
    data = classes(24)
    progress = list(compare(data, plan, tmp_path))
    shares = [step.share for step in progress]
    assert shares == sorted(shares)
    assert shares[-1] < 1
    record = json.loads((tmp_path / "results.json").read_text())
    keys = [reference.key for reference in plan.models]
    assert set(record["entries"]) == {"majority", "words", f"frozen {keys[0]}", *keys}
    assert {record["differences"]["best"], *record["differences"]["from_best"]} == set(record["entries"])
    for entry in record["entries"].values():
        figure = entry["figures"]["accuracy"]
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert entry["ms"]["value"] > 0
    for key in keys:
        entry = record["entries"][key]
        assert set(entry["runs"]) == {"0 of 24", "1 of 24", "0 of 12"}
        model = bortlab.load_from(tmp_path / entry["folder"], family=entry["family"], task="sequence-classification")
        kept = entry["runs"][entry["best"]]
        for example, label in zip(data.test, kept["labels"], strict=True):
            assert model.classify(example.text).labels[0].label == label
        whole = [entry["runs"][name]["figures"]["accuracy"] for name in ("0 of 24", "1 of 24")]
        assert entry["figures"]["accuracy"]["value"] == pytest.approx(sum(whole) / 2)
    assert {path.name for path in tmp_path.iterdir()} <= {"results.json", "models", "runs"}

    assert len(list(compare(data, plan, tmp_path))) < 5  # nothing is trained again
    assert labels_by_run(tmp_path) == {
        key: {name: run["labels"] for name, run in entry["runs"].items()} for key, entry in record["entries"].items()
    }


@pytest.mark.parametrize("turns", [1, 14, 25])
def test_a_comparison_that_was_stopped_ends_as_it_would_have(plan: ComparisonPlan, tmp_path: Path, turns: int) -> None:
    data, short = classes(24), replace(plan, sizes=(), frozen=False)
    list(compare(data, short, tmp_path / "whole"))
    list(islice(compare(data, short, tmp_path / "stopped"), turns))
    list(compare(data, short, tmp_path / "stopped"))
    assert labels_by_run(tmp_path / "stopped") == labels_by_run(tmp_path / "whole")


def labels_by_run(folder: Path) -> dict[str, dict[str, list[str]]]:
    entries = json.loads((folder / "results.json").read_text())["entries"]
    return {key: {name: run["labels"] for name, run in entry["runs"].items()} for key, entry in entries.items()}


def test_a_plan_goes_through_json(plan: ComparisonPlan) -> None:
    assert ComparisonPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    with pytest.raises(ValueError, match="chosen twice"):
        ComparisonPlan(models=(ModelReference.named("bert-mini"), ModelReference.named("bert-mini")))
    with pytest.raises(ValueError, match="seeds"):
        ComparisonPlan(models=(), seeds=0)


@pytest.mark.parametrize(("task", "problem_type"), TASKS)
def test_data_are_stored_and_found_again(task: str, problem_type: str | None, tmp_path: Path) -> None:
    data = of_task(task, problem_type)
    store(data, tmp_path / "data.json")
    assert stored(tmp_path / "data.json") == data
    assert fingerprint(stored(tmp_path / "data.json")) == fingerprint(data) != fingerprint(classes())


def test_predicting_leaves_the_network_in_its_mode() -> None:
    base, data = bortlab.load("bert-mini"), classes(4)
    network = starting_network(base, data, quick("bert-mini")).train()
    predict(network, base.tokenizer, data, data.test, length=48)
    assert network.training
