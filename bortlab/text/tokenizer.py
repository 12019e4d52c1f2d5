"""One `Tokenizer` for the three ways these models cut text: Unigram (ALBERT), WordPiece (BERT, ConvBERT), bytes (Bort).

The cutting itself is done by the `tokenizers` library; what this file adds is everything a lab needs around it:

- `[MASK]` means "the mask" for every model, and nothing else a user types is ever a special token;
- every piece knows its characters in the user's own text, and its word, so models with different pieces can be aligned;
- what does not fit is counted, never dropped silently;
- a broken or hostile tokenizer file gives a `TokenizerError`, never a Rust panic (see parsing and definition).

How special look-alikes are kept out: the backend that sees the user's text has no special tokens at all. Its vocabulary
spells them with a leading blank (" [CLS]"), which no pre-tokenizer lets through, and the template is laid around the
pieces here. The order of the pipeline follows transformers 5.23 (models/{albert,bert,roberta}/tokenization_*.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import tokenizers

from bortlab.text.definition import blind_backend, canonical, entries_of, kind_of
from bortlab.text.encoding import MASK, Encoding
from bortlab.text.parsing import TokenizerError, parse_json, rust
from bortlab.text.pieces import BYTES, SPACES, Piece, Slot, laid_out, shortened, without_spaces, words_of
from bortlab.text.reading import read_folder
from bortlab.text.special import SPECIAL_TOKENS, PairFormat, SpecialTokens, TokenizerKind
from bortlab.text.words import without_surrogates, word_spans
from bortlab.text.writing import config_of, vocabulary_files, write_files


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tokenizer:
    """Text to pieces and back for one model. Immutable after construction; any number of threads may share it.

    `definition` is the text of a tokenizer.json (what `tokenizers.Tokenizer.to_str` gives). Its template, padding and
    truncation are not used: the template is the family's, and `pair_format` picks Bort's `<s> A </s> B </s>` ("single")
    or RoBERTa's `<s> A </s></s> B </s>` ("double"). `special_tokens` are the family's own unless given.
    `allowed_special`: special tokens that a text may contain, such as "[E1]" of relation extraction (see `allowing`).
    Raises `TokenizerError` if the definition is unusable or lacks one of the special tokens.
    """

    definition: str
    special_tokens: InitVar[SpecialTokens | None] = None
    pair_format: PairFormat = "single"
    allowed_special: tuple[str, ...] = ()
    document: InitVar[dict[str, Any] | None] = None  # the definition, if it has been parsed already
    kind: TokenizerKind = field(init=False)
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

    def __post_init__(self, special_tokens: SpecialTokens | None, document: dict[str, Any] | None) -> None:
        if self.pair_format not in get_args(PairFormat):
            raise TokenizerError(f"Unknown pair_format {self.pair_format!r}. Known: {', '.join(get_args(PairFormat))}.")
        document = document or parse_json(self.definition, "tokenizer definition")
        kind = kind_of(document)
        vocabulary = dict(entries := entries_of(document))
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
        backend = blind_backend(document, special, extra)
        with rust("read the tokenizer"):
            remap = {backend.token_to_id(token["content"]): vocabulary[token["content"]] for token in extra}
        fixed |= {
            "vocabulary": MappingProxyType(vocabulary),
            "vocab_size": max(number for _, number in entries) + 1,
            "special_ids": frozenset(vocabulary[token] for token in special),
            "definition": canonical(document, names, kind, self.pair_format, vocabulary, extra),
            "_tokens": {number: token for token, number in entries},
            "_remap": {theirs: ours for theirs, ours in remap.items() if theirs is not None and theirs != ours},
            "_backend": backend,
        }
        for name, value in fixed.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_folder(
        cls,
        path: str | os.PathLike[str],
        kind: TokenizerKind | None = None,
        *,
        prefer: TokenizerKind | None = None,
        pair_format: PairFormat | None = None,
    ) -> Tokenizer:
        """Read a model's folder: tokenizer.json first, else vocab.txt, vocab.json + merges.txt or spiece.model.

        The files decide on the kind, and tokenizer_class where it is named; a class that cuts in a way of its own is
        refused. `kind` is what the caller expects (another kind is an error), `prefer` what to read where files of
        several kinds lie side by side. tokenizer_config.json, special_tokens_map.json and added_tokens.json are
        honoured: token names, added tokens, do_lower_case, keep_accents, strip_accents, tokenize_chinese_chars,
        add_prefix_space.
        """
        read = read_folder(Path(path), kind, prefer=prefer)
        return cls("", read.special_tokens, pair_format or read.pair_format, document=read.document)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write tokenizer.json, tokenizer_config.json and the classic vocabulary files into the folder `path`.

        transformers reads the folder back to the same ids (pairs of Bort in RoBERTa's format: it knows no other).
        spiece.model is left out where sentencepiece is not installed.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "tokenizer.json": self.definition.encode(),
            "tokenizer_config.json": config_of(self.definition, self._names, self.pair_format),
        }
        write_files(folder, files | vocabulary_files(self.definition, self._names, self.vocabulary, required=False))

    def save_vocabulary(self, directory: str | os.PathLike[str], filename_prefix: str | None = None) -> tuple[str, ...]:
        """Write the classic files alone into an existing folder and return their paths.

        ALBERT: spiece.model; BERT and ConvBERT: vocab.txt; Bort: vocab.json and merges.txt. `filename_prefix` gives
        "prefix-vocab.txt". Raises `TokenizerError` for what these files cannot hold, and where there is no folder.
        """
        folder = Path(directory)
        if not folder.is_dir():
            raise TokenizerError(f"{folder} is not a folder. Make it first, or use save().")
        prefix = "" if filename_prefix is None else f"{filename_prefix}-"
        if prefix and Path(prefix).name != prefix:
            raise TokenizerError(f"filename_prefix is {filename_prefix!r}, expected the beginning of a file's name.")
        files = vocabulary_files(self.definition, self._names, self.vocabulary)
        return tuple(map(str, write_files(folder, {prefix + name: content for name, content in files.items()})))

    def with_pair_format(self, pair_format: PairFormat) -> Tokenizer:
        """The same tokenizer with Bort's pairs joined by one separator ("single") or two ("double")."""
        if pair_format == self.pair_format:
            return self
        return Tokenizer(self.definition, self._names, pair_format, self.allowed_special)

    def allowing(self, *tokens: str) -> Tokenizer:
        """The same tokenizer, for which these special tokens mean themselves where a text contains them.

        Without arguments: all special tokens but the template's and the mask. Anything else in a text stays text.
        """
        names = self._names
        template = {names.cls, names.sep, names.pad, names.unk, names.mask}
        usable = [self._tokens[number] for number in sorted(self.special_ids) if self._tokens[number] not in template]
        for token in tokens:
            if token not in usable:
                raise TokenizerError(
                    f"{token!r} is not a special token that a text can contain. This vocabulary has: "
                    f"{', '.join(usable) or 'none'}."
                )
        return Tokenizer(self.definition, names, self.pair_format, tokens or tuple(usable))

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
        keep_first, keep_second = len(first), len(second)
        if max_length is not None:
            n_template = len(self._lay_out((), None if pair is None else ()))
            if max_length < n_template:
                raise TokenizerError(
                    f"max_length={max_length} cannot hold the {n_template} template tokens. Use at least {n_template}."
                )
            keep_first, keep_second = shortened(len(first), len(second), max_length - n_template)
        kept = [*first[:keep_first], *second[:keep_second]]
        words = words_of(text, kept[:keep_first], 0)
        words += words_of(pair or "", kept[keep_first:], len(word_spans(text)))
        numbers = [number for number, _ in kept]
        slots = self._lay_out(numbers[:keep_first], None if pair is None else numbers[keep_first:])
        cut = iter(zip((span for _, span in kept), words, strict=True))
        placed = [((0, 0), None) if slot.special else next(cut) for slot in slots]
        ids = tuple(slot.id for slot in slots)
        return Encoding(
            text=text,
            pair=pair,
            ids=ids,
            type_ids=tuple(slot.type_id for slot in slots),
            tokens=tuple(map(self.token_of, ids)),
            offsets=tuple(span for span, _ in placed),
            special=tuple(slot.special for slot in slots),
            words=tuple(word for _, word in placed),
            mask_positions=tuple(i for i, number in enumerate(ids) if number == self.mask_id),
            truncated=len(first) - keep_first + len(second) - keep_second,
            truncated_at=first[keep_first][1][0] if keep_first < len(first) else None,
            pair_truncated_at=second[keep_second][1][0] if keep_second < len(second) else None,
        )

    def encode_batch(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, max_length: int | None = None
    ) -> list[Encoding]:
        """`encode` of many texts (with as many pairs); `pad` makes a batch of them."""
        if isinstance(texts, str) or isinstance(pairs, str):
            raise TokenizerError("encode_batch takes a list of texts, got one text. Use encode, or pass [text].")
        if pairs is not None and len(pairs) != len(texts):
            raise TokenizerError(f"Got {len(texts)} texts and {len(pairs)} pairs. Pass as many pairs as texts.")
        seconds = [None] * len(texts) if pairs is None else pairs
        return [self.encode(text, pair, max_length=max_length) for text, pair in zip(texts, seconds, strict=True)]

    def encode_word(self, word: str, *, after_space: bool = True) -> tuple[int, ...]:
        """Ids of a word as it stands inside a sentence; `after_space=False`: glued to what is before it, as after "(".

        WordPiece does not see spaces, so there both are the same. An unknown word gives `unk_id`.
        """
        word = without_surrogates(word).strip(SPACES)
        if self.kind == "byte-bpe" and after_space and word:
            return tuple(number for number, _ in self._cut(" " + word))
        if self.kind == "unigram" and not after_space and word and MASK not in word:
            with rust("cut the word"):
                normalizer = self._backend.normalizer
                glued, *rest = (normalizer.normalize_str(word) if normalizer else word).split() or [""]
                head = [piece.id for piece in self._backend.model.tokenize(glued)] if glued else []
            return (*head, *(number for part in rest for number in self.encode_word(part)))
        return tuple(number for number, _ in self._cut(word))

    def ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        """Plain ids of many texts, fast, for training data: no template, no mask (`[MASK]` is ordinary text)."""
        with rust("encode the texts"):
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

    # -- the template --------------------------------------------------------------------------------------------------

    def build_inputs_with_special_tokens(self, ids: Sequence[int], pair_ids: Sequence[int] | None = None) -> list[int]:
        """Plain ids (of `ids_of`) inside the model's template."""
        return [slot.id for slot in self._lay_out(ids, pair_ids)]

    def create_token_type_ids_from_sequences(
        self, ids: Sequence[int], pair_ids: Sequence[int] | None = None
    ) -> list[int]:
        """Token types of `build_inputs_with_special_tokens`: 1 for the pair and its separator; Bort has only 0."""
        return [slot.type_id for slot in self._lay_out(ids, pair_ids)]

    def get_special_tokens_mask(
        self, ids: Sequence[int], pair_ids: Sequence[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 for the template's tokens, 0 for the text's, as `build_inputs_with_special_tokens` places them.

        `already_has_special_tokens`: `ids` are whole already; then 1 marks every special token, mask and unknown too.
        """
        if not already_has_special_tokens:
            return [int(slot.special) for slot in self._lay_out(ids, pair_ids)]
        if pair_ids is not None:
            raise TokenizerError("Ids that have their special tokens already stand in one list. Leave pair_ids out.")
        return [int(number in self.special_ids) for number in ids]

    def _lay_out(self, ids: Sequence[int], pair_ids: Sequence[int] | None) -> list[Slot]:
        """The template around plain ids."""
        return laid_out(
            ids, pair_ids, cls_id=self.cls_id, sep_id=self.sep_id, kind=self.kind, pair_format=self.pair_format
        )

    # -- pieces to text ----------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """Ids -> text. `skip_special` leaves out template, padding, mask and unknown tokens, as transformers does."""
        tokens = [self.token_of(number) for number in ids if not (skip_special and number in self.special_ids)]
        with rust("decode the ids"):
            decoder = self._backend.decoder
            return decoder.decode(tokens) if decoder is not None else " ".join(tokens)

    def decode_batch(self, batch: Iterable[Iterable[int]], *, skip_special: bool = True) -> list[str]:
        """`decode` of each row."""
        return [self.decode(ids, skip_special=skip_special) for ids in batch]

    def piece_bytes(self, number: int) -> bytes | None:
        """The bytes a byte-level piece stands for, its space included; None for special tokens and other kinds."""
        if self.kind != "byte-bpe" or number in self.special_ids:
            return None
        return bytes(BYTES[letter] for letter in self.token_of(number) if letter in BYTES)

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
            text = (self.piece_bytes(number) or b"").decode("utf-8", errors="backslashreplace")
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

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[str, SpecialTokens, PairFormat, tuple[str, ...]]]:
        return Tokenizer, (self.definition, self._names, self.pair_format, self.allowed_special)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _cut(self, text: str) -> list[Piece]:
        """Pieces of one text, without template: the backend cuts the runs between masks, offsets are of the whole text.

        The white space before a mask belongs to the mask (lstrip, as in ALBERT and RoBERTa). What touches a mask from
        behind begins no word: a Unigram's lone "▁" is left out there. transformers writes one, but no model has seen
        it: in training the mask took the place of a word, and the full stop after it stayed as it was.
        """
        pieces: list[Piece] = []
        start = 0
        by_length = sorted((MASK, *self.allowed_special), key=len, reverse=True)
        for match in re.finditer("|".join(map(re.escape, by_length)), text):
            run, token = text[start : match.start()], match.group()
            pieces += self._cut_run(run.rstrip(SPACES) if token == MASK else run, start)
            pieces.append((self.mask_id if token == MASK else self.vocabulary[token], match.span()))
            start = match.end()
        return pieces + self._cut_run(text[start:], start)

    def _cut_run(self, run: str, base: int) -> list[Piece]:
        """Pieces of a run of text without mask that begins at character `base`."""
        if not run:
            return []
        with rust("cut the text"):
            encoding = self._backend.encode(run, add_special_tokens=False)
            ids, offsets = encoding.ids, encoding.offsets
        pieces: list[Piece] = []
        for i, (number, (start, end)) in enumerate(zip(ids, offsets, strict=True)):
            number = self._remap.get(number, number)
            if self._tokens.get(number) == "▁" and i + 1 < len(offsets) and offsets[i + 1][0] == start:
                end = start  # the mark of a word that follows, not a character of the user
            else:
                start, end = without_spaces(run, start, end)
            pieces.append((number, (base + start, base + end)))
        glued = pieces and base > 0 and run[0] not in SPACES
        return pieces[1:] if glued and self._tokens.get(pieces[0][0]) == "▁" else pieces

    @property
    def _names(self) -> SpecialTokens:
        return SpecialTokens(self.cls_token, self.sep_token, self.pad_token, self.unk_token, self.mask_token)
