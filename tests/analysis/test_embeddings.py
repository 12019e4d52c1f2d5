"""Sentence vectors against means by hand, cosines and planes against their definitions, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bortlab.analysis import embeddings as analysis
from bortlab.analysis.embeddings import Embedded, embed, pca
from bortlab.model import Model
from tests.analysis.test_lens import model, tokenizers  # noqa: F401 - fixtures

TEXTS = ["The cat sat.", "A dog barked at the mat.", "The mat sat.", "", "The cat sat."]
vectors = hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 6)), elements=st.floats(-100, 100))


@pytest.mark.parametrize("pieces", [1, 20, 4096])
@pytest.mark.parametrize("pool", ["mean", "first"])
def test_a_vector_is_the_mean_of_the_texts_own_pieces(
    model: Model,  # noqa: F811
    pieces: int,
    pool: analysis.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For ConvBERT too, whose convolution would see padding."""
    monkeypatch.setattr(analysis, "PIECES", pieces)
    found = embed(model, TEXTS, pool=pool)
    assert found.vectors.shape == (found.depth + 1, len(TEXTS), model.config.hidden_size)
    for number, text in enumerate(TEXTS):
        trace = model.trace(text)
        own = [p for p, special in enumerate(trace.encoding.special) if not special] or [0, 1]
        states = trace.hidden[:, own].mean(1) if pool == "mean" else trace.hidden[:, 0]
        assert np.allclose(found.vectors[:, number], states, rtol=0, atol=1e-12)
    assert found.similarity(found.depth)[0, 4] == pytest.approx(1)


@given(vectors, st.booleans())
def test_similarities_are_cosines(points: np.ndarray, centred: bool) -> None:
    found = Embedded(tuple("x" * len(points)), (), points[None])
    cosines = found.similarity(0, centred=centred)
    assert np.allclose(cosines, cosines.T) and (np.abs(cosines) <= 1).all()
    moved = points - points.mean(0) if centred else points
    for a, first in enumerate(moved):
        for b, second in enumerate(moved):
            lengths = np.linalg.norm(first) * np.linalg.norm(second)
            if min(np.linalg.norm(first), np.linalg.norm(second)) > 1e-3:
                assert cosines[a, b] == pytest.approx(first @ second / lengths, abs=1e-9)
    mean = found.mean_similarity(0, centred=centred)
    assert np.isnan(mean) if len(points) == 1 else -1 <= mean <= 1


@given(vectors)
def test_the_plane_keeps_what_the_largest_variances_keep(points: np.ndarray) -> None:
    plane = pca(points)
    assert plane.points.shape == (len(points), 2) and plane.shares is not None
    centred = points - points.mean(0)
    total = (centred**2).sum()
    eigenvalues = np.sort(np.linalg.eigvalsh(centred.T @ centred))[::-1]
    assert (plane.points**2).sum() == pytest.approx(eigenvalues[:2].sum(), rel=1e-6, abs=1e-6)
    assert 0 <= sum(plane.shares) <= 1 + 1e-9 and plane.shares[0] >= plane.shares[1] - 1e-12
    if total > 1e-3:
        assert sum(plane.shares) == pytest.approx(eigenvalues[:2].sum() / total, rel=1e-6)
    for axis in plane.points.T:
        assert axis[np.abs(axis).argmax()] >= 0  # the same picture every time
    if points.shape[1] <= 2:  # a plane is kept as it is
        apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
        assert np.allclose(np.linalg.norm(plane.points[:, None] - plane.points[None], axis=-1), apart, atol=1e-5)


def test_the_table_has_every_pair_and_layer(model: Model) -> None:  # noqa: F811
    found = embed(model, TEXTS[:3])
    table = analysis.frame({"m": found})
    assert len(table) == 3 * (found.depth + 1)
    last = table[(table["layer"] == found.depth) & (table["a"] == 1) & (table["b"] == 3)]
    assert last["similarity"].item() == pytest.approx(found.similarity(found.depth)[0, 2])


def test_wrong_questions_say_why(model: Model) -> None:  # noqa: F811
    for texts in ([], ["a"] * (analysis.MAX_TEXTS + 1)):
        with pytest.raises(ValueError, match="texts"):
            embed(model, texts)
    with pytest.raises(ValueError, match="mean, first"):
        embed(model, ["a"], pool="last")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 4"):
        analysis.umap(np.zeros((3, 2)))


@pytest.mark.skipif(not analysis.has_umap(), reason="umap-learn is not installed; bortlab does without it")
def test_umap_is_reproducible() -> None:
    points = np.random.default_rng(0).normal(size=(9, 5))
    one, other = analysis.umap(points), analysis.umap(points)
    assert one.shares is None and one.points.shape == (9, 2) and np.allclose(one.points, other.points)
