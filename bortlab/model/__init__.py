"""A loaded model: a frozen network with its tokenizer, and the questions one can ask it.

Nothing here changes the network, so any number of threads may share one `Model`.
"""

from bortlab.model.adaptation import ADAPTED_KEY, Adaptation
from bortlab.model.fingerprint import weights_fingerprint
from bortlab.model.model import HEADS_KEY, PROVENANCES, Model, assemble, n_bytes
from bortlab.model.predictions import Blank, Candidate, FilledMask
from bortlab.model.questions import EXAMPLE, NoHeadError, NoMaskError, NonFiniteError, Questions
from bortlab.model.trace import Trace

__all__ = [
    "ADAPTED_KEY",
    "EXAMPLE",
    "HEADS_KEY",
    "PROVENANCES",
    "Adaptation",
    "Blank",
    "Candidate",
    "FilledMask",
    "Model",
    "NoHeadError",
    "NoMaskError",
    "NonFiniteError",
    "Questions",
    "Trace",
    "assemble",
    "n_bytes",
    "weights_fingerprint",
]
