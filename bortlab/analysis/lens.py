"""The lens: what the masked-LM head would predict from every layer, were it the last; and where the answer settles.

The plain lens hands each layer's states to the model's own head, unchanged ("logit lens", nostalgebraist 2020). These
encoders normalise after each layer, so no norm is missing; but the head was trained on the last layer alone, and what
it makes of earlier ones is an approximation. A `TunedLens` moves each layer's states, by one affine map, to where the
head can read them (Belrose et al. 2023, arXiv 2303.08112); `bortlab.training.lens` fits one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bortlab.model import Model, NoHeadError
from bortlab.models import Config
from bortlab.system.checks import check_whole
from bortlab.text import Encoding

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]

LOGITS = 2**22
"""Most logits that are held at a time."""


@dataclass(frozen=True, slots=True)
class Use:
    """One executed layer, counted from 1: its block, and which of the block's `uses` it is."""

    layer: int
    block: int
    use: int
    uses: int

    @property
    def name(self) -> str:
        """Its name on the page; a layer with a block of its own needs no more than its number."""
        return f"layer {self.layer}" + (f" (block {self.block}, use {self.use})" if self.uses > 1 else "")


def uses(config: Config) -> tuple[Use, ...]:
    """The executed layers in order: ALBERT's one block, used again and again, unrolled."""
    blocks = config.blocks
    return tuple(
        Use(index + 1, block + 1, blocks[: index + 1].count(block), blocks.count(block))
        for index, block in enumerate(blocks)
    )


@dataclass(frozen=True, slots=True, eq=False)
class TunedLens:
    """An affine map for each layer but the last: state + state @ weight.T + bias, which the head then reads.

    weight: (layers, hidden, hidden), bias: (layers, hidden); row 0 is for the embeddings.
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        """States (..., hidden) of a layer, 0 for the embeddings, as the head can read them; the last layer's stay."""
        if layer == len(self.weight):
            return states
        moved = torch.addmm(self.bias[layer], states.reshape(-1, states.shape[-1]), self.weight[layer].T)
        return states + moved.view_as(states)


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """What the head would say in every layer. Row 0 of each array is what enters the first layer, the last the model.

    ids, log_probabilities: (layers + 1, seq, k): the likeliest pieces. texts: these pieces as a person reads them.
    answer: (seq,): the piece that the last layer says. Of it, (layers + 1, seq): its probability; rank, 1 for the
    likeliest. Of the whole distribution: entropy; divergence, KL(last layer || this layer); both in bits. Of the
    states: similarity, the cosine to the layer before (NaN in row 0); norm, their length.
    settled: (seq,): the row from which on the answer is the likeliest piece in every layer.
    """

    encoding: Encoding
    uses: tuple[Use, ...]
    tuned: bool
    ids: NDArray[np.int64]
    log_probabilities: Array
    texts: Mapping[int, str]
    answer: NDArray[np.int64]
    probability: Array
    rank: NDArray[np.int64]
    entropy: Array
    divergence: Array
    similarity: Array
    norm: Array
    settled: NDArray[np.int64]

    @property
    def depth(self) -> int:
        """Number of executed layers."""
        return len(self.uses)

    @property
    def rows(self) -> tuple[str, ...]:
        """What the rows are called, from the embeddings on."""
        return ("embeddings", *(use.name for use in self.uses))

    @property
    def own(self) -> tuple[int, ...]:
        """Positions of the text's own pieces, without the template's."""
        return tuple(position for position, special in enumerate(self.encoding.special) if not special)

    def guess(self, row: int, position: int, rank: int = 1) -> tuple[str, float]:
        """The rank-th likeliest piece there, as a person reads it, and its probability."""
        number = int(self.ids[row, position, rank - 1])
        return self.texts[number], math.exp(self.log_probabilities[row, position, rank - 1])

    def position_of(self, word: int) -> int | None:
        """The first piece that begins in a word of the text; None if the model reads none."""
        return next((position for position, of in enumerate(self.encoding.words) if of == word), None)


@torch.inference_mode()
def lens(model: Model, text: str, pair: str | None = None, *, top_k: int = 5, tuned: TunedLens | None = None) -> Lens:
    """What the head of a model would say in every layer, at every position of a text.

    tuned: maps the states first; the plain lens without. NoHeadError for a model without masked-LM head.
    """
    if model.network.masked_lm is None:
        raise NoHeadError(f'{model.key} has no masked-LM head to look through: load it with task="masked-lm".')
    check_whole("top_k", top_k, 1, model.config.vocab_size)
    trace = model.trace(text, pair)
    states, last = trace.hidden, trace.logits[0]  # (layers + 1, seq, hidden), (seq, vocab)
    n_rows, n_pieces = states.shape[:2]
    top_k = min(top_k, model.config.vocab_size - len(model.nameless))
    ids = torch.empty(n_rows, n_pieces, top_k, dtype=torch.long)
    logs = torch.empty(n_rows, n_pieces, top_k, dtype=torch.float64)
    numbers = torch.empty(4, n_rows, n_pieces, dtype=torch.float64)  # probability, rank, entropy, divergence
    answer = torch.empty(n_pieces, dtype=torch.long)
    at_once = max(1, LOGITS // model.config.vocab_size)
    for start in range(0, n_pieces, at_once):
        part = slice(start, start + at_once)
        final, named = _scores(last[part], model.nameless)
        top = named.argmax(-1, keepdim=True)  # (pieces, 1)
        answer[part] = top[:, 0]
        for row in range(n_rows):
            if row == n_rows - 1:  # the model's own prediction, to the last bit
                here, known = final, named
            else:
                moved = states[row, part] if tuned is None else tuned(row, states[row, part])
                here, known = _scores(model.network.predict(moved), model.nameless)
            best = known.topk(top_k)
            ids[row, part], logs[row, part] = best.indices.cpu(), best.values.double().cpu()
            own = here.gather(-1, top)
            numbers[0, row, part] = own[:, 0].double().exp().cpu()
            numbers[1, row, part] = (known > own).sum(-1).double().cpu() + 1
            numbers[2, row, part] = -(here.exp() * here).sum(-1).double().cpu() / math.log(2)
            numbers[3, row, part] = (final.exp() * (final - here)).sum(-1).clamp(min=0).double().cpu() / math.log(2)
    wide = states.double()
    similarity = torch.full((n_rows, n_pieces), math.nan, dtype=torch.float64)
    similarity[1:] = torch.cosine_similarity(wide[1:], wide[:-1], dim=-1).cpu()
    agrees = ids[:, :, 0] == answer
    settled = n_rows - agrees.flip(0).long().cumprod(0).sum(0)
    return Lens(
        encoding=trace.encoding,
        uses=uses(model.config),
        tuned=tuned is not None,
        ids=ids.numpy(),
        log_probabilities=logs.numpy(),
        texts={number: model.tokenizer.piece_text(number) for number in {*ids.flatten().tolist(), *answer.tolist()}},
        answer=answer.numpy(),
        probability=numbers[0].numpy(),
        rank=numbers[1].long().numpy(),
        entropy=numbers[2].numpy(),
        divergence=numbers[3].numpy(),
        similarity=similarity.numpy(),
        norm=wide.norm(dim=-1).cpu().numpy(),
        settled=settled.numpy(),
    )


def _scores(logits: Tensor, nameless: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (pieces, vocab) -> log-probabilities, and the same with -inf for ids that no piece stands for."""
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    return scores, scores.index_fill(-1, nameless, -torch.inf)


def frame(lenses: Iterable[tuple[str, Lens]]) -> pandas.DataFrame:
    """One row a layer and position of each (model, lens): what the head would say there, and every number."""
    import pandas

    rows = []
    for key, lens in lenses:
        blocks = [(None, None), *((use.block, use.use) for use in lens.uses)]
        for row, name in enumerate(lens.rows):
            for position, piece in enumerate(lens.encoding.tokens):
                (guess, chance), *others = [lens.guess(row, position, k + 1) for k in range(lens.ids.shape[-1])]
                rows.append(
                    (
                        key,
                        "tuned" if lens.tuned else "plain",
                        name,
                        row,
                        *blocks[row],
                        position,
                        piece,
                        guess,
                        chance,
                        " ".join(text.strip() or text for text, _ in others),
                        lens.texts[int(lens.answer[position])],
                        lens.probability[row, position],
                        int(lens.rank[row, position]),
                        lens.entropy[row, position],
                        lens.divergence[row, position],
                        lens.similarity[row, position],
                        lens.norm[row, position],
                        int(lens.settled[position]),
                    )
                )
    columns = [
        "model",
        "lens",
        "where",
        "layer",
        "block",
        "use",
        "position",
        "piece",
        "guess",
        "guess's probability",
        "next guesses",
        "answer",
        "answer's probability",
        "answer's rank",
        "entropy, bits",
        "divergence, bits",
        "similarity to the layer before",
        "norm",
        "settled in layer",
    ]
    return pandas.DataFrame(rows, columns=columns).astype({"block": "Int64", "use": "Int64"})
