"""What the Agora page says about itself."""

from __future__ import annotations

EXPLANATION = """
* **Agora** is the fine-tuning that Bort's model card asks for, which was never released (de Wynter 2020,
  [2010.07990](https://arxiv.org/abs/2010.07990)). This is **our interpretation**, no reproduction, from its abstract,
  its author's blog and Bort's repository.
* **Known**: it takes an untrained start, a labeller S that is right in more than 2/3, a training set D, a search set E
  and a list of sets of hyper-parameters; it trains them all, makes points near the mistakes of the best, labels them
  by S, appends them to D, and removes the sets "belonging to the longest common sequence, rooted at the first element",
  until none is left.
* **Not published**: how points are made, what counts as too similar or too distinct, whether a start is fresh in each
  round, in which order sets are sorted, which model is returned. Each choice of ours is an option, in `docs/agora.md`.
* **Points** by default: 15 to 30% of the words replaced by what the model's own masked-LM head proposes; kept if 10 to
  50% of the words differ and the text is in none of D, E and H.
* **H** is a sealed test set: read once, at the end. E is no clean measure after round 1, for points are made of its
  mistakes, and the best of many models on it is partly lucky: that is *E minus H*.
* **The contrast** against random search with a final refit on D and E was declared before anything ran. Intervals are
  bootstraps over splits within tasks; p-values are Wilcoxon's, and Holm's correction covers all other contrasts.
* **Your data** stay on this machine, as on the Fine-tune page: *Delete it here* removes them with all that was made.
"""
