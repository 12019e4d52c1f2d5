"""The bundled notebooks, made from the lab: each page is opened, and its lines of Python become a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bortlab.notebooks import Code, Text, notebook
from bortlab.system import assets

TEXT = "She drinks a cup of [MASK] every morning."
PAIR = {"text": TEXT, "models": ["bert-mini", "albert-mini"]}
CONVBERT = {"text": TEXT, "models": ["convbert-mini"]}


@dataclass(frozen=True, slots=True)
class View:
    """A view of the lab: its page and the values of its link; in the notebook, the Python that makes it."""

    page: str
    link: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A notebook: its title, and prose, views and code in order."""

    title: str
    parts: Sequence[str | View | Code]


RECIPES = {
    "1-quick-start": Recipe(
        "bortlab: a quick start",
        (
            "Four small models, trained alike, and a real one. What do they put in a blank?",
            View("predict", PAIR | {"models": ["bert-mini", "albert-mini", "convbert-mini", "bort-mini"]}),
            "They read pieces, not words, and each cuts a text in its own way.",
            View("tokens", {"text": "The astronaut photographed an unbelievable supernova."}),
            "Sizes of published architectures are counted from their configurations; nothing is downloaded.",
            View("parameters"),
            "A *trace* holds everything that a model computed on the way.",
            Code(
                "import bortlab\n\n"
                f"trace = bortlab.load('convbert-mini').trace({TEXT!r})\n"
                "print(trace.attention.shape, '(layers, heads, from, to)')\n"
                "print(trace.kernels.shape, '(layers, heads, token, tap)')\n"
                "print(trace.hidden.shape, '(layers + 1, token, hidden)')\n"
            ),
        ),
    ),
    "2-attention-and-kernels": Recipe(
        "Attention and kernels: who looks at whom?",
        (
            "One head at a time: rows look at columns, and each row sums to 1.",
            View("attention", PAIR | {"layer": 2, "heads": [1]}),
            "All heads of all layers at once.",
            View("attention", PAIR | {"view": "All heads"}),
            "What they do, in numbers: how spread out, how far, and on what.",
            View("attention", PAIR | {"view": "What heads do"}),
            "ConvBERT replaces half of the heads by a convolution whose kernel is made anew for each token.",
            View("kernels", CONVBERT | {"view": "Whole text"}),
            "The kernel is made from a *span*: change a neighbour, and it moves, in the first layer already.",
            View("kernels", {"text": "He sat by the river bank.", "models": ["convbert-mini"], "view": "Why a span?"}),
            "And without one half or the other?",
            View("kernels", CONVBERT | {"view": "Two halves"}),
        ),
    ),
    "3-attribution-and-trust": Recipe(
        "Attribution: which words decided, and how far can one trust it?",
        (
            "An attribution shares a model's answer out among the words of the text.",
            View("attribution", PAIR),
            "Methods ask different questions, so they need not agree.",
            View("attribution", CONVBERT | {"view": "Methods"}),
            "A test that needs no taste: take the words away, the most important first.",
            View("attribution", CONVBERT | {"view": "Trust"}),
        ),
    ),
    "4-layers": Recipe(
        "Layers: when was the answer known?",
        (
            "What would the head say behind each layer? The lens reads it off; only the last row is exact.",
            View("layers", PAIR),
            "How many bits does each word cost, if it is hidden?",
            View("layers", {"text": "She drinks a cup of petrol every morning.", "part": "surprise"}),
            "How similar do sentences look, layer after layer?",
            View("layers", {"part": "sentences"}),
        ),
    ),
    "5-latency": Recipe(
        "Latency: how fast is each model here?",
        (
            "The models take turns, so that a machine that slows down slows all of them. A few seconds:",
            Code(
                "from bortlab.analysis import latency\n\n"
                "models = ['albert-mini', 'convbert-mini', 'bort-mini', 'bert-mini']\n"
                "quick = {'rounds': latency.QUICK_ROUNDS, 'seconds': latency.QUICK_SECONDS}\n"
                "run = latency.measure(latency.plan(models, seq=[16], threads=[1], roof=False, **quick))\n"
                "run.frame('bert-mini')\n"
            ),
            "As a picture, with 95% confidence intervals. Where two overlap, this run has not told them apart.",
            Code(
                "from bortlab.views import latency as draw\nfrom bortlab.views.theme import Look\n\n"
                "draw.times(run.timed, Look('light')).show()\n"
            ),
            "More rounds and longer texts take longer and tell more: leave out `quick`, and give several lengths by "
            "`seq=[16, 128]`. `latency.load` reads a saved result; one comes with bortlab, and names its machine.",
            Code(
                "(path,) = latency.recorded()\nrecorded = latency.load(path)\n"
                "for check in latency.measured_speedups(recorded):\n"
                "    print(check.published.baseline, check.case.seq, check.speedup)\n"
            ),
        ),
    ),
    "6-fine-tuning-and-agora": Recipe(
        "Fine-tuning and Agora: what does a small encoder learn from few examples?",
        (
            "A bundled task: which field is a definition from? The Fine-tune page does this for files of your "
            "own, too. These settings take seconds; with `examples=500` and `seeds=3` it is worth believing.",
            Code(
                "from bortlab.data.labelled import load_task\n"
                "from bortlab.training.finetune import compare_models\n\n"
                "data = load_task('field')\n"
                "settings = {'examples': 100, 'epochs': 1, 'frozen': False}\n"
                "comparison = compare_models(data, ['bort-mini'], folder='comparison', **settings)\n"
            ),
            "Quality against time, with plain baselines. A bar that overlaps another has not told the two apart.",
            Code(
                "from bortlab.views import finetune as draw\nfrom bortlab.views.theme import Look\n\n"
                "draw.frontier(comparison, Look('light')).show()\n"
            ),
            "*Agora* makes new examples near the mistakes, lets a labeller name them, and trains anew with the "
            "settings that are left. This is our interpretation: `docs/agora.md` says what is known of the original.",
            Code(
                "from pathlib import Path\n\nimport bortlab\nfrom bortlab.training.agora import labeller_named\n"
                "from bortlab.training.finetune.comparing import drawn\n\n"
                "few = drawn(data, 40)\n"
                "settings = {'n_sets': 2, 'epochs': 1, 'length': 24}\n"
                "labeller = labeller_named('words', few)\n"
                "report = bortlab.agora('bort-mini', labeller, few, folder=Path('agora'), **settings)\n"
                "for this in report.result.rounds:\n"
                "    kept = sum(not point.refused for point in this.points)\n"
                "    print(f'round {this.number + 1}: {this.mistakes} mistakes, {kept} new examples')\n"
            ),
            "Only the sealed test set counts, and it was read once. What does not hold here is said.",
            Code(
                "test = report.test\n"
                "print(f'on the sealed test set: {test.value:.3f}, from {test.low:.3f} to {test.high:.3f}')\n"
                "print(*report.warnings, sep='\\n')\n"
                "for point in report.result.rounds[0].points[:3]:\n"
                "    print(point.mistake.text, '->', point.example.text, sep='\\n', end='\\n\\n')\n"
            ),
        ),
    ),
}
"""Every bundled notebook by the name of its file."""


def make(folder: Path) -> Iterator[Path]:
    """Write every notebook into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, recipe in RECIPES.items():
        path = folder / f"{name}.ipynb"
        path.write_text(text_of(recipe), encoding="utf-8")
        yield path


def text_of(recipe: Recipe) -> str:
    """The .ipynb file of a recipe."""
    cells = [Text(p) if isinstance(p, str) else Code(python_of(p)) if isinstance(p, View) else p for p in recipe.parts]
    return notebook(recipe.title, cells)


def python_of(view: View) -> str:
    """The lines under "As Python" of a page, as a visitor with this link reads them."""
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.testing.v1 import AppTest

    PagesManager.uses_pages_directory = False  # app.py says which pages there are
    at = AppTest.from_file(assets.APP, default_timeout=300)
    at.query_params.update(view.link)
    at.switch_page(f"pages/{view.page}.py")
    at.run()
    lines = [element.value for element in at.code if element.language == "python"]
    if not lines:
        raise RuntimeError(f"The page {view.page} shows no Python for {dict(view.link)}.")
    return str(lines[0])
