"""Bort in Keras: BERT's design with one constant token type."""

from bortlab.runtimes.keras.design import Design


class BortDesign(Design):
    """The sizes are the configuration's; the one token type's vector is zero and stays it."""

    types_trained = False
