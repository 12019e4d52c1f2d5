"""One server and one Chromium for all browser tests; every visit is watched for what must not happen."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect, sync_playwright

from bortlab.views.theme import Look
from tests import chromium

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
PATIENCE_S = 60.0
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PROBES = re.compile(rf"/({'|'.join(PAGES)})/_stcore/(health|host-config)")
"""What Streamlit asks for below a page's address, answered 404 by design, before it asks at the root."""
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
AUDIT = """async () => {
    const active = node => !document.querySelector(node.target[0])?.closest("[data-testid=stSelectbox]")
        ?.querySelector(":disabled");  // WCAG 1.4.3 asks no contrast of the labels of controls that cannot be used
    const looked = {exclude: ["[data-testid=stToast]"]};  // Streamlit names it by an element that it does not draw
    const serious = (await axe.run(looked, {resultTypes: ["violations"]})).violations
        .filter(rule => ["serious", "critical"].includes(rule.impact) || rule.id == "heading-order");
    return serious.flatMap(rule => rule.nodes.filter(node => rule.id != "color-contrast" || active(node))
        .map(node => `${rule.id}: ${node.html.slice(0, 200)}`));
}"""
DRAWN_FOR = """ink => [...document.querySelectorAll("style")].some(s => s.textContent.includes(`p { color: ${ink}`))"""
"""Does the page's own style sheet write in this ink?"""
expect.set_options(timeout=1000 * PATIENCE_S)


@dataclass(frozen=True)
class Server:
    """A running lab."""

    url: str
    started: float


@contextmanager
def serving(log: Path, *command: str) -> Iterator[Server]:
    """A Streamlit server on a free port, until the end of the block; its log must be clean then."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *command, "--server.port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "URL:" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert ready.wait(PATIENCE_S) and process.poll() is None, f"The server did not start:\n{''.join(lines)}"
        yield Server(f"http://localhost:{port}", started)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        reader.join(10)
        log.write_text("".join(lines), encoding="utf-8")
    said = "".join(lines)
    assert "Traceback" not in said, said
    assert not re.search("deprecat|will be removed|no longer supported", said, re.IGNORECASE), said


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The lab, as `python -m bortlab lab` starts it."""
    with serving(tmp_path_factory.mktemp("server") / "log.txt", "-m", "bortlab", "lab") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium without window."""
    path = chromium.find()
    assert path, "No Chromium: python -m tests.chromium --install"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
        yield running
        running.close()


@dataclass
class Visit:
    """A visitor with a browser of his own: where to look, and what went wrong so far."""

    url: str
    page: Page
    context: BrowserContext
    wrong: list[str] = field(default_factory=list)

    def open(self, page: str = "predict", **query: Any) -> Visit:
        """Open a page by its address and wait until all of it is there."""
        path = "" if page == "home" else page
        self.page.goto(f"{self.url}/{path}?{urlencode(query, doseq=True, quote_via=quote)}")
        return self.settled()

    def settled(self) -> Visit:
        """Wait until the script has run to its end and every chart is drawn."""
        expect(self.page.get_by_text("nothing you write leaves it")).to_be_visible()
        expect(self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached()
        expect(self.page.locator('[data-testid="stSkeleton"]')).to_have_count(0)
        expect(self.page.locator('[data-testid="stPlotlyChart"]:not(:has(.main-svg))')).to_have_count(0)
        return self

    @property
    def charts(self) -> Locator:
        """Charts on the page."""
        return self.page.get_by_test_id("stPlotlyChart")

    @property
    def text(self) -> Locator:
        """The box for the text."""
        return self.page.get_by_label("Your text", exact=True)

    def pills(self, label: str) -> Locator:
        """The pills under this label."""
        return self.page.get_by_test_id("stButtonGroup").filter(has_text=label).get_by_role("radio")

    def audit(self, *schemes: Scheme) -> None:
        """What the page shows now: nothing serious by axe-core in these themes (both), and no level of headings left
        out. A page is drawn again in another theme, which closes a dialog."""
        for scheme in schemes or SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            expect(self.page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
            self.page.wait_for_function(DRAWN_FOR, arg=Look(scheme).ink)
            self.settled()
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
            assert self.page.evaluate(AUDIT) == [], scheme

    def clean(self) -> None:
        """Nothing went wrong: no error in the console, no exception, no request to elsewhere, no dialog."""
        assert not self.wrong, "\n".join(self.wrong)


@pytest.fixture
def visit(server: Server, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """visit(**options of the browser's context): a new visitor; checked at the end of the test."""
    visits: list[Visit] = []

    def arrive(url: str = server.url, **options: Any) -> Visit:
        options.setdefault("viewport", {"width": 1400, "height": 1000})
        context = browser.new_context(**options)
        context.set_default_timeout(1000 * PATIENCE_S)
        found = Visit(url, context.new_page(), context)
        watch(found)
        visits.append(found)
        return found

    yield arrive
    for one in visits:
        one.context.close()
    for one in visits:
        one.clean()


def watch(visit: Visit) -> None:
    """Note what must not happen."""
    page, wrong, own = visit.page, visit.wrong, urlsplit(visit.url).netloc

    def probe(url: str) -> bool:
        return urlsplit(url).netloc == own and PROBES.fullmatch(urlsplit(url).path) is not None

    def elsewhere(request: Request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob") and urlsplit(request.url).netloc != own:
            wrong.append(f"a request to {request.url}")

    page.on(
        "console", lambda m: m.type == "error" and not probe(m.location["url"]) and wrong.append(f"console: {m.text}")
    )
    page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    visit.context.on("request", elsewhere)
    page.on("websocket", lambda s: urlsplit(s.url).netloc != own and wrong.append(f"a socket to {s.url}"))
    visit.context.on(
        "response", lambda r: r.status >= 400 and not probe(r.url) and wrong.append(f"{r.status} from {r.url}")
    )
