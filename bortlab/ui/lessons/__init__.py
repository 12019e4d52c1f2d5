"""The parts of the Lessons page."""

from __future__ import annotations

from bortlab.ui.lessons.choosing import choose, overview
from bortlab.ui.lessons.progress import keep
from bortlab.ui.lessons.steps import show

__all__ = ["EXPLANATION", "choose", "keep", "overview", "show"]

EXPLANATION = """
A lesson asks you to **guess first**, then computes the answer from the models in front of you and shows the view of the
lab that tells why. No answer is stored anywhere: with other models there may be other answers.

* Your steps and guesses stay in **this browser**, as cookies of this lab, for half a year after you last went on. No
  name goes with them, nobody else sees them, and *Forget them*, below the lessons, deletes them. A private window keeps
  nothing once it is closed.
* They are part of the page's address too, so a bookmark brings them back. A link opens a lesson at a step.
* **Teacher's view** shows all steps and all answers at once, and gives sheets to print.
* Lessons are text files. A teacher can write one without knowing Python: `docs/teaching.md` shows how, and
  `BORTLAB_LESSONS` names a folder of your own.
* The models are small and make mistakes that teach something. `docs/minis.md` says what they know.
"""
