"""The pages of the lab, in the order of the navigation."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A page.

    icon: of the font that Streamlit serves itself, for not every machine has emoji. question: its title. summary: one
    sentence on what it shows, in Markdown.
    """

    icon: str
    question: str
    summary: str


CONTENTS = {
    "home": Entry(
        ":material/home:",
        "Three ideas that made BERT smaller",
        "**ALBERT**, **ConvBERT** and **Bort** are small language models that read a whole text at once, as BERT does. "
        "Here they stand side by side, live on this machine: write a sentence, guess what they say, and look inside.",
    ),
    "Lessons": Entry(
        ":material/school:",
        "What can I learn here?",
        "Guess first, then look: each lesson asks the models in front of you, and computes what is right.",
    ),
    "predict": Entry(
        ":material/edit:",
        "What does each model put in the blank?",
        "Write a sentence and hide a word: each model guesses it from the words around it, all side by side.",
    ),
    "tokens": Entry(
        ":material/content_cut:",
        "How does each model cut the text?",
        "No model reads letters or words: each cuts the text into **pieces** of its own vocabulary.",
    ),
    "parameters": Entry(
        ":material/balance:",
        "Where are the weights?",
        "Every published architecture, counted three ways: what is **stored**, what is **tied**, what is **executed**. "
        "Nothing is downloaded.",
    ),
    "latency": Entry(
        ":material/timer:",
        "How fast is each model here?",
        "Measured on this very machine, with the models taking turns and confidence intervals on every number.",
    ),
    "attention": Entry(
        ":material/visibility:",
        "Who looks at whom?",
        "In each layer, every attention head decides how much each word takes from every other word. Here are the "
        "weights, for all models side by side.",
    ),
    "kernels": Entry(
        ":material/view_week:",
        "What does the convolution see?",
        "Half of each ConvBERT block sees only nearby tokens, through a small **kernel** made afresh for each one.",
    ),
    "attribution": Entry(
        ":material/how_to_vote:",
        "Which words decided?",
        "Each word counts for a model's answer or against it: here is how much, by several methods, and how far to "
        "trust them.",
    ),
    "layers": Entry(
        ":material/layers:",
        "When was the answer known?",
        "What each model would say if it stopped after a given layer, how surprising it finds each word, and how "
        "similar sentences look to it.",
    ),
    "Fine_tune": Entry(
        ":material/model_training:",
        "Which small encoder is best for my data?",
        "Bring labelled texts, or take a bundled task: each model is fine-tuned on them here, with plain baselines "
        "beside it, and you see who is best, how sure that is, how fast it answers, and what it gets wrong.",
    ),
    "Agora": Entry(
        ":material/diversity_2:",
        "Does Bort's fine-tuning help when data is scarce?",
        "**Agora** trains many variants, makes new examples near the mistakes of the best, and drops variants until "
        "none is left. Here it is beside its rivals, round by round, and on your own data.",
    ),
    "Search": Entry(
        ":material/manage_search:",
        "Which sub-architecture is optimal?",
        "Bort's sizes were found by a search. Here it is again, as we understand it: hundreds of sizes, weighed by "
        "parameters, operations and error, for any family.",
    ),
    "models": Entry(
        ":material/inventory_2:",
        "Which models are here?",
        "What is in memory, where it came from, and how to load others: published models, or a folder of your own.",
    ),
}
"""Every page, by file and address. Home comes first."""


def title(page: str) -> str:
    """A page's name for people."""
    return page.capitalize().replace("_", "-")
