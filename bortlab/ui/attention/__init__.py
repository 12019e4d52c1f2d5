"""The parts of the Attention page. Each view is a function of a selection; `VIEWS` names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from bortlab.ui import opened, shared
from bortlab.ui.attention.comparing import compare
from bortlab.ui.attention.deeper import query_and_key, through_layers
from bortlab.ui.attention.heads import all_heads, one_head, what_heads_do
from bortlab.ui.attention.in_bertviz import bertviz_heads, bertviz_model
from bortlab.ui.attention.selection import Selection

EXPLANATION = """
In each layer every **head** makes of each piece a *query*, a *key* and a *value*. A piece takes in the values of all
pieces, weighted by `softmax(query · keys / √size)`: these weights are the attention. Rows sum to 1.
(Vaswani et al. 2017, section 3.2)

* **Words**: attention *to* a word is the sum over its pieces, attention *from* a word their mean (Clark et al. 2019,
  section 4.1), so that models with other pieces can be compared. `[CLS]` and `[SEP]` belong to the template.
* **Entropy** says how spread out a head's attention is: 0 bits is all on one word, log₂(number of words) the same on
  each. **Distance** is how many words lie between a word and what it looks at, on average. The numbers are means over
  the text's own words.
* **Similarity**: the Jensen-Shannon divergence of two heads' rows, in bits, 0 for the same and 1 for nothing in common.
  Groups are made by joining the two nearest groups again and again (average linkage).
* **Rollout** multiplies the layers, half of each step being the residual connection; **flow** takes the layers for
  pipes and computes the maximum flow (Abnar and Zuidema 2020, arXiv 2005.00928).
* Redundant heads are what the three models save on. **ALBERT** uses one block in all layers. The authors of
  **ConvBERT** saw many heads look only at neighbours, and gave half of each block to a convolution. **Bort** kept few
  layers.
* Attention is not explanation: a head that looks at a word need not use it (Jain and Wallace 2019, arXiv 1902.10186).
* **BertViz** (Vig 2019, arXiv 1906.05714) is drawn with its own scripts; of a long text only the strongest lines.
"""

VIEWS: dict[str, Callable[[Selection], None]] = {
    "One head": one_head,
    "All heads": all_heads,
    "What heads do": what_heads_do,
    "Through the layers": through_layers,
    "Compare": compare,
    "Query and key": query_and_key,
    "BertViz heads": bertviz_heads,
    "BertViz model": bertviz_model,
}


def look_at(keys: Sequence[str], text: str, second: str | None) -> Selection:
    """The models that can be looked into; one that cannot says why in its place."""
    models = {}
    for key in keys:
        with shared.sentences():
            models[key] = opened.load(key)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    elif not text.strip() and second is None:
        st.info("The box is empty: only the template is left. Write a sentence.")
    shared.left_out({key: model.encode(text, second) for key, model in models.items()})
    return Selection(models, text, second)
