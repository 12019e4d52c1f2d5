"""The bundled models: the text, the vocabulary, the teacher and the recipe of each.

`minilm-l6` is a published encoder (MiniLM, 6 layers, 384 wide) with its vocabulary cut and all of it trained to fill
blanks. The four minis are trained from scratch, alike: same text, same number of pieces, same recipe, with minilm-l6 as
their teacher, and word tables that start from its. BERT's and ConvBERT's minis cut text as the teacher does; ALBERT's
and Bort's have a vocabulary of their own family's kind.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from bortlab import checkpoint
from bortlab.data import corpus
from bortlab.data.folders import read_folder
from bortlab.models import FAMILIES, Family, Network
from bortlab.registry import load
from bortlab.text import Tokenizer
from bortlab.training.cut import cut_network, cut_tokenizer, fresh_head, most_used
from bortlab.training.encoded import EncodedText, encode_text
from bortlab.training.hiding import DeviceText, Template
from bortlab.training.masked_lm import MaskedLMRun, Recipe, measure
from bortlab.training.starts import starting_point
from bortlab.training.teaching import Shared, Teacher, shared_words, start_words
from bortlab.training.vocabulary import train_tokenizer

ENCODER = "minilm-l6"
SOURCES = ("stories", "modern", "openstax", "standard-ebooks", "wordnet", "bible")
WEIGHTS: Mapping[str, float] = {"stories": 4.0, "modern": 2.0, "wordnet": 0.25, "bible": 0.25}
"""How often an epoch reads a document of a source, 1 unless named: children's stories and modern text more than once,
dictionary sentences a minority."""
VOCABULARY_WEIGHTS: Mapping[str, float] = {"stories": 3.0, "modern": 2.0, "wordnet": 0.1, "bible": 0.3}
VOCABULARY_SHARE = 0.35
"""Share of the sentences that vocabularies are made from."""
VOCABULARY = 8192
LENGTH = 128
ENCODER_RECIPE = Recipe(
    pieces=55_000_000, muon=False, rate=8e-4, weight_decay=0.01, warmup=2_000_000, decay=0.7, hide=0.2
)
MINI_RECIPE = Recipe(pieces=45_000_000, rate=4e-3, warmup=2_000_000)

Texts = list[tuple[str, tuple[str, ...]]]


def read_texts(folders: Sequence[Path], *, heldout: bool) -> Texts:
    """(source, sentences) of every document: of the folders, then of the bundled corpus."""
    documents: Texts = [
        (document.source, document.sentences) for folder in folders for document in read_folder(folder, heldout=heldout)
    ]
    bundled = corpus.read("heldout" if heldout else "train")
    return [*documents, *((document.source, document.sentences) for document in bundled)]


# -- the encoder -------------------------------------------------------------------------------------------------------


def encoder_run(start: Path, folders: Sequence[Path], folder: Path, *, recipe: Recipe, device: str) -> MaskedLMRun:
    """The run that makes minilm-l6 of a folder with the published encoder: its vocabulary cut, a fresh head on it."""
    family, config = checkpoint.read_config(start)
    published = checkpoint.load_network(start, family, config).network
    full = Tokenizer.from_folder(start)
    texts = read_texts(folders, heldout=False)
    kept = most_used(full, piece_counts(full, texts), VOCABULARY)
    tokenizer = cut_tokenizer(full, kept)
    network = cut_network(family, published, kept, positions=LENGTH)
    tokenizer.save(folder / "tokenizer")
    text = encode_text(texts, [tokenizer], names=SOURCES)
    fresh_head(network, log_frequencies(text, tokenizer.vocab_size), torch.Generator().manual_seed(recipe.seed))
    config = replace(network.config, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    trained = family.network(config)  # three readings of a text need no dropout
    trained.load_state_dict(network.state_dict())
    return MaskedLMRun(recipe, folder, trained, text, tokenizer, device=device)


def piece_counts(tokenizer: Tokenizer, texts: Texts) -> dict[int, float]:
    """How often each piece stands in the texts, by VOCABULARY_WEIGHTS."""
    chunks: Counter[str] = Counter()
    for source, sentences in texts:
        weight = VOCABULARY_WEIGHTS.get(source, 1.0)
        for chunk, count in Counter(chunk for sentence in sentences for chunk in sentence.split()).items():
            chunks[chunk] += weight * count  # type: ignore[assignment]
    counts: Counter[int] = Counter()
    for (_, count), ids in zip(chunks.items(), tokenizer.ids_of(list(chunks)), strict=True):
        for number in ids:
            counts[number] += count
    return dict(counts)


def log_frequencies(text: EncodedText, vocab_size: int) -> torch.Tensor:
    """How frequent each piece is, (vocab): where a head's bias starts, which a run would else begin by learning."""
    counts: NDArray[np.int64] = np.bincount(text.cuttings[0].pieces, minlength=vocab_size) + 1
    return torch.from_numpy(np.log(counts / counts.sum())).float()


# -- the minis ---------------------------------------------------------------------------------------------------------


def mini_run(
    family: Family,
    folders: Sequence[Path],
    folder: Path,
    *,
    recipe: Recipe,
    device: str,
    teacher: str | None = ENCODER,
    start_from_teacher: bool = True,
) -> MaskedLMRun:
    """The run that trains a family's mini.

    teacher: the key of the model that teaches it, None to learn from text alone.
    start_from_teacher: does the word table start from the teacher's?
    """
    texts = read_texts(folders, heldout=False)
    model = None if teacher is None else load(teacher)
    tokenizer = mini_tokenizer(family, texts, folder, None if model is None else model.tokenizer)
    alike = model is not None and tokenizer.definition == model.tokenizer.definition
    both = [tokenizer] if model is None or alike else [tokenizer, model.tokenizer]
    text = encode_text(texts, both, names=SOURCES)
    config = replace(family.mini, vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id)
    generator = torch.Generator().manual_seed(recipe.seed)
    network = starting_point(family.network(config), generator)
    assert network.masked_lm is not None
    with torch.no_grad():
        network.masked_lm.bias.copy_(log_frequencies(text, config.vocab_size))
    if model is None:
        return MaskedLMRun(replace(recipe, teach=0.0), folder, network, text, tokenizer, device=device)
    shared = None if alike else shared_words(text)
    if start_from_teacher:
        start_words(network, model.network, shared, generator)
    own: Network = type(model.network)(model.network.config)
    own.load_state_dict(model.network.state_dict())  # the loaded model stays as it is, where it is
    make_teacher = _TeacherOf(own, text, Template.of(model.tokenizer), shared)
    return MaskedLMRun(recipe, folder, network, text, tokenizer, teacher=make_teacher, device=device)


class _TeacherOf:
    """Makes the teacher of a run once the run's own text is on the device."""

    def __init__(self, network: Network, text: EncodedText, template: Template, shared: Shared | None) -> None:
        self.network, self.text, self.template, self.shared = network, text, template, shared

    def __call__(self, student: DeviceText) -> Teacher:
        own = student if self.shared is None else DeviceText(self.text, 1, self.template, student.device)
        return Teacher(self.network, own, student, self.shared)


def mini_tokenizer(family: Family, texts: Texts, folder: Path, teacher: Tokenizer | None) -> Tokenizer:
    """The vocabulary of a mini: the teacher's where the kinds are one, else the run's own, made of the texts once."""
    if teacher is not None and teacher.kind == family.tokenizer:
        return teacher
    path = folder / "tokenizer"
    if not (path / "tokenizer.json").exists():
        train_tokenizer(family.tokenizer, _sampled(texts), vocab_size=VOCABULARY).save(path)
    return Tokenizer.from_folder(path)


def _sampled(texts: Texts) -> Iterator[str]:
    """Some of the sentences, by VOCABULARY_WEIGHTS; the same ones every time."""
    rng = random.Random(0)
    for source, sentences in texts:
        weight = VOCABULARY_WEIGHTS.get(source, 1.0)
        for sentence in sentences:
            for _ in range(int(weight) + (rng.random() < weight % 1)):
                if rng.random() < VOCABULARY_SHARE:
                    yield sentence


# -- a run by its key ------------------------------------------------------------------------------------------------


def family_of(key: str) -> Family | None:
    """The family of a mini's key, None for minilm-l6; ValueError for any other key."""
    families = {family.mini_key: family for family in FAMILIES.values()}
    if key != ENCODER and key not in families:
        raise ValueError(f"Unknown bundled model {key!r}. Known: {', '.join([ENCODER, *families])}.")
    return families.get(key)


def recipe_of(key: str) -> Recipe:
    """How a bundled model was trained."""
    recipe = ENCODER_RECIPE if family_of(key) is None else MINI_RECIPE
    return replace(recipe, weights=dict(WEIGHTS))


def run_of(
    key: str, folders: Sequence[Path], folder: Path, *, recipe: Recipe, device: str, start: Path | None = None
) -> MaskedLMRun:
    """The run that makes a bundled model. start: the folder of the published encoder, for minilm-l6."""
    family = family_of(key)
    if family is not None:
        return mini_run(family, folders, folder, recipe=recipe, device=device)
    if start is None:
        raise ValueError(f"{key} is made of a published encoder: name its folder with --start.")
    return encoder_run(start, folders, folder, recipe=recipe, device=device)


def train(
    run: MaskedLMRun,
    heldout: Texts,
    *,
    every: int,
    minutes: float,
    title: str,
    keep: Sequence[int] = (),
    write: Callable[[int], None] = lambda pieces: None,
) -> bool:
    """Go on to the budget or for some minutes, measuring and saving every so many pieces; is the run finished?

    keep: numbers of pieces at which `write` is called, with the number.
    """
    run.resume()
    text = encode_text(heldout, [run.tokenizer], names=SOURCES)
    until = time.monotonic() + 60 * minutes
    with tqdm(total=run.recipe.pieces, initial=run.seen, unit="piece", unit_scale=True, desc=title) as bar:
        before = run.seen
        for _ in run.train():
            bar.update(run.seen - bar.n)
            for pieces in keep:
                if before < pieces <= run.seen:
                    write(pieces)
            before = run.seen
            stop = time.monotonic() > until
            measured = int(run.curve[-1]["pieces"]) if run.curve else 0
            if run.seen // every > measured // every or run.seen >= run.recipe.pieces or stop:
                held = measure(run.network, text, run.on_device.template, length=run.recipe.length, limit=10)
                point = {"pieces": run.seen, "seconds": run.seconds, "loss": held.loss, "accuracy": held.accuracy}
                run.curve.append({name: round(value, 4) for name, value in (point | held.by_source).items()})
                run.save()
                bar.set_postfix(loss=held.loss, accuracy=held.accuracy)
            if stop:
                break
    return run.seen >= run.recipe.pieces
