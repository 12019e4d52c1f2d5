"""A fine-tuned model to take away: a Hugging Face folder, or ONNX files that run without torch."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from bortlab.data.labelled import LabelledData
from bortlab.registry import load_from
from bortlab.runtimes.export import export
from bortlab.system.numbers import data_size, milliseconds
from bortlab.training.finetune.comparison import Entry
from bortlab.ui import shared
from bortlab.views.escape import markdown

AGREEMENT_TEXTS = 50
"""Texts of the data that an exported model is compared with torch on."""


class Format(NamedTuple):
    """A way to take a model away. precision: of ONNX, "" for the folder."""

    title: str
    precision: str
    about: str


FORMATS = {
    "folder": Format("Hugging Face folder", "", "for bortlab and transformers"),
    "onnx": Format("ONNX, 32 bits", "float32", "runs with onnxruntime and tokenizers alone, see run.py in it"),
    "onnx-int8": Format("ONNX, 8 bits", "int8", "a quarter of the size; says how often it decides as torch does"),
}


def take_model(entry: Entry, data: LabelledData) -> None:
    """Choose a format, make it, and download it."""
    st.markdown(f"**Take {markdown(entry.title)} with you**")
    name = st.segmented_control(
        "Format",
        list(FORMATS),
        format_func=lambda key: FORMATS[key].title,
        default="folder",
        key="format",
        required=True,
    )
    chosen = FORMATS[name or "folder"]
    st.caption(f"{chosen.title}: {chosen.about}.")
    assert entry.folder is not None
    folder = entry.folder
    if chosen.precision:
        folder = entry.folder.parent.parent / "exports" / f"{entry.folder.name}-{chosen.precision}"
        if not (folder / "model.onnx").is_file():
            st.button(
                "Make it",
                key=f"export-{name}",
                icon=":material/build:",
                on_click=_export,
                args=(entry, data, chosen, folder),
            )
            return
        agreement = (folder / "agreement.json").read_text(encoding="utf-8")
        st.markdown(_agreement(agreement))
    size = sum(path.stat().st_size for path in folder.iterdir())
    st.download_button(
        f"Download ({data_size(size)})",
        lambda: zipped(folder),
        f"{entry.folder.name}-{name}.zip",
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
        key=f"download-{name}",
    )


def _export(entry: Entry, data: LabelledData, chosen: Format, folder: Path) -> None:
    with shared.sentences(), st.spinner("Exporting …"):
        assert entry.folder is not None
        model = load_from(entry.folder, family=entry.family, task=data.task)
        examples = (data.test or data.dev)[:AGREEMENT_TEXTS]
        texts = [
            (example.text, *example.choices)
            if example.choices
            else (example.text, example.pair)
            if example.pair
            else example.text
            for example in examples
        ]
        export(model, folder, precision=chosen.precision, texts=texts)  # type: ignore[arg-type]


def _agreement(document: str) -> str:
    """How the exported model compares with torch, in sentences."""
    import json

    measured = json.loads(document)
    sentence = f"On {measured['texts']} texts of these data its largest difference to torch is "
    sentence += f"{measured['largest_difference']:.2g}"
    if measured["decisions"]:
        sentence += f"; {measured['same']} of {measured['decisions']} decisions are the same"
    ms = measured["milliseconds"]
    return f"{sentence}. A text takes {milliseconds(ms['onnx'])} here, with torch {milliseconds(ms['torch'])}."


def zipped(folder: Path) -> bytes:
    """A folder as a zip archive, its files below its name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{folder.name}/{path.name}")
    return content.getvalue()
