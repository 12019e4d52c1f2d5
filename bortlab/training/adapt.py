"""Adapt a model to a text: masked-LM training of any loaded encoder, all of its weights unless told otherwise.

    adapted = bortlab.adapt("bert-mini", "reviews.txt", pieces=500_000, out="bert-on-reviews")

Encoders that were published without a trained masked-LM head (ConvBERT, Bort) get one so; a head alone on a frozen
encoder does not learn to fill blanks (docs/adapt.md). The result is a Hugging Face folder with a card that says what
it was, what it read and what that gained on text it had not read. A run may be killed at any moment, also with -9: the
same call resumes it from its last checkpoint to the same weights.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bortlab import registry
from bortlab.data.own_text import Documents, OwnText, TextError, Texts, n_words, place_of, read_texts
from bortlab.model import Model
from bortlab.models import Network
from bortlab.registry import load_from
from bortlab.system.checks import check_whole
from bortlab.system.settings import cache_folder
from bortlab.system.store import file_name
from bortlab.text import Tokenizer
from bortlab.training.adaptable import (
    AdaptError,
    check_adaptable,
    check_room,
    let_learn,
    own_network,
    recipe_for,
    top_layers,
)
from bortlab.training.adapted_card import Guessing, write_adapted
from bortlab.training.cut import cut_network, cut_tokenizer, fresh_head, most_used
from bortlab.training.encoded import EncodedText, encode_text
from bortlab.training.finishing import Report, alone, give_way, reporting
from bortlab.training.masked_lm import Heldout, MaskedLMRun, measure
from bortlab.work.jobs import Job, Running
from bortlab.work.reference import ModelReference, fastest_device

PIECES = 500_000
POINTS = 10
"""Points of the learning curve, the start aside."""
MEASURED_WORDS = (4_000, 15_000)
"""Fewest and most held-out words that are measured with; between them a 40th of the budget."""
SAVE_S = 10.0
"""Seconds between two checkpoints, or twenty times what one takes."""
MOST_UNKNOWN = 0.3
"""Share of pieces that the vocabulary does not know beyond which nothing can be learned from a text."""
FUNCTION = "bortlab.training.adapt:run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done to a model, beside the text.

    pieces: to read. train: what learns: "all", "top:N" (the head and the N upper layers) or "head". vocabulary: pieces
    that the word table is cut to, None for all. rate: the highest learning rate, None for one that fits the width.
    """

    pieces: int = PIECES
    train: str = "all"
    vocabulary: int | None = None
    seed: int = 0
    rate: float | None = None

    def __post_init__(self) -> None:
        check_whole("pieces", self.pieces, 1_000, 10**12)
        check_whole("seed", self.seed, 0, 2**31)
        if self.vocabulary is not None:
            check_whole("vocabulary", self.vocabulary, 100, 10**6)
        if self.rate is not None and not 0 < self.rate < 1:
            raise ValueError(f"rate: expected a number between 0 and 1, got {self.rate!r}.")


def adapt(
    model: Model | str | os.PathLike[str],
    texts: Texts = None,
    *,
    column: str | None = None,
    pieces: int = PIECES,
    train: str = "all",
    vocabulary: int | None = None,
    out: str | os.PathLike[str] | None = None,
    name: str = "",
    seed: int = 0,
    rate: float | None = None,
    report: Report | None = None,
) -> Model:
    """Train a model further to fill the blanks of a text, and give the adapted model; the one it was stays as it is.

    Args:
        model: loaded, or the key or folder of one.
        texts: a file or folder of .txt, .jsonl or .csv, or a list of texts; None: the bundled corpus.
        column: of .csv, or field of .jsonl; "text" unless told.
        pieces: budget, in pieces read.
        train: "all", "top:2" (the head and two upper layers), or "head", which stays weak.
        vocabulary: cut the word table to the pieces that the text uses most; WordPiece alone can be cut.
        out: the new folder; unless told one in the user's cache, where `bortlab.load` finds it by the model's key.
        name: of the text. rate: highest learning rate. report: as jobs.Running.report; a progress bar unless told.

    Raises TextError for what is no text, ValueError for other arguments, AdaptError, TooLargeError or BusyError where
    it cannot be done here and now.
    """
    plan = Plan(pieces=pieces, train=train, vocabulary=vocabulary, seed=seed, rate=rate)
    target = None if out is None else _new_folder(Path(out))
    base = model if isinstance(model, Model) else ModelReference.named(model).load()
    check_adaptable(base)
    top_layers(plan.train, base.config.depth)
    with reporting(report, f"adapting {base.key}") as say:
        say(0.0, "Reading the text.")
        text = read_texts(texts, column=column, name=name)
        key = key_of(base, text, plan)
        with torch.inference_mode(False), torch.enable_grad():
            _adapt(base, text, plan, target or registry.adapted_folder(key), key, say)
    return registry.load(key) if target is None else load_from(target)


def key_of(base: Model, text: OwnText, plan: Plan) -> str:
    """The key of the adapted model: the same for the same base, text and plan."""
    identity = repr((base.fingerprint, text.digest, asdict(plan)))
    own = re.split(r"[/\\]", base.key.rstrip("/\\"))[-1]
    title = f"{_slug(own, 40)}-on-{_slug(text.name, 30)}"
    return f"{title}-{sha256(identity.encode()).hexdigest()[:6]}"


def _slug(name: str, longest: int) -> str:
    stem = re.sub(r"\.(txt|jsonl|csv|tsv|xz)\b", "", name.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:longest].strip("-") or "text"


def _new_folder(out: Path) -> Path:
    """The folder, if nothing would be overwritten in it."""
    out = out.expanduser()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} exists already: name a new folder, so that nothing in it is overwritten.")
    return out


# -- the run -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run begins: the network that is to learn, its tokenizer, and the text as it cuts it."""

    network: Network
    tokenizer: Tokenizer
    train: EncodedText
    heldout: EncodedText
    guessing: Guessing


def _adapt(base: Model, text: OwnText, plan: Plan, target: Path, key: str, say: Report) -> None:
    """Train and write the adapted model."""
    folder = cache_folder() / "adapting" / file_name(base.key, key, base.fingerprint, text.digest, repr(plan))
    with alone(folder, base.key):
        start = _start(base, text, plan)
        check_room(base.key, start.network, folder, target.parent)
        recipe = recipe_for(
            base.config, start.train, pieces=plan.pieces, train=plan.train, seed=plan.seed, rate=plan.rate
        )
        device = str(base.device) if base.device.type != "cpu" else fastest_device()
        run = MaskedLMRun(recipe, folder, start.network, start.train, start.tokenizer, device=device)
        run.resume()
        _to_the_end(run, start, say)
        say(1.0, "Writing the model.")
        cut_to = None if plan.vocabulary is None else start.tokenizer.vocab_size
        write_adapted(target, base, run, text, train=plan.train, vocabulary=cut_to, guessing=start.guessing)
        shutil.rmtree(folder, ignore_errors=True)


def _start(base: Model, text: OwnText, plan: Plan) -> Start:
    """The network before its first step: cut and with a fresh head where it needs one."""
    tokenizer, network = base.tokenizer, own_network(base)
    documents = _sampled(text.train, plan.pieces, plan.seed)
    train = _encoded(documents, tokenizer, text.name)
    if plan.vocabulary is not None:
        kept = most_used(tokenizer, Counter(train.cuttings[0].pieces.tolist()), plan.vocabulary)
        if plan.vocabulary >= tokenizer.vocab_size:
            raise ValueError(
                f"vocabulary: {base.key} has {tokenizer.vocab_size:,} pieces; expected fewer, got {plan.vocabulary:,}."
            )
        tokenizer = cut_tokenizer(tokenizer, kept)
        network = cut_network(base.family, network, kept, positions=base.config.max_position_embeddings)
        train = _encoded(documents, tokenizer, text.name)
    fewest, most = MEASURED_WORDS
    measured = min(most, max(fewest, plan.pieces // 40))
    unread = sorted(text.heldout, key=lambda document: place_of(document[1]))
    heldout = encode_text(_first_words(unread, measured), [tokenizer])
    guessing = _by_frequency(train, heldout, network.config.vocab_size)
    if base.heads["masked-lm"] == "random":
        fresh_head(network, guessing.log_frequencies, torch.Generator().manual_seed(plan.seed))
    let_learn(network, plan.train)
    return Start(network, tokenizer, train, heldout, guessing)


def _sampled(documents: Documents, words: int, seed: int) -> Documents:
    """Documents drawn at random that hold so many words, in their own order; all where they hold fewer."""
    if n_words(documents) <= words:
        return documents
    order = np.random.default_rng(seed).permutation(len(documents)).tolist()
    held, chosen = 0, []
    for number in order:
        if held >= words:
            break
        chosen.append(number)
        held += n_words([documents[number]])
    return [documents[number] for number in sorted(chosen)]


def _first_words(documents: Documents, words: int) -> Documents:
    held, chosen = 0, []
    for document in documents:
        if held >= words:
            break
        chosen.append(document)
        held += n_words([document])
    return chosen


def _encoded(documents: Documents, tokenizer: Tokenizer, name: str) -> EncodedText:
    """The documents in pieces; TextError where the vocabulary does not know the text."""
    encoded = encode_text(documents, [tokenizer])
    pieces = encoded.cuttings[0].pieces
    unknown = float((pieces == tokenizer.unk_id).mean()) if len(pieces) else 1.0
    if unknown > MOST_UNKNOWN:
        raise TextError(
            f"This model's vocabulary knows too little of {name}: {100 * unknown:.0f}% of its pieces are unknown, so "
            "nothing could be learned. Is the text in another language or script?"
        )
    return encoded


def _by_frequency(train: EncodedText, heldout: EncodedText, vocab_size: int) -> Guessing:
    """What guessing by frequency alone reaches on the held-out text."""
    counts = np.bincount(train.cuttings[0].pieces, minlength=vocab_size) + 1
    log_frequencies = np.log(counts / counts.sum())
    unread = heldout.cuttings[0].pieces
    if not len(unread):
        raise TextError("Nothing of the text that is held out can be read by this model: take a longer text.")
    return Guessing(
        accuracy=float((unread == counts.argmax()).mean()),
        loss=float(-log_frequencies[unread].mean()),
        log_frequencies=torch.from_numpy(log_frequencies).float(),
    )


def _to_the_end(run: MaskedLMRun, start: Start, say: Report) -> None:
    """Train to the budget, with points of the curve and checkpoints."""
    if not run.curve:
        _add_point(run, start)
    every, budget = max(1, run.recipe.pieces // POINTS), run.recipe.pieces
    saved, pause = time.monotonic(), SAVE_S
    _tell(run, start, say)
    try:
        for _ in run.train():
            done = run.seen >= budget
            if run.seen // every > int(run.curve[-1]["pieces"]) // every or done:
                _add_point(run, start)
            _tell(run, start, say)
            if done or time.monotonic() - saved > pause:
                began = time.monotonic()
                run.save()
                saved = time.monotonic()
                pause = max(SAVE_S, 20 * (saved - began))
    except FloatingPointError as error:
        raise AdaptError(f"The training broke down: {error} The rate was {run.recipe.rate:.2g}.") from error
    except OSError as error:
        raise AdaptError(
            f"A checkpoint could not be written ({error.strerror or error}). Free some space and start again: it "
            "resumes from its last checkpoint."
        ) from error


def _add_point(run: MaskedLMRun, start: Start) -> None:
    """Measure on held-out text, as a point of the curve."""
    held: Heldout = measure(run.network, start.heldout, run.on_device.template, length=run.recipe.length)
    if not held.n_hidden:
        raise TextError("Nothing of the text that is held out is long enough to hide a word in: take a longer text.")
    point = {"pieces": run.seen, "seconds": run.seconds, "loss": held.loss, "accuracy": held.accuracy}
    run.curve.append({name: round(value, 4) for name, value in point.items()} | {"hidden_pieces": held.n_hidden})


def _tell(run: MaskedLMRun, start: Start, say: Report) -> None:
    """Say how far the run is."""
    budget = run.recipe.pieces
    left = run.seconds * (budget / run.seen - 1) if run.seen else 0.0
    say(
        0.98 * min(1.0, run.seen / budget),
        f"{run.seen:,} of {budget:,} pieces read; {100 * run.curve[-1]['accuracy']:.1f}% of held-out pieces right.",
        seconds_left=max(0.0, left),
        curve=list(run.curve),
        frequency=start.guessing.accuracy,
    )


# -- as a job ----------------------------------------------------------------------------------------------------------


def job(model: Model, plan: Plan, *, text: str | None = None, column: str | None = None, name: str = "") -> Job:
    """The job that adapts a model. text: path of a file; None: the bundled corpus. ValueError for a model that another
    process cannot load: one of random weights, or made by hand."""
    arguments = {
        "base": ModelReference.of(model).to_json(),
        "plan": asdict(plan),
        "text": text,
        "column": column,
        "name": name,
    }
    return Job("adapt", FUNCTION, arguments)


def run(
    running: Running,
    *,
    base: Mapping[str, Any],
    plan: Mapping[str, Any],
    text: str | None,
    column: str | None,
    name: str,
) -> Mapping[str, Any]:
    """Adapt a model in a process of its own."""
    give_way()
    reference = ModelReference.from_json(base)
    running.report(0.0, f"Loading {reference.key}.")
    adapted = adapt(reference.load(), text, column=column, name=name, report=running.report, **plan)
    return {"key": adapted.key}
