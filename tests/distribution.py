"""How `make test` spreads the tests: a file stays in one process, and all that need a browser stay together in one."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

BROWSER = "tests/browser/"


class OneBrowser(LoadFileScheduling):
    """The browser tests are one piece of work: they share a Chromium and a lab, and mostly wait for them."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else str(super()._split_scope(nodeid))
