"""The folder of an adapted model: weights, tokenizer, learning curve, and a card of what it was and what it gained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bortlab import checkpoint, registry
from bortlab.data.own_text import OwnText
from bortlab.model import ADAPTED_KEY, HEADS_KEY, Adaptation, Model
from bortlab.system.store import whole_folder
from bortlab.training.masked_lm import MaskedLMRun

HEAD = "adapted"
"""The provenance of the masked-LM head of an adapted model."""
PARTS: Mapping[str, str] = {"all": "all weights", "head": "the masked-LM head alone"}


@dataclass(frozen=True, slots=True)
class Guessing:
    """Guessing by frequency alone, on held-out text: share of pieces, mean loss, and the logarithms (vocab)."""

    accuracy: float
    loss: float
    log_frequencies: Tensor


def write_adapted(
    folder: Path,
    base: Model,
    run: MaskedLMRun,
    text: OwnText,
    *,
    train: str,
    vocabulary: int | None,
    guessing: Guessing,
) -> None:
    """Write a finished run as a Hugging Face folder with its card. The network's dropout is the base's again."""
    card = card_of(base, run, text, train=train, vocabulary=vocabulary, guessing=guessing)
    network, before, after = run.network, card["heldout"]["before"], card["heldout"]["after"]
    adaptation = Adaptation(
        base=base.key[-200:],
        revision=base.revision[:200],
        text=text.name[:200],
        pieces=run.seen,
        trained=train,
        accuracy=after["masked_accuracy"],
        before=before["masked_accuracy"],
        frequency=round(guessing.accuracy, 4),
    )
    config = replace(
        network.config,
        hidden_dropout_prob=base.config.hidden_dropout_prob,
        attention_probs_dropout_prob=base.config.attention_probs_dropout_prob,
        extra={**network.config.extra, HEADS_KEY: {"masked-lm": HEAD}, ADAPTED_KEY: adaptation.to_json()},
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder, last="model.safetensors") as partial:
        checkpoint.save(partial, base.family, config, network.float().cpu(), run.tokenizer)
        for name, content in (
            ("card.json", json.dumps(card, indent=2)),
            ("curve.json", json.dumps(run.curve)),
            ("README.md", page(card)),
        ):
            (partial / name).write_text(content + "\n", encoding="utf-8")


def card_of(
    base: Model, run: MaskedLMRun, text: OwnText, *, train: str, vocabulary: int | None, guessing: Guessing
) -> dict[str, Any]:
    """What is known of an adaptation; the first and the last point of its curve are what it was worth."""
    first, last = run.curve[0], run.curve[-1]
    return {
        "title": f"{_title(base)} on {text.name}",
        "family": base.family.name,
        "base": {"key": base.key, "source": base.source, "revision": base.revision, "fingerprint": base.fingerprint},
        "text": {"name": text.name, "documents": len(text.train), "words": text.n_words, "digest": text.digest},
        "trained": train,
        "vocabulary": vocabulary,
        "parameters": sum(parameter.numel() for parameter in run.network.parameters()),
        "recipe": asdict(run.recipe),
        "pieces_seen": run.seen,
        "epochs": run.epoch,
        "steps": run.step,
        "seconds": round(run.seconds, 1),
        "device": str(run.device),
        "torch": torch.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "heldout": {
            "hidden_pieces": last["hidden_pieces"],
            "before": {"loss": first["loss"], "masked_accuracy": first["accuracy"]},
            "after": {"loss": last["loss"], "masked_accuracy": last["accuracy"]},
            "by_frequency": {"loss": round(guessing.loss, 4), "masked_accuracy": round(guessing.accuracy, 4)},
        },
        "licence": _licence(base),
    }


def _title(base: Model) -> str:
    try:
        return registry.find(base.key)[1].title
    except registry.UnknownModelError:
        return base.key.rstrip("/").split("/")[-1]


def _licence(base: Model) -> str:
    try:
        return registry.find(base.key)[1].licence
    except registry.UnknownModelError:
        return str(registry.adapted_card(base.key).get("licence", "that of its base"))


def page(card: Mapping[str, Any]) -> str:
    """The card as a page."""
    held, base, text = card["heldout"], card["base"], card["text"]
    part = PARTS.get(card["trained"], f"the masked-LM head and the upper {card['trained'].removeprefix('top:')} layers")
    revision = f" (revision {base['revision']})" if base["revision"] else ""
    cut = f" Its vocabulary was cut to {card['vocabulary']:,} pieces." if card["vocabulary"] else ""
    rows = "\n".join(
        f"| {name} | {held[key]['loss']:.3f} | {100 * held[key]['masked_accuracy']:.1f}% |"
        for name, key in (("before", "before"), ("after", "after"), ("guessing by frequency", "by_frequency"))
    )
    return f"""# {card["title"]}

{base["key"]}{revision}, trained further with bortlab to fill the blanks of {text["name"]}: {part},
{card["pieces_seen"]:,} pieces in {card["steps"]:,} steps ({card["seconds"]:,.0f} seconds on {card["device"]}).{cut}
Its weights, and with them its attention, kernels and vectors, are no longer those that were published.

The text has {text["words"]:,} words in {text["documents"]:,} documents to learn from. On
{held["hidden_pieces"]:,} hidden pieces of documents that it did not read (15% of the words hidden):

| | loss | masked accuracy |
|---|---|---|
{rows}

`card.json` holds these numbers with the recipe, `curve.json` the learning curve. Licence of the base:
{card["licence"]}; the text may have one of its own."""
