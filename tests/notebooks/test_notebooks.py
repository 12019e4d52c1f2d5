"""Notebooks: valid, without outputs, made from the pages as they are now, and run from top to bottom."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from bortlab import cli, notebooks
from bortlab.notebooks import Code, Text
from bortlab.system.assets import CHECKOUT
from bortlab.ui.notebooks import RECIPES, text_of

BUNDLED = notebooks.bundled()


def read(path: Path) -> NotebookNode:
    node = nbformat.read(path, as_version=4)
    nbformat.validate(node)
    return node


def test_every_recipe_is_bundled() -> None:
    assert [path.stem for path in BUNDLED.values()] == sorted(RECIPES)


@pytest.mark.parametrize("path", BUNDLED.values(), ids=BUNDLED)
def test_a_notebook_says_how_to_install_and_has_no_outputs(path: Path) -> None:
    node = read(path)
    assert "pip install" in node.cells[0].source and node.cells[0].cell_type == "markdown"
    assert all(not cell.outputs and cell.execution_count is None for cell in node.cells if cell.cell_type == "code")
    assert sum(cell.cell_type == "code" for cell in node.cells) >= 3


@pytest.mark.slow
@pytest.mark.usefixtures("components_once")
@pytest.mark.parametrize("name", RECIPES)
def test_a_notebook_is_made_from_the_pages_as_they_are(name: str) -> None:
    written = (CHECKOUT / "assets" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert written == text_of(RECIPES[name]), "bortlab notebook --make assets/notebooks"


@pytest.mark.slow
def test_notebooks_run_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other in one kernel, which forgets all names between them; pictures come out as pictures."""
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # other tests run beside it: threads that wait leave their core
    everything = nbformat.v4.new_notebook()
    for path in BUNDLED.values():
        everything.cells += [new_code_cell("%reset -f"), *read(path).cells]
    client = NotebookClient(everything, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.create_kernel_manager().kernel_spec.argv[0] = sys.executable
    client.execute()
    outputs = [output for cell in everything.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    kinds = [set(output.data) for output in outputs if output.output_type == "display_data"]
    assert sum(bool(kind & {"application/vnd.plotly.v1+json", "text/html"}) for kind in kinds) >= len(RECIPES)


def test_cells_become_a_notebook(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(notebooks.notebook("Ä title", [Text("Why <b>\n\nthis?"), Code("a = 1\n\nprint(a)\n")]), "utf-8")
    node = read(path)
    assert node.cells[1].source == "Why <b>\n\nthis?" and node.cells[2].source == "a = 1\n\nprint(a)"
    assert notebooks.title_of(path) == "Ä title"


def test_the_command_lists_and_copies_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["notebook"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in BUNDLED)
    assert cli.main(["notebook", "all", "--to", str(tmp_path / "mine")]) == 0
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {f"{name}.ipynb" for name in BUNDLED}
    (tmp_path / "mine" / "layers.ipynb").write_text("mine", "utf-8")
    capsys.readouterr()
    assert cli.main(["notebook", "layers", "--to", str(tmp_path / "mine")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "mine" / "layers.ipynb").read_text("utf-8") == "mine"
    assert cli.main(["notebook", "nonsense"]) == 1 and "no notebook 'nonsense'" in capsys.readouterr().err
