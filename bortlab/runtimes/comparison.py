"""Does another program answer as torch does: its numbers, its decisions, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from bortlab.model import EXAMPLE, Questions
from bortlab.models import SPANS
from bortlab.system.numbers import percent
from bortlab.text import Encoding

Runner = Callable[[Tensor, Tensor | None, Tensor | None], dict[str, Tensor]]
"""ids, mask and type ids -> all outputs of a network by our names, as `Questions.outputs` gives them."""
Text = str | Sequence[str]
"""A text, a pair of texts, or for multiple choice a prompt and its choices."""
TEXTS: tuple[Text, ...] = (
    EXAMPLE,
    "The [MASK] sat on the mat, and the dog slept by the fire.",
    "It was one of the best films of the year, though its end came as no surprise to anybody.",
    ("Where does the river begin?", "The river begins in the mountains and flows through three countries to the sea."),
    ("The weather was bad, so", "they stayed at home and read a book."),
)
CHOICES: tuple[Text, ...] = (
    ("The weather was bad, so", "they stayed at home and read a book.", "they sold the moon to a fish."),
    ("To open a locked door,", "sing to it.", "turn the key.", "wait for the winter."),
)
TURNS, SECONDS = 7, 5.0
"""Turns of each program with a text, if they take no more than so long together; a text has at least one."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How another program's answers compare with torch's.

    largest_difference: of two numbers of an output. largest_value: of torch's outputs, to judge it by. cosine: of both
    programs' outputs for a text, the lowest of all texts and outputs. same of decisions: how many answers (the piece
    in a blank, or at each place of a text without one; the label; the passage; the choice) are the same. A regression
    and an encoder decide nothing: there decisions is 0.
    """

    texts: int
    largest_difference: float
    largest_value: float
    cosine: float
    same: int
    decisions: int

    def __str__(self) -> str:
        numbers = (
            f"largest difference to torch {self.largest_difference:.2g} (largest value {self.largest_value:.3g}), "
            f"lowest cosine {self.cosine:.6f}"
        )
        if not self.decisions:
            return f"{numbers}, over {self.texts} texts"
        share = percent(self.same / self.decisions)
        return f"{numbers}, {self.same} of {self.decisions} decisions the same ({share}), over {self.texts} texts"


def compare(model: Questions, torchs: Runner, others: Runner, texts: Sequence[Text] | None = None) -> Agreement:
    """Run texts through torch and through another program, each text alone, and compare what they give.

    model: whose texts and decisions they are. texts: TEXTS by default, CHOICES for multiple choice.

    Raises ValueError for no texts, or for a lone text where a multiple-choice model needs a prompt and choices.
    """
    texts = texts_of(model, texts)
    difference, value, cosine, same, decided = 0.0, 0.0, 1.0, 0, 0
    for text in texts:
        encodings = encoded(model, text)
        with torch.inference_mode():
            expected, actual = (_answers(model, runner, encodings) for runner in (torchs, others))
        for name, numbers in expected.items():
            difference = max(difference, float((actual[name] - numbers).abs().max()))
            value = max(value, float(numbers.abs().max()))
            vectors = torch.stack([actual[name].flatten(), numbers.flatten()]).double()
            cosine = min(cosine, float(F.cosine_similarity(vectors[0], vectors[1], dim=0)))
        pairs = list(zip(decisions(model, encodings, actual), decisions(model, encodings, expected), strict=True))
        same, decided = same + sum(mine == theirs for mine, theirs in pairs), decided + len(pairs)
    return Agreement(len(texts), difference, value, cosine, same, decided)


def texts_of(model: Questions, texts: Sequence[Text] | None) -> Sequence[Text]:
    """The texts that programs are compared on: those given, or ours. Raises ValueError for none."""
    if texts is None:
        return CHOICES if model.task == "multiple-choice" else TEXTS
    if not texts:
        raise ValueError("texts: expected at least one text to compare the programs on, got none.")
    return texts


def text_times(model: Questions, programs: Mapping[str, Runner], texts: Sequence[Text]) -> dict[str, float]:
    """Milliseconds that each program takes for a text, without cutting it into pieces: one text at a time, by turns.

    The median over the texts of the shortest of their turns, for what else a machine does only lengthens a turn. They
    are read as often as TURNS and SECONDS allow, so that every program has had as many turns.
    """
    encodings = [encoded(model, text) for text in texts]
    shortest = {name: [float("inf")] * len(texts) for name in programs}
    start = time.monotonic()
    for turn in range(TURNS + 1):  # the first, which prepares what later ones use again, is not counted
        for number, parts in enumerate(encodings):
            for name, run in programs.items():
                before = time.perf_counter()
                _answers(model, run, parts)
                if turn:
                    ms = 1_000 * (time.perf_counter() - before)
                    shortest[name][number] = min(shortest[name][number], ms)
        if turn and time.monotonic() - start > SECONDS:
            break
    return {name: median(times) for name, times in shortest.items()}


def encoded(model: Questions, text: Text) -> list[Encoding]:
    """A text or a pair as one encoding; a prompt and its choices as one for each choice."""
    first, *others = [text] if isinstance(text, str) else text
    if model.task == "multiple-choice":
        if not others:
            raise ValueError(f"A multiple-choice model needs a prompt and its choices, got the text {first[:60]!r}.")
        return [model.encode(first, choice) for choice in others]
    if len(others) > 1:
        raise ValueError(f"Expected a text or a pair of texts, got {1 + len(others)} texts.")
    return [model.encode(first, *others)]


def decisions(model: Questions, encodings: Sequence[Encoding], values: dict[str, Tensor]) -> list[Hashable]:
    """What somebody would read off the outputs for one text: pieces, labels, a passage, a choice."""
    decided: list[Hashable] = []
    for name, numbers in values.items():
        match name:
            case "masked-lm":
                (encoding,) = encodings
                places = encoding.mask_positions or range(len(encoding))
                decided += numbers[0, list(places)].argmax(-1).tolist()
            case "sequence-classification" if model.config.problem_type == "multi_label_classification":
                decided += (numbers[0] > 0).tolist()
            case "sequence-classification" if model.config.regresses:
                pass
            case "sequence-classification" | "sentence-order" | "multiple-choice":
                decided.append(int(numbers[0].argmax()))
            case "token-classification":
                decided += numbers[0].argmax(-1).tolist()
    if set(SPANS) <= values.keys():
        start, end = (values[name][0] for name in SPANS)
        scores = (start[:, None] + end[None, :]).masked_fill(torch.ones(len(start), len(end)).tril(-1) > 0, -torch.inf)
        decided.append(divmod(int(scores.argmax()), len(end)))
    return decided


def _answers(model: Questions, run: Runner, encodings: Sequence[Encoding]) -> dict[str, Tensor]:
    """The outputs for one text as float32 on the CPU. Choices run one by one, as nothing may be padded."""
    parts = []
    for encoding in encodings:
        ids, type_ids = model.inputs(encoding)
        if model.task == "multiple-choice":
            ids, type_ids = ids[:, None], type_ids[:, None]
        parts.append(run(ids, torch.ones_like(ids), type_ids))
    return {name: torch.cat([part[name].to("cpu", torch.float32) for part in parts], dim=-1) for name in parts[0]}
