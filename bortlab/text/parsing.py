"""Bytes, JSON and Rust: untrusted files of tokenizers, opened with suspicion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bortlab.system.files import UnsafeFileError, regular_file

MAX_FILE_BYTES = 20 * 2**20
MAX_PIECES = 300_000
MAX_NODES = 3 * MAX_PIECES
"""Objects and lists in a file. A piece and a merge are one each; a list of nothing else would fill the memory."""


class TokenizerError(ValueError):
    """A tokenizer file, text or id that cannot be used; the message says what, got, expected and what to do."""


def sentencepiece_proto(*, required: bool) -> Any:
    """SentencePiece's protobuf module, or None where it is not installed and not required."""
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        if required:
            raise TokenizerError("Reading spiece.model needs: pip install sentencepiece protobuf") from error
        return None
    return sentencepiece_model_pb2


def read_bytes(path: Path) -> bytes:
    try:
        return regular_file(path.parent, path.name, MAX_FILE_BYTES).read_bytes()
    except (UnsafeFileError, OSError) as error:
        raise TokenizerError(str(error)) from error


def read_text(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{path} is not UTF-8 text ({error}).") from error


def read_json_if_there(path: Path) -> dict[str, Any]:
    return parse_json(read_text(path), path.name) if path.exists() else {}


def parse_json(text: str, what: str) -> dict[str, Any]:
    try:
        if text.count("{") + text.count("[") > MAX_NODES or text.count(",") > 2 * MAX_NODES:
            raise ValueError(f"more than {MAX_NODES:,} parts")
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{what} is not valid JSON ({str(error) or type(error).__name__}).") from error
    if not isinstance(document, dict):
        raise TokenizerError(f"{what} holds a {type(document).__name__}, expected a JSON object.")
    return document


def dump(document: object, indent: int | None = None) -> str:
    """JSON in UTF-8, sorted by nothing, without NaN; lone surrogates (which no file can hold) are an error."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"The tokenizer holds something JSON cannot say ({error}).") from error
    return text


@contextmanager
def rust(action: str) -> Iterator[None]:
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
