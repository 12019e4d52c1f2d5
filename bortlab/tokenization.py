"""One `Tokenizer` for the three ways these models cut text: Unigram (ALBERT), WordPiece (BERT, ConvBERT), bytes (Bort).

The cutting itself is done by the `tokenizers` library; what this file adds is everything a lab needs around it:

- `[MASK]` means "the mask" for every model, and nothing else a user types is ever a special token;
- every piece knows its characters in the user's own text, and its word, so models with different pieces can be aligned;
- what does not fit is counted, never dropped silently;
- a broken or hostile tokenizer file gives a `TokenizerError`, never a Rust panic.

How special look-alikes are kept out: the backend that sees the user's text has no special tokens at all. Its vocabulary
spells them with a leading blank (" [CLS]"), which no pre-tokenizer lets through, and the template is laid around the
pieces here. The order of the pipeline follows transformers 5.23 (models/{albert,bert,roberta}/tokenization_*.py).
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

Kind = Literal["unigram", "wordpiece", "byte-bpe"]
PairFormat = Literal["single", "double"]  # separators between A and B: Bort's authors use one, RoBERTa two

MASK = "[MASK]"  # what the user types, whatever the model's own mask token is
MAX_FILE_BYTES = 20 * 2**20
MAX_PIECES = 300_000

# Unicode's White_Space, which is what `tokenizers` strips beside a mask (str.strip() would take \x1c-\x1f too).
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNREACHABLE = " "  # prefix of special tokens in the backend's vocabulary: no pre-tokenizer leaves a blank in a word


class TokenizerError(ValueError):
    """A tokenizer file, text or id that cannot be used; the message says what, got, expected and what to do."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The five tokens with a role, as the vocabulary spells them."""

    cls: str
    sep: str
    pad: str
    unk: str
    mask: str


_BRACKETS = SpecialTokens("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")
SPECIAL_TOKENS: Mapping[Kind, SpecialTokens] = MappingProxyType(
    {
        "unigram": SpecialTokens("[CLS]", "[SEP]", "<pad>", "<unk>", "[MASK]"),
        "wordpiece": _BRACKETS,
        "byte-bpe": SpecialTokens("<s>", "</s>", "<pad>", "<unk>", "<mask>"),
    }
)
_MODEL_TYPES: Mapping[str, Kind] = MappingProxyType({"Unigram": "unigram", "WordPiece": "wordpiece", "BPE": "byte-bpe"})
_TOKENIZER_CLASSES: Mapping[Kind, str] = MappingProxyType(
    {"unigram": "AlbertTokenizer", "wordpiece": "BertTokenizer", "byte-bpe": "RobertaTokenizer"}
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text (or a pair) cut into pieces, with the model's template tokens around them. Tuples have one entry a piece.

    A character that the model's normaliser drops (a combining accent, a control character) belongs to no piece, or to
    the piece around it; several pieces of one character (bytes, "½") share its span.
    Lone surrogates in the user's text are stored as U+FFFD, character for character: such a text can be sent and shown.
    """

    text: str
    pair: str | None
    ids: tuple[int, ...]
    type_ids: tuple[int, ...]  # 1 for `pair` and its separator; all 0 where the model has no token types (Bort)
    tokens: tuple[str, ...]  # as the vocabulary spells them
    offsets: tuple[tuple[int, int], ...]  # characters of `text` (of `pair` where `parts` is 1); (0, 0) for the template
    special: tuple[bool, ...]  # added by the template; the mask is not special
    words: tuple[int | None, ...]  # word of the user's text, whatever the tokenizer; `pair` counts on after `text`
    mask_positions: tuple[int, ...]  # which pieces are the mask
    truncated: int = 0  # pieces left out to keep to `max_length`
    truncated_at: int | None = None  # character of `text` where it was cut
    pair_truncated_at: int | None = None  # character of `pair` where it was cut

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def parts(self) -> tuple[int | None, ...]:
        """For each piece 0 (from `text`), 1 (from `pair`) or None (template): what `type_ids` cannot say for Bort."""
        parts: list[int | None] = []
        separators = -1  # the first template token opens the text
        for special in self.special:
            separators += special
            parts.append(None if special else min(separators, 1))
        return tuple(parts)

    def source(self, piece: int) -> str:
        """The user's own characters behind a piece; empty for template tokens."""
        start, end = self.offsets[piece]
        return (self.text if self.pair is None or self.parts[piece] != 1 else self.pair)[start:end]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tokenizer:
    """Text to pieces and back for one model. Immutable after construction; any number of threads may share it.

    `definition` is the text of a tokenizer.json (what `tokenizers.Tokenizer.to_str` gives). Its template, padding and
    truncation are not used: the template is the family's, and `pair_format` picks Bort's `<s> A </s> B </s>` ("single")
    or RoBERTa's `<s> A </s></s> B </s>` ("double"). `special_tokens` are the family's own unless given.
    Raises `TokenizerError` if the definition is unusable or lacks one of the special tokens.
    """

    definition: str
    special_tokens: InitVar[SpecialTokens | None] = None
    pair_format: PairFormat = "single"
    kind: Kind = field(init=False)
    vocabulary: Mapping[str, int] = field(init=False)  # every token, added ones included -> id
    vocab_size: int = field(init=False)  # largest id + 1: the rows an embedding needs
    cls_token: str = field(init=False)
    sep_token: str = field(init=False)
    pad_token: str = field(init=False)
    unk_token: str = field(init=False)
    mask_token: str = field(init=False)
    cls_id: int = field(init=False)
    sep_id: int = field(init=False)
    pad_id: int = field(init=False)
    unk_id: int = field(init=False)
    mask_id: int = field(init=False)
    special_ids: frozenset[int] = field(init=False)
    _tokens: Mapping[int, str] = field(init=False)
    _remap: Mapping[int, int] = field(init=False)  # backend id -> our id, for words added to the vocabulary later
    _backend: tokenizers.Tokenizer = field(init=False)

    # -- construction ------------------------------------------------------------------------------------------------

    def __post_init__(self, special_tokens: SpecialTokens | None) -> None:
        if self.pair_format not in get_args(PairFormat):
            raise TokenizerError(f"Unknown pair_format {self.pair_format!r}. Known: {', '.join(get_args(PairFormat))}.")
        document = _parse_json(self.definition, "tokenizer definition")
        kind = _kind_of(document)
        entries = _entries_of(document)
        vocabulary = dict(entries)
        names = special_tokens or SPECIAL_TOKENS[kind]
        fixed: dict[str, Any] = {"kind": kind}
        for role in ("cls", "sep", "pad", "unk", "mask"):
            token = getattr(names, role)
            if token not in vocabulary:
                raise TokenizerError(
                    f"The {kind} vocabulary of {len(vocabulary):,} tokens has no {role} token {token!r}. "
                    f"Name the right one as {role}_token in tokenizer_config.json."
                )
            fixed |= {f"{role}_token": token, f"{role}_id": vocabulary[token]}
        added = document.get("added_tokens") or []
        special = {token["content"] for token in added if token.get("special")}
        special |= {names.cls, names.sep, names.pad, names.unk, names.mask}
        extra = [token for token in added if token["content"] not in special]
        backend = _blind_backend(document, special, extra)
        with _rust("read the tokenizer"):
            remap = {backend.token_to_id(token["content"]): vocabulary[token["content"]] for token in extra}
        fixed |= {
            "vocabulary": MappingProxyType(vocabulary),
            "vocab_size": max(number for _, number in entries) + 1,
            "special_ids": frozenset(vocabulary[token] for token in special),
            "definition": _canonical(document, names, kind, self.pair_format, vocabulary, extra),
            "_tokens": {number: token for token, number in entries},
            "_remap": {theirs: ours for theirs, ours in remap.items() if theirs is not None and theirs != ours},
            "_backend": backend,
        }
        for name, value in fixed.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_folder(
        cls, path: str | os.PathLike[str], kind: Kind | None = None, *, pair_format: PairFormat | None = None
    ) -> Tokenizer:
        """Read a model's folder: tokenizer.json first, else vocab.txt, vocab.json + merges.txt or spiece.model.

        `kind` is what the caller expects (another kind is an error). tokenizer_config.json and special_tokens_map.json
        are honoured: token names, do_lower_case, keep_accents, strip_accents, tokenize_chinese_chars, add_prefix_space.
        """
        folder = Path(path)
        if kind is not None and kind not in get_args(Kind):
            raise TokenizerError(f"Unknown tokenizer kind {kind!r}. Known: {', '.join(get_args(Kind))}.")
        config = _read_json_if_there(folder / "special_tokens_map.json")
        config |= _read_json_if_there(folder / "tokenizer_config.json")
        options = _Options.from_config(config)
        definition = _read_definition(folder, kind, options)
        found = _kind_of(_parse_json(definition, "tokenizer definition"))
        if kind is not None and found != kind:
            raise TokenizerError(f"{folder} holds a {found} tokenizer, expected {kind}. Use a folder of that family.")
        pair_format = pair_format or ("double" if config.get("pair_format") == "double" else "single")
        return cls(definition, _special_tokens_from(config, found), pair_format)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write tokenizer.json, tokenizer_config.json and the classic vocabulary files into the folder `path`.

        transformers reads the folder back to the same ids (pairs of Bort in RoBERTa's format: it knows no other).
        spiece.model is left out where sentencepiece is not installed.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, bytes] = {
            "tokenizer.json": self.definition.encode(),
            "tokenizer_config.json": _dump(self._config(), indent=2).encode(),
        }
        document = json.loads(self.definition)
        in_order = sorted(self.vocabulary, key=self.vocabulary.__getitem__)
        a_line_each = len(in_order) == self.vocab_size and not any("\n" in token or "\r" in token for token in in_order)
        if self.kind == "wordpiece" and a_line_each:
            files["vocab.txt"] = "".join(f"{token}\n" for token in in_order).encode()
        elif self.kind == "byte-bpe":
            merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in document["model"].get("merges", [])]
            files["vocab.json"] = _dump({token: self.vocabulary[token] for token in in_order}).encode()
            files["merges.txt"] = "".join(f"{line}\n" for line in ["#version: 0.2", *merges]).encode()
        elif self.kind == "unigram" and (proto := sentencepiece_proto(required=False)) is not None:
            files["spiece.model"] = _write_spiece(proto, document, self)
        for name, content in files.items():
            unfinished = folder / f".{name}.{os.getpid()}"
            unfinished.write_bytes(content)
            os.replace(unfinished, folder / name)

    # -- text to pieces ----------------------------------------------------------------------------------------------

    def encode(self, text: str, pair: str | None = None, *, max_length: int | None = None) -> Encoding:
        """Cut `text` (and `pair`) into pieces inside the model's template.

        `[MASK]` is the mask; anything else is ordinary text. With `max_length` the longer side is shortened first, the
        template is kept, and `truncated` says how many pieces were left out. Raises `TokenizerError` for a `max_length`
        that cannot hold the template and for a tokenizer that fails on this text.
        """
        text = without_surrogates(text)
        pair = None if pair is None else without_surrogates(pair)
        first = self._cut(text)
        second = [] if pair is None else self._cut(pair)
        between = 1 if self.kind != "byte-bpe" or self.pair_format == "single" else 2
        n_template = 2 if pair is None else 2 + between
        keep_first, keep_second = len(first), len(second)
        if max_length is not None:
            if max_length < n_template:
                raise TokenizerError(
                    f"max_length={max_length} cannot hold the {n_template} template tokens. Use at least {n_template}."
                )
            keep_first, keep_second = _shorten(len(first), len(second), max_length - n_template)

        types = (0, 0) if self.kind == "byte-bpe" else (0, 1)
        rows: list[tuple[int, int, tuple[int, int], bool, int | None]] = []

        def template(number: int, type_id: int) -> None:
            rows.append((number, type_id, (0, 0), True, None))

        def add(source: str, pieces: list[_Piece], type_id: int, first_word: int) -> int:
            index = _word_of_each_character(source)
            for number, (start, end) in pieces:
                word = next((word for word in index[start : max(end, start + 1)] if word is not None), None)
                rows.append((number, type_id, (start, end), False, None if word is None else word + first_word))
            return first_word + 1 + max((word for word in index if word is not None), default=-1)

        template(self.cls_id, 0)
        n_words = add(text, first[:keep_first], types[0], 0)
        template(self.sep_id, 0)
        if pair is not None:
            for _ in range(between - 1):
                template(self.sep_id, 0)
            add(pair, second[:keep_second], types[1], n_words)
            template(self.sep_id, types[1])

        ids, type_ids, offsets, special, words = zip(*rows, strict=True)
        return Encoding(
            text=text,
            pair=pair,
            ids=ids,
            type_ids=type_ids,
            tokens=tuple(map(self.token_of, ids)),
            offsets=offsets,
            special=special,
            words=words,
            mask_positions=tuple(i for i, number in enumerate(ids) if number == self.mask_id),
            truncated=len(first) - keep_first + len(second) - keep_second,
            truncated_at=first[keep_first][1][0] if keep_first < len(first) else None,
            pair_truncated_at=second[keep_second][1][0] if keep_second < len(second) else None,
        )

    def encode_word(self, word: str, *, after_space: bool = True) -> tuple[int, ...]:
        """Ids of a word as it stands inside a sentence; `after_space=False`: glued to what is before it, as after "(".

        WordPiece does not see spaces, so there both are the same. An unknown word gives `unk_id`.
        """
        word = without_surrogates(word).strip(_SPACES)
        if self.kind == "byte-bpe" and after_space and word:
            return tuple(number for number, _ in self._cut(" " + word))
        if self.kind == "unigram" and not after_space and word and MASK not in word:
            with _rust("cut the word"):
                normalizer = self._backend.normalizer
                glued, *rest = (normalizer.normalize_str(word) if normalizer else word).split() or [""]
                head = [piece.id for piece in self._backend.model.tokenize(glued)] if glued else []
            return (*head, *(number for part in rest for number in self.encode_word(part)))
        return tuple(number for number, _ in self._cut(word))

    def ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        """Plain ids of many texts, fast, for training data: no template, no mask (`[MASK]` is ordinary text)."""
        with _rust("encode the texts"):
            encodings = self._backend.encode_batch_fast(
                [without_surrogates(text) for text in texts], add_special_tokens=False
            )
        return [[self._remap.get(number, number) for number in encoding.ids] for encoding in encodings]

    def pad(self, encodings: Sequence[Encoding]) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        """Encodings -> (ids, mask, type_ids), each (batch, seq), filled up on the right; mask is 1 on real pieces."""
        width = max((len(encoding) for encoding in encodings), default=0)
        ids = [[*e.ids, *[self.pad_id] * (width - len(e))] for e in encodings]
        mask = [[1] * len(e) + [0] * (width - len(e)) for e in encodings]
        type_ids = [[*e.type_ids, *[0] * (width - len(e))] for e in encodings]
        return ids, mask, type_ids

    # -- pieces to text ----------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """Ids -> text. `skip_special` leaves out template, padding, mask and unknown tokens, as transformers does."""
        tokens = [self.token_of(number) for number in ids if not (skip_special and number in self.special_ids)]
        with _rust("decode the ids"):
            decoder = self._backend.decoder
            return decoder.decode(tokens) if decoder is not None else " ".join(tokens)

    def piece_text(self, number: int) -> str:
        """A piece as a person reads it: '▁the' and 'Ġthe' -> 'the', '##ing' stays; a lone space mark -> ' '.

        Bytes that are no whole character (byte-level BPE) are spelled as escapes, such as '\\xe2\\x80'.
        """
        token = self.token_of(number)
        if number in self.special_ids or self.kind == "wordpiece":
            return token
        if self.kind == "unigram":
            text = token.replace("▁", " ")
        else:
            text = bytes(_BYTES[c] for c in token if c in _BYTES).decode("utf-8", errors="backslashreplace")
        return text.lstrip(" ") or " "

    def starts_word(self, number: int) -> bool:
        """Whether a piece begins a word in a sentence: '▁the', 'Ġthe', 'the', not '##the'; False for special tokens."""
        token = self.token_of(number)
        if number in self.special_ids:
            return False
        if self.kind == "wordpiece":
            return not token.startswith("##")
        return token.startswith("▁" if self.kind == "unigram" else "Ġ")

    def id_of(self, token: str) -> int:
        """Id of a token as the vocabulary spells it; `TokenizerError` if it has none."""
        try:
            return self.vocabulary[token]
        except KeyError:
            raise TokenizerError(
                f"{token!r} is not one of the {len(self.vocabulary):,} tokens. encode_word cuts any word into some."
            ) from None

    def token_of(self, number: int) -> str:
        """Token of an id, as the vocabulary spells it; `TokenizerError` if there is none."""
        try:
            return self._tokens[number]
        except KeyError:
            raise TokenizerError(f"No token has the id {number}; expected 0 to {self.vocab_size - 1}.") from None

    def __repr__(self) -> str:
        return f"Tokenizer(kind={self.kind!r}, vocab_size={self.vocab_size})"

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[str, SpecialTokens | None, PairFormat]]:
        names = SpecialTokens(self.cls_token, self.sep_token, self.pad_token, self.unk_token, self.mask_token)
        return Tokenizer, (self.definition, names, self.pair_format)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _cut(self, text: str) -> list[_Piece]:
        """Pieces of one text, without template: the backend cuts the runs between masks, offsets are of the whole text.

        The white space before a mask belongs to the mask (lstrip, as in ALBERT and RoBERTa).
        """
        pieces: list[_Piece] = []
        start = 0
        for found in re.finditer(re.escape(MASK), text):
            pieces += self._cut_run(text[start : found.start()].rstrip(_SPACES), start)
            pieces.append((self.mask_id, found.span()))
            start = found.end()
        return pieces + self._cut_run(text[start:], start)

    def _cut_run(self, run: str, base: int) -> list[_Piece]:
        """Pieces of a run of text without mask that begins at character `base`."""
        if not run:
            return []
        with _rust("cut the text"):
            encoding = self._backend.encode(run, add_special_tokens=False)
            ids, offsets = encoding.ids, encoding.offsets
        pieces: list[_Piece] = []
        for i, (number, (start, end)) in enumerate(zip(ids, offsets, strict=True)):
            number = self._remap.get(number, number)
            if self._tokens.get(number) == "▁" and i + 1 < len(offsets) and offsets[i + 1][0] == start:
                end = start  # the mark of a word that follows, not a character of the user
            elif not run[start:end].isspace():
                while end > start and run[start] in _SPACES:
                    start += 1
                while end > start and run[end - 1] in _SPACES:
                    end -= 1
            pieces.append((number, (base + start, base + end)))
        return pieces

    def _config(self) -> dict[str, Any]:
        """tokenizer_config.json, in the words of transformers."""
        options = _Options.from_document(json.loads(self.definition))
        config: dict[str, Any] = {"tokenizer_class": _TOKENIZER_CLASSES[self.kind]}
        config |= {f"{role}_token": getattr(self, f"{role}_token") for role in ("cls", "sep", "pad", "unk")}
        mask = {"lstrip": self.kind != "wordpiece", "rstrip": False, "normalized": False, "single_word": False}
        config["mask_token"] = {"__type": "AddedToken", "content": self.mask_token, **mask, "special": True}
        if self.kind != "wordpiece":
            config |= {"bos_token": self.cls_token, "eos_token": self.sep_token}
        if self.kind == "byte-bpe":
            return config | {"add_prefix_space": bool(options.add_prefix_space), "pair_format": self.pair_format}
        config["do_lower_case"] = bool(options.do_lower_case)
        if self.kind == "unigram":
            return config | {"keep_accents": bool(options.keep_accents)}
        chinese = bool(options.tokenize_chinese_chars)
        return config | {"strip_accents": options.strip_accents, "tokenize_chinese_chars": chinese}


_Piece = tuple[int, tuple[int, int]]  # id, (start, end) in the text


# -- pipelines ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Options:
    """What tokenizer_config.json may say about the pipeline; None: not said."""

    do_lower_case: bool | None = None
    keep_accents: bool | None = None  # ALBERT
    strip_accents: bool | None = None  # BERT; None means "as do_lower_case", the original rule
    tokenize_chinese_chars: bool | None = None  # BERT
    add_prefix_space: bool | None = None  # byte-level BPE

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> _Options:
        values = {name: config.get(name) for name in cls.__slots__}
        for name, value in values.items():
            if value is not None and not isinstance(value, bool):
                raise TokenizerError(f"tokenizer_config.json: {name} is {value!r}, expected true or false.")
        return cls(**values)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> _Options:
        """The options a tokenizer.json stands for."""
        steps = _flat(document.get("normalizer"), "normalizers")
        names = {step.get("type") for step in steps}
        bert = next((step for step in steps if step.get("type") == "BertNormalizer"), None)
        cutters = _flat(document.get("pre_tokenizer"), "pretokenizers")
        return cls(
            do_lower_case=bool(bert.get("lowercase", True)) if bert else "Lowercase" in names,
            keep_accents="StripAccents" not in names,
            strip_accents=bert.get("strip_accents") if bert else None,
            tokenize_chinese_chars=bool(bert.get("handle_chinese_chars", True)) if bert else None,
            add_prefix_space=any(
                step.get("add_prefix_space", True) for step in cutters if step.get("type") == "ByteLevel"
            ),
        )


def blank(
    kind: Kind,
    *,
    do_lower_case: bool | None = None,
    keep_accents: bool | None = None,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool | None = None,
    add_prefix_space: bool | None = None,
    charsmap: bytes = b"",
) -> tokenizers.Tokenizer:
    """The family's pipeline around an empty model, ready to be trained.

    Defaults are the published models': ALBERT and BERT lower-case and strip accents, Bort keeps the text as it is.
    `charsmap` is SentencePiece's precompiled normalisation (ALBERT).
    """
    lower = do_lower_case is not False
    if kind == "unigram":
        backend = tokenizers.Tokenizer(models.Unigram())
        steps: list[normalizers.Normalizer] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
        if not keep_accents:
            steps += [normalizers.NFKD(), normalizers.StripAccents()]
        if lower:
            steps.append(normalizers.Lowercase())
        if charsmap:
            steps.append(normalizers.Precompiled(charsmap))
        backend.normalizer = normalizers.Sequence(steps)
        metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
        backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
        backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    elif kind == "wordpiece":
        backend = tokenizers.Tokenizer(models.WordPiece(unk_token=SPECIAL_TOKENS[kind].unk))
        backend.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars is not False,
            strip_accents=strip_accents,
            lowercase=lower,
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(prefix="##")
    elif kind == "byte-bpe":
        backend = tokenizers.Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(add_prefix_space))
        backend.decoder = decoders.ByteLevel()
    else:
        raise TokenizerError(f"Unknown tokenizer kind {kind!r}. Known: {', '.join(get_args(Kind))}.")
    return backend


def _blank_from(kind: Kind, options: _Options, charsmap: bytes = b"") -> tokenizers.Tokenizer:
    return blank(
        kind,
        do_lower_case=options.do_lower_case,
        keep_accents=options.keep_accents,
        strip_accents=options.strip_accents,
        tokenize_chinese_chars=options.tokenize_chinese_chars,
        add_prefix_space=options.add_prefix_space,
        charsmap=charsmap,
    )


def _honour(document: dict[str, Any], options: _Options) -> None:
    """Let tokenizer_config.json overrule the pipeline of tokenizer.json, as transformers does."""
    kind = _kind_of(document)
    for step in _flat(document.get("normalizer"), "normalizers"):
        if step.get("type") == "BertNormalizer":
            said = {
                "lowercase": options.do_lower_case,
                "strip_accents": options.strip_accents,
                "handle_chinese_chars": options.tokenize_chinese_chars,
            }
            step |= {name: value for name, value in said.items() if value is not None}
    for step in _flat(document.get("pre_tokenizer"), "pretokenizers"):
        if step.get("type") == "ByteLevel" and options.add_prefix_space is not None:
            step["add_prefix_space"] = options.add_prefix_space
    if kind == "unigram" and document.get("normalizer"):
        own = _Options.from_document(document)
        lower = own.do_lower_case if options.do_lower_case is None else options.do_lower_case
        accents = own.keep_accents if options.keep_accents is None else options.keep_accents
        if (lower, accents) != (own.do_lower_case, own.keep_accents):
            wanted = _Options(do_lower_case=lower, keep_accents=accents)
            with _rust("rebuild the normaliser"):
                rebuilt = json.loads(_blank_from(kind, wanted, _charsmap_of(document)).to_str())
            document["normalizer"] = rebuilt["normalizer"]


# -- the parts of a tokenizer.json -------------------------------------------------------------------------------------


def _kind_of(document: Mapping[str, Any]) -> Kind:
    model = document.get("model")
    if not isinstance(model, dict):
        raise TokenizerError("tokenizer.json has no model. Expected an object with type Unigram, WordPiece or BPE.")
    name = model.get("type")
    if name is None:  # files older than tokenizers 0.10
        name = "Unigram" if isinstance(model.get("vocab"), list) else "BPE" if "merges" in model else "WordPiece"
    if not isinstance(name, str) or name not in _MODEL_TYPES:
        raise TokenizerError(f"The tokenizer's model is {name!r}. Supported: {', '.join(_MODEL_TYPES)}.")
    kind = _MODEL_TYPES[name]
    if kind == "byte-bpe":
        steps = _flat(document.get("pre_tokenizer"), "pretokenizers")
        if not any(step.get("type") == "ByteLevel" for step in steps):
            raise TokenizerError("The tokenizer is a BPE that does not cut bytes. Expected a ByteLevel pre-tokenizer.")
    return kind


def _entries_of(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(token, id) of the model's vocabulary and of the added tokens; checks types and bounds."""
    raw = document["model"].get("vocab")
    try:
        pairs: list[tuple[Any, Any]] = (
            [(str(piece), i) for i, (piece, _) in enumerate(raw)]
            if isinstance(raw, list)
            else [(str(token), number) for token, number in raw.items()]
        )
        added = document.get("added_tokens") or []
        pairs += [(token["content"], token["id"]) for token in added]
        valid = all(isinstance(token, str) and type(number) is int for token, number in pairs)
    except (AttributeError, TypeError, ValueError, KeyError):
        valid = False
    if not valid:
        raise TokenizerError("The vocabulary of the tokenizer is malformed. Expected tokens with whole-number ids.")
    if not pairs or len(pairs) > MAX_PIECES or not all(0 <= number < MAX_PIECES for _, number in pairs):
        raise TokenizerError(
            f"The vocabulary has {len(pairs):,} entries with ids up to {max((n for _, n in pairs), default=0):,}. "
            f"Expected 1 to {MAX_PIECES:,} entries with ids below that."
        )
    return pairs


def _blind_backend(document: Mapping[str, Any], special: set[str], extra: list[dict[str, Any]]) -> tokenizers.Tokenizer:
    """The backend for users' text: no template and no special token that text could match (module docstring)."""

    def hide(token: str) -> str:
        return _UNREACHABLE + token if token in special else token

    model = dict(document["model"])
    raw = model["vocab"]
    model["vocab"] = (
        [(hide(piece), score) for piece, score in raw]
        if isinstance(raw, list)
        else {hide(token): number for token, number in raw.items()}
    )
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = hide(model["unk_token"])
    nothing: dict[str, Any] = {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    with _rust("build the tokenizer"):
        backend = tokenizers.Tokenizer.from_str(_dump({**document, **nothing, "model": model}))
        flags = ("single_word", "lstrip", "rstrip", "normalized")
        backend.add_tokens([AddedToken(token["content"], **{f: bool(token.get(f)) for f in flags}) for token in extra])
    return backend


def _canonical(
    document: Mapping[str, Any],
    names: SpecialTokens,
    kind: Kind,
    pair_format: PairFormat,
    vocabulary: Mapping[str, int],
    extra: list[dict[str, Any]],
) -> str:
    """tokenizer.json as we write it: with our special tokens and our template, so that others read the same."""
    added = {token["content"]: token for token in document.get("added_tokens") or []}
    for token in (names.pad, names.unk, names.cls, names.sep, names.mask):
        lstrip = token == names.mask and kind != "wordpiece"
        flags = {"single_word": False, "lstrip": lstrip, "rstrip": False, "normalized": False, "special": True}
        added[token] = {"id": vocabulary[token], "content": token, **flags}

    def part(name: str, type_id: int) -> dict[str, Any]:
        return {"SpecialToken" if name in (names.cls, names.sep) else "Sequence": {"id": name, "type_id": type_id}}

    second = 0 if kind == "byte-bpe" else 1
    single = [part(names.cls, 0), part("A", 0), part(names.sep, 0)]
    doubled = [part(names.sep, 0)] if kind == "byte-bpe" and pair_format == "double" else []
    template = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *doubled, part("B", second), part(names.sep, second)],
        "special_tokens": {t: {"id": t, "ids": [vocabulary[t]], "tokens": [t]} for t in (names.cls, names.sep)},
    }
    ordered = sorted(added.values(), key=lambda token: int(token["id"]))
    return _dump({**document, "truncation": None, "padding": None, "added_tokens": ordered, "post_processor": template})


def _flat(step: object, inner: str) -> list[dict[str, Any]]:
    """A step of the pipeline, or the steps of a Sequence, as a flat list of JSON objects."""
    if not isinstance(step, dict):
        return []
    if step.get("type") == "Sequence" and isinstance(step.get(inner), list):
        return [leaf for child in step[inner] for leaf in _flat(child, inner)]
    return [step]


def _charsmap_of(document: Mapping[str, Any]) -> bytes:
    """SentencePiece's precompiled normalisation inside a tokenizer.json; empty if it has none."""
    for step in _flat(document.get("normalizer"), "normalizers"):
        if step.get("type") == "Precompiled":
            try:
                return base64.b64decode(step.get("precompiled_charsmap") or "")
            except (binascii.Error, TypeError, ValueError) as error:
                raise TokenizerError(f"tokenizer.json: precompiled_charsmap is not base64 ({error}).") from error
    return b""


def _special_tokens_from(config: Mapping[str, Any], kind: Kind) -> SpecialTokens:
    """Token names of tokenizer_config.json (plain or an object with "content"); the family's own where it is silent."""
    names: dict[str, str] = {}
    for role in ("cls", "sep", "pad", "unk", "mask"):
        said = config.get(f"{role}_token")
        said = said.get("content") if isinstance(said, dict) else said
        if said is not None and not (isinstance(said, str) and said):
            raise TokenizerError(f"tokenizer_config.json: {role}_token is {said!r}, expected a token such as '[CLS]'.")
        names[role] = said if said is not None else getattr(SPECIAL_TOKENS[kind], role)
    return SpecialTokens(**names)


# -- files -------------------------------------------------------------------------------------------------------------


def _read_definition(folder: Path, kind: Kind | None, options: _Options) -> str:
    """tokenizer.json's text, its own or made from the classic vocabulary files."""
    if (folder / "tokenizer.json").exists():
        document = _parse_json(_read_text(folder / "tokenizer.json"), "tokenizer.json")
        _honour(document, options)
        return _dump(document)
    readers = {
        "wordpiece": (("vocab.txt",), _read_wordpiece),
        "byte-bpe": (("vocab.json", "merges.txt"), _read_bpe),
        "unigram": (("spiece.model",), _read_spiece),
    }
    for found, (names, reader) in readers.items():
        if kind in (None, found) and all((folder / name).exists() for name in names):
            return reader(folder, options)
    expected = [" + ".join(names) for found, (names, _) in readers.items() if kind in (None, found)]
    raise TokenizerError(f"{folder} holds no tokenizer. Expected tokenizer.json or {', or '.join(expected)}.")


def _read_wordpiece(folder: Path, options: _Options) -> str:
    lines = _read_text(folder / "vocab.txt").removesuffix("\n").split("\n")
    vocab = {line.removesuffix("\r"): i for i, line in enumerate(lines)}
    with _rust("read vocab.txt"):
        backend = _blank_from("wordpiece", options)
    return _with_model(backend, vocab=vocab)


def _read_bpe(folder: Path, options: _Options) -> str:
    vocab = _parse_json(_read_text(folder / "vocab.json"), "vocab.json")
    lines = _read_text(folder / "merges.txt").split("\n")
    merges = [line.removesuffix("\r") for line in lines if line.strip() and not line.startswith("#version")]
    with _rust("read vocab.json and merges.txt"):
        backend = _blank_from("byte-bpe", options)
    return _with_model(backend, vocab=vocab, merges=[line.split(" ") for line in merges])


def _read_spiece(folder: Path, options: _Options) -> str:
    """SentencePiece's file, as transformers' AlbertConverter reads it: a piece such as "1," scores 100 less."""
    proto = sentencepiece_proto(required=True)
    model = proto.ModelProto()
    try:
        model.ParseFromString(_read_bytes(folder / "spiece.model"))
    except Exception as error:  # protobuf's DecodeError is not exported in one stable place
        raise TokenizerError(f"spiece.model is not a SentencePiece model ({error}).") from error
    if model.trainer_spec.model_type != model.trainer_spec.UNIGRAM:
        raise TokenizerError("spiece.model is not a Unigram model. Expected ALBERT's spiece.model.")

    def number_comma(piece: str) -> bool:
        return len(piece) > 1 and piece.endswith(",") and piece[-2].isdigit()

    vocab = [[piece.piece, piece.score - 100 * number_comma(piece.piece)] for piece in model.pieces]
    with _rust("read spiece.model"):
        backend = _blank_from("unigram", options, bytes(model.normalizer_spec.precompiled_charsmap))
    return _with_model(backend, vocab=vocab, unk_id=model.trainer_spec.unk_id)


def _write_spiece(proto: Any, document: Mapping[str, Any], tokenizer: Tokenizer) -> bytes:
    """A Unigram vocabulary as SentencePiece's model file."""
    model = proto.ModelProto()
    control = {tokenizer.cls_token, tokenizer.sep_token, tokenizer.pad_token, tokenizer.mask_token}
    kinds = proto.ModelProto.SentencePiece
    for piece, score in document["model"]["vocab"]:
        kind = kinds.UNKNOWN if piece == tokenizer.unk_token else kinds.CONTROL if piece in control else kinds.NORMAL
        model.pieces.add(piece=piece, score=score, type=kind)
    trainer = model.trainer_spec
    trainer.model_type = trainer.UNIGRAM
    trainer.vocab_size = len(model.pieces)
    trainer.unk_id, trainer.unk_piece = tokenizer.unk_id, tokenizer.unk_token
    trainer.pad_id, trainer.pad_piece = tokenizer.pad_id, tokenizer.pad_token
    trainer.bos_id, trainer.bos_piece = tokenizer.cls_id, tokenizer.cls_token
    trainer.eos_id, trainer.eos_piece = tokenizer.sep_id, tokenizer.sep_token
    model.normalizer_spec.precompiled_charsmap = _charsmap_of(document)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _with_model(backend: tokenizers.Tokenizer, **parts: Any) -> str:
    """The pipeline's JSON with these parts of its model replaced."""
    document: dict[str, Any] = json.loads(backend.to_str())
    document["model"] |= parts
    return _dump(document)


def sentencepiece_proto(*, required: bool) -> Any:
    """SentencePiece's protobuf module, or None where it is not installed and not required."""
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        if required:
            raise TokenizerError("Reading spiece.model needs: pip install sentencepiece protobuf") from error
        return None
    return sentencepiece_model_pb2


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise TokenizerError(f"{path} is not a regular file.")
        if status.st_size > MAX_FILE_BYTES:
            raise TokenizerError(f"{path} has {status.st_size:,} bytes. Tokenizer files may have {MAX_FILE_BYTES:,}.")
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise TokenizerError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_text(path: Path) -> str:
    try:
        return _read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{path} is not UTF-8 text ({error}).") from error


def _read_json_if_there(path: Path) -> dict[str, Any]:
    return _parse_json(_read_text(path), path.name) if path.exists() else {}


def _parse_json(text: str, what: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{what} is not valid JSON ({str(error) or type(error).__name__}).") from error
    if not isinstance(document, dict):
        raise TokenizerError(f"{what} holds a {type(document).__name__}, expected a JSON object.")
    return document


def _dump(document: object, indent: int | None = None) -> str:
    """JSON in UTF-8, sorted by nothing, without NaN; lone surrogates (which no file can hold) are an error."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"The tokenizer holds something JSON cannot say ({error}).") from error
    return text


@contextmanager
def _rust(action: str) -> Iterator[None]:
    """Turn failures of the Rust library, panics included, into `TokenizerError`.

    pyo3's PanicException derives from BaseException and cannot be imported, hence the name check. KeyboardInterrupt,
    SystemExit and Streamlit's control flow pass through.
    """
    try:
        yield
    except (TokenizerError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(f"The tokenizer could not {action}: {error}. Check the tokenizer's files.") from error


# -- text --------------------------------------------------------------------------------------------------------------


def without_surrogates(text: str) -> str:
    """Lone surrogates -> U+FFFD, one for one: no encoder takes them, and the offsets stay as they are."""
    return _SURROGATE.sub("\ufffd", text)


def _shorten(n_first: int, n_second: int, room: int) -> tuple[int, int]:
    """How many pieces of each side to keep: the longer side gives first ("longest_first" of transformers)."""
    if n_first + n_second <= room:
        return n_first, n_second
    if n_second == 0:
        return room, 0
    short = min(n_first, n_second, room // 2)
    return (short, room - short) if n_first <= n_second else (room - short, short)


@functools.lru_cache(maxsize=65_536)
def _class_of(character: str) -> str:
    """One letter for the kind of a character, the alphabet of `_WORD`."""
    category = unicodedata.category(character)
    if character.isspace() or category in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if category[0] == "M" or category == "Cf":
        return "+"  # marks and joiners stay with what they follow
    if "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000":
        return "c"
    if character in "'\u2019":
        return "'"
    if category[0] in "PS":
        return "." if character in ".," else "p"
    return "d" if category == "Nd" else "w"


# A word: letters, digits and their marks, with apostrophes inside (don't) and . or , between digits (1,000.5);
# one ideograph; a run of punctuation or symbols; the mask.
_WORD = re.compile(r"m{6}|[wd][wd+]*(?:(?:'(?=[wd])|(?<=d)\.(?=d))[wd+]+)*|c\+*|[p.'][p.'+]*|\++")


def word_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Characters start to end of each word, mark or mask of a text: what `Encoding.words` counts, for every model."""
    classes = "m" * len(MASK)
    classes = classes.join("".join(map(_class_of, run)) for run in text.split(MASK))
    return tuple(found.span() for found in _WORD.finditer(classes))


def _word_of_each_character(text: str) -> list[int | None]:
    """For each character the number of its word, None for white space and control characters: (characters,)."""
    words: list[int | None] = [None] * len(text)
    for number, (start, end) in enumerate(word_spans(text)):
        words[start:end] = [number] * (end - start)
    return words


def _byte_of_each_letter() -> dict[str, int]:
    """GPT-2's spelling of bytes as printable letters, turned round: 'Ġ' -> 32."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


_BYTES: Mapping[str, int] = MappingProxyType(_byte_of_each_letter())
