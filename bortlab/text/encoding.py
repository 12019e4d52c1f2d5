"""A text as a model's pieces."""

from __future__ import annotations

from dataclasses import dataclass

MASK = "[MASK]"  # what the user types, whatever the model's own mask token is


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
