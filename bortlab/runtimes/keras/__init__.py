"""The networks as Keras 3 models, one definition a family, on JAX, TensorFlow or torch.

    from bortlab.runtimes.keras import keras_model

    model = keras_model(bortlab.load("albert-mini").network, backend="jax")  # a keras.Model: compile, fit, save, export
    model({"input_ids": ids, "attention_mask": mask, "token_type_ids": types})["logits"]

Keras has one backend in a process, chosen before it is imported. Importing this package imports no Keras.
"""

from bortlab.runtimes.keras.backend import BACKENDS, use_backend
from bortlab.runtimes.keras.building import keras_model, to_network
from bortlab.runtimes.keras.losses import solve, training

__all__ = ["BACKENDS", "keras_model", "solve", "to_network", "training", "use_backend"]
