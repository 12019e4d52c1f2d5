"""Imports point one way, in no circle, and foreign packages stay where they belong. Reads the sources, runs nothing.

Every import counts: at the top of a module, inside a function, and those that only a type checker sees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "bortlab"
NOTEBOOK_API = "__init__"

ROOMS = (
    "system",
    "text",
    "nn",
    "models",
    "checkpoint",
    "hub",
    "model",
    "registry",
    "work",
    "data",
    "runtimes",
    "analysis",
    "training",
    "search",
    NOTEBOOK_API,
    "views",
    "lessons",
    "notebooks",
    "ui",
    "cli",
    "__main__",
    "app",
    "pages",
)
"""From the bottom up: a module imports from its own room and from those below. A new room is given its place here."""

HOMES: Mapping[str, tuple[str, ...]] = {
    "streamlit": ("app", "pages", "bortlab.ui"),
    "plotly": ("bortlab.views",),
    "bertviz": ("bortlab.views",),
    "captum": ("bortlab.analysis.attribution",),
    "keras": ("bortlab.runtimes",),
    "jax": ("bortlab.runtimes",),
    "tensorflow": ("bortlab.runtimes",),
    "onnxruntime": ("bortlab.runtimes",),
    "openvino": ("bortlab.runtimes",),
    "ray": ("bortlab.work",),
    "h5py": ("bortlab.checkpoint",),
    "msgpack": ("bortlab.checkpoint",),
    "transformers": (),  # the oracle of the tests, no part of the program
}
"""Which modules, and those inside them, may import a foreign package."""


def room_of(module: str) -> str:
    """The room that a module of ours stands in, "" for a foreign module or one that stands in no room."""
    first, _, rest = module.partition(".")
    room = first if first != PACKAGE else rest.split(".")[0] or NOTEBOOK_API
    return room if room in ROOMS and (first == PACKAGE or room in ("app", "pages")) else ""


def is_ours(module: str) -> bool:
    return module.split(".")[0] in (PACKAGE, "app", "pages")


def imports(source: str, module: str, *, package: bool = False) -> Iterator[tuple[int, str, str]]:
    """(line, module, name or "") of every import; package: the source is a package's own file, __init__.py."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                start = module.split(".")[: (1 if package else 0) - node.level or None]
                base = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((node.lineno, base, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value, ""


def program() -> dict[str, Path]:
    """Module -> file, for the whole program; a package is its __init__.py."""
    files = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / PACKAGE).rglob("*.py")]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(files)}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


PROGRAM = program()
PACKAGES = {module for module, path in PROGRAM.items() if path.name == "__init__.py"}


def complaints(source: str, module: str) -> Iterator[str]:
    """What is wrong with the imports of a module, room by room."""
    own = room_of(module)
    if not own:
        yield f"{module} stands in no room: give it its place in ROOMS of {Path(__file__).name}"
        return
    for line, imported, name in imports(source, module, package=module in PACKAGES):
        homes = HOMES.get(imported.split(".")[0])
        if homes is not None and not any(module == home or module.startswith(f"{home}.") for home in homes):
            yield f"{module}:{line} imports {imported}; only {', '.join(homes) or 'tests'} may"
        if not is_ours(imported):
            continue
        inside = f"{imported}.{name}" if imported == PACKAGE and name in ROOMS else imported
        room = room_of(inside)
        if not room or ROOMS.index(room) > ROOMS.index(own):
            yield f"{module}:{line} imports {inside}, which does not stand below it"


def graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports."""
    edges: dict[str, set[str]] = {}
    for module, source in sources.items():
        is_package = any(other.startswith(f"{module}.") for other in sources)
        edges[module] = set()
        for _, imported, name in imports(source, module, package=is_package):
            target = f"{imported}.{name}" if f"{imported}.{name}" in sources else imported
            if target in sources:
                edges[module].add(target)
    return edges


def circle(edges: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, [] for none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize(("module", "path"), PROGRAM.items(), ids=PROGRAM)
def test_imports_point_one_way(module: str, path: Path) -> None:
    assert list(complaints(path.read_text(encoding="utf-8"), module)) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(graph({module: path.read_text(encoding="utf-8") for module, path in PROGRAM.items()})) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bortlab.nn.block", "from bortlab.models import FAMILIES"),
        ("bortlab.nn.block", "from bortlab import models"),
        ("bortlab.nn.block", "import bortlab"),
        ("bortlab.nn.block", "from bortlab import load"),
        ("bortlab.nn.block", "def f():\n    import bortlab.checkpoint"),
        ("bortlab.nn.block", "from ..models import FAMILIES"),
        ("bortlab.nn.block", "from .. import models"),
        ("bortlab.models.bert", "from bortlab.checkpoint import save"),
        ("bortlab.checkpoint.saving", "from bortlab.registry import load"),
        ("bortlab.checkpoint.saving", "import importlib\nimportlib.import_module('bortlab.registry')"),
        ("bortlab.checkpoint.saving", "if TYPE_CHECKING:\n    from bortlab.model import Model"),
        ("bortlab.model.model", "from bortlab.analysis import lens"),
        ("bortlab.model.model", "def fit(self):\n    from bortlab.training import fit"),
        ("bortlab.training.agora", "from bortlab.views.plots import bar"),
        ("bortlab.views.plots", "import bortlab.ui.session"),
        ("bortlab.ui.session", "import app"),
        ("bortlab.analysis.lens", "from bortlab import load"),
        ("bortlab", "from bortlab.views import plots"),
        ("bortlab.novelty", ""),
        ("bortlab.ui.session", "from bortlab.novelty import x"),
        ("bortlab.system.files", "import bortlab"),
        ("bortlab.views.plots", "import streamlit as st"),
        ("bortlab.uighur", "import streamlit"),
        ("bortlab.analysis.lens", "import plotly.graph_objects as go"),
        ("bortlab.analysis.lens", "from captum.attr import IntegratedGradients"),
        ("bortlab.ui.attention", "def f():\n    from bertviz import head_view"),
        ("bortlab.models.bert", "try:\n    import transformers\nexcept ImportError:\n    pass"),
        ("bortlab.training.finetune", "import ray"),
        ("pages.kernels", "from transformers import AutoModel"),
    ],
)
def test_the_check_sees_what_is_wrong(module: str, source: str) -> None:
    assert list(complaints(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bortlab.nn.block", "from bortlab.nn.attention import attend\nfrom bortlab.nn.records import LayerTrace"),
        ("bortlab.models.bert", "from . import family\nfrom ..nn import Block"),
        ("bortlab", "from bortlab.registry import load\nfrom .model import Trace"),
        ("bortlab.nn", "from .attention import attend\nfrom bortlab.nn.block import Block"),
        ("bortlab.model.model", "from bortlab import checkpoint"),
        ("bortlab.analysis.attribution", "from captum.attr import IntegratedGradients"),
        ("bortlab.analysis.attribution.gradients", "import captum"),
        ("bortlab.views.plots", "import plotly.express as px"),
        ("bortlab.ui.session", "import streamlit as st\nfrom bortlab.views import plots"),
        ("bortlab.cli.lab", "from bortlab.ui import startup\nimport bortlab"),
        ("pages.kernels", "import streamlit as st\nfrom bortlab.ui import session\nimport bortlab"),
        ("app", "import streamlit as st\nfrom bortlab.ui import session"),
    ],
)
def test_the_check_lets_pass_what_is_right(module: str, source: str) -> None:
    assert list(complaints(source, module)) == []


@pytest.mark.parametrize(
    ("sources", "round_trip"),
    [
        ({"bortlab.a": "from bortlab.b import x", "bortlab.b": "def f():\n    from bortlab.a import y"}, True),
        ({"bortlab.a": "from bortlab.b import x", "bortlab.b": "if TYPE_CHECKING:\n    import bortlab.a"}, True),
        ({"bortlab.a": "from bortlab.a.b import x", "bortlab.a.b": "from bortlab.a import x"}, True),
        ({"bortlab.a": "from .b import x", "bortlab.a.b": "from ..a.c import x", "bortlab.a.c": ""}, False),
        ({"bortlab.a": "import torch", "bortlab.b": "from bortlab import a"}, False),
    ],
)
def test_circles_are_seen(sources: Mapping[str, str], round_trip: bool) -> None:
    assert bool(circle(graph(sources))) == round_trip
