"""The parts of the Attribution page: what is explained, four views of it, and jobs for what is a lot of work."""

from bortlab.ui.attribution.by_layer import layers
from bortlab.ui.attribution.by_method import methods
from bortlab.ui.attribution.by_word import words
from bortlab.ui.attribution.choosing import choose
from bortlab.ui.attribution.trust import trust

__all__ = ["EXPLANATION", "VIEWS", "choose"]

VIEWS = {"Words": words, "Methods": methods, "Layers": layers, "Trust": trust}
"""Each is a function of what the visitor selected."""

EXPLANATION = """
An **attribution** shares a model's answer out among the words of the text: how much does each contribute, and does it
raise or lower the answer? No such number is *the* truth: methods answer different questions, and the *Trust* view says
how far to trust them here.

* The **answer** is a number: the logit, log-probability or probability of a word in the blank, or how much higher one
  word scores than another ("why cat and not dog"). Without a blank it is the pseudo-log-likelihood of the text: each
  piece is masked in turn, and the log-probabilities are added (Salazar et al. 2020, arXiv 1910.14659).
* The **baseline** replaces a word that is taken away. Template and blanks always stay, and so do positions and token
  types: attributions say nothing about those.
* **Integrated Gradients** goes from the baseline to the text in small steps. Its numbers add up to the difference
  between the two answers; the *completeness error* is what the steps missed (Sundararajan et al. 2017).
* **Taking words away** (ablation, occlusion, Shapley values, LIME) needs no gradients, but texts with holes are unusual
  texts, and the answers to them are unusual too.
* **Attention** is a weak witness: it says where a model looks, not what it uses (Jain and Wallace 2019), and of
  ConvBERT only the half that attends is seen.
* **Layers**: the answer is attributed in the same way to the states at every position, as they enter a layer. Each use
  of ALBERT's one block is a layer of its own.
* **Deletion and insertion**: words are taken away, or put back, in the order of the attribution; a good one makes the
  answer fall, or rise, sooner than a random order (Petsiuk et al. 2018). *Comprehensiveness* and *sufficiency* do the
  same for shares of the words (DeYoung et al. 2020).
* With **random weights** an attribution should look different; one that does not describes the text rather than the
  model (Adebayo et al. 2018).

The methods are Captum's (Kokhlikyan et al. 2020), given pure functions: no hook is ever attached to a model.
"""
