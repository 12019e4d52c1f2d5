"""What the cards of the bundled models say, and their folders: weights as float16, tokenizer, curve, card and page."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bortlab import checkpoint
from bortlab.data import corpus
from bortlab.model import ADAPTED_KEY, HEADS_KEY, Adaptation, Model
from bortlab.models import FAMILIES, Family, Network
from bortlab.registry import load_from
from bortlab.system.assets import CHECKPOINTS
from bortlab.system.documents import write_block
from bortlab.text import MASK, Tokenizer
from bortlab.training.encoded import encode_text
from bortlab.training.hiding import Template
from bortlab.training.masked_lm import MaskedLMRun, measure
from bortlab.training.minis import ENCODER, SOURCES, Texts, family_of
from bortlab.training.pairs import share_right

ROOT = CHECKPOINTS.parents[1]
README = ROOT / "README.md"
TABLE_PAGES = (README, ROOT / "docs" / "minis.md")
"""Where the table of the bundled models stands, in the block "minis"."""
ATTRIBUTION: Mapping[str, str] = {
    "stories": "African Storybook and Pratham Books StoryWeaver, CC BY, by way of the Global African Storybook project",
    "modern": "Topical-Chat (CDLA-Sharing-1.0), Schema-Guided Dialogue (CC BY-SA 4.0), Taskmaster (CC BY 4.0), "
    "OneStopEnglish (CC BY-SA 4.0), UD English EWT and CHILDES (CC BY-SA 4.0), GUM, US government articles, recipes",
    "openstax": "textbooks by OpenStax, Rice University (openstax.org), CC BY 4.0",
    "standard-ebooks": "novels as edited by Standard Ebooks, public domain",
    "wordnet": "WordNet 3.0 said in sentences (assets/corpus)",
    "bible": "World English Bible (assets/corpus)",
}
"""Where the text of each source is from. The weights are not the text; none of it but the last two is distributed."""


@dataclass(frozen=True, slots=True)
class Blanks:
    """How many blanks a model fills rightly: with its first guess, within its first five, and how many there are."""

    first: int
    top_five: int
    of: int


def fill_blanks(model: Model, blanks: Sequence[Mapping[str, Any]]) -> Blanks:
    """Score a model on blanks."""
    return score_guesses(lambda text: [guess.text for guess in model.fill_mask(text).blanks[0].candidates], blanks)


def score_guesses(guesses_for: Callable[[str], Sequence[str]], blanks: Sequence[Mapping[str, Any]]) -> Blanks:
    """Score five guesses for each blank, best first; a blank has "text" and "answers", whose case does not count."""
    first = top_five = 0
    for blank in blanks:
        guesses = [guess.strip().lower() for guess in guesses_for(blank["text"])]
        answers = {answer.lower() for answer in blank["answers"]}
        first += guesses[0] in answers
        top_five += bool(answers.intersection(guesses))
    return Blanks(first, top_five, len(blanks))


def bundled_blanks(model: Model) -> dict[str, Blanks]:
    """The 200 blanks of assets/corpus/blanks.json, by kind."""
    blanks = json.loads((corpus.ASSETS / "blanks.json").read_text(encoding="utf-8"))
    kinds = sorted({blank["kind"] for blank in blanks})
    return {kind: fill_blanks(model, [blank for blank in blanks if blank["kind"] == kind]) for kind in kinds}


def write_model(
    folder: Path,
    key: str,
    family: Family,
    network: Network,
    tokenizer: Tokenizer,
    *,
    training: Mapping[str, Any],
    curve: Sequence[Mapping[str, float]],
    heldout: Texts,
    ordinary: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write a bundled model's folder and return its card; what the card says is measured on the written file.

    training: what is known of the run (recipe, pieces_seen, device, command, ...), as it stands on the card. ordinary:
    sentences with blanks that people type, which are no part of the repository.
    """
    config = replace(network.config, extra=_provenance(key, training["pieces_seen"]))
    checkpoint.save(folder, family, config, network.float().cpu(), tokenizer, dtype=torch.float16)
    model = load_from(folder, family=family.name)
    text = encode_text(heldout, [model.tokenizer], names=SOURCES)
    held = measure(model.network, text, Template.of(model.tokenizer))
    card: dict[str, Any] = {
        "key": key,
        "title": "MiniLM" if key == ENCODER else f"{family.title} mini",
        "family": family.name,
        "parameters": model.n_parameters,
        "config": model.config.to_dict(),
        **training,
        "sources": {name: ATTRIBUTION[name] for name in text.names},
        "heldout": {
            "loss": round(held.loss, 4),
            "masked_accuracy": round(held.accuracy, 4),
            "by_source": {source: round(value, 4) for source, value in held.by_source.items()},
            "hidden_pieces": held.n_hidden,
        },
        "blanks": {kind: [score.first, score.top_five, score.of] for kind, score in bundled_blanks(model).items()},
        "minimal_pairs": {kind: round(share, 3) for kind, share in share_right(model).items()},
        "licence": "Apache-2.0",
    }
    if ordinary:
        score = fill_blanks(model, ordinary)
        card["ordinary"] = [score.first, score.top_five, score.of]
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / "curve.json").write_text(json.dumps(list(curve)) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(page(card), encoding="utf-8")
    return card


def _provenance(key: str, pieces: int) -> dict[str, Any]:
    """What config.json says of where the weights come from."""
    if key != ENCODER:
        return {HEADS_KEY: {"masked-lm": "trained"}}
    adaptation = Adaptation(base="all-MiniLM-L6-v2", text="everyday English", pieces=pieces)
    return {HEADS_KEY: {"masked-lm": "adapted"}, ADAPTED_KEY: adaptation.to_json()}


def write_run(folder: Path, key: str, run: MaskedLMRun, heldout: Texts, *, command: str) -> dict[str, Any]:
    """Write the model of a run as it is now; the run may go on. Ordinary sentences are not scored."""
    training = {
        "recipe": asdict(run.recipe),
        "pieces_seen": run.seen,
        "steps": run.step,
        "epochs": run.epoch,
        "seconds": round(run.seconds),
        "device": str(run.device),
        "torch": torch.__version__,
        "command": command,
        "teacher": None if run.teacher is None else ENCODER,
        "taught_share": None if run.teacher is None else run.teacher.spoken_share(),
    }
    family = family_of(key) or FAMILIES["bert"]
    return write_model(
        folder,
        key,
        family,
        copy.deepcopy(run.network),
        run.tokenizer,
        training=training,
        curve=run.curve,
        heldout=heldout,
        ordinary=(),
    )


def total(card: Mapping[str, Any]) -> Blanks:
    """All bundled blanks of a card together."""
    return Blanks(*(sum(counts[place] for counts in card["blanks"].values()) for place in range(3)))


def models_table(folder: Path = CHECKPOINTS) -> str:
    """The bundled models as a Markdown table, from their cards: what the project's README shows."""
    rows = [
        "| model | parameters | pieces seen | held-out accuracy | blanks, top five / first | minimal pairs |",
        "|---|---|---|---|---|---|",
    ]
    for key in [*(family.mini_key for family in FAMILIES.values()), ENCODER]:
        path = folder / key / "card.json"
        if path.is_file():
            card = json.loads(path.read_text(encoding="utf-8"))
            first, top_five, of = card["ordinary"]
            grammar = sum(card["minimal_pairs"].values()) / len(card["minimal_pairs"])
            rows.append(
                f"| {card['title']} | {card['parameters'] / 1e6:.1f} M | {card['pieces_seen'] / 1e6:.0f} M | "
                f"{100 * card['heldout']['masked_accuracy']:.1f}% | {100 * top_five / of:.0f} / "
                f"{100 * first / of:.0f}% | {100 * grammar:.0f}% |"
            )
    return "\n".join(rows)


def write_table() -> None:
    """Write the table of the bundled models into the pages that show it."""
    table = models_table()
    for path in TABLE_PAGES:
        write_block(path, "minis", table)


def page(card: Mapping[str, Any]) -> str:
    """The model card as a page."""
    held, bundled = card["heldout"], total(card)
    by_source = "\n".join(f"| {source} | {100 * value:.1f}% |" for source, value in held["by_source"].items())
    sources = "\n".join(f"- {name}: {text}" for name, text in card["sources"].items())
    pairs = ", ".join(f"{kind} {100 * share:.0f}%" for kind, share in card["minimal_pairs"].items())
    what = (
        "The encoder of MiniLM (6 layers, 384 wide), as published in all-MiniLM-L6-v2, with its vocabulary cut to the "
        "8,192 pieces that everyday English uses most, and all of its weights trained to fill blanks. So its attention "
        "and its vectors are not the published ones. By shape it is a BERT; it is not one of the four equal minis."
        if card["key"] == ENCODER
        else f"A small {card['title'].removesuffix(' mini')} for teaching, trained from scratch with minilm-l6 as its "
        "teacher. The four minis are a fair experiment: same text, same number of pieces, same recipe, same teacher."
    )
    ordinary = card.get("ordinary")
    typed = (
        f"\nOf {ordinary[2]} ordinary sentences with a blank, such as people type, {ordinary[1]} have a sensible word "
        f"among the first five guesses and {ordinary[0]} as the first.\n"
        if ordinary
        else ""
    )
    credit = "; MiniLM: Microsoft, MIT; all-MiniLM-L6-v2: Apache-2.0" if card["key"] == ENCODER else ""
    reached = card.get("taught_share")
    taught = "" if reached is None else f" The teacher spoke on {100 * reached:.0f}% of the hidden pieces."
    return f"""# {card["title"]}

{what}{taught}

Made by `{card["command"]}`: {card["parameters"]:,} parameters, {card["pieces_seen"]:,} pieces seen in
{card["seconds"]:,} seconds on {card["device"]}, seed {card["recipe"]["seed"]}.
{typed}
Held out (1% of the documents, 15% of the words hidden, {held["hidden_pieces"]:,} pieces): loss {held["loss"]:.3f},
masked accuracy {100 * held["masked_accuracy"]:.1f}%. Pieces differ from vocabulary to vocabulary, so compare across
tokenizers with care.

| source | masked accuracy |
|---|---|
{by_source}

Minimal pairs of English grammar (100 of each kind): {pairs}. Of {bundled.of} blanks about what the bundled corpus says
(`assets/corpus/blanks.json`), {bundled.top_five} have a right answer among the first five guesses.

Text that it learned from:

{sources}

`{MASK}` stands for a word to guess. `card.json` holds these numbers with the configuration and the recipe, `curve.json`
the learning curve. Licence: Apache-2.0{credit}.
"""
