"""Tiny folders in Hugging Face layout, written by transformers, and what transformers reads from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from bortlab.text import Tokenizer, TokenizerKind

TEXTS = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat; a naïve dog barked at 9 o'clock.",
] * 10
SENTENCES = ("Paris is the capital of France.", "The [MASK] sat on the mat, unbelievably!", "naïve", "")
KINDS: tuple[TokenizerKind, ...] = ("unigram", "wordpiece", "byte-bpe")
CLASSES = {"unigram": "AlbertTokenizer", "wordpiece": "BertTokenizer", "byte-bpe": "RobertaTokenizer"}
CLASSIC = {"unigram": ("spiece.model",), "wordpiece": ("vocab.txt",), "byte-bpe": ("vocab.json", "merges.txt")}
FORMATS = ("model.safetensors", "sharded safetensors", "pytorch_model.bin", "sharded pytorch_model.bin")
MODELS = {
    "albert": (transformers.AlbertConfig, "Albert", {"embedding_size": 8}),
    "convbert": (transformers.ConvBertConfig, "ConvBert", {"embedding_size": 16, "conv_kernel_size": 3}),
    "bort": (transformers.BertConfig, "Bert", {"type_vocab_size": 1}),
    "bert": (transformers.BertConfig, "Bert", {}),
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


def write_model(folder: Path, family: str, *, task: str = "masked-lm", vocabulary: int = 320, **options: Any) -> Any:
    """A tiny random model of transformers, saved to a folder."""
    config, stem, sizes = MODELS[family]
    torch.manual_seed(0)
    model = getattr(transformers, stem + TASKS[task])(
        config(
            vocab_size=vocabulary,
            hidden_size=16,
            num_attention_heads=4,
            num_hidden_layers=2,
            intermediate_size=24,
            max_position_embeddings=64,
            **{**sizes, **options},
        )
    )
    model.save_pretrained(folder)
    return model.eval()


def write_tokenizer(folder: Path, tokenizer: Tokenizer, *, classic: bool, **config: Any) -> None:
    """The tokenizer's files, tokenizer.json or the classic ones alone, and a tokenizer_config.json."""
    tokenizer.save(folder)
    for name in ("tokenizer.json",) if classic else CLASSIC[tokenizer.kind]:
        (folder / name).unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text()) | config
    settings = {key: value for key, value in settings.items() if value is not None}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_weights(folder: Path, model: Any, form: str) -> None:
    """The weights in one of FORMATS, in place of what save_pretrained wrote."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    halves = [dict(list(state.items())[half::2]) for half in (0, 1)]
    end = "safetensors" if "safetensors" in form else "bin"
    stem = "model" if end == "safetensors" else "pytorch_model"
    parts = [state] if "sharded" not in form else halves
    names = [
        f"{stem}.{end}" if len(parts) == 1 else f"{stem}-{i + 1:05}-of-{len(parts):05}.{end}" for i in range(len(parts))
    ]
    for name, part in zip(names, parts, strict=True):
        if end == "safetensors":
            save_file(part, folder / name, metadata={"format": "pt"})
        else:
            torch.save(part, folder / name)
    if len(parts) > 1:
        placed = {key: name for name, part in zip(names, parts, strict=True) for key in part}
        index = {"metadata": {"total_size": 0}, "weight_map": placed}
        (folder / f"{stem}.{end}.index.json").write_text(json.dumps(index))


def family_argument(family: str) -> str | None:
    """What has to be said beside the folder: a Bort calls itself "bert"."""
    return "bort" if family == "bort" else None


@torch.no_grad()
def expected_logits(oracle: Any, ids: tuple[int, ...]) -> torch.Tensor:
    output = oracle(input_ids=torch.tensor([ids]))
    return getattr(output, "logits", None) if hasattr(output, "logits") else output.prediction_logits


def edit_config(folder: Path, **changes: Any) -> None:
    """Change keys of config.json; None takes one away."""
    config = json.loads((folder / "config.json").read_text())
    changed = {key: value for key, value in (config | changes).items() if value is not None or key not in changes}
    (folder / "config.json").write_text(json.dumps(changed))
