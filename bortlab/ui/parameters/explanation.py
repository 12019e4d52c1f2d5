"""What the Parameters page says about its numbers."""

from __future__ import annotations

EXPLANATION = """
* **Stored**: every tensor once; what a file holds and memory needs.
* **Tied**: what is used again instead of being stored again. ALBERT's one block serves all layers (section 3.1 of its
  paper); a masked-LM head's decoder is the word table.
* **Executed**: every use counted. It is what work grows with: an ALBERT is small, not fast.
* **Effective size**: stored weights without the embeddings (Bort's paper). Word tables are large, but looking up a word
  costs next to nothing.
* **Factorised embeddings**: `V·E + E·H` instead of `V·H` (ALBERT, section 3.1).
* **Multiply-adds** (MACs) are those of matrix products and convolutions; a FLOP is one multiplication or one addition,
  so FLOPs are twice the MACs. Norms, activations and softmax are left out, as torch's own counter does. With a
  masked-LM head, every piece gets a probability for each word of the vocabulary.
* **Activation memory**: measured by running the network without numbers (torch's meta device), with fused attention.
  *Peak* is the most that is alive at once while predicting; *training* is what is kept for the backward pass. Weights,
  gradients, the optimiser's state and a kernel's scratch memory come on top.
* **int8** counts a byte for each weight; its scales come on top.

The formulas are each family's own, from its configuration; tests hold them equal to the tensors of the networks.
"""
