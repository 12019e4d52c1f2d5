"""The everyday corpus: sentences, every format of repository, archives of a local server, and builds that go on."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab import cli
from bortlab.data import everyday
from bortlab.data.everyday import SOURCES, Repository, archives, build, repositories
from bortlab.data.everyday.archives import FetchError, files_of
from bortlab.data.everyday.formats import FORMATS, Draft
from bortlab.data.everyday.sentences import is_complete, plain, split
from bortlab.data.folders import read_folder

# -- the list of repositories ------------------------------------------------------------------------------------------


def test_every_repository_is_named_with_commit_licence_and_a_known_format() -> None:
    listed = repositories()
    assert len({repository.repository for repository in listed}) == len(listed) == 171
    for repository in listed:
        assert len(repository.commit) == 40 and set(repository.commit) <= set("0123456789abcdef")
        assert repository.licence and "NC" not in repository.licence.split("(")[0]
        assert repository.source in SOURCES and repository.format in FORMATS
        assert repository.documents > 0 and repository.words > 0
    assert {repository.format for repository in listed} == set(FORMATS)
    assert sum(repository.words for repository in listed) == pytest.approx(20.5e6, rel=0.01)


# -- sentences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It rained. We stayed in.", ["It rained.", "We stayed in."]),
        ("“Stop!” said Ann. “Who\u2019s there?”", ['"Stop!" said Ann.', '"Who\'s there?"']),
        ("Mr. Day met Dr. E. Moss. They spoke.", ["Mr. Day met Dr. E. Moss.", "They spoke."]),
        ("It cost 2.5 pounds. 3 were sold (see p. 4).", ["It cost 2.5 pounds.", "3 were sold (see p. 4)."]),
        ("well ... maybe\nnot… now", ["well ... maybe not... now"]),
        ("", []),
    ],
)
def test_text_is_cut_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert list(split(text)) == sentences


@given(st.text())
def test_cutting_loses_nothing(text: str) -> None:
    assert "".join(split(text)).replace(" ", "") == plain(text).replace(" ", "")


@pytest.mark.parametrize(
    ("sentence", "complete"),
    [
        ("Yes.", True),
        ('"Who?"', True),
        ("Bring this:", True),
        ("A title", False),
        ("1.", False),
        ("a " * 200 + ".", False),
    ],
)
def test_only_complete_sentences_are_kept(sentence: str, complete: bool) -> None:
    assert is_complete(sentence) == complete


# -- formats -----------------------------------------------------------------------------------------------------------

NOVEL = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>I: Rain</title></head>
<body epub:type="{part} z3998:fiction"><section epub:type="chapter"><hgroup><h2>I</h2><p>In Which It Rains.</p></hgroup>
<p>The \u201cold\u201d inn<a href="#n1" epub:type="noteref">1</a> was <em>quite</em> full. Nobody slept.</p>
<blockquote epub:type="z3998:song"><p>Drip, drop.</p></blockquote><p>Then came May</p></section></body></html>"""
TEXTBOOK = """<document xmlns="http://cnx.rice.edu/cnxml" xmlns:m="http://www.w3.org/1998/Math/MathML"><title>Light</title>
<content><section><title>Waves.</title><para>Light is a wave<footnote>Or not.</footnote>. Its speed is
<m:math><m:mi>c</m:mi></m:math> everywhere.</para><figure><caption>A lamp is shown.</caption></figure>
<note><para>Look again.</para></note>
<exercise><problem><para>Why is it so?</para></problem></exercise></section></content>
</document>"""
STORY = """# The Kite

##
A kite flew
over the hill.

##
It came down.

##
* License: [{licence}]
* Text: Ama Example
* Illustration: Some Body
* Language: en
"""
PAGE = """---
title: "How to ask"
---

Ask [plainly](https://example.org/a_b). Use **short** words,
and `few` of them.{{: .note}}

## A heading.

- Say who acts.
- pencils

| a table | is. |

```
code is. not text.
```
{% include video.html %}
> They answered soon.
"""
CONLLU = """# newdoc id = reviews-0017
# sent_id = 1
# text = The soup was good.
1\tThe\tthe\t_

# sent_id = 2
# text = Go there!
1\tGo\tgo\t_

# newdoc id = weblog-a.b-c
# text = Nothing ever happened.
1\tNothing\t_\t_
"""
CHILDES = "".join(
    f"# child_name = Kim\n# corpus_name = Town\n# speaker_role = {role}\n# text = {text}\n1\tx\n\n"
    for role, text in (("Mother", "Don 't run."), ("Target_Child", "Me run."), ("Father", "Where's it?"))
)
GUM = "# newdoc id = GUM_{0}\n# meta::title = A Life\n# text = She was born.\n1\tShe\n\n# text = She died.\n1\tShe\n"
TALK = json.dumps({"t_1": {"content": [{"message": "Hello there! Any news?"}, {"message": "None."}]}})
TASK = json.dumps([{"conversation_id": "dlg-1", "utterances": [{"text": "a coffee please"}, {"text": "Of course."}]}])
GUIDED = json.dumps([{"dialogue_id": "1_0", "turns": [{"utterance": "Find me a film"}, {"utterance": "Which kind?"}]}])

FILES = {
    "novel": ("src/epub/text/chapter-1.xhtml", NOVEL.replace("{part}", "bodymatter")),
    "textbook": ("modules/m1/index.cnxml", TEXTBOOK),
    "stories": ("en/0001_the-kite.md", STORY.replace("{licence}", "CC-BY")),
    "markdown": ("content/how/ask.md", PAGE),
    "plain-text": ("Texts/Int-Txt/Town-int.txt", "Intermediate\nThe town is old. It is quiet.\nIts river\n"),
    "treebank": ("en_ewt-ud-dev.conllu", CONLLU),
    "gum": ("dep/GUM_bio_kim.conllu", GUM.format("bio_kim")),
    "childes": ("en_childes-ud-dev.conllu", CHILDES),
    "topical-chat": ("conversations/valid.json", TALK),
    "taskmaster": ("TM-4-2024/data/data_00.json", TASK),
    "guided-dialogue": ("train/dialogues_001.json", GUIDED),
}
DRAFTS = {
    "novel": [Draft("chapter-1", "I: Rain", ['The "old" inn was quite full.', "Nobody slept."])],
    "textbook": [Draft("m1", "Light", ["Light is a wave.", "Its speed is everywhere.", "Look again."])],
    "stories": [
        Draft("0001_the-kite", "The Kite", ["A kite flew over the hill.", "It came down."], "Ama Example", "CC-BY")
    ],
    "markdown": [
        Draft(
            "content/how/ask",
            "How to ask",
            ["Ask plainly.", "Use short words, and few of them.", "Say who acts.", "They answered soon."],
        )
    ],
    "plain-text": [Draft("Town-int", "Town-int", ["The town is old.", "It is quiet."])],
    "treebank": [
        Draft("reviews/0017", "English Web Treebank, reviews", ["The soup was good.", "Go there!"]),
        Draft("weblog/a.b-c", "English Web Treebank, weblog", ["Nothing ever happened."]),
    ],
    "gum": [Draft("GUM_bio_kim", "GUM: A Life", ["She was born.", "She died."])],
    "childes": [Draft("Kim_Town/0", "CHILDES, adult speech: Kim_Town", ["Don't run.", "Where's it?"])],
    "topical-chat": [Draft("t_1", "Topical-Chat", ["Hello there!", "Any news?", "None."])],
    "taskmaster": [Draft("TM-4-2024/dlg-1", "Taskmaster", ["a coffee please.", "Of course."])],
    "guided-dialogue": [Draft("train/1_0", "Schema-Guided Dialogue", ["Find me a film.", "Which kind?"])],
}


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_is_read(name: str) -> None:
    path, text = FILES[name]
    assert path.endswith(FORMATS[name].suffix)
    assert list(FORMATS[name].read([(path, text)])) == DRAFTS[name]


def test_what_is_not_meant_to_be_read_is_left_out() -> None:
    assert not list(FORMATS["novel"].read([("src/epub/text/imprint.xhtml", NOVEL.replace("{part}", "frontmatter"))]))
    assert not list(FORMATS["stories"].read([("en/2.md", STORY.replace("{licence}", "CC-BY-NC"))]))
    assert not list(FORMATS["gum"].read([("dep/GUM_fiction_kim.conllu", GUM.format("fiction_kim"))]))
    assert not list(FORMATS["guided-dialogue"].read([("test/dialogues_001.json", GUIDED), ("train/schema.json", "[]")]))


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].suffix != ".conllu"])
def test_a_damaged_file_takes_no_other_with_it(name: str) -> None:
    path, text = FILES[name]
    damaged = [(path, part) for part in ("", "<a", "{", '[{"x": 1}]', '{"x": 1}', "\0")]
    drafts = list(FORMATS[name].read([*damaged, (path, text)]))
    assert drafts[-len(DRAFTS[name]) :] == DRAFTS[name]
    assert not any(draft.sentences for draft in drafts[: -len(DRAFTS[name])])


# -- builds ------------------------------------------------------------------------------------------------------------

REPOSITORIES = [
    Repository(
        repository=f"someone/{name}",
        commit=f"{number:040x}",
        licence="CC BY 4.0",
        source=("stories", "modern")[number % 2],
        format=name,
        folder=FILES[name][0].split("/")[0] if "/" in FILES[name][0] else "",
        documents=10,
        words=1,
    )
    for number, name in enumerate(FORMATS)
]


@pytest.fixture
def checkouts(tmp_path: Path) -> Path:
    """A folder of checkouts: a repository of each format, with files that are no text beside it."""
    for repository in REPOSITORIES:
        path, text = FILES[repository.format]
        for name, content in ((path, text), ("README.md", "# Read me.\n"), ("media/a.png", "\0")):
            file = tmp_path / "checkouts" / repository.repository / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
    return tmp_path / "checkouts"


@pytest.fixture
def server(checkouts: Path) -> Iterator[tuple[str, list[str]]]:
    """An address that serves the checkouts as GitHub does, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            _, owner, name, kind, commit = self.path.split("/")
            known = {(r.repository, r.commit) for r in REPOSITORIES}
            if kind != "tar.gz" or (f"{owner}/{name}", commit) not in known:
                self.send_error(404)
                return
            content = io.BytesIO()
            with tarfile.open(fileobj=content, mode="w:gz") as archive:
                archive.add(checkouts / owner / name, arcname=f"{name}-{commit}")
            self.send_response(200)
            self.send_header("Content-Length", str(len(content.getvalue())))
            self.end_headers()
            self.wfile.write(content.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}", asked
        service.shutdown()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_build_gives_what_the_minis_read(checkouts: Path, tmp_path: Path) -> None:
    manifest = build.build(tmp_path / "texts", REPOSITORIES, str(checkouts), lambda _: None)
    documents = list(read_folder(tmp_path / "texts", heldout=False))
    held = list(read_folder(tmp_path / "texts", heldout=True))
    drafts = [draft for name in FORMATS for draft in DRAFTS[name]]
    assert len(documents) + len(held) == len(drafts)
    by_id = {document.id: document for document in [*documents, *held]}
    kite = by_id["stories:someone/stories:0001_the-kite"]
    assert kite.source == "stories" and list(kite.sentences) == DRAFTS["stories"][0].sentences
    assert not (tmp_path / "texts" / "parts").exists()
    assert manifest["from"][0] == {
        "repository": "someone/novel",
        "commit": "0" * 40,
        "licence": "CC BY 4.0",
        "documents": 1,
        "words": 8,
    }
    assert sum(manifest["words"].values()) == sum(len(s.split()) for d in drafts for s in d.sentences)


def test_a_server_gives_the_same_as_a_folder(
    server: tuple[str, list[str]],
    checkouts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(everyday, "repositories", lambda: REPOSITORIES)
    for out, origin in (("a", server[0]), ("b", str(checkouts))):
        assert cli.main(["corpus", "--everyday", "--out", str(tmp_path / out), "--origin", origin]) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert "modern" in capsys.readouterr().out
    assert server[1] == [f"/{r.repository}/tar.gz/{r.commit}" for r in REPOSITORIES]


def test_an_interrupted_build_goes_on_where_it_stopped(
    server: tuple[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = server
    missing = [*REPOSITORIES[:3], replace(REPOSITORIES[3], commit="f" * 40), *REPOSITORIES[4:]]
    monkeypatch.setattr(everyday, "repositories", lambda: missing)
    command = ["corpus", "--everyday", "--out", str(tmp_path / "out"), "--origin", address]
    assert cli.main(command) == 1
    sentence = capsys.readouterr().err
    assert "someone/markdown" in sentence and "404" in sentence and "goes on where it stopped" in sentence
    monkeypatch.setattr(everyday, "repositories", lambda: REPOSITORIES)
    asked.clear()
    assert cli.main(command) == 0
    assert len(asked) == len(REPOSITORIES) - 3
    build.build(tmp_path / "whole", REPOSITORIES, address, lambda _: None)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_sentences_that_occurred_before_are_dropped(checkouts: Path, tmp_path: Path) -> None:
    twice = [REPOSITORIES[2], replace(REPOSITORIES[2], commit="e" * 40)]
    manifest = build.build(tmp_path / "out", twice, str(checkouts), lambda _: None)
    assert [facts["documents"] for facts in manifest["from"]] == [1, 0]


def test_no_more_documents_are_taken_than_were_learned_from(tmp_path: Path) -> None:
    few = replace(REPOSITORIES[8], documents=7)
    folder = tmp_path / few.repository / "conversations"
    folder.mkdir(parents=True)
    talks = {f"t_{number}": {"content": [{"message": f"This is talk {number}."}]} for number in range(40)}
    (folder / "all.json").write_text(json.dumps(talks))
    rows = build.rows_of(few, str(tmp_path))
    assert len(rows) == 7 and rows == build.rows_of(few, str(tmp_path))


def test_what_is_held_out_is_one_in_a_hundred_and_always_the_same() -> None:
    ids = [f"modern:someone/talk:{number}" for number in range(10_000)]
    assert 60 < sum(map(build.is_held_out, ids)) < 140
    assert build.is_held_out("stories:global-asp/asp-source:0196_the-baboons-that-went-this-way-and-that")
    assert not build.is_held_out("stories:global-asp/asp-source:0001_a-very-tall-man")


def test_what_cannot_be_fetched_says_what_to_do(server: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"is missing\. Expected a checkout"):
        files_of(REPOSITORIES[0], str(tmp_path / "nothing"), ".md")
    with pytest.raises(FetchError, match="cannot be read"):
        files_of(REPOSITORIES[0], "http://127.0.0.1:9", ".md")
    with pytest.raises(ValueError, match="nothing to build"):
        build.build(tmp_path, [], server[0], lambda _: None)
    assert cli.main(["corpus", "--everyday"]) == 1


def test_a_truncated_archive_is_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for number in range(50):
            member = tarfile.TarInfo(f"x-1/en/{number}.md")
            member.size = 1000
            archive.addfile(member, io.BytesIO(number.to_bytes(1) * 1000))
    monkeypatch.setattr(
        archives.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(content.getvalue()[: content.tell() // 2])
    )
    with pytest.raises(FetchError, match="goes on where it stopped"):
        files_of(REPOSITORIES[2], "https://example.org", ".md")


@pytest.mark.parametrize(("content", "text"), [(b"caf\xc3\xa9", "café"), (b"\xef\xbb\xbfa", "a"), (b"it\x92s", "it’s")])
def test_older_texts_are_windows_1252(content: bytes, text: str, tmp_path: Path) -> None:
    folder = tmp_path / "someone" / "stories" / "en"
    folder.mkdir(parents=True)
    (folder / "a.md").write_bytes(content)
    assert files_of(REPOSITORIES[2], str(tmp_path), ".md") == [("en/a.md", text)]
