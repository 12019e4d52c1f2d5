"""WordNet's glosses, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gloss:
    """A gloss taken apart: definitions (split at `;`), quoted examples, and the note in brackets it began with."""

    definitions: tuple[str, ...]
    examples: tuple[str, ...]
    note: str


def split_gloss(gloss: str) -> Gloss:
    """Split a gloss at the semicolons outside quotes and brackets; attributions of quotes are dropped."""
    parts, depth, quoted = [""], 0, False
    for letter in gloss:
        quoted ^= letter == '"'
        depth = 0 if quoted else max(0, depth + (letter == "(") - (letter == ")"))
        if letter == ";" and not quoted and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    definitions, examples = [], []
    for part in (part.strip().replace("`", "'") for part in parts):
        if part.startswith('"'):
            examples += [quote.strip() for quote in re.findall(r'"([^"]+)"?', part.partition('"- ')[0])]
        elif '"' in part:
            before = part.partition('"')[0]
            definitions.append(part if before and part.count('"') % 2 == 0 else before)
        elif part:
            definitions.append(part)
    note = re.match(r"\(([^)]*)\)[,:]?\s*", definitions[0]) if definitions else None
    if note:
        definitions[0] = definitions[0][note.end() :]
    kept = tuple(text.strip(" ,:") for text in definitions if len(text.strip(" ,:")) > 1)
    return Gloss(kept, tuple(examples), note.group(1) if note else "")
