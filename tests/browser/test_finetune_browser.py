"""Fine-tune in a real Chromium: a file of one's own, a comparison to its end, a mistake explained, the model taken."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.exported import run_apart

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]
ROWS = ("A poor and sad day {}.,sad", "A good and happy day {}.,glad")
WAIT_MS = 240_000
"""A training on a busy machine."""


def reviews(folder: Path) -> Path:
    path = folder / "reviews.csv"
    odd = "So so {}.,{}"  # what no word decides: there will be mistakes
    rows = [ROWS[n % 2].format(n) for n in range(60)] + [odd.format(n, ("sad", "glad")[n % 2]) for n in range(60)]
    path.write_text("review,mood\n" + "\n".join(rows), encoding="utf-8")
    return path


def downloaded(lab: Visit, folder: Path) -> Path:
    """The model in the format that is chosen, unpacked."""
    with lab.page.expect_download() as download:
        lab.page.get_by_role("button", name="Download (").click()
    taken = folder / download.value.suggested_filename
    download.value.save_as(taken)
    with zipfile.ZipFile(taken) as archive:
        archive.extractall(folder / taken.stem)
    (inner,) = (folder / taken.stem).iterdir()
    return inner


def test_a_file_is_compared_a_mistake_explained_and_the_model_taken(visit: Arrive, tmp_path: Path) -> None:
    lab = visit().open("Fine_tune", models="bort-mini", epochs="1", **{"from": "a file of your own"})
    lab.page.locator("input[type=file]").set_input_files(reviews(tmp_path))
    expect(lab.page.get_by_text("2 labels:")).to_be_visible()
    lab.settled()
    lab.page.get_by_role("button", name="Fine-tune and compare").press("Enter")
    expect(lab.page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(lab.page.get_by_text("Which is best for these data?")).to_be_visible(timeout=WAIT_MS)
    lab.settled()
    expect(lab.page.get_by_text("is best", exact=False).first).to_be_visible()
    lab.audit()
    assert "Quality and speed" in (lab.charts.first.get_attribute("aria-label") or "")

    folder = downloaded(lab, tmp_path)
    assert {"config.json", "model.safetensors", "card.json", "README.md"} <= {path.name for path in folder.iterdir()}

    lab.page.get_by_role("radio", name="ONNX, 32 bits").press("Enter")
    lab.page.get_by_role("button", name="Make it").click()
    expect(lab.page.get_by_text(re.compile("decisions are the same. A text takes .* with torch"))).to_be_visible()
    lab.settled()
    label, share = run_apart(downloaded(lab, tmp_path), "A good and happy day")[0].rsplit(" ", 1)
    assert label == "glad" and float(share) > 0.5

    lab.page.get_by_label("A text of your own").fill("A good and happy day")
    expect(lab.page.get_by_test_id("stCode").filter(has_text="glad")).to_be_visible()
    lab.settled()

    lab.page.get_by_role("button", name="Delete it here").click()
    expect(lab.page.get_by_text("Bring a table with a column of texts")).to_be_visible()
    other = visit().open("models")
    expect(other.page.get_by_text("fine-tuned here")).to_have_count(0)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_page_fits(visit: Arrive, width: int, scheme: str) -> None:
    lab = visit(viewport={"width": width, "height": 900}, color_scheme=scheme).open("Fine_tune")
    wide = lab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= width
    expect(lab.page.get_by_role("button", name="Fine-tune and compare")).to_be_visible()
