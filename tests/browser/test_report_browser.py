"""A report of a visit: views saved on two pages, downloaded, read without a network, and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]


def save(lab: Visit, kept: str) -> None:
    """kept: what the report holds then; the message of an earlier view may still be there."""
    lab.page.get_by_role("button", name="Save this view").click()
    expect(lab.page.get_by_text(f"Saved. {kept} in your report.")).to_be_visible()
    lab.settled()


def report(lab: Visit) -> Locator:
    lab.page.get_by_role("button", name="Your report").click()
    return lab.page.get_by_role("dialog")


def reading(browser: Browser, file: Path, **options: object) -> Iterator[Page]:
    """The file in a browser without network; a request or a complaint of its policy is an error."""
    context = browser.new_context(offline=True, **options)  # type: ignore[arg-type]
    page, wrong = context.new_page(), list[str]()
    context.route("**", lambda route: route.continue_() if route.request.url == file.as_uri() else route.abort())
    page.on("request", lambda request: request.url != file.as_uri() and wrong.append(request.url))
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(file.as_uri())
    expect(page.locator("html[data-drawn]")).to_be_attached()
    yield page
    context.close()
    assert not wrong, "\n".join(wrong)


def test_a_visit_becomes_a_report_and_is_taken_up_again(visit: Arrive, browser: Browser, tmp_path: Path) -> None:
    lab = visit().open("tokens", text="A <b>supernova</b>", models=["bert-mini", "albert-mini"])
    save(lab, "1 view")
    lab.page.get_by_role("link", name="Attention", exact=True).click()
    expect(lab.page.get_by_role("heading", level=1, name="Who looks at whom?")).to_be_visible()
    lab.settled()
    save(lab, "2 views")

    dialog = report(lab)
    lab.audit("light")
    dialog.get_by_label("Note under view 2").fill("Each head on its own.")
    dialog.get_by_label("Name of view 1").fill("A supernova in pieces")
    dialog.get_by_label("Name of view 1").press("Enter")
    lab.page.keyboard.press("Escape")  # once it is open again, all that was written has reached the server
    expect(dialog).to_have_count(0)
    lab.settled()
    dialog = report(lab)
    expect(dialog.get_by_label("Note under view 2")).to_have_value("Each head on its own.")
    expect(dialog.get_by_label("Name of view 1")).to_have_value("A supernova in pieces")
    lab.settled()
    with lab.page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    assert file.stat().st_size < 5_000_000

    for page in reading(browser, file, viewport={"width": 390, "height": 844}, color_scheme="dark"):
        expect(page.get_by_role("heading", level=2)).to_have_text(
            ["1. A supernova in pieces", "2. Attention, One head"]
        )
        expect(page.get_by_text("Each head on its own.")).to_be_visible()
        assert page.locator(".main-svg").count() >= 2 and page.locator("dd b").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        expect(page.locator("body")).to_have_css("background-color", "rgb(17, 20, 27)")
        page.get_by_label("Colours").select_option("light")
        expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
        page.emulate_media(media="print", color_scheme="dark")
        expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")

    other = visit(color_scheme="dark").open("home")
    dialog = report(other)
    expect(dialog.get_by_text("It is empty.")).to_be_visible()
    dialog.locator('input[type="file"]').set_input_files({"name": "x.html", "mimeType": "text/html", "buffer": b"<p>"})
    expect(dialog.get_by_text("not a report of the lab")).to_be_visible()
    dialog.locator('input[type="file"]').set_input_files(file)
    expect(dialog.get_by_label("Name of view 2")).to_have_value("Attention, One head")
    expect(dialog.get_by_label("Note under view 2")).to_have_value("Each head on its own.")
    other.settled()
    other.audit("dark")
    other.page.set_viewport_size({"width": 390, "height": 844})
    assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    other.page.set_viewport_size({"width": 1280, "height": 720})
    dialog.get_by_role("button", name="Open", exact=True).first.click()
    expect(other.text).to_have_value("A <b>supernova</b>")
    expect(other.page.get_by_role("heading", level=1)).to_have_text("How does each model cut the text?")
    other.settled()
    expect(other.page.get_by_role("button", name="Your report: 2 views")).to_be_visible()
