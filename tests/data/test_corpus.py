"""The corpus: small steps on hand-written WordNet lines, and the committed files as they are."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bortlab.data import corpus
from bortlab.data.corpus import Document, bible, build, english, glosses
from bortlab.data.corpus.sentences import Describer
from bortlab.data.corpus.wordnet import WORDNET, WordNet, parse_synset

LINES = """\
02088364 05 n 01 beagle 0 001 @ 02087551 n 0000 | a small short-legged smooth-coated breed of hound
02087551 05 n 02 hound 0 hound_dog 0 002 ~ 02088364 n 0000 ~ 02089232 n 0000 | any of several breeds of hunting dog
02089232 05 n 02 foxhound 0 Vulpes_xyzzica 0 001 @ 02087551 n 0000 | medium-sized hounds; "the foxhound barked"
02083863 05 n 01 genus_Canis 0 000 | type genus of the Canidae: domestic and wild dogs
08932568 15 n 03 Paris 0 City_of_Light 0 capital_of_France 0 002 @i 08691669 n 0000 #p 08929922 n 0000 | the \
capital and largest city of France; and international center of culture
08929922 15 n 01 France 0 001 @i 08544813 n 0000 | a republic in western Europe
08544813 15 n 01 country 0 000 | the territory occupied by a nation
08691669 15 n 01 national_capital 0 000 | the capital city of a nation
01926311 38 v 01 sprint 0 001 @ 01926312 v 0000 01 + 02 00 | run very fast, usually for a short distance
01926312 38 v 01 run 0 000 01 + 02 00 | move fast by using one's feet; "Don't run--you'll be out of breath"
01247240 00 a 01 hot(p) 1 001 ! 01251128 a 0101 | having a high temperature; "hot stove"; "she's hot and tired"
01251128 00 a 01 cold 1 001 ! 01247240 a 0101 | having a low temperature; "a cold climate"- B. Frost
04000001 06 n 01 stove 0 000 | a kitchen appliance
"""


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    """WordNet of a dozen synsets."""
    synsets = {synset.key: synset for synset in map(parse_synset, LINES.splitlines())}
    senses: dict[tuple[str, str], list[str]] = {}
    for synset in synsets.values():
        for lemma in synset.lemmas:
            senses.setdefault((synset.pos, lemma.lower()), []).append(synset.key)
    return WordNet(synsets, senses, Counter({"n/02087551": 3}))


def sentences(wordnet: WordNet, key: str) -> tuple[str, ...]:
    """The sentences of one synset."""
    return Describer(wordnet).describe(wordnet.synsets[key])


def test_a_data_line_is_parsed() -> None:
    synset = parse_synset(LINES.splitlines()[10])
    assert (synset.key, synset.lemmas, synset.lexfile) == ("a/01247240", ("hot",), 0)
    assert [(p.symbol, p.key, p.source, p.target) for p in synset.pointers] == [("!", "a/01251128", 1, 1)]
    assert synset.gloss.startswith("having a high")


def test_a_wrong_data_line_is_named() -> None:
    with pytest.raises(ValueError, match="Not a WordNet data line"):
        parse_synset("not a line")


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("dog", "a"),
        ("apple", "an"),
        ("hour", "an"),
        ("hat", "a"),
        ("unit", "a"),
        ("uncle", "an"),
        ("uninvited", "an"),
        ("MP", "an"),
        ("UFO", "a"),
        ("European", "a"),
        ("one-way street", "a"),
        ("X-ray", "an"),
        ("heirloom", "an"),
        ("use", "a"),
        ("umbrella", "an"),
        ("11th", "an"),
        ("large hat", "a"),
        ("Indian", "an"),
        ("Turk", "a"),
    ],
)
def test_article(phrase: str, expected: str) -> None:
    assert english.article(phrase) == expected


def test_a_gloss_is_taken_apart() -> None:
    gloss = glosses.split_gloss('(law) one (a; b) thing; another; "He said; yes"- A. Name; "x y"')
    assert gloss == glosses.Gloss(("one (a; b) thing", "another"), ("He said; yes", "x y"), "law")


def test_sentence_is_tidied() -> None:
    assert english.sentence(" it ended ,  so ") == "It ended, so."
    assert english.sentence("who's there?") == "Who's there?"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("n/02088364", "A beagle is a kind of hound."),
        ("n/02088364", "A beagle is a small short-legged smooth-coated breed of hound."),
        ("n/02087551", "A hound is also called a hound dog."),
        ("n/02087551", "Kinds of hound are the beagle and the foxhound."),
        ("n/02089232", "The foxhound barked."),
        ("n/08932568", "Paris is a national capital."),
        ("n/08932568", "Paris is the capital of France."),
        ("n/08932568", "The capital of France is Paris."),
        ("n/08932568", "Paris is in France."),
        ("v/01926311", "To sprint is one way to run."),
        ("v/01926311", "To sprint is to run very fast, usually for a short distance."),
        ("a/01247240", "The opposite of hot is cold."),
        ("a/01247240", "One speaks of a hot stove."),
        ("a/01247240", "She's hot and tired."),
    ],
)
def test_a_synset_is_described(wordnet: WordNet, key: str, expected: str) -> None:
    assert expected in sentences(wordnet, key)


def test_scientific_names_are_left_out(wordnet: WordNet) -> None:
    assert sentences(wordnet, "n/02083863") == ()
    assert "Vulpes" not in " ".join(sentences(wordnet, "n/02089232"))


def test_a_verse_is_cleaned() -> None:
    osis = "<w>God</w><note>1:1 A note.</note><w>said</w>, \u201c<w>Let</w> <w>there</w> <w>be</w> <w>light</w>,<lb/>"
    assert bible.clean_verse(osis) == 'God said, "Let there be light."'
    assert bible.clean_verse("<title>A Psalm.</title>") == ""


def test_the_split_is_stable() -> None:
    held = [number for number in range(1000) if corpus.split_of(f"wordnet/n/{number:08d}") == "heldout"]
    assert 2 <= len(held) <= 20
    assert corpus.split_of("bible/Genesis/1") == "train"


def test_read_checks_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="missing"):
        corpus.read("train", tmp_path)
    document = Document("wordnet/n/00000001", 2, ("A b is a c.",))
    build.write([document], {}, tmp_path)
    assert corpus.read(corpus.split_of(document.id), tmp_path) == [document]
    (tmp_path / "train.jsonl.xz").write_bytes(b"x")
    with pytest.raises(ValueError, match="got sha256"):
        corpus.read("train", tmp_path)


def test_the_same_documents_give_the_same_bytes(tmp_path: Path) -> None:
    documents = [Document("wordnet/n/00000001", 2, ("A b is a c.",))]
    sums = [build.write_documents(tmp_path / name, documents) for name in ("one", "two")]
    assert sums[0] == sums[1]


def test_the_committed_corpus() -> None:
    train, heldout = corpus.read("train"), corpus.read("heldout")
    manifest = json.loads((corpus.ASSETS / "manifest.json").read_text())
    assert (manifest["command"], manifest["split_rule"]) == (build.COMMAND, build.SPLIT_RULE)
    for split, documents in (("train", train), ("heldout", heldout)):
        assert manifest["splits"][split] == build.statistics(documents)
        assert all(corpus.split_of(document.id) == split for document in documents)
    sentences = [text for document in train + heldout for text in document.sentences]
    assert len(sentences) == len(set(map(corpus.normal, sentences)))
    assert all(2 <= corpus.n_words(text) <= corpus.MAX_WORDS for text in sentences)
    assert not [text for text in sentences if not re.search(r"[.!?][\"')]*$", text) or re.search(r"[|_\t]", text)][:5]
    assert 3.5e6 <= sum(map(corpus.n_words, sentences)) <= 5e6


def test_the_committed_blanks() -> None:
    rows = json.loads((corpus.ASSETS / "blanks.json").read_text())
    assert Counter(row["kind"] for row in rows) == dict.fromkeys(("kind", "opposite", "part", "capital", "verse"), 40)
    train = {document.id: document for document in corpus.read("train")}
    for row in rows:
        assert row["text"].count("[MASK]") == 1
        assert all(answer.isalpha() for answer in row["answers"])
        written = train[row["source"]].sentences
        assert any(row["text"].replace("[MASK]", answer) in written for answer in row["answers"]), row


@pytest.mark.slow
@pytest.mark.skipif(
    not (WORDNET / "data.noun").exists() or shutil.which("diatheke") is None,
    reason="needs Debian's wordnet-base, sword-text-web and diatheke",
)
def test_the_build_gives_the_committed_corpus() -> None:
    built = {document.id: document for document in build.build()}
    assert built == {document.id: document for split in ("train", "heldout") for document in corpus.read(split)}
