"""The pages of the lab, in the order of the navigation."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A page. icon: of the font that Streamlit serves itself, for not every machine has emoji. question: its title."""

    icon: str
    question: str


CONTENTS = {
    "predict": Entry(":material/edit:", "What does each model put in the blank?"),
    "tokens": Entry(":material/content_cut:", "How does each model cut the text?"),
    "parameters": Entry(":material/balance:", "Where are the weights?"),
    "latency": Entry(":material/timer:", "How fast is each model here?"),
    "attention": Entry(":material/visibility:", "Who looks at whom?"),
    "kernels": Entry(":material/view_week:", "What does the convolution see?"),
    "attribution": Entry(":material/how_to_vote:", "Which words decided?"),
    "layers": Entry(":material/layers:", "When was the answer known?"),
    "models": Entry(":material/inventory_2:", "Which models are here?"),
}
"""All but Home, by file and address."""
