"""Imports point one way, and foreign packages stay where they belong. Reads the sources and runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "bortlab"

LAYERS = (
    ("tokenizer_files",),
    ("tokenization",),
    ("nn",),
    ("models",),
    ("checkpoint",),
    ("model", "answers", "registry", "fitted", "hub", "serving"),
    ("__init__",),  # the notebook API
    ("analysis", "training", "search", "jobs"),
    ("views",),
    ("ui",),
    ("app", "pages"),
)
"""From the bottom up: a module imports its own layer and those below. A new one must be given its place here."""

LEAVES = ("trace", "files", "store")
"""They import nothing of ours; everybody else may import them."""

DOORS = {("bortlab.model", "bortlab.training")}
"""Exceptions, each one call: a notebook reaches what stands above through a method (Model.fit_head)."""

RANKS = {name: number for number, names in enumerate((LEAVES, *LAYERS)) for name in names}

HOMES = {
    "streamlit": ("app", "pages", "bortlab.ui"),
    "plotly": ("bortlab.views",),
    "bertviz": ("bortlab.views",),
    "captum": ("bortlab.analysis.attribution",),
    "transformers": (),  # the oracle of the tests, no part of the program
}
"""Who may import a package: modules of these names, and those inside (or, for a plain module, named after) them."""


def place(module: str) -> str:
    """The name in LAYERS that decides about a module of ours; "" for a foreign one."""
    first, _, rest = module.partition(".")
    if first != PACKAGE:
        return first if first in RANKS else ""
    return rest.split(".")[0] or "__init__"


def run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for child in node.orelse:
            yield from run_time(child)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from run_time(child)


def imports(source: str, module: str) -> Iterator[tuple[int, str]]:
    """(line, module) of each import that can happen when the program runs, inside functions too."""
    for node in run_time(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:  # `from bortlab import x`: a module of ours, or a name of the notebook API
                yield node.lineno, f"{base}.{alias.name}" if base == PACKAGE and alias.name in RANKS else base
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value


def complaints(source: str, module: str) -> Iterator[str]:
    """What is wrong with the imports of a module; "x.__init__" is the module of a package."""
    own = RANKS.get(place(module))
    if own is None:
        yield f"{module} is new: give it its place in LAYERS of {Path(__file__).name}"
        return
    for line, imported in imports(source, module):
        home = HOMES.get(imported.split(".")[0])
        if home is not None and not any(module == name or module.startswith((f"{name}.", f"{name}_")) for name in home):
            yield f"{module}:{line} imports {imported}; only {', '.join(home) or 'tests'} may"
        if (
            (module, imported) not in DOORS
            and place(imported)
            and (own == 0 or own < RANKS.get(place(imported), len(RANKS)))
        ):
            yield f"{module}:{line} imports {imported}, which does not stand below it"


def program() -> dict[str, Path]:
    """Module -> file, for the whole program."""
    files = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / PACKAGE).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(files) if path.is_file()}


@pytest.mark.parametrize(("module", "path"), program().items(), ids=program())
def test_imports_point_one_way(module: str, path: Path) -> None:
    assert list(complaints(path.read_text(encoding="utf-8"), module)) == []


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
        ("bortlab.checkpoint", "from bortlab.registry import load"),
        ("bortlab.checkpoint", "import importlib\nimportlib.import_module('bortlab.registry')"),
        ("bortlab.model", "from bortlab.analysis import lens"),
        ("bortlab.training.agora", "from bortlab.views.plots import bar"),
        ("bortlab.views.plots", "import bortlab.ui.session"),
        ("bortlab.ui.session", "import app"),
        ("bortlab.__init__", "from bortlab.analysis import lens"),
        ("bortlab.novelty", ""),
        ("bortlab.ui.session", "from bortlab.novelty import x"),
        ("bortlab.trace", "from bortlab.nn import Block"),
        ("bortlab.trace", "from bortlab.tokenization import Encoding"),
        ("bortlab.trace", "if TYPE_CHECKING:\n    pass\nelse:\n    from bortlab.tokenization import Encoding"),
        ("bortlab.tokenization", "import bortlab"),
        ("bortlab.views.plots", "import streamlit as st"),
        ("bortlab.uighur", "import streamlit"),
        ("bortlab.analysis.lens", "import plotly.graph_objects as go"),
        ("bortlab.analysis.lens", "from captum.attr import IntegratedGradients"),
        ("bortlab.ui.attention", "def f():\n    from bertviz import head_view"),
        ("bortlab.models.bert", "try:\n    import transformers\nexcept ImportError:\n    pass"),
        ("pages.kernels", "from transformers import AutoModel"),
    ],
)
def test_the_check_sees_what_is_wrong(module: str, source: str) -> None:
    assert list(complaints(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bortlab.nn.block", "from bortlab.nn.attention import attend\nfrom bortlab.trace import LayerTrace"),
        ("bortlab.models.bert", "from . import base\nfrom ..nn import Block"),
        ("bortlab.__init__", "from bortlab.registry import load\nfrom .trace import Trace"),
        ("bortlab.nn.__init__", "from .attention import attend\nfrom bortlab.nn.block import Block"),
        ("bortlab.model", "from bortlab import checkpoint"),
        ("bortlab.trace", "if TYPE_CHECKING:\n    from bortlab.tokenization import Encoding"),
        ("bortlab.checkpoint", "if TYPE_CHECKING:\n    from bortlab.registry import Registry"),
        ("bortlab.analysis.lens", "import bortlab\nfrom bortlab import Model, load\nfrom bortlab.trace import Trace"),
        ("bortlab.analysis.attribution", "from captum.attr import IntegratedGradients"),
        ("bortlab.analysis.attribution_methods", "import captum"),
        ("bortlab.analysis.attribution.gradients", "import captum"),
        ("bortlab.views.plots", "import plotly.express as px"),
        ("bortlab.ui.session", "import streamlit as st\nfrom bortlab.views import plots"),
        ("pages.kernels", "import streamlit as st\nfrom bortlab.ui import session\nimport bortlab"),
        ("app", "import streamlit as st\nfrom bortlab.ui import session"),
    ],
)
def test_the_check_lets_pass_what_is_right(module: str, source: str) -> None:
    assert list(complaints(source, module)) == []
