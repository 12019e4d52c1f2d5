"""Turn a pre-training run into a bundled mini: weights as float16, tokenizer, learning curve and model card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from bortlab import checkpoint
from bortlab.data.corpus import ASSETS, read
from bortlab.model import HEADS_KEY, Model
from bortlab.registry import load_from
from bortlab.system.assets import CHECKPOINTS
from bortlab.training.pretrain import OPTIONS, Run, heldout, measure, piece_counts


@dataclass(frozen=True, slots=True)
class Score:
    """How many of some blanks a model fills rightly within its first five pieces."""

    right: int
    of: int


def score_blanks(model: Model, *, top_k: int = 5) -> dict[str, Score]:
    """The 200 blanks of assets/corpus/blanks.json, by kind. An answer counts whatever its case."""
    blanks = json.loads((ASSETS / "blanks.json").read_text(encoding="utf-8"))
    kinds = sorted({blank["kind"] for blank in blanks})
    found = dict.fromkeys(kinds, 0)
    for blank in blanks:
        said = {
            candidate.text.strip().lower()
            for candidate in model.fill_mask(blank["text"], top_k=top_k).blanks[0].candidates
        }
        found[blank["kind"]] += any(answer.lower() in said for answer in blank["answers"])
    return {kind: Score(found[kind], sum(blank["kind"] == kind for blank in blanks)) for kind in kinds}


def export(run: Run, folder: Path | None = None) -> Path:
    """Write the mini of a run to assets/checkpoints (or `folder`) and return where it lies.

    What the card says is measured on the written float16 file, read back. Raises ValueError for an unfinished run:
    its command would not make it again.
    """
    if run.seen < run.recipe.pieces:
        raise ValueError(
            f"The run has seen {run.seen:,} of {run.recipe.pieces:,} pieces. Let it finish, or give a smaller --pieces."
        )
    family = run.family
    folder = folder or CHECKPOINTS / f"{family.name}-mini"
    config = replace(run.network.config, extra={HEADS_KEY: {"masked-lm": "trained"}})
    network = run.network.float().cpu()
    checkpoint.save(folder, family, config, network, run.tokenizer, dtype=torch.float16)
    model = load_from(folder, family=family.name)
    found = measure(model.network, heldout(model.tokenizer), model.tokenizer, length=run.recipe.length)
    blanks = score_blanks(model)
    bands = found.by_frequency(piece_counts(run.documents, model.config.vocab_size))
    recipe = asdict(run.recipe)
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in recipe.items() if name in OPTIONS)
    command = f"bortlab pretrain {options} --export"
    card = {
        "title": f"{family.title} mini",
        "family": family.name,
        "parameters": model.n_parameters,
        "config": model.config.to_dict(),
        "recipe": recipe,
        "corpus": {"name": "assets/corpus", "words": sum(len(s.split()) for d in read("train") for s in d.sentences)},
        "pieces_seen": run.seen,
        "epochs": run.epoch,
        "seconds": round(run.seconds),
        "device": str(run.device),
        "heldout": {
            "loss": round(found.loss, 4),
            "masked_accuracy": round(found.accuracy, 4),
            "by_source": {source: round(value, 4) for source, value in found.by_source.items()},
            "by_frequency": {band: round(value, 4) for band, value in bands.items()},
            "hidden_pieces": len(found.labels),
        },
        "blanks_top5": {kind: f"{score.right} of {score.of}" for kind, score in blanks.items()},
        "seed": run.recipe.seed,
        "command": command,
        "licence": "Apache-2.0",
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / "curve.json").write_text(json.dumps(run.curve) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_readme(card, blanks), encoding="utf-8")
    return folder


def _readme(card: dict, blanks: dict[str, Score]) -> str:  # type: ignore[type-arg]
    """The model card as a page."""
    held, total = card["heldout"], Score(sum(s.right for s in blanks.values()), sum(s.of for s in blanks.values()))
    sources = "\n".join(f"| {source} | {100 * value:.1f} % |" for source, value in held["by_source"].items())
    bands = "\n".join(f"| {band} | {100 * value:.1f} % |" for band, value in held["by_frequency"].items())
    kinds = "\n".join(f"| {kind} | {score.right} of {score.of} |" for kind, score in blanks.items())
    return f"""# {card["title"]}

A small {card["title"].removesuffix(" mini")} for teaching, trained from scratch by `{card["command"]}` on this
repository's corpus (WordNet 3.0 said in sentences, and the World English Bible; `assets/corpus`). It knows what that
corpus says and little else. {card["parameters"]:,} parameters, {card["pieces_seen"]:,} pieces seen
({card["epochs"]} whole epochs), {card["seconds"]:,} seconds on {card["device"]}, seed {card["seed"]}.

Held out (1 % of the documents, 15 % of the pieces hidden, {held["hidden_pieces"]:,} of them): loss {held["loss"]:.3f},
masked accuracy {100 * held["masked_accuracy"]:.1f} %. Pieces differ from vocabulary to vocabulary, so compare across
tokenizers with care.

| source | masked accuracy |
|---|---|
{sources}

| frequency of the hidden piece | masked accuracy |
|---|---|
{bands}

Of {total.of} simple blanks about things the corpus says (`assets/corpus/blanks.json`), {total.right} have a right
answer among the first five pieces:

| blanks | right |
|---|---|
{kinds}

`card.json` holds these numbers with the configuration and the recipe, `curve.json` the learning curve. Licence:
Apache-2.0; the corpus has its own licences.
"""
