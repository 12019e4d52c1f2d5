"""Folders as people bring them: every family with every kind of tokenizer, every format of weights and every task.

transformers is the oracle: the same pieces and the same logits. The table in docs/folders.md is what these tests read.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import bortlab
from bortlab import registry
from bortlab.checkpoint import CheckpointError
from bortlab.models import FAMILIES
from bortlab.text import MASK, Tokenizer, TokenizerError, TokenizerKind
from tests.contract.folders import (
    CLASSES,
    FORMATS,
    KINDS,
    MODELS,
    SENTENCES,
    edit_config,
    expected_logits,
    family_argument,
    write_model,
    write_tokenizer,
    write_weights,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "folders.md"
pytestmark = pytest.mark.usefixtures("fresh_registry")


@pytest.mark.parametrize("files", ["tokenizer.json", "classic"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", MODELS)
def test_any_family_takes_any_kind_of_tokenizer(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], family: str, kind: TokenizerKind, files: str
) -> None:
    oracle = write_model(tmp_path, family)
    write_tokenizer(tmp_path, tokenizers[kind], classic=files == "classic", tokenizer_class=CLASSES[kind])
    say = family if FAMILIES[family].tokenizer != kind or family == "bort" else None
    model = bortlab.load_from(tmp_path, family=say)
    assert model.family.name == family and model.tokenizer.kind == kind
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for sentence in SENTENCES:
        ids = model.encode(sentence).ids
        assert list(ids) == theirs(sentence.replace(MASK, theirs.mask_token)).input_ids
        ours = model.logits(model.encode(sentence))
        torch.testing.assert_close(ours, expected_logits(oracle, ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("family", MODELS)
def test_every_format_of_weights(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], family: str, form: str
) -> None:
    oracle = write_model(tmp_path, family)
    write_tokenizer(tmp_path, tokenizers[FAMILIES[family].tokenizer], classic=False)
    write_weights(tmp_path, oracle, form)
    model = bortlab.load_from(tmp_path, family=family_argument(family))
    encoding = model.encode(SENTENCES[1])
    torch.testing.assert_close(model.logits(encoding), expected_logits(oracle, encoding.ids), rtol=1e-4, atol=1e-5)


def tasks() -> list[tuple[str, str]]:
    return [(family, task) for family in MODELS for task in FAMILIES[family].tasks]


@pytest.mark.parametrize(("family", "task"), tasks())
def test_every_task(tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], family: str, task: str) -> None:
    write_model(tmp_path, family, task=task)
    write_tokenizer(tmp_path, tokenizers[FAMILIES[family].tokenizer], classic=False)
    model = bortlab.load_from(tmp_path, family=family_argument(family), task=task)
    assert model.task == task and "random" not in model.heads.values()
    assert all(values.isfinite().all() for values in model.scores(model.encode(SENTENCES[0])).values())


def table() -> str:
    """The document's table: one line a family."""
    lines = ["| family | tokenizers | weights | tasks |", "|---|---|---|---|"]
    for name in MODELS:
        family = FAMILIES[name]
        kinds = ", ".join(f"**{kind}**" if kind == family.tokenizer else kind for kind in KINDS)
        lines.append(f"| {family.title} | {kinds} | {', '.join(FORMATS)} | {', '.join(family.tasks)} |")
    return "\n".join(lines)


def test_the_document_lists_what_is_read() -> None:
    assert table() in DOCUMENT.read_text(encoding="utf-8"), f"write this table into {DOCUMENT.name}:\n{table()}"


# -- tokenizers that say what they are ---------------------------------------------------------------------------------

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "paris", "is", "a", "##b", "##c", "b", "c", "e", "##1", "##9"]


def write_words(folder: Path, words: list[str] = WORDS, *, mark: bytes = b"", **config: Any) -> Path:
    """A vocab.txt, with what tokenizer_config.json says."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_bytes(mark + "".join(f"{word}\n" for word in words).encode())
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def pieces(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text).ids)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("BertJapaneseTokenizer", {"subword_tokenizer_type": "character", "word_tokenizer_type": "basic"}),
        ("BertJapaneseTokenizer", {"word_tokenizer_type": "mecab"}),
        ("BertweetTokenizer", {}),
        ("XLNetTokenizer", {}),
    ],
)
def test_a_class_that_cuts_in_its_own_way_is_refused(tmp_path: Path, name: str, files: dict[str, str]) -> None:
    with pytest.raises(TokenizerError, match=f"{name}, which cuts text in a way of its own"):
        Tokenizer.from_folder(write_words(tmp_path, tokenizer_class=name, **files))


def test_the_class_of_config_json_counts_too(tmp_path: Path) -> None:
    write_words(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "tokenizer_class": "BertweetTokenizer"}))
    with pytest.raises(TokenizerError, match="BertweetTokenizer"):
        Tokenizer.from_folder(tmp_path)


@pytest.mark.parametrize("name", ["BertTokenizer", "BertTokenizerFast", "ElectraTokenizer", "ConvBertTokenizerFast"])
def test_a_class_that_cuts_alike_is_read(tmp_path: Path, name: str) -> None:
    tokenizer = Tokenizer.from_folder(write_words(tmp_path, tokenizer_class=name))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert pieces(tokenizer, "Paris is abc") == theirs("Paris is abc").input_ids


def test_a_class_without_its_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"PreTrainedTokenizerFast needs a tokenizer\.json"):
        Tokenizer.from_folder(write_words(tmp_path, tokenizer_class="PreTrainedTokenizerFast"))
    with pytest.raises(TokenizerError, match=r"Expected tokenizer\.json or spiece\.model"):
        Tokenizer.from_folder(write_words(tmp_path, tokenizer_class="AlbertTokenizer"))


def test_the_class_decides_between_files_of_two_kinds(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]
) -> None:
    for kind in ("unigram", "wordpiece"):
        tokenizers[kind].save_vocabulary(tmp_path)  # type: ignore[index]
    assert Tokenizer.from_folder(tmp_path, prefer="unigram").kind == "unigram"
    assert Tokenizer.from_folder(tmp_path, prefer="wordpiece").kind == "wordpiece"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    assert Tokenizer.from_folder(tmp_path, prefer="unigram").kind == "wordpiece"


def test_a_definition_of_another_kind_than_its_class_is_told(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]
) -> None:
    write_tokenizer(tmp_path, tokenizers["wordpiece"], classic=False, tokenizer_class="AlbertTokenizer")
    with pytest.raises(TokenizerError, match=r"holds a wordpiece tokenizer, but tokenizer_config\.json names a class"):
        Tokenizer.from_folder(tmp_path)


# -- added tokens ------------------------------------------------------------------------------------------------------

MARKED = "paris is ab [E1] covid19 Covid19 covid19x"
DECODER = {
    "15": {
        "content": "[E1]",
        "special": True,
        "normalized": False,
        "lstrip": False,
        "rstrip": False,
        "single_word": False,
    },
    "16": {
        "content": "covid19",
        "special": False,
        "normalized": True,
        "lstrip": False,
        "rstrip": False,
        "single_word": False,
    },
}
ADDED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "added_tokens.json": ({"covid19": 15, "New": 16}, {}),
    "added_tokens_decoder": ({}, {"added_tokens_decoder": DECODER}),
    "additional_special_tokens": ({}, {"additional_special_tokens": ["[E1]", "[E2]"]}),
}


@pytest.mark.parametrize(("beside", "config"), ADDED.values(), ids=ADDED)
def test_added_tokens_beside_classic_files(tmp_path: Path, beside: dict[str, int], config: dict[str, Any]) -> None:
    write_words(tmp_path, tokenizer_class="BertTokenizer", **config)
    if beside:
        (tmp_path / "added_tokens.json").write_text(json.dumps(beside))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert (
        tokenizer.vocabulary.items()
        >= {token: theirs.convert_tokens_to_ids(token) for token in theirs.get_vocab()}.items()
    )
    assert pieces(tokenizer.allowing(), MARKED) == theirs(MARKED).input_ids
    tokenizer.save(tmp_path / "saved")
    assert pieces(Tokenizer.from_folder(tmp_path / "saved").allowing(), MARKED) == theirs(MARKED).input_ids


def test_special_tokens_mean_themselves_for_those_who_ask(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_folder(write_words(tmp_path, added_tokens_decoder=DECODER))
    assert 15 not in pieces(tokenizer, MARKED)  # what a visitor types is text
    assert 15 in pieces(tokenizer.allowing("[E1]"), MARKED)
    assert 15 in pieces(pickle.loads(pickle.dumps(tokenizer.allowing("[E1]"))), MARKED)
    assert pieces(tokenizer.allowing("[E1]"), "[CLS] [E1]").count(tokenizer.cls_id) == 1
    encoding = tokenizer.allowing("[E1]").encode(f"paris [E1] {MASK}")
    assert [encoding.source(piece) for piece, number in enumerate(encoding.ids) if number == 15] == ["[E1]"]
    with pytest.raises(TokenizerError, match=r"'\[E9\]' is not a special token that a text can contain.*\[E1\]"):
        tokenizer.allowing("[E9]")
    with pytest.raises(TokenizerError, match=r"'\[CLS\]' is not"):
        tokenizer.allowing("[CLS]")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"added_tokens_decoder": {"x": {"content": "a"}}}, "has the id 'x', expected a number"),
        ({"added_tokens_decoder": ["a"]}, "added_tokens_decoder is malformed"),
        ({"added_tokens_decoder": {"999999999": {"content": "zebra"}}}, "Expected 1 to 300,000 entries"),
    ],
)
def test_added_tokens_that_are_none(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        Tokenizer.from_folder(write_words(tmp_path, **config))


# -- names of special tokens -------------------------------------------------------------------------------------------


def test_special_tokens_by_other_names(tmp_path: Path) -> None:
    write_words(tmp_path, ["<pad>", "<unk>", "<s>", "</s>", "<mask>", "paris", "is", "a", "##b"])
    names = {
        "unk_token": "<unk>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "mask_token": "<mask>",
        "pad_token": "<pad>",
    }
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert pieces(tokenizer, f"paris {MASK} q") == theirs("paris <mask> q").input_ids
    tokenizer.save(tmp_path / "saved")
    assert pieces(Tokenizer.from_folder(tmp_path / "saved"), "paris q") == theirs("paris q").input_ids


def test_a_byte_order_mark_is_no_part_of_the_first_piece(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_folder(write_words(tmp_path, mark=b"\xef\xbb\xbf"))
    assert tokenizer.pad_id == 0 and pieces(tokenizer, "paris") == [2, 5, 3]


# -- fields that a task does not use -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"problem_type": "ner"},
        {"problem_type": ""},
        {"id2label": {"0": "a", "1": "b"}, "num_labels": 12},
        {"id2label": {"1": "a", "2": "b"}},
        {"num_labels": "many"},
    ],
)
def test_labels_do_not_stop_those_who_need_none(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], changes: dict[str, Any]
) -> None:
    write_model(tmp_path, "bert")
    write_tokenizer(tmp_path, tokenizers["wordpiece"], classic=False)
    edit_config(tmp_path, **changes)
    assert bortlab.load_from(tmp_path).fill_mask(SENTENCES[1]).blanks


def test_the_number_of_labels_wins(tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]) -> None:
    oracle = write_model(tmp_path, "bert", task="sequence-classification", num_labels=12)
    write_tokenizer(tmp_path, tokenizers["wordpiece"], classic=False)
    edit_config(tmp_path, id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1}, num_labels=12)
    assert registry.own_task_from(tmp_path) == "sequence-classification"
    model = bortlab.load_from(tmp_path, task="sequence-classification")
    encoding = model.encode(SENTENCES[0])
    scores = model.scores(encoding)["sequence-classification"]
    torch.testing.assert_close(scores, expected_logits(oracle, encoding.ids), rtol=1e-4, atol=1e-5)
    assert model.config.labels == tuple(f"LABEL_{number}" for number in range(12))


def test_labels_that_cannot_be_read_stop_a_classifier(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]
) -> None:
    write_model(tmp_path, "bert", task="sequence-classification")
    write_tokenizer(tmp_path, tokenizers["wordpiece"], classic=False)
    edit_config(tmp_path, id2label={"1": "a", "2": "b"})
    with pytest.raises(CheckpointError, match="id2label: expected the keys 0 to 1"):
        bortlab.load_from(tmp_path, task="sequence-classification")


@pytest.mark.parametrize("name", ["swish", "gelu_fast", "gelu_python", "gelu_new", "relu6"])
def test_activations_by_their_other_names(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], name: str
) -> None:
    oracle = write_model(tmp_path, "bert", hidden_act=name)
    write_tokenizer(tmp_path, tokenizers["wordpiece"], classic=False)
    model = bortlab.load_from(tmp_path)
    encoding = model.encode(SENTENCES[0])
    torch.testing.assert_close(model.logits(encoding), expected_logits(oracle, encoding.ids), rtol=1e-4, atol=1e-5)


# -- families that share a name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("classic", [True, False])
def test_a_bort_that_calls_itself_bert(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer], classic: bool
) -> None:
    write_model(tmp_path, "bort")
    write_tokenizer(tmp_path, tokenizers["byte-bpe"], classic=classic)
    with pytest.raises(CheckpointError, match=r'family="bort" or family="bert"'):
        bortlab.load_from(tmp_path)
    assert bortlab.load_from(tmp_path, family="bort").family.name == "bort"
    assert bortlab.load_from(tmp_path, family="bert").family.name == "bert"
