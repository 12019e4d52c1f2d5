"""How the repositories hold their text, and how documents are made of it; a format is a function in `FORMATS`.

Tables, code, formulas, footnotes, verse and licence texts are left out, as far as a program can tell.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from bortlab.data.everyday.sentences import is_complete, of_paragraphs, plain

_log = logging.getLogger("bortlab")

EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
CNX = "{http://cnx.rice.edu/cnxml}"
NO_PROSE = ("figure", "table", "equation", "code", "footnote", "exercise", "media", "iframe", "title", "glossary")
"""Elements of a textbook that are left out."""
CHILDES_SENTENCES = 400
"""Sentences of a document of talk to a child."""
GUM_GENRES = ("academic", "bio", "court", "interview", "news", "voyage")
"""Genres of GUM whose licences allow commercial use."""
MARKDOWN_DROPPED = re.compile(
    r"```.*?```|~~~.*?~~~|<!--.*?-->|<(script|style|table|pre)\b.*?</\1>|\{%.*?%\}|\{\{.*?\}\}|\{:.*?\}", re.DOTALL
)
MARKDOWN_BREAK = re.compile(r"^\s*(?:#.*|\|.*|[-*_=]{3,}|\[\^?[^\]]*\]:.*|!\[.*|>?\s*)$")
MARKDOWN_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+|^\s*>\s?")
MARKDOWN_INLINE = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)|\[\^[^\]]*\]|<[^>]+>"), ""),
    (re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])"), r"\1"),
    (re.compile(r"(\*\*|__|\*|`|(?<!\w)_|_(?!\w))"), ""),
    (re.compile(r"\\([^\w\s])"), r"\1"),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A document before its sentences are compared with others'.

    name: within its repository. author, licence: where it has its own.
    """

    name: str
    title: str
    sentences: list[str]
    author: str = ""
    licence: str = ""


File = tuple[str, str]
"""Path in the repository, and text."""
Reader = Callable[[Iterable[File]], Iterator[Draft]]


@dataclass(frozen=True, slots=True)
class Format:
    """The files of a kind of repository (by the end of their paths), and the reader of them all."""

    suffix: str
    read: Reader


def of_each(parse: Callable[[str, str], Iterable[Draft]]) -> Reader:
    """The reader of a format with a file for a document, or for some; a damaged file is left out and logged."""

    def read(files: Iterable[File]) -> Iterator[Draft]:
        for path, text in files:
            try:
                drafts = list(parse(path, text))
            except (ElementTree.ParseError, ValueError, LookupError, TypeError, AttributeError) as error:
                _log.warning("%s is left out, for it is not of the form that was expected: %r.", path, error)
                continue
            yield from drafts

    return read


# -- books -------------------------------------------------------------------------------------------------------------


def _text(element: Element, dropped: Callable[[Element], bool]) -> str:
    """The text of an element without some of its parts."""
    parts = [element.text or ""]
    for child in element:
        parts.append("" if dropped(child) else _text(child, dropped))
        parts.append(child.tail or "")
    return "".join(parts)


def _paragraphs(element: Element, tags: tuple[str, ...], dropped: Callable[[Element], bool]) -> Iterator[str]:
    """The paragraphs inside an element, in reading order."""
    for child in element:
        if child.tag in tags:
            yield _text(child, dropped)
        elif not dropped(child):
            yield from _paragraphs(child, tags, dropped)


def _novel(path: str, text: str) -> Iterator[Draft]:
    """A chapter of Standard Ebooks: XHTML, whose body says that it is the book's own text."""
    html = "{http://www.w3.org/1999/xhtml}"
    dropped_tags = {html + tag for tag in ("header", "hgroup", "footer", "table", "blockquote", "figure")}

    def dropped(element: Element) -> bool:
        return element.tag in dropped_tags or "noteref" in element.get(EPUB_TYPE, "")

    root = ElementTree.fromstring(text)
    body = root.find(f"{html}body")
    if body is not None and "bodymatter" in body.get(EPUB_TYPE, "") and "poetry" not in body.get(EPUB_TYPE, ""):
        title = root.findtext(f"{html}head/{html}title", "")
        name = path.removeprefix("src/epub/text/").removesuffix(".xhtml")
        yield Draft(name, plain(title), of_paragraphs(_paragraphs(body, (html + "p",), dropped)))


def _textbook(path: str, text: str) -> Iterator[Draft]:
    """A module of OpenStax: CNXML."""
    dropped_names = (
        "figure",
        "table",
        "equation",
        "code",
        "footnote",
        "exercise",
        "media",
        "iframe",
        "title",
        "glossary",
    )
    dropped_tags = {CNX + name for name in dropped_names}

    def dropped(element: Element) -> bool:
        return element.tag in dropped_tags or not str(element.tag).startswith(CNX)  # formulas are MathML

    root = ElementTree.fromstring(text)
    content = root.find(f"{CNX}content")
    if content is not None:
        complete = [paragraph for paragraph in _paragraphs(content, (CNX + "para",), dropped) if "()" not in paragraph]
        yield Draft(PurePosixPath(path).parent.name, plain(root.findtext(f"{CNX}title", "")), of_paragraphs(complete))


def _story(path: str, text: str) -> Iterator[Draft]:
    """A picture book of the Global African Storybook project: pages between ## lines, and a list of facts."""
    facts = dict(re.findall(r"^\* (\w+): (.*)$", text, re.MULTILINE))
    licence = facts.get("License", "")
    if facts.get("Language", "en") != "en" or "NC" in licence or not licence:
        return
    pages = re.split(r"^##.*$", re.sub(r"^\* .*$", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    title = plain(pages[0].lstrip("# "))
    paragraphs = [paragraph for page in pages[1:] for paragraph in page.split("\n\n")]
    author, licence = facts.get("Text", ""), licence.strip("[]")
    yield Draft(PurePosixPath(path).stem, title, of_paragraphs(paragraphs), author=author, licence=licence)


# -- web pages ---------------------------------------------------------------------------------------------------------


def _markdown(path: str, text: str) -> Iterator[Draft]:
    """A page of a web site: Markdown, with facts between --- lines at its head."""
    head, body = _head_and_body(text)
    title = re.search(r"^title:\s*[\"']?(.*?)[\"']?\s*$", head, re.MULTILINE)
    name = str(PurePosixPath(path).with_suffix(""))
    yield Draft(name, plain(title[1]) if title else "", of_paragraphs(_markdown_paragraphs(body)))


def _head_and_body(text: str) -> tuple[str, str]:
    if not text.startswith("---"):
        return "", text
    head, _, body = text[3:].partition("\n---")
    return head, body


def _markdown_paragraphs(body: str) -> Iterator[str]:
    """Paragraphs and items of lists as plain text."""
    lines: list[str] = []
    for line in [*MARKDOWN_DROPPED.sub("", body).splitlines(), ""]:
        is_break, is_item = bool(MARKDOWN_BREAK.match(line)), bool(MARKDOWN_ITEM.match(line))
        if (is_break or is_item) and lines:
            yield _inline(" ".join(lines))
            lines = []
        if not is_break:
            lines.append(MARKDOWN_ITEM.sub("", line))


def _inline(text: str) -> str:
    for pattern, replacement in MARKDOWN_INLINE:
        text = pattern.sub(replacement, text)
    return text


def _plain_text(path: str, text: str) -> Iterator[Draft]:
    """A news lesson of OneStopEnglish: a paragraph a line; the first may name its level."""
    lines = text.splitlines()
    name = PurePosixPath(path).stem
    yield Draft(name, name, of_paragraphs(line for line in lines if plain(line) not in ("Intermediate", "Elementary")))


# -- annotated text ----------------------------------------------------------------------------------------------------


def _comments(text: str) -> Iterator[dict[str, str]]:
    """The comments of each sentence of a CoNLL-U file."""
    facts: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            key, _, value = line[2:].partition(" = ")
            facts[key] = value
        elif not line.strip() and facts:
            yield facts
            facts = {}
    if facts:
        yield facts


def _treebank(path: str, text: str) -> Iterator[Draft]:
    """English Web Treebank: documents named GENRE-NAME."""
    documents: dict[str, list[str]] = defaultdict(list)
    name = ""
    for facts in _comments(text):
        name = facts.get("newdoc id", name)
        documents[name].append(plain(facts.get("text", "")))
    for name, sentences in documents.items():
        yield Draft(name.replace("-", "/", 1), f"English Web Treebank, {name.partition('-')[0]}", sentences)


def _gum(path: str, text: str) -> Iterator[Draft]:
    """A document of GUM, of a genre that may be used."""
    name = PurePosixPath(path).stem
    if name.split("_")[1] in GUM_GENRES:
        sentences = list(_comments(text))
        title = sentences[0].get("meta::title", "") if sentences else ""
        yield Draft(name, f"GUM: {title}", [plain(facts.get("text", "")) for facts in sentences])


def _childes(files: Iterable[File]) -> Iterator[Draft]:
    """What adults say to children, by child."""
    by_child: dict[str, list[str]] = defaultdict(list)
    for _, text in files:
        for facts in _comments(text):
            if facts.get("speaker_role") != "Target_Child" and (words := facts.get("text")):
                child = f"{facts.get('child_name', '')}_{facts.get('corpus_name', '')}"
                by_child[child].append(re.sub(r" (?='\w)", "", plain(words)))
    for child, sentences in by_child.items():
        for start in range(0, len(sentences), CHILDES_SENTENCES):
            part = sentences[start : start + CHILDES_SENTENCES]
            yield Draft(f"{child}/{start // CHILDES_SENTENCES}", f"CHILDES, adult speech: {child}", part)


# -- talk --------------------------------------------------------------------------------------------------------------


def _topical_chat(path: str, text: str) -> Iterator[Draft]:
    for name, talk in json.loads(text).items():
        yield Draft(name, "Topical-Chat", of_paragraphs(turn["message"] for turn in talk["content"]))


def _taskmaster(path: str, text: str) -> Iterator[Draft]:
    for talk in json.loads(text):
        name = f"{path.split('/')[0]}/{talk['conversation_id']}"
        yield Draft(name, "Taskmaster", of_paragraphs(_turns(talk["utterances"], "text")))


def _guided_dialogue(path: str, text: str) -> Iterator[Draft]:
    split = path.split("/")[0]
    if split in ("train", "dev") and "/dialogues_" in path:
        for talk in json.loads(text):
            name = f"{split}/{talk['dialogue_id']}"
            yield Draft(name, "Schema-Guided Dialogue", of_paragraphs(_turns(talk["turns"], "utterance")))


def _turns(turns: Iterable[Mapping[str, Any]], key: str) -> Iterator[str]:
    """What is said in each turn, ended as a sentence."""
    for turn in turns:
        words = plain(str(turn[key]))
        yield words if not words or is_complete(words) else f"{words}."


FORMATS: Mapping[str, Format] = {
    "novel": Format(".xhtml", of_each(_novel)),
    "textbook": Format(".cnxml", of_each(_textbook)),
    "stories": Format(".md", of_each(_story)),
    "markdown": Format(".md", of_each(_markdown)),
    "plain-text": Format(".txt", of_each(_plain_text)),
    "treebank": Format(".conllu", of_each(_treebank)),
    "gum": Format(".conllu", of_each(_gum)),
    "childes": Format(".conllu", _childes),
    "topical-chat": Format(".json", of_each(_topical_chat)),
    "taskmaster": Format(".json", of_each(_taskmaster)),
    "guided-dialogue": Format(".json", of_each(_guided_dialogue)),
}
