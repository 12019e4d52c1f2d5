"""BERT in Keras: the design that the other families change."""

from bortlab.runtimes.keras.design import Design


class BertDesign(Design):
    """A block for each layer, and a pooler wherever a whole text is judged."""
