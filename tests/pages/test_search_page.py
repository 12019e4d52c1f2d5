"""The Search page through Streamlit's test runner: the answer at once, any space, any link, a search of one's own."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas
import pytest
from streamlit.testing.v1 import AppTest

from bortlab import search
from bortlab.search import ERRORS, SPACES, latency
from bortlab.search.grid import TrainedGrid, recorded
from bortlab.search.heads import heads_study
from bortlab.search.heads import recorded as heads_recorded
from bortlab.ui.search import grids
from bortlab.ui.search.setting import AROUND
from tests.pages.visiting import charts, check, elements, sentences, visit
from tests.search import test_heads

lab = partial(visit, "Search")


def frame(at: AppTest, column: str) -> pandas.DataFrame:
    """The table that has this column."""
    return next(table.value for table in at.dataframe if column in table.value)


def test_borts_space_is_searched_at_once() -> None:
    at = lab()
    assert not at.error and not at.warning
    result = search.search("bort", maximum="bert-large-uncased", error="power")
    found = at.markdown[1].value
    assert "300 candidates" in found and "only **90** of which differ" in found
    assert f"{result.best[0].w:.3g}" in found and "D 2 · A 4, 8 or 16 · H 512 · I 3,072" in found
    assert len(charts(at, "pair-")) == 3
    table = frame(at, "candidate")
    assert len(table) == 300
    for name in ("4-8-1024-768", "2-4-512-256", "12-12-768-3072"):  # the page's numbers are the formulas'
        own, row = table.set_index("candidate").loc[name], result.row(name)
        assert (own["parameters"], own["operations"]) == (row.costs.parameters, row.costs.operations)
        assert own["W"] == row.w and own["on the front"] == row.on_front
    shapes = frame(at, "wins below").set_index("shape")
    assert round(shapes.loc["Bort, as released", "wins below"], 3) == 0.795
    assert round(shapes.loc["Bort, 768 wide", "factor"], 3) == 0.797


@pytest.mark.parametrize("space", SPACES)
def test_every_space_in_the_link(space: str) -> None:
    at = lab(space=space, maximum="largest", length="64", counts="effective", error="width-depth")
    assert not at.error
    result = search.search(space, maximum="largest", seq=64, size="effective", error="width-depth")
    assert f"**{result.best[0].name}**" in at.markdown[2].value
    assert frame(at, "candidate")["candidate"].tolist() == [
        *result.frame().sort_values("W", ascending=False, kind="stable")["candidate"]
    ]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_and_a_stride(error: str) -> None:
    at = lab(error=error, stride="4")
    assert not at.error and "one of every 4 is looked at, **75** in all" in at.markdown[1].value
    assert at.markdown[1].value.count("left out") >= 1


def test_a_space_around_a_model_of_any_family() -> None:
    at = lab(space=AROUND, around="conv-bert-small", sizes=["head_ratio", "num_groups"])
    assert not at.error
    where = search.derived("conv-bert-small", ["head_ratio", "num_groups"])
    assert f"{len(where.candidates)} candidates" in at.markdown[1].value
    at.selectbox(key="around").set_value("albert-base-v2")
    check(at.run())
    assert not at.error and at.multiselect(key="sizes").value == ["num_hidden_layers", "intermediate_size"]
    at.multiselect(key="sizes").set_value([])
    check(at.run())
    assert any("names no size" in sentence for sentence in sentences(at))


def test_a_stride_beyond_the_space_is_a_sentence() -> None:
    at = lab(stride="301")
    assert any("expected a whole number from 1 to the 300 candidates" in sentence for sentence in sentences(at))
    at.number_input(key="stride").set_value(300)
    assert not check(at.run()).error


def test_a_candidate_is_looked_at_from_the_link_and_forgotten_with_its_space() -> None:
    at = lab(candidate="4-8-1024-768")
    assert at.selectbox(key="candidate").value == "4-8-1024-768"
    assert any("75,107,328 parameters" in element.value for element in at.markdown)
    assert any("Activations of one text of 512 pieces" in element.value for element in at.caption)
    at.selectbox(key="space").set_value("minis")
    check(at.run())
    assert not at.error and at.selectbox(key="candidate").value in {row.name for row in search.search("minis").rows}


def test_the_third_dimension() -> None:
    at = lab(shown="in three dimensions")
    (cloud,) = charts(at, "cloud")
    assert "300 candidates" in cloud.proto.alt


@pytest.mark.parametrize("query", [{}, {"space": AROUND, "sizes": ["num_hidden_layers"]}, {"space": "albert"}])
def test_the_python_of_the_page_gives_its_winner(query: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    at = lab(**query)
    python = next(code.value for code in at.code if "search.search(" in code.value)
    exec(compile(python, "python", "exec"), {})
    winner = at.selectbox(key="candidate").value
    assert winner in capsys.readouterr().out.splitlines()[0]


def test_foreign_values_in_the_link_change_nothing() -> None:
    at = lab(
        space="brot",
        maximum="brot",
        error="nan",
        stride="-3",
        length="x",
        candidate="<b>",
        counts="$x$",
        shown="![",
        around=":red[",
        sizes=["<script"],
        own_stride="0",
    )
    assert not at.error and "300 candidates" in at.markdown[1].value


# -- the trained part --------------------------------------------------------------------------------------------------


def test_the_recorded_grid_and_its_verdicts_are_shown() -> None:
    at = lab()
    assert len(charts(at, "errors-")) == len(charts(at, "strides-")) == len(charts(at, "learning-")) == 1
    texts = [element.value for element in at.markdown]
    assert any("**2-4-224-168**" in text and "**is on the front**" in text for text in texts)
    assert len(frame(at, "largest W in")) == len(recorded()["search-grid-minis"].names) >= 23
    assert any("of the 24 candidates were trained with 3 seeds each" in text for text in texts)


def test_the_recorded_times_are_shown() -> None:
    at = lab()
    (picture,) = charts(at, "milliseconds-")
    (its,) = latency.recorded().values()
    assert "2-4-224-168 78.1 M in 1.1 ms" in picture.proto.alt
    assert frame(at, "p50 ms")["p50 ms"].tolist() == [entry.ms.value for entry in its.candidates]
    texts = [element.value for element in at.markdown]
    assert any(f"**{its.spearman.value:.2f}** ({its.spearman.low:.2f} to" in text for text in texts)


def test_the_recorded_heads_are_shown() -> None:
    at = lab()
    (picture,) = charts(at, "heads-")
    study = heads_study(heads_recorded()["search-heads-minis"])
    assert all(shape.name in picture.proto.alt for shape in study.shapes)
    assert len(frame(at, "heads")) == sum(len(shape.heads) for shape in study.shapes)
    assert any("Friedman's test of 2, 4 and 8 heads" in element.value for element in at.markdown)


def test_errors_by_the_number_of_heads(tmp_path: Path) -> None:
    path = tmp_path / "search-heads.json"
    path.write_text(json.dumps(test_heads.trained({2: 0.2, 4: 0.0, 8: 0.1}).to_dict()))

    def script(path: str) -> None:
        from pathlib import Path

        from bortlab.search.grid import read_grid
        from bortlab.search.heads import heads_study
        from bortlab.ui.search.heads import show_heads

        grid = read_grid(Path(path))
        show_heads("made-up", grid, heads_study(grid))

    at = AppTest.from_function(script, args=(str(path),)).run()
    assert not at.exception and at.header[0].value == "Does the number of heads matter?"
    (picture,) = charts(at, "heads-made-up")
    assert "2-224-168 5.00 with 2, 4.80 with 4 and 4.90 with 8 heads" in picture.proto.alt
    assert "the number of heads **matters**" in at.markdown[1].value
    assert len(frame(at, "heads")) == 9
    assert "27 of 27 trainings" in at.caption[-1].value and "--space minis-heads" in at.caption[-1].value


def test_the_job_is_described_before_it_starts() -> None:
    at = lab()
    button = next(button for button in at.button if button.label.startswith("Train"))
    assert button.label == "Train 4 candidates"
    grid = grids.own_grid(6)
    assert any(grid.candidates[1] in caption.value for caption in at.caption)


@pytest.mark.parametrize(
    ("errors", "words"),
    [((5.0, 4.5), "has the largest W"), ((5.0, 6.6), "uninformative: "), ((6.6, 6.7), "none does better than")],
)
def test_what_a_search_of_ones_own_says(errors: tuple[float, float], words: str, tmp_path: Path) -> None:
    grid = grids.own_grid(12)
    trainings = tuple(
        {"name": name, "seed": 0, "rate": 4e-3, "curve": [{"error": error}] * 3, "cpu_seconds": 1.0}
        for name, error in zip(grid.candidates, errors, strict=True)
    )
    facts = {"unigram": {"error": 6.6, "loss": 6.6}, "teacher": {"error": 3.4, "loss": 3.4}}
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(TrainedGrid(grid, trainings, facts, {}, complete=True).to_dict()))

    def script(path: str) -> None:
        from pathlib import Path

        from bortlab.ui.search.grids import show_own

        show_own(Path(path))

    at = AppTest.from_function(script, args=(str(path),)).run()
    assert not at.exception
    assert any(words in element.value for element in elements(at._tree) if element.type in ("markdown", "info"))
