"""What the page says about itself."""

EXPLANATION = """
* **Fine-tuning** puts a fresh head for the task on an encoder and trains all of it on labelled examples: AdamW,
  warm-up, linear decay (Devlin et al. 2018, section 4), the epoch with the best score on *dev* kept. Few examples are
  read more often (Zhang et al. 2021, arXiv 2006.05987). Each model is trained alike; its rate follows from its width.
* **Baselines**: the commonest class; TF-IDF of words and pairs of words with logistic regression; the first model's
  encoder as it is, with a linear head. If one of them is as good, take it.
* **Figures** are of *test*, which nothing was chosen by, with 95% intervals by a bootstrap over its examples.
  *Significant* means that the interval of the difference on the same examples excludes 0, and that McNemar's exact test
  agrees where each answer is right or wrong. With one seed each, a small difference may still be chance of the seed.
* **Time** is the median of one text at a time from these data, with its tokenising, all taking turns on this machine.
* **Calibration**: a model that is right in four of five cases when it says 80% is well calibrated; small encoders that
  were trained for long are often too sure of themselves (Guo et al. 2017).
* **Your data** stay on this machine. What a training needs is stored here under a name made of its content, no other
  visitor is shown it, and *Delete it here* removes it with all that was made of it; after 30 days it goes by itself.
"""
