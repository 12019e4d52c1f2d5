"""The script that lies beside an exported model and runs it with ONNX Runtime and `tokenizers` alone."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from bortlab.model import Model

_HEAD = '''\
"""$about Needs onnxruntime and tokenizers alone.

python run.py $usage
"""
import json, pathlib, sys
import numpy, onnxruntime, tokenizers
folder = pathlib.Path(__file__).parent
tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation($longest)
session = onnxruntime.InferenceSession(folder / "model.onnx")
def run(*texts):
    encoded = tokenizer.encode(*(text.replace("[MASK]", "$mask") for text in texts))
    rows = dict(input_ids=encoded.ids, attention_mask=encoded.attention_mask, token_type_ids=encoded.type_ids)
    return encoded, session.run(None, {name: numpy.array($row, dtype="int64") for name, row in rows.items()})
'''
_LABELS = """\
names = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
labels = [names[str(number)] for number in range(len(names))]
"""
_SOFTMAX = """\
def softmax(scores):
    powers = numpy.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
"""
_BLANKS = """\
encoded, (logits, *_) = run(*sys.argv[1:3])
for place in (place for place, piece in enumerate(encoded.ids) if piece == $mask_id):
    for piece in logits[0, place].argsort()[::-1][:5]:
        print(tokenizer.id_to_token(int(piece)), round(float(softmax(logits[0, place])[piece]), 4))
"""
_CLASSES = """\
_, (logits,) = run(*sys.argv[1:3])
for label, score in sorted(zip(labels, $scores, strict=True), key=lambda pair: -pair[1]):
    print(label, round(float(score), 4))
"""
_TAGS = """\
encoded, (logits,) = run(sys.argv[1])
for (start, end), label in zip(encoded.offsets, logits[0].argmax(-1), strict=True):
    print(sys.argv[1][start:end], labels[label]) if end > start else None
"""
_PASSAGE = """\
encoded, (start, end) = run(*sys.argv[1:3])
context = numpy.array([part == 1 for part in encoded.sequence_ids])
scores = numpy.where(context[:, None] & context, numpy.add.outer(start[0], end[0]), -numpy.inf)
first, last = numpy.unravel_index((scores + numpy.log(numpy.triu(numpy.ones_like(scores)))).argmax(), scores.shape)
print(sys.argv[2][encoded.offsets[first][0] : encoded.offsets[last][1]])
"""
_CHOICE = """\
scores = numpy.array([run(sys.argv[1], choice)[1][0][0, 0] for choice in sys.argv[2:]])
for choice, share in sorted(zip(sys.argv[2:], softmax(scores), strict=True), key=lambda pair: -pair[1]):
    print(choice, round(float(share), 4))
"""
_VECTOR = """\
encoded, (hidden, *_) = run(*sys.argv[1:3])
print(*hidden[0].mean(0).round(6).tolist())
"""
_BODIES: Mapping[str, tuple[str, str, str]] = {
    "masked-lm": ("Fills the blanks of a text.", '"Paris is the [MASK] of France."', _SOFTMAX + _BLANKS),
    "pre-training": ("Fills the blanks of a text.", '"Paris is the [MASK] of France."', _SOFTMAX + _BLANKS),
    "sequence-classification": ("Gives a text its labels.", '"A text." "Its pair, or nothing."', _LABELS + _CLASSES),
    "multiple-choice": ("Picks what goes best with a prompt.", '"A prompt" "a choice" "another"', _SOFTMAX + _CHOICE),
    "token-classification": ("Gives each piece of a text a label.", '"A text."', _LABELS + _TAGS),
    "question-answering": ("Finds the answer in a context.", '"A question?" "A context."', _PASSAGE),
    "encoder": ("Gives a text's vector, the mean over its pieces.", '"A text."', _VECTOR),
}
"""Task -> what the script does, with what arguments, and the lines that do it."""


def script_for(model: Model) -> str:
    """The text of run.py for an exported model."""
    about, usage, body = _BODIES[model.task]
    scores = "logits[0]"  # of a regression
    if model.config.problem_type == "multi_label_classification":
        scores = "1 / (1 + numpy.exp(-logits[0]))"
    elif not model.config.regresses:
        body, scores = (_SOFTMAX + body if model.task == "sequence-classification" else body), "softmax(logits[0])"
    return Template(_HEAD + body).substitute(
        about=about,
        usage=usage,
        longest=model.config.max_position_embeddings,
        mask=model.tokenizer.mask_token,
        mask_id=model.tokenizer.mask_id,
        row="[[row]]" if model.task == "multiple-choice" else "[row]",
        scores=scores,
    )
