"""The corpus on disk: documents without repetition, the split, blanks, manifest, licences."""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bortlab.data.corpus import MAX_WORDS, Document, Split, n_words, normal, split_of
from bortlab.data.corpus.bible import BIBLE, bible_documents
from bortlab.data.corpus.blanks import BLANKS_RULE, blanks
from bortlab.data.corpus.sentences import wordnet_documents
from bortlab.data.corpus.wordnet import WORDNET, read_wordnet

LICENCES = {"wordnet": "wordnet-base", "web": "sword-text-web"}
FORMAT = 1
SPLIT_RULE = "held out: documents whose sha256(id), first 8 bytes as a big-endian number, is 0 modulo 100"


def build(wordnet: Path = WORDNET, bible: str = BIBLE) -> Iterator[Document]:
    """All documents, no sentence twice among them."""
    forms: set[str] = set()
    for documents in (wordnet_documents(wordnet), bible_documents(bible)):
        for document in documents:
            kept = []
            for text in document.sentences:
                if (form := normal(text)) not in forms:
                    forms.add(form)
                    kept.append(text)
            if kept:
                yield Document(document.id, document.count, tuple(kept))


README = """# A small English corpus

`train.jsonl.xz` and `heldout.jsonl.xz`: one document a line, `{{"id", "count", "sentences"}}`. Read them with
`bortlab.data.corpus.read("train")`. Built by `{command}`; `manifest.json` has the counts and checksums.

| source | documents | sentences | words | licence |
|---|---|---|---|---|
{rows}

- **WordNet 3.0** (a document is a synset): its relations put into fixed sentence templates, its definitions, its
  examples.
  `count` is how often the texts tagged for WordNet use the synset. Licence in `LICENSE-wordnet.txt`.
- **World English Bible** (a document is a chapter): public domain. Headings, notes and cross references are left out,
  quotation marks are straight and closed within the verse, a verse ends in a full stop, and one of more than
  {limit} words is split. As the text is changed in this, it is no longer to be called the World English Bible:
  take the original from <https://worldenglish.bible>. See `LICENSE-web.txt`.

Left out: {curation}

Split: {split}.

`blanks.json`: {blanks}
"""
CURATION = (
    "scientific names (synsets that are a genus, family, order and so on, or known by a Latin name only, and Latin "
    "synonyms), "
    f"sentences of one word or of more than {MAX_WORDS}, and every sentence that already occurred, in either split."
)
COMMAND = "bortlab corpus"


def write_documents(path: Path, documents: Iterable[Document]) -> str:
    """Write one split, the same bytes every time; returns their sha256."""
    rows = ({"id": item.id, "count": item.count, "sentences": item.sentences} for item in documents)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    data = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def statistics(documents: list[Document]) -> dict[str, dict[str, int | str]]:
    """Documents, sentences and words of each source."""
    licence = {"wordnet": "WordNet 3.0 licence (LICENSE-wordnet.txt)", "bible": "public domain (LICENSE-web.txt)"}
    sources: dict[str, dict[str, int | str]] = {}
    for source in licence:
        own = [document for document in documents if document.source == source]
        sentences = [text for document in own for text in document.sentences]
        sources[source] = {
            "documents": len(own),
            "sentences": len(sentences),
            "words": sum(map(n_words, sentences)),
            "licence": licence[source],
        }
    return sources


def write(documents: list[Document], lexfiles: Mapping[str, int], out: Path) -> dict[str, object]:
    """Write all files of the corpus but the licences; returns the manifest. `lexfiles` is by document id."""
    out.mkdir(parents=True, exist_ok=True)
    splits: dict[Split, list[Document]] = {"train": [], "heldout": []}
    for document in documents:
        splits[split_of(document.id)].append(document)
    sums = {f"{split}.jsonl.xz": write_documents(out / f"{split}.jsonl.xz", part) for split, part in splits.items()}
    lines = [
        json.dumps({"kind": blank.kind, "text": blank.text, "answers": blank.answers, "source": blank.source})
        for blank in blanks(splits["train"], lexfiles)
    ]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    (out / "blanks.json").write_text(text, encoding="utf-8")
    sums["blanks.json"] = hashlib.sha256(text.encode()).hexdigest()
    sources = statistics(documents)
    manifest: dict[str, object] = {
        "format": FORMAT,
        "command": COMMAND,
        "sources": sources,
        "splits": {split: statistics(part) for split, part in splits.items()},
        "split_rule": SPLIT_RULE,
        "left_out": CURATION,
        "blanks_rule": BLANKS_RULE,
        "files": {name: {"sha256": value, "bytes": (out / name).stat().st_size} for name, value in sums.items()},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    rows = "\n".join(
        f"| {name} | {row['documents']} | {row['sentences']} | {row['words']} | {row['licence']} |"
        for name, row in sources.items()
    )
    (out / "README.md").write_text(
        README.format(
            command=COMMAND, rows=rows, limit=MAX_WORDS, curation=CURATION, split=SPLIT_RULE, blanks=BLANKS_RULE
        ),
        encoding="utf-8",
    )
    return manifest


def write_licences(out: Path, docs: Path = Path("/usr/share/doc")) -> None:
    """Copy what Debian's packages say of the texts' copyright, without the part on the packaging."""
    for name, package in LICENCES.items():
        path = docs / package / "copyright"
        if not path.is_file():
            raise ValueError(f"Licence text {path} not found. Install Debian's {package}.")
        text = path.read_text(encoding="utf-8").partition("\nFiles: debian/")[0]
        (out / f"LICENSE-{name}.txt").write_text(text.rstrip() + "\n", encoding="utf-8")


def write_corpus(out: Path, wordnet: Path = WORDNET, bible: str = BIBLE) -> dict[str, object]:
    """Build the corpus from its sources and write it with its licences; returns the manifest."""
    documents = list(build(wordnet, bible))
    lexfiles = {f"wordnet/{key}": synset.lexfile for key, synset in read_wordnet(wordnet).synsets.items()}
    manifest = write(documents, lexfiles, out)
    write_licences(out)
    return manifest
