"""Texts to begin with: what the bundled models know, and where they fail in a way that teaches something."""

DEFAULT_TEXT = "Paris is the [MASK] of France."

EXAMPLES = (
    DEFAULT_TEXT,
    "The cat sat on the [MASK].",
    "She drinks a cup of [MASK] every morning.",
    "He was so tired that he fell [MASK].",
    "A dog has four [MASK].",
    "The opposite of hot is [MASK].",
    "The [MASK] of [MASK] is Rome.",
)
