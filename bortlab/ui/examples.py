"""Texts to begin with. The minis know WordNet and the Bible, so the examples ask what these say."""

DEFAULT_TEXT = "Paris is the capital of [MASK]."

EXAMPLES = (
    DEFAULT_TEXT,
    "The opposite of hot is [MASK].",
    "A beagle is a kind of [MASK].",
    "A wheel is part of a [MASK].",
    "In the beginning God created the [MASK] and the [MASK].",
    "Yahweh is my [MASK]; I shall lack nothing.",
)
