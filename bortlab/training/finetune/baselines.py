"""What needs no fine-tuning, beside every model that was fine-tuned: if it does as well, take it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bortlab.analysis.evaluation import Predictions, main_measure, measure_of
from bortlab.data.labelled import Example, LabelledData, LabelOf
from bortlab.model import Model
from bortlab.registry import title
from bortlab.training.finetune.items import first_pieces

STRENGTHS = (0.1, 1.0, 10.0)
"""Inverse regularisation of linear models; the best on dev is taken."""

Predict = Callable[[Sequence[Example]], Predictions]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A way to answer that was learned from train (and chosen on dev).

    n_parameters: numbers that it learned. predict: of examples.
    """

    key: str
    title: str
    n_parameters: int
    predict: Predict


# -- the commonest answer ----------------------------------------------------------------------------------------------


def majority(data: LabelledData) -> Baseline:
    """The commonest label of the training examples, whatever the text; of numbers their mean; of answers none."""
    if data.problem_type == "regression":
        mean = float(np.mean([example.label for example in data.train]))
        return Baseline("majority", "the mean", 1, lambda examples: Predictions((mean,) * len(examples)))
    if data.task == "token-classification":
        common = max(data.labels, key=data.counts().__getitem__)
        return Baseline(
            "majority",
            "the commonest label",
            1,
            lambda examples: Predictions(tuple((common,) * len(example.words) for example in examples)),
        )
    if data.task == "question-answering":
        return Baseline("majority", "no answer", 0, lambda examples: Predictions(((),) * len(examples)))
    (label, _), *_ = Counter(example.label for example in data.train).most_common(1)
    frequencies = np.array([data.counts()[name] for name in data.labels], dtype=float) / len(data.train)

    def predict(examples: Sequence[Example]) -> Predictions:
        shares = np.tile(frequencies, (len(examples), 1)) if data.labels else None
        return Predictions((label,) * len(examples), shares)

    return Baseline("majority", "the commonest class", 1, predict)


# -- words and their weights -------------------------------------------------------------------------------------------


def words(data: LabelledData) -> Baseline | None:
    """TF-IDF of words and pairs of words with a linear model; of labels of words, the label that each word usually has.

    None for multiple choice and answers, which need more than a bag of words.
    """
    if data.task == "token-classification":
        return _usual_label(data)
    if data.task != "sequence-classification":
        return None
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer

    def vectors(columns: Sequence[int]) -> Any:
        parts = [(str(column), TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), column) for column in columns]
        return ColumnTransformer(parts)

    has_pairs = any(example.pair for example in data.train)
    features = vectors((0, 1) if has_pairs else (0,))
    try:
        train = features.fit_transform(_table(data.train))
    except ValueError:  # no word in any text, as of emoji alone
        return None
    fitted, n_parameters = _best_linear(data, train, features.transform(_table(data.dev)))
    return Baseline(
        "words", "TF-IDF + linear", n_parameters, lambda examples: fitted(features.transform(_table(examples)))
    )


def _table(examples: Sequence[Example]) -> NDArray[Any]:
    """(examples, 2): texts and second texts."""
    return np.array([[example.text, example.pair or ""] for example in examples], dtype=object).reshape(-1, 2)


def _usual_label(data: LabelledData) -> Baseline:
    """The commonest label of each word in train, whatever its case; of a new word the commonest of all words."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in data.train:
        for word, label in zip(example.words, example.label, strict=True):  # type: ignore[arg-type]
            seen[word.lower()][str(label)] += 1
    usual = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    common = max(data.labels, key=data.counts().__getitem__)

    def predict(examples: Sequence[Example]) -> Predictions:
        return Predictions(tuple(tuple(usual.get(word.lower(), common) for word in e.words) for e in examples))

    return Baseline("words", "each word's usual label", len(usual), predict)


# -- the encoder as it is ----------------------------------------------------------------------------------------------


def frozen(data: LabelledData, base: Model) -> Baseline | None:
    """A linear model on the vectors of the encoder as it is: of texts their mean, of words their first piece.

    None for multiple choice and answers.
    """
    if data.task not in ("sequence-classification", "token-classification"):
        return None
    reader = _word_vectors if data.task == "token-classification" else _text_vectors
    train = reader(base, data.train)
    mean, spread = train.mean(0), train.std(0) + 1e-6

    def features(examples: Sequence[Example]) -> NDArray[np.float64]:
        return np.asarray((reader(base, examples) - mean) / spread)

    fitted, n_parameters = _best_linear(data, (train - mean) / spread, features(data.dev))
    return Baseline(
        f"frozen {base.key}",
        f"{title(base.key)}, frozen + linear",
        n_parameters,
        lambda examples: _as_words(data, examples, fitted(features(examples))),
    )


def _text_vectors(base: Model, examples: Sequence[Example]) -> NDArray[np.float64]:
    """(examples, hidden): the mean of each text's last states, template included."""
    return np.stack([_states(base, example.text, example.pair).mean(0) for example in examples])


def _word_vectors(base: Model, examples: Sequence[Example]) -> NDArray[np.float64]:
    """(words of all examples, hidden): the state of each word's first piece; zeros for a word that was not read."""
    rows = []
    for example in examples:
        text = " ".join(example.words)
        pieces = first_pieces(example, base.encode(text))
        states = _states(base, text, None)
        rows += [np.zeros(states.shape[1]) if piece is None else states[piece] for piece in pieces]
    return np.stack(rows)


def _states(base: Model, text: str, pair: str | None) -> NDArray[np.float64]:
    ids, type_ids = base.inputs(base.encode(text, pair))
    with torch.inference_mode():
        hidden = base.network.encode(base.network.embed(ids), type_ids).hidden[0]
    return np.asarray(hidden.double().cpu())


def _as_words(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Predictions:
    """Labels of words, one after another, as labels of sentences; labels of texts stay as they are."""
    if data.task != "token-classification":
        return predictions
    labels = iter(predictions.labels)
    return Predictions(tuple(tuple(str(next(labels)) for _ in example.words) for example in examples))


# -- linear models -----------------------------------------------------------------------------------------------------


def _best_linear(data: LabelledData, train: Any, dev: Any) -> tuple[Callable[[Any], Predictions], int]:
    """The linear model of the best strength by the data's own measure on dev: its predictions of features, its size."""
    measure, name = measure_of(data), main_measure(data)
    truth = _flat(data, data.train)
    best: tuple[float, Callable[[Any], Predictions], int] | None = None
    for strength in STRENGTHS:
        predict, n_parameters = _linear(data, train, truth, strength)
        predictions = _as_words(data, data.dev, predict(dev))
        score = measure.figures(measure.outcomes(data, data.dev, predictions))[name]
        if best is None or score > best[0]:
            best = (score, predict, n_parameters)
    assert best is not None
    return best[1], best[2]


def _flat(data: LabelledData, examples: Sequence[Example]) -> list[LabelOf]:
    """A label a row of features: words of sentences one after another."""
    if data.task != "token-classification":
        return [example.label for example in examples]
    return [str(label) for example in examples for label in example.label]  # type: ignore[union-attr]


def _linear(
    data: LabelledData, features: Any, truth: Sequence[Any], strength: float
) -> tuple[Callable[[Any], Predictions], int]:
    """Ridge regression of numbers, logistic regression of classes, one for each of several labels."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if data.problem_type == "regression":
        ridge = Ridge(alpha=1 / strength).fit(features, truth)
        return (lambda rows: Predictions(tuple(ridge.predict(rows).tolist()))), int(np.size(ridge.coef_)) + 1
    if data.problem_type == "multi_label_classification":
        models = [_one_label(features, [label in row for row in truth], strength) for label in data.labels]

        def several(rows: Any) -> Predictions:
            shares = np.stack([model(rows) for model in models], axis=1)
            labels = (tuple(name for name, p in zip(data.labels, row, strict=True) if p > 0.5) for row in shares)
            return Predictions(tuple(labels), shares)

        return several, (features.shape[1] + 1) * len(models)
    if len(set(truth)) == 1:
        only = data.labels.index(str(truth[0]))
        return (lambda rows: _of_classes(data, np.eye(len(data.labels))[[only] * rows.shape[0]])), 1
    model = LogisticRegression(C=strength, max_iter=2_000).fit(features, truth)
    places = [data.labels.index(str(label)) for label in model.classes_]

    def classes(rows: Any) -> Predictions:
        shares = np.zeros((rows.shape[0], len(data.labels)))
        shares[:, places] = model.predict_proba(rows)
        return _of_classes(data, shares)

    return classes, int(model.coef_.size + model.intercept_.size)


def _of_classes(data: LabelledData, shares: NDArray[np.float64]) -> Predictions:
    return Predictions(tuple(data.labels[number] for number in shares.argmax(1)), shares)


def _one_label(features: Any, holds: Sequence[bool], strength: float) -> Callable[[Any], NDArray[np.float64]]:
    """How probable one label is; constant where all examples agree."""
    from sklearn.linear_model import LogisticRegression

    if len(set(holds)) == 1:
        return lambda rows: np.full(rows.shape[0], float(holds[0]))
    model = LogisticRegression(C=strength, max_iter=2_000).fit(features, holds)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1])


BASELINES: Mapping[str, Callable[[LabelledData], Baseline | None]] = {"majority": majority, "words": words}
"""Baselines that need no encoder; `frozen` is one for each encoder."""
