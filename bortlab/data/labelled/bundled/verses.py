"""Tasks from the Bible's verses: what kind of book, and which verse comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bortlab.data.corpus import Document, n_words
from bortlab.data.labelled.bundled.rows import Row, number, shuffled

GENRES = {
    "law": "Genesis Exodus Leviticus Numbers Deuteronomy",
    "history": "Joshua Judges Ruth I_Samuel II_Samuel I_Kings II_Kings I_Chronicles II_Chronicles Ezra Nehemiah Esther",
    "wisdom": "Job Psalms Proverbs Ecclesiastes Song_of_Solomon",
    "prophets": "Isaiah Jeremiah Lamentations Ezekiel Daniel Hosea Joel Amos Obadiah Jonah Micah Nahum Habakkuk "
    "Zephaniah Haggai Zechariah Malachi",
    "gospels": "Matthew Mark Luke John",
    "letters": "Romans I_Corinthians II_Corinthians Galatians Ephesians Philippians Colossians I_Thessalonians "
    "II_Thessalonians I_Timothy II_Timothy Titus Philemon Hebrews James I_Peter II_Peter I_John II_John III_John Jude",
}
GENRE_OF = {book: genre for genre, books in GENRES.items() for book in books.split()}
PASSAGE = 3
"""Verses of a passage."""
PASSAGE_WORDS = 70
PASSAGES_PER_GENRE = 500
SPEECH_WORDS = range(6, 31)
VERSE_WORDS = range(6, 26)
NARRATIVE = ("law", "history", "gospels")
"""Books that tell what happened after what."""


def chapters(documents: Iterable[Document]) -> Iterator[Document]:
    """The chapters of the Bible."""
    return (document for document in documents if document.source == "bible")


def book_genre(documents: Iterable[Document]) -> Iterator[Row]:
    """Three consecutive verses, and the kind of book that they are from; split by chapter."""
    rows: dict[str, list[Row]] = {genre: [] for genre in GENRES}
    for chapter in chapters(documents):
        genre = GENRE_OF.get(chapter.id.split("/")[1])
        for start in range(0, len(chapter.sentences) - PASSAGE + 1, PASSAGE) if genre else ():
            text = " ".join(chapter.sentences[start : start + PASSAGE])
            if n_words(text) <= PASSAGE_WORDS:
                rows[genre or ""].append(Row(text, genre or "", chapter.id))
    chosen = [row for part in rows.values() for row in shuffled(part, "book-genre")[:PASSAGES_PER_GENRE]]
    yield from shuffled(chosen, "book-genre")


def direct_speech(documents: Iterable[Document]) -> Iterator[Row]:
    """A verse without its quotation marks, and for each word whether it is spoken in it; split by chapter."""
    rows = []
    for chapter in chapters(documents):
        for verse in chapter.sentences:
            parts = verse.split('"')  # narrated, spoken, narrated, …
            if len(parts) % 2 and len(parts) > 2 and n_words(verse) in SPEECH_WORDS and any(map(str.split, parts[::2])):
                words, labels = [], []
                for place, part in enumerate(parts):
                    for at, word in enumerate(part.split()):
                        words.append(word)
                        labels.append("O" if place % 2 == 0 else "I-SPEECH" if at else "B-SPEECH")
                rows.append(Row(" ".join(words), "", chapter.id, words=tuple(words), labels=tuple(labels)))
    yield from shuffled(rows, "direct-speech")


def which_came_first(documents: Iterable[Document]) -> Iterator[Row]:
    """Two consecutive verses, in their order or exchanged (Lan et al. 2020, section 3.1); split by chapter."""
    rows = []
    for chapter in chapters(documents):
        if GENRE_OF.get(chapter.id.split("/")[1]) not in NARRATIVE:
            continue
        for first, second in zip(chapter.sentences[::2], chapter.sentences[1::2], strict=False):
            if n_words(first) in VERSE_WORDS and n_words(second) in VERSE_WORDS:
                swapped = number("which-came-first", first) % 2
                texts = (second, first) if swapped else (first, second)
                rows.append(Row(texts[0], "second" if swapped else "first", chapter.id, pair=texts[1]))
    yield from shuffled(rows, "which-came-first")
