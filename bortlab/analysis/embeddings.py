"""Sentence embeddings: a vector for each text, model and layer; how similar texts are, and a map of them."""

from __future__ import annotations

import importlib
import importlib.util
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from bortlab.analysis.lens import Use, uses
from bortlab.model import Model

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]
Pool = Literal["mean", "first"]
"""The mean of a text's own pieces, or the template's first piece ([CLS], <s>)."""
MAX_TEXTS = 40
PIECES = 4_096
"""Most pieces that run through the encoder at a time, unless a text is longer."""
NEIGHBOURS = 15
"""How many neighbours UMAP looks at, where there are so many."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Texts as vectors: (layers + 1, texts, hidden); row 0 is of what enters the first layer."""

    texts: tuple[str, ...]
    uses: tuple[Use, ...]
    vectors: Array

    @property
    def depth(self) -> int:
        """Number of executed layers."""
        return len(self.uses)

    def similarity(self, row: int, *, centred: bool = False) -> Array:
        """Cosines of the texts in a layer: (texts, texts). centred: after the mean of the texts is taken away."""
        vectors = self.vectors[row]
        vectors = vectors - vectors.mean(0) if centred else vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        small = 1e-9 * max(1.0, float(np.linalg.norm(self.vectors[row], axis=1).max()))
        directions = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > small)
        cosines: Array = np.clip(directions @ directions.T, -1.0, 1.0)
        return cosines

    def mean_similarity(self, row: int, *, centred: bool = False) -> float:
        """The mean cosine of two different texts; NaN for fewer than two."""
        n = len(self.texts)
        return float(self.similarity(row, centred=centred)[np.triu_indices(n, 1)].mean()) if n > 1 else float("nan")


@torch.inference_mode()
def embed(model: Model, texts: Sequence[str], *, pool: Pool = "mean") -> Embedded:
    """A vector for each text in every layer. Texts of equal length run together, so that nothing is padded.

    A text without pieces of its own has the mean of its template.
    """
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise ValueError(f"1 to {MAX_TEXTS} texts can be compared at once, got {len(texts)}.")
    if pool not in get_args(Pool):
        raise ValueError(f"Unknown pool {pool!r}. Known: {', '.join(get_args(Pool))}.")
    encodings = [model.encode(text) for text in texts]
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for number, encoding in enumerate(encodings):
        alike[len(encoding)].append(number)
    vectors = np.empty((model.config.depth + 1, len(texts), model.config.hidden_size))
    for length, numbers in alike.items():
        at_once = max(1, PIECES // length)
        for start in range(0, len(numbers), at_once):
            batch = numbers[start : start + at_once]
            ids, types = model.inputs(*(encodings[number] for number in batch))
            output = model.network.encode(model.network.embed(ids), types, keep_layers=True)
            weights = [_weights(encodings[number].special, pool) for number in batch]
            shares = torch.tensor(weights, dtype=torch.float64, device=ids.device)
            for row, hidden in enumerate([output.embeddings, *(layer.hidden for layer in output.layers)]):
                vectors[row, batch] = torch.einsum("bsh,bs->bh", hidden.double(), shares).cpu().numpy()
    return Embedded(tuple(texts), uses(model.config), vectors)


def _weights(special: Sequence[bool], pool: Pool) -> list[float]:
    """How much each piece counts in the vector of its text."""
    if pool == "first":
        return [1.0, *[0.0] * (len(special) - 1)]
    own = [not flag for flag in special] if not all(special) else [True] * len(special)
    return [flag / sum(own) for flag in own]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Points (texts, 2), and the shares of the variance that the axes keep; None where axes mean nothing (UMAP)."""

    points: Array
    shares: tuple[float, float] | None


def pca(vectors: Array) -> Plane:
    """The two directions of largest variance. Each points so that its largest number is positive."""
    centred = vectors - vectors.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    values = np.where(values > 1e-9 * max(1.0, float(np.abs(vectors).max())), values, 0.0)
    points = np.zeros((len(vectors), 2))
    shares = np.zeros(2)
    kept = min(2, len(values))
    points[:, :kept] = left[:, :kept] * values[:kept]
    for axis in range(kept):
        points[:, axis] *= 1.0 if points[np.abs(points[:, axis]).argmax(), axis] >= 0 else -1.0
    if values.any():
        shares[:kept] = values[:kept] ** 2 / (values**2).sum()
    return Plane(points, (float(shares[0]), float(shares[1])))


def has_umap() -> bool:
    """Is umap-learn installed? bortlab does without it."""
    return importlib.util.find_spec("umap") is not None


def umap(vectors: Array, *, seed: int = 0) -> Plane:
    """UMAP (McInnes et al. 2018, arXiv 1802.03426) by cosine; needs umap-learn and at least 4 texts."""
    if len(vectors) < 4:
        raise ValueError(f"UMAP needs at least 4 texts, got {len(vectors)}.")
    neighbours = min(NEIGHBOURS, len(vectors) - 1)
    mapped = importlib.import_module("umap").UMAP(
        n_neighbors=neighbours, metric="cosine", init="random", random_state=seed, n_jobs=1
    )
    return Plane(np.asarray(mapped.fit_transform(vectors), dtype=np.float64), None)


def frame(results: Mapping[str, Embedded], *, centred: bool = False) -> pandas.DataFrame:
    """One row a model, layer and pair of texts: their similarity."""
    import pandas

    rows = []
    for key, embedded in results.items():
        for row, name in enumerate(["embeddings", *(use.name for use in embedded.uses)]):
            cosines = embedded.similarity(row, centred=centred)
            for a, b in zip(*np.triu_indices(len(embedded.texts), 1), strict=True):
                rows.append(
                    (key, name, row, int(a) + 1, int(b) + 1, embedded.texts[a], embedded.texts[b], float(cosines[a, b]))
                )
    columns = ["model", "where", "layer", "a", "b", "text a", "text b", "similarity"]
    return pandas.DataFrame(rows, columns=columns)
