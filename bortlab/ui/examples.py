"""Texts to begin with. The minis know WordNet and the Bible, so the examples ask what these say."""

DEFAULT_TEXT = "Paris is the [MASK] of France."

EXAMPLES = (
    DEFAULT_TEXT,
    "Tokyo is the capital of [MASK].",
    "The opposite of wife is [MASK].",
    "A hotel is a kind of [MASK].",
    "A hand is part of an [MASK].",
    "In the beginning, God created the heavens and the [MASK].",
    "The [MASK] of [MASK] is Rome.",
)
