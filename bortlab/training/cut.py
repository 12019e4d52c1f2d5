"""Cut an encoder's word table to the pieces that a text uses most: the same encoder, a fraction of the bytes.

A word whose piece goes is cut into smaller pieces that stay, as WordPiece does with any word it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch

from bortlab.models import Family, Network
from bortlab.text import Tokenizer, TokenizerError


def most_used(tokenizer: Tokenizer, counts: Mapping[int, float], size: int) -> list[int]:
    """The ids of `size` pieces to keep: special ones, single characters that occur or are ASCII, then by count."""
    if tokenizer.kind != "wordpiece":
        raise TokenizerError(
            f"Only a WordPiece vocabulary can be cut, this one is {tokenizer.kind}: its pieces are made "
            "from each other (BPE) or weighed against each other (Unigram), so that leaving some out changes how the "
            "others are used."
        )
    special = [tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id]
    kept = dict.fromkeys(special)
    for token, number in tokenizer.vocabulary.items():
        if len(token.removeprefix("##")) == 1 and (counts.get(number, 0) > 0 or token.isascii()):
            kept[number] = None
    if len(kept) > size:
        raise TokenizerError(
            f"A vocabulary of {size:,} pieces has no room for the {len(kept):,} characters of the text."
        )
    for number in sorted(counts, key=lambda number: (-counts[number], number)):
        if len(kept) >= size:
            break
        kept[number] = None
    return [*special, *sorted(kept.keys() - set(special))]


def cut_tokenizer(tokenizer: Tokenizer, kept: Iterable[int]) -> Tokenizer:
    """The tokenizer with these pieces alone, numbered anew in this order."""
    renumbered = {tokenizer.token_of(old): new for new, old in enumerate(kept)}
    document = json.loads(tokenizer.definition)
    document["model"]["vocab"] = {token: new for token, new in renumbered.items()}
    document["added_tokens"] = [
        token | {"id": renumbered[token["content"]]}
        for token in document.get("added_tokens") or []
        if token["content"] in renumbered
    ]
    return Tokenizer(json.dumps(document, ensure_ascii=False))


@torch.no_grad()
def cut_network(family: Family, network: Network, kept: Iterable[int], *, positions: int) -> Network:
    """The network with these rows of its word table, and its first positions; other weights as they are."""
    rows = torch.tensor(list(kept))
    config = replace(
        network.config,
        vocab_size=len(rows),
        max_position_embeddings=min(positions, network.config.max_position_embeddings),
        pad_token_id=0,
    )
    cut = family.network(config, network.task)
    state = dict(network.state_dict())
    for name in ("embeddings.words.weight", "masked_lm.own_decoder", "masked_lm.bias"):
        if name in state:
            state[name] = state[name][rows]
    state["embeddings.positions.weight"] = state["embeddings.positions.weight"][: config.max_position_embeddings]
    cut.load_state_dict(state)
    return cut


@torch.no_grad()
def fresh_head(network: Network, log_frequencies: torch.Tensor, generator: torch.Generator) -> None:
    """Start a masked-LM head on a trained encoder: the identity, nearly, and how frequent each piece is.

    So it begins with what the encoder says rather than with noise, and need not learn frequencies first. Where word
    vectors are projected to the encoder's width, the way back takes the identity's place.
    """
    head = network.masked_lm
    assert head is not None
    weight, project = head.dense.weight, network.embeddings.project
    back = torch.eye(*weight.shape)
    if project is not None:
        back = torch.nn.functional.normalize(torch.linalg.pinv(project.weight.detach().float().cpu()), dim=1)
    weight.copy_(back + 0.02 * torch.randn(weight.shape, generator=generator))
    head.dense.bias.zero_()
    head.norm.weight.fill_(1.0)
    head.norm.bias.zero_()
    head.bias.copy_(log_frequencies)
