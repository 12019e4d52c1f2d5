"""The parts of the Lessons page."""

from __future__ import annotations

from bortlab.ui.lessons.choosing import choose, overview
from bortlab.ui.lessons.steps import show

__all__ = ["EXPLANATION", "choose", "overview", "show"]

EXPLANATION = """
A lesson asks you to **guess first**, then computes the answer from the models in front of you and shows the view of the
lab that tells why. No answer is stored anywhere: with other models there may be other answers.

* Your guesses are part of the page's address, so a reload keeps them, and a link opens a lesson at a step. Nobody
  else sees them.
* **Teacher's view** shows all steps and all answers at once, and gives sheets to print.
* Lessons are text files. A teacher can write one without knowing Python: `docs/teaching.md` shows how, and
  `BORTLAB_LESSONS` names a folder of your own.
* The models are small and make mistakes that teach something. `docs/minis.md` says what they know.
"""
