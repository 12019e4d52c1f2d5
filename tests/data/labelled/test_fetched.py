"""Tasks that are fetched: from a local server, a file and a folder; what is not the expected content is refused."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bortlab import cli
from bortlab.data.everyday.archives import FetchError
from bortlab.data.labelled import SPLITS, DataError, fetch_task, fetched, load_task, tasks
from bortlab.data.labelled.fetched import EWT, INNER, ORIGIN_OF, VADER

RATINGS = [round(-4 + 8 * number / 99, 2) for number in range(100)]
SNIPPETS = {
    "tweets_GroundTruth.txt": [(f"{n}", rating, f"Bread &amp; butter {n}.") for n, rating in enumerate(RATINGS)],
    "amazonReviewSnippets_GroundTruth.txt": [(f"{n // 2}_{n}", r, f"Kettle {n}.") for n, r in enumerate(RATINGS)],
    "movieReviewSnippets_GroundTruth.txt": [(f"{n}", rating, f"Film\t{n}.") for n, rating in enumerate(RATINGS)],
}
GENRES = ("answers", "email", "reviews")


def packed(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@lru_cache  # gzip notes the second, so a second archive has another checksum
def sdist() -> bytes:
    """An archive in the layout of vaderSentiment's."""
    texts = {
        f"hutto_ICWSM_2014/{name}": "".join("\t".join(map(str, row)) + "\r\n" for row in rows).encode()
        for name, rows in SNIPPETS.items()
    }
    return packed({"vaderSentiment-3.3.2/setup.py": b"", INNER: packed(texts | {"hutto_ICWSM_2014/_README_.txt": b""})})


def treebank(n_documents: int) -> str:
    """Documents of two sentences in CoNLL-U."""
    lines = []
    for number in range(n_documents):
        for place in range(2):
            lines += [f"# newdoc id = {GENRES[number % 3]}-{number}"] if place == 0 else []
            lines += [f"# sent_id = {number}-{place}", f"# text = I ca{number}n't {place}"]
            lines += [f"2-3\tca{number}n't" + "\t_" * 8]
            words = (("I", "PRON"), (f"ca{number}", "AUX"), ("n't", "PART"), (str(place), "NUM"))
            lines += [f"{at}\t{word}\t_\t{tag}" + "\t_" * 6 for at, (word, tag) in enumerate(words, 1)]
            lines.append("")
    return "\n".join(["# global.columns = ID FORM", *lines]) + "\n"


DOCUMENTS = {"train": 30, "dev": 9, "test": 12}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkouts" / "UniversalDependencies" / "UD_English-EWT"
    folder.mkdir(parents=True)
    for split, n_documents in DOCUMENTS.items():
        (folder / f"en_ewt-ud-{split}.conllu").write_text(treebank(n_documents), encoding="utf-8")
    return folder


@pytest.fixture
def address(checkout: Path) -> Iterator[str]:
    """A server of both sources."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = sdist() if self.path == "/vader.tar.gz" else b""
            if self.path == f"/UniversalDependencies/UD_English-EWT/tar.gz/{EWT.identity}":
                names = sorted(checkout.iterdir())
                content = packed({f"UD_English-EWT-{EWT.identity}/{path.name}": path.read_bytes() for path in names})
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


@pytest.fixture(autouse=True)
def small_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sources of a few invented sentences in the layout of the real ones, and an empty cache."""
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    own = replace(VADER, identity=hashlib.sha256(sdist()).hexdigest())
    for name in VADER.tasks:
        monkeypatch.setitem(ORIGIN_OF, name, own)  # type: ignore[arg-type]
    monkeypatch.setattr(fetched, "SENTENCES", {split: 2 * count for split, count in DOCUMENTS.items()})


def test_rated_snippets_come_from_an_address_and_stay(address: str) -> None:
    with pytest.raises(DataError, match="bortlab tasks tweet-sentiment --fetch"):
        load_task("tweet-sentiment")
    data = fetch_task("tweet-sentiment", f"{address}/vader.tar.gz")
    assert data == load_task("tweet-sentiment")
    assert data.problem_type == "regression" and len(data) == 100
    assert {example.text for example in data} == {f"Bread & butter {n}." for n in range(100)}
    assert {example.label for example in data} == set(RATINGS)
    assert "Hutto" in data.source and "MIT" in data.licence
    assert set(VADER.tasks) <= {card.name for card in tasks()}


def test_what_is_not_clear_is_left_out_and_reviews_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "vader.tar.gz").write_bytes(sdist())
    data = fetch_task("product-sentiment", str(tmp_path / "vader.tar.gz"))
    assert len(data) == sum(abs(rating) >= 0.5 for rating in RATINGS)
    assert data.labels == ("negative", "positive")
    review = {f"Kettle {n}.": n // 2 for n in range(100)}
    reviews = [{review[example.text] for example in part} for part in data.splits.values()]
    assert len(set().union(*reviews)) == sum(map(len, reviews))
    assert len(load_task("movie-sentiment")) == len(data)  # of the same archive


@pytest.mark.parametrize("local", [True, False])
def test_the_treebank_comes_from_a_checkout_or_an_address(local: bool, address: str, checkout: Path) -> None:
    place = str(checkout.parents[1]) if local else address
    data = fetch_task("parts-of-speech", place)
    assert {split: len(data.splits[split]) for split in SPLITS} == {s: 2 * n for s, n in DOCUMENTS.items()}
    assert data.train[0].words == ("I", "ca0", "n't", "0") and data.train[0].label == ("PRON", "AUX", "PART", "NUM")
    genres = load_task("web-genre")
    assert genres.labels == GENRES
    assert [example.text for example in genres.train[:2]] == ["I ca0n't 0 I ca0n't 1", "I ca1n't 0 I ca1n't 1"]


def test_what_is_not_the_expected_content_is_refused(address: str, checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_bytes(sdist()[:-9])
    with pytest.raises(DataError, match="is not the expected file"):
        fetch_task("tweet-sentiment", str(other))
    (checkout / "en_ewt-ud-dev.conllu").write_text(treebank(3), encoding="utf-8")
    with pytest.raises(DataError, match="has 60, 6, 24 sentences in train, dev and test, expected 60, 18, 24"):
        fetch_task("web-genre", str(checkout.parents[1]))
    for name, place in (
        ("tweet-sentiment", f"{address}/none"),
        ("web-genre", f"{address}/none"),
        ("web-genre", "none"),
    ):
        with pytest.raises(FetchError, match="none"):
            fetch_task(name, place)
    with pytest.raises(DataError, match="No task 'supersense' can be fetched"):
        fetch_task("supersense")
    assert all(card.is_bundled for card in tasks())
    assert {card.name for card in tasks(fetchable=True) if not card.is_here} == set(ORIGIN_OF)


def test_nothing_is_downloaded_where_that_is_forbidden(
    monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for place in (None, f"{address}/vader.tar.gz"):
        with pytest.raises(FetchError, match="HF_HUB_OFFLINE is set"):
            fetch_task("tweet-sentiment", place)
    (tmp_path / "vader.tar.gz").write_bytes(sdist())
    assert len(fetch_task("tweet-sentiment", str(tmp_path / "vader.tar.gz"))) == 100


def test_the_command_fetches_and_says_what_went_wrong(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks", "tweet-sentiment", "--fetch", "--from", f"{address}/none"]) == 1
    assert "On a machine without a network" in capsys.readouterr().err
    assert cli.main(["tasks", "tweet-sentiment", "--fetch", "--from", f"{address}/vader.tar.gz"]) == 0
    assert "Hutto and Gilbert" in capsys.readouterr().out
