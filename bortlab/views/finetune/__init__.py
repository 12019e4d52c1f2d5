"""Pictures, tables and sentences of a comparison of fine-tuned models."""

from bortlab.views.finetune.curves import dev_curves, learning_curve, live, reliability
from bortlab.views.finetune.frontier import frontier, pareto
from bortlab.views.finetune.mistakes import confusion_matrix, disagreements, errors, per_class
from bortlab.views.finetune.report import report
from bortlab.views.finetune.tables import overview, table
from bortlab.views.finetune.verdict import verdict

__all__ = [
    "confusion_matrix",
    "dev_curves",
    "disagreements",
    "errors",
    "frontier",
    "learning_curve",
    "live",
    "overview",
    "pareto",
    "per_class",
    "reliability",
    "report",
    "table",
    "verdict",
]
