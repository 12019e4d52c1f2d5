"""The parts of the Agora page."""

from collections.abc import Callable

from bortlab.ui.agora.evidence import answer, experiment, records
from bortlab.ui.agora.explanation import EXPLANATION
from bortlab.ui.agora.own import own
from bortlab.ui.agora.rounds import how_it_works

__all__ = ["EXPLANATION", "answer", "views"]


def views() -> dict[str, Callable[[], None]]:
    """What the page shows, by name: the experiment only where there is one."""
    first = {"Does it help?": experiment} if records() else {}
    return {**first, "How it works": how_it_works, "On your data": own}
