"""Pictures of sizes: their numbers add up, their drawings are safe and inside their frames, their text can be read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from bortlab import registry
from bortlab.analysis.parameters import formula, sweep
from bortlab.models import FAMILIES
from bortlab.models.formula import COMPONENTS
from bortlab.system.numbers import short_count
from bortlab.views import parameters as view
from bortlab.views import theme
from bortlab.views.parameters import CountedModel
from bortlab.views.theme import Look
from tests.views.test_figures import contrast

LOOKS = [Look("light"), Look("dark")]
KEYS = [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]
each_look = pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.mode)
each_key = pytest.mark.parametrize("key", KEYS)


def shown(key: str, title: str | None = None, **changes: int) -> CountedModel:
    """A known architecture, with its masked-LM head."""
    family, config = registry.architecture(key)
    config = replace(config, **changes)
    return CountedModel(title or registry.find(key)[1].title, family.name, config, formula(config, ("masked-lm",)))


@each_key
def test_the_whole_is_the_sum_of_its_parts(key: str) -> None:
    one = shown(key)
    nodes = {name: (parent, weights) for name, parent, _, weights, _ in view.hierarchy(one)}
    assert len(nodes) == len(view.hierarchy(one)) and nodes["all"] == ("", one.sizes.stored)
    for name, (_, weights) in nodes.items():
        below = [w for parent, w in nodes.values() if parent == name]
        assert not below or sum(below) == weights, name
    assert all(parent in nodes for parent, _ in nodes.values() if parent)


@each_look
def test_bars_are_as_long_as_the_model_is_large(look: Look) -> None:
    models = [shown("albert-base-v2"), shown("conv-bert-small"), shown("bert-large-uncased")]
    figure = json.loads(view.stacked_bars(models, look).picture.to_json())
    bars = [trace for trace in figure["data"] if trace["type"] == "bar"]
    for number, model in enumerate(models):
        stored, executed = (
            sum(trace["x"][number] for trace in bars if trace["showlegend"] == legend) for legend in (True, False)
        )
        assert (stored, executed) == (model.sizes.stored, model.sizes.executed)
    assert "<br>" in figure["data"][-2]["text"][0]  # what is executed too
    assert "BERT large stores 335 M" in view.stacked_bars(models, look).alt


@each_look
@pytest.mark.parametrize("kind", ["sunburst", "treemap"])
def test_proportions_escape_titles(look: Look, kind: Any) -> None:
    figure = json.loads(view.proportions(shown("bort", "<b>x</b>"), look, kind).picture.to_json())
    assert figure["data"][0]["type"] == kind and figure["data"][0]["labels"][0] == "&lt;b&gt;x&lt;/b&gt;"
    assert "embeddings 68%" in view.proportions(shown("bort"), look, kind).alt


@each_look
def test_a_curve_marks_where_we_are(look: Look) -> None:
    swept = sweep(registry.architecture("albert-base-v2")[1], "num_hidden_groups", range(1, 13))
    points = {value: sizes.stored for value, sizes in swept.items()}
    drawn = view.curve(points, title="By groups", here=3, family="albert", x="groups", look=look, bound=("all", 5))
    figure = drawn.picture
    assert list(drawn.table["weights"]) == list(points.values()) and drawn.alt.startswith("By groups: 1: 11.1 M")
    assert list(figure.data[0].y) == list(points.values())
    assert figure.data[0].marker.size.index(13) == 2 and list(figure.data[1].y) == [5, 5]


def inside(svg: str) -> list[ET.Element]:
    """The elements of a drawing, which is safe and stays inside its frame."""
    root = ET.fromstring(svg)
    width, height = (float(size) for size in root.get("viewBox", "").split()[2:])
    for element in root.iter():
        assert element.tag.split("}")[1] not in ("script", "foreignObject", "image", "a", "style")
        if element.tag.endswith("rect"):
            x, y, w, h = (float(element.get(name, "nan")) for name in ("x", "y", "width", "height"))
            assert 0 <= x <= x + w <= width and 0 <= y <= y + h <= height
        if element.tag.endswith("text"):
            assert 0 <= float(element.get("x", "nan")) <= width and 0 <= float(element.get("y", "nan")) <= height
    return list(root.iter())


@each_look
@each_key
def test_drawings_stay_inside_and_are_safe(look: Look, key: str) -> None:
    for model in (shown(key, "<script>alert(1)</script>"), shown(key, hidden_size=768, num_attention_heads=12)):
        for drawn in (view.stack(model, look, view.scale_of([model])), view.one_block(model, look)):
            inside(drawn.picture.body)
            assert len(drawn.alt) > 40


def test_drawings_are_to_scale() -> None:
    look = LOOKS[0]
    bort, large = shown("bort"), shown("bert-large-uncased")
    scale = view.scale_of([bort, large])
    widths = []
    for model in (bort, large):
        rects = [e for e in inside(view.stack(model, look, scale).picture.body) if e.tag.endswith("rect")]
        assert len(rects) == 2 * len(model.sizes.layers) + 1
        widths.append(max(float(e.get("width", "nan")) for e in rects))
    assert widths[1] / widths[0] == pytest.approx(4096 / 1024)
    reused = view.stack(shown("albert-base-v2"), look, scale)
    assert "1 block, used again" in reused.picture.body and "marker" in reused.picture.body
    assert "2 blocks, used again" in view.stack(shown("albert-base-v2", num_hidden_groups=2), look, scale).picture.body


@each_look
def test_labels_can_be_read_on_every_component(look: Look) -> None:
    colours = [view.colour_of(component, look) for component in COMPONENTS]
    assert len(set(colours)) == len(COMPONENTS)
    for colour in colours:
        assert contrast(theme.PAPER["dark"], colour) >= 4.5


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0 k"),
        (335_141_888, "335 M"),
        (11_683_584, "11.7 M"),
        (99_960_000, "100 M"),
        (999_960, "1.0 M"),
        (78.9e9, "78.9 G"),
        (2e12, "2.0 T"),
    ],
)
def test_short_numbers(number: float, said: str) -> None:
    assert short_count(number) == said
