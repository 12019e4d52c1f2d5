"""Write a model as a folder that runs without torch, and say how its answers and its time compare with torch's.

The folder has model.onnx, tokenizer.json, config.json, agreement.json and run.py, which needs onnxruntime and
tokenizers alone. onnx-int8 keeps weights in 8 bits: a quarter of the size, and answers that differ a little.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
  bortlab export albert-mini --to onnx --out albert-onnx
  python albert-onnx/run.py "Paris is the [MASK] of France."
  bortlab export path/to/classifier --to onnx-int8 --out classifier-onnx --texts sentences.txt\
"""
FORMATS = {"onnx": "float32", "onnx-int8": "int8"}
"""What --to takes, and the precision that it means."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the format, and where it goes."""
    from bortlab.cli.models import add_family
    from bortlab.models import TASKS

    parser.add_argument("model", help="key (see `bortlab checkpoints`) or folder in Hugging Face layout")
    parser.add_argument("--to", required=True, choices=list(FORMATS), help="format")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="folder to write")
    parser.add_argument("--task", choices=list(TASKS), help="(default: what the model's files were made for)")
    parser.add_argument(
        "--texts", type=Path, metavar="FILE", help="a text a line to compare on; tabs part pairs, prompt and choices"
    )
    add_family(parser)
    parser.add_argument("--download", action="store_true", help="fetch a published model that is not on this machine")


def run(options: argparse.Namespace) -> None:
    """Write the folder, and print its files and the agreement."""
    from bortlab.cli.models import open_model
    from bortlab.runtimes.export import export
    from bortlab.system.numbers import data_size, milliseconds

    texts = None
    if options.texts is not None:
        lines = options.texts.read_text(encoding="utf-8").splitlines()
        texts = [line.split("\t") for line in lines if line.strip()]
    model = open_model(options.model, family=options.family, download=options.download, task=options.task)
    exported = export(model, options.out, precision=FORMATS[options.to], texts=texts)  # type: ignore[arg-type]
    print(f"{exported.folder}: {model.key} for {exported.task}, {exported.precision}")
    for name, size in exported.files.items():
        print(f"  {name}  {data_size(size)}")
    print(exported.agreement)
    print(f"{milliseconds(exported.ms)} for a text here, {milliseconds(exported.torch_ms)} with torch")
