"""What the Search page says about its numbers."""

from __future__ import annotations

EXPLANATION = """
* This is **our interpretation** of *Optimal Subarchitecture Extraction* (de Wynter 2020,
  [2010.08512](https://arxiv.org/abs/2010.08512)), by which Bort ([2010.10499](https://arxiv.org/abs/2010.10499)) was
  found. Its code was never released; what is known and what we chose stands in `docs/search.md`.
* **Candidates** are combinations of sizes: layers D, heads A, width H, feed-forward width I, or the sizes of another
  family. A combination that is no model (H must be a multiple of A) is left out.
* **W** = (1 − p/p_T)(1 − i/i_T) / (e + 10⁻⁷): p parameters, i operations, e the error, T the **maximum point**. Higher
  is better. At T it is 0, so T itself never wins.
* The **factor** is the part of W that is known without training. p and i are exact, by closed formula.
* **Stride** (ε): the candidates are sorted by size, and one of so many is looked at. In a real search each of them
  costs a training, which is what the stride saves.
* **Error**: in the upper part of the page a formula, which is no result. Trained candidates have errors of their own:
  cross-entropy to the maximum point's answers on fixed hidden words.
* **Pareto front**: candidates that no other beats in all of p, i and e. It needs no T and no formula for W.
* **Uninformative**: a candidate that was trained too briefly to do better than the frequencies of words. It says
  nothing of its sizes, and is not counted as bad.
* **Heads** change neither p nor i, so they are told apart only by the errors of trained candidates.
* Operations are FLOPs of matrix products, an estimate of time; `bortlab search --latency` measures milliseconds.
"""
