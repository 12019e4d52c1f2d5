"""The parts of the Fine-tune page."""

from bortlab.ui.finetune.data import choose
from bortlab.ui.finetune.explanation import EXPLANATION
from bortlab.ui.finetune.results import show
from bortlab.ui.finetune.running import choose_plan, run

__all__ = ["EXPLANATION", "choose", "choose_plan", "run", "show"]
