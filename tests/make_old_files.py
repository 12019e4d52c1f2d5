"""Write tests/checkpoint/old_files.zip: tiny models by the last transformers with TensorFlow and Flax classes.

transformers 4.46 wants packages that do not fit beside ours, so in an environment of its own:

    python3 -m venv /tmp/old
    /tmp/old/bin/pip install "transformers==4.46.3" "tensorflow-cpu==2.18.*" tf-keras "flax<0.11" "jax<0.6" "numpy<2.1"
    /tmp/old/bin/python tests/make_old_files.py

Each folder of the archive holds config.json and tf_model.h5 or flax_model.msgpack, as save_pretrained writes them, and
expected.npz: the inputs that the old class was given and the outputs that it gave. Weights are multiples of 1/64, which
keeps the archive small. tests/checkpoint/test_old_files.py reads it.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}

import numpy as np
import transformers

ARCHIVE = Path(__file__).parent / "checkpoint" / "old_files.zip"
SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
}
FAMILIES = {
    "albert": ("Albert", {"embedding_size": 8, "num_hidden_groups": 2}),
    "convbert": ("ConvBert", {"embedding_size": 8, "conv_kernel_size": 3, "num_groups": 2, "head_ratio": 2}),
    "bort": ("Bert", {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "bert": ("Bert", {}),
}
TASKS = {
    "masked-lm": "ForMaskedLM",
    "pre-training": "ForPreTraining",
    "sequence-classification": "ForSequenceClassification",
    "multiple-choice": "ForMultipleChoice",
    "token-classification": "ForTokenClassification",
    "question-answering": "ForQuestionAnswering",
    "encoder": "Model",
}
BUILT = [
    *(("tf", family, task) for family in ("albert", "bert") for task in TASKS),
    *(("tf", "convbert", task) for task in TASKS if task != "pre-training"),
    ("built", "bert", "pre-training"),  # in TensorFlow, and saved before it was called: names lack the model's
    *(("tf", "bort", task) for task in ("masked-lm", "sequence-classification")),
    *(("flax", family, task) for family in ("albert", "bert") for task in TASKS),
    ("flax", "bort", "masked-lm"),
]


def grid(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between -1/2 and 1/2 that compress well."""
    return (rng.integers(-32, 33, shape) / 64).astype(np.float32)


def inputs_of(family: str, task: str) -> dict[str, np.ndarray]:
    """Two rows of pieces, the second with padding; for multiple choice two questions with two choices."""
    rng = np.random.default_rng(7)
    ids = rng.integers(5, SIZES["vocab_size"], (2, 9))
    mask = np.ones_like(ids)
    mask[1, 6:] = 0
    kinds = np.zeros_like(ids) if family == "bort" else np.repeat([[0] * 4 + [1] * 5], 2, axis=0)
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
    return {
        name: (np.stack([value, value[::-1]]) if task == "multiple-choice" else value).astype(np.int32)
        for name, value in inputs.items()
    }


def make(framework: str, family: str, task: str, folder: Path) -> dict[str, np.ndarray]:
    """Save a model with numbers on a grid to a folder; its inputs and outputs."""
    stem, sizes = FAMILIES[family]
    labels = 2 if task in ("pre-training", "question-answering") else 3
    config = getattr(transformers, f"{stem}Config")(**SIZES | sizes, num_labels=labels)
    rng = np.random.default_rng(1)
    inputs = inputs_of(family, task)
    name = stem + TASKS[task]
    model: Any
    if framework != "flax":
        model = getattr(transformers, f"TF{name}")(config)
        model.build() if framework == "built" else model(inputs)
        for variable in model.weights:
            variable.assign(grid(rng, tuple(variable.shape)))
        outputs = model(inputs)
    else:
        import jax

        # JAX has dropped this method of arrays, which the classes for question answering call.
        type(jax.numpy.zeros(1)).split = lambda array, parts, axis: jax.numpy.split(array, parts, axis)
        model = getattr(transformers, f"Flax{name}")(config, input_shape=(1, *inputs["input_ids"].shape[1:]))
        model.params = jax.tree_util.tree_map(lambda value: grid(rng, value.shape), model.params)
        outputs = model(**inputs)
    model.save_pretrained(folder)
    return inputs | {f"output_{name}": np.asarray(value) for name, value in outputs.items()}


def main() -> None:
    with zipfile.ZipFile(ARCHIVE, "w") as archive:
        for framework, family, task in BUILT:
            with tempfile.TemporaryDirectory() as temporary:
                values = make(framework, family, task, Path(temporary))
                numbers = io.BytesIO()
                np.savez(numbers, **values)
                (Path(temporary) / "expected.npz").write_bytes(numbers.getvalue())
                for path in sorted(Path(temporary).iterdir()):
                    place = zipfile.ZipInfo(f"{framework}-{family}-{task}/{path.name}")  # with no date: made alike
                    archive.writestr(place, path.read_bytes(), zipfile.ZIP_LZMA)
            print(json.dumps({"made": f"{framework}-{family}-{task}", "archive": ARCHIVE.stat().st_size}), flush=True)


if __name__ == "__main__":
    main()
