"""The parts of the Attribution page: what is asked, views of it, and jobs for what takes long."""

from bortlab.ui.attribution.asking import look_at
from bortlab.ui.attribution.trust import trust
from bortlab.ui.attribution.views import layers, methods, words

__all__ = ["EXPLANATION", "VIEWS", "look_at"]

VIEWS = {"Words": words, "Methods": methods, "Layers": layers, "Trust": trust}
"""Each is a function of what was asked."""

EXPLANATION = """
An **attribution** shares a model's answer out among the words of the text: how much does each count for it, and does
it raise or lower it? No such number is *the* truth; methods answer different questions, and the *Trust* view says how
far they can be believed here.

* The **answer** is a number: the logit, log-probability or probability of a word in the blank, or how much higher one
  word stands than another ("why cat and not dog"). Without a blank it is the pseudo-log-likelihood of the text: each
  piece is masked in turn, and the log-probabilities are added (Salazar et al. 2020, arXiv 1910.14659).
* The **baseline** is what stands in for a word that is not there. Template and blanks always stay, and so do positions
  and token types: attributions say nothing about those.
* **Integrated Gradients** goes from the baseline to the text in small steps. Its numbers add up to the difference of
  the answer between the two; the *completeness error* is what the steps missed (Sundararajan et al. 2017).
* **Taking away** asks the model itself, without gradients. Texts with holes are unusual texts, and answers to them too.
* **Attention** is a weak witness: it says where a model looks, not what it uses (Jain and Wallace 2019), and of
  ConvBERT only the half that attends is seen.
* **Layers**: the states at every position, as they enter a layer, are attributed to in the same way. Each use of
  ALBERT's one block is a layer of its own.
* **Deletion and insertion**: words are taken away, or put back, in the order of the attribution; a good one makes the
  answer fall, or rise, sooner than a random order (Petsiuk et al. 2018). *Comprehensiveness* and *sufficiency* are the
  same for shares of the words (DeYoung et al. 2020).
* With **random weights** an attribution should say something else; one that does not describes the text, not the
  model (Adebayo et al. 2018).

The methods are Captum's (Kokhlikyan et al. 2020), asked through pure functions: nothing is ever hung into a model.
"""
