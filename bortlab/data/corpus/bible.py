"""The World English Bible, verse by verse, read with diatheke."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator

from bortlab.data.corpus import MAX_WORDS, Document, n_words
from bortlab.data.corpus.english import sentence

BIBLE = "engWEB2015eb"
VERSE = re.compile(
    r"(?:^|[\s>])(?P<book>(?:[IV]+ )?[A-Z]\w+(?: (?:of|[A-Z]\w+|\(\w+\)))*) (?P<chapter>\d+):\d+: (?P<text>.*)$"
)


def clean_verse(osis: str) -> str:
    """A verse as one sentence: no mark-up, notes or headings, straight quotes, no quote mark left open."""
    text = re.sub(r"<(note|title)\b.*?</\1>", " ", osis)
    text = re.sub(r"</w>(?=<w|\w)|<(?:l|lg|q|milestone|lb|p|chapter)\b[^>]*>", " ", text)
    text = " ".join(re.sub(r"<[^>]+>", "", text).split())
    opened, closed = text.count("\u201c"), text.count("\u201d")
    text = "\u201c" * (closed > opened) + text + "\u201d" * (opened > closed)
    for fancy, plain in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'), ("\u2014", " - ")):
        text = text.replace(fancy, plain)
    text = re.sub(r"(?<!\w)'(?=\w)|(?<=[.,;:!?])'", "", text)
    text = re.sub(r'[,;:-]?\s*"$', '."', text) if re.search(r'[^.!?]"$', text) else text
    return sentence(text) if re.search(r"[A-Za-z]{2}", text) else ""


def split_verse(verse: str) -> list[str]:
    """The verse, or its sentences where it is longer than the limit."""
    if n_words(verse) <= MAX_WORDS:
        return [verse]
    pieces = [sentence(re.sub(r'[()"]', "", piece)) for piece in re.split(r"(?<=[.!?;])[\")]* ", verse)]
    return [piece for piece in pieces if 2 <= n_words(piece) <= MAX_WORDS]


def bible_documents(module: str = BIBLE) -> Iterator[Document]:
    """One document for each chapter, read with diatheke."""
    if shutil.which("diatheke") is None:
        raise ValueError("diatheke not found. Install Debian's diatheke and sword-text-web to read the Bible.")
    chapters: dict[tuple[str, int], list[str]] = defaultdict(list)
    command = ["diatheke", "-b", module, "-f", "OSIS", "-k", "Genesis 1 - Revelation 22"]
    lines = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    for line in lines.splitlines():
        match = VERSE.search(line)
        if match and (verse := clean_verse(match["text"])):
            chapters[match["book"], int(match["chapter"])] += split_verse(verse)
    if not chapters:
        raise ValueError(f"SWORD module {module!r} gave no verses. Install Debian's sword-text-web.")
    for (book, chapter), verses in chapters.items():
        yield Document(f"bible/{book.replace(' ', '_')}/{chapter}", 0, tuple(verses))
