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
from safetensors.torch import load_file, save_file

import bortlab
from bortlab import registry
from bortlab.checkpoint import CheckpointError
from bortlab.models import FAMILIES
from bortlab.registry import Registry
from bortlab.text import MASK, Tokenizer, TokenizerError, TokenizerKind
from bortlab.training.vocabulary import train_tokenizer

TEXTS = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat; a naïve dog barked at 9 o'clock.",
] * 10
SENTENCES = ("Paris is the capital of France.", "The [MASK] sat on the mat, unbelievably!", "naïve", "")
KINDS: tuple[TokenizerKind, ...] = ("unigram", "wordpiece", "byte-bpe")
CLASSES = {"unigram": "AlbertTokenizer", "wordpiece": "BertTokenizer", "byte-bpe": "RobertaTokenizer"}
CLASSIC = {"unigram": ("spiece.model",), "wordpiece": ("vocab.txt",), "byte-bpe": ("vocab.json", "merges.txt")}
FORMATS = ("model.safetensors", "sharded safetensors", "pytorch_model.bin", "sharded pytorch_model.bin")
MODELS = {
    "albert": (transformers.AlbertConfig, "Albert", {"embedding_size": 8}),
    "convbert": (transformers.ConvBertConfig, "ConvBert", {"embedding_size": 16, "conv_kernel_size": 3}),
    "bort": (transformers.BertConfig, "Bert", {"type_vocab_size": 1}),
    "bert": (transformers.BertConfig, "Bert", {}),
}
TASKS = {
    "masked-lm": "ForMaskedLM",
    "pre-training": "ForPreTraining",
    "sequence-classification": "ForSequenceClassification",
    "multiple-choice": "ForMultipleChoice",
    "token-classification": "ForTokenClassification",
    "question-answering": "ForQuestionAnswering",
    "encoder": "Model",
}
DOCUMENT = Path(__file__).parents[2] / "docs" / "folders.md"


@pytest.fixture(scope="module")
def tokenizers() -> dict[TokenizerKind, Tokenizer]:
    return {kind: train_tokenizer(kind, TEXTS, vocab_size=300) for kind in KINDS}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers.logging.set_verbosity_error()
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())


def write_model(folder: Path, family: str, *, task: str = "masked-lm", vocabulary: int = 320, **options: Any) -> Any:
    """A tiny random model of transformers, saved to a folder."""
    config, stem, sizes = MODELS[family]
    torch.manual_seed(0)
    model = getattr(transformers, stem + TASKS[task])(
        config(
            vocab_size=vocabulary,
            hidden_size=16,
            num_attention_heads=4,
            num_hidden_layers=2,
            intermediate_size=24,
            max_position_embeddings=64,
            **{**sizes, **options},
        )
    )
    model.save_pretrained(folder)
    return model.eval()


def write_tokenizer(folder: Path, tokenizer: Tokenizer, *, classic: bool, **config: Any) -> None:
    """The tokenizer's files, tokenizer.json or the classic ones alone, and a tokenizer_config.json."""
    tokenizer.save(folder)
    for name in ("tokenizer.json",) if classic else CLASSIC[tokenizer.kind]:
        (folder / name).unlink()
    said = json.loads((folder / "tokenizer_config.json").read_text()) | config
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in said.items() if v is not None}))


def write_weights(folder: Path, model: Any, form: str) -> None:
    """The weights in one of FORMATS, in place of what save_pretrained wrote."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    halves = [dict(list(state.items())[half::2]) for half in (0, 1)]
    end = "safetensors" if "safetensors" in form else "bin"
    stem = "model" if end == "safetensors" else "pytorch_model"
    parts = [state] if "sharded" not in form else halves
    names = [
        f"{stem}.{end}" if len(parts) == 1 else f"{stem}-{i + 1:05}-of-{len(parts):05}.{end}" for i in range(len(parts))
    ]
    for name, part in zip(names, parts, strict=True):
        if end == "safetensors":
            save_file(part, folder / name, metadata={"format": "pt"})
        else:
            torch.save(part, folder / name)
    if len(parts) > 1:
        placed = {key: name for name, part in zip(names, parts, strict=True) for key in part}
        index = {"metadata": {"total_size": 0}, "weight_map": placed}
        (folder / f"{stem}.{end}.index.json").write_text(json.dumps(index))


def family_argument(family: str) -> str | None:
    """What has to be said beside the folder: a Bort calls itself "bert"."""
    return "bort" if family == "bort" else None


@torch.no_grad()
def expected_logits(oracle: Any, ids: tuple[int, ...]) -> torch.Tensor:
    output = oracle(input_ids=torch.tensor([ids]))
    return getattr(output, "logits", None) if hasattr(output, "logits") else output.prediction_logits


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


def edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


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


# -- decoders ----------------------------------------------------------------------------------------------------------

DECODERS = {"bert": "cls.predictions.decoder.weight", "albert": "predictions.decoder.weight"}
TABLES = {"bert": "bert.embeddings.word_embeddings.weight", "albert": "albert.embeddings.word_embeddings.weight"}


def write_decoder(folder: Path, family: str, change: Any) -> None:
    state = load_file(folder / "model.safetensors")
    save_file(state | {DECODERS[family]: change(state[TABLES[family]])}, folder / "model.safetensors")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", DECODERS)
def test_a_decoder_that_was_rounded_is_read(
    tmp_path: Path,
    tokenizers: dict[TokenizerKind, Tokenizer],
    caplog: pytest.LogCaptureFixture,
    family: str,
    dtype: torch.dtype,
) -> None:
    write_model(tmp_path, family)
    write_tokenizer(tmp_path, tokenizers[FAMILIES[family].tokenizer], classic=False)
    write_decoder(tmp_path, family, lambda table: table.to(dtype).float())
    with caplog.at_level("WARNING", logger="bortlab"):
        model = bortlab.load_from(tmp_path)
    assert "differs from" in caplog.text and "rounding" in caplog.text
    oracle = getattr(transformers, f"{MODELS[family][1]}ForMaskedLM").from_pretrained(tmp_path).eval()
    encoding = model.encode(SENTENCES[1])
    torch.testing.assert_close(model.logits(encoding), expected_logits(oracle, encoding.ids), rtol=0.02, atol=2e-3)


def test_a_decoder_of_its_own_is_told_with_its_difference(
    tmp_path: Path, tokenizers: dict[TokenizerKind, Tokenizer]
) -> None:
    write_model(tmp_path, "bert")
    write_tokenizer(tmp_path, tokenizers["wordpiece"], classic=False)
    write_decoder(tmp_path, "bert", lambda table: table + 0.25)
    with pytest.raises(CheckpointError, match=r"differs from .*word_embeddings\.weight by up to 0\.25 \(100% of"):
        bortlab.load_from(tmp_path)
    assert bortlab.load_from(tmp_path, task="encoder").task == "encoder"


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
