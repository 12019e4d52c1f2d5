"""Fine-tuning on labelled data: one model, or several beside each other and beside the baselines."""

from bortlab.training.finetune.baselines import BASELINES, Baseline, frozen
from bortlab.training.finetune.comparing import ComparisonPlan, Progress, compare, compare_models
from bortlab.training.finetune.comparison import Comparison, Entry, read_comparison
from bortlab.training.finetune.finetuning import Finetuned, finetune, finish
from bortlab.training.finetune.predicting import predict
from bortlab.training.finetune.recipe import FinetuneRecipe
from bortlab.training.finetune.run import FinetuneRun, NotEnoughMemoryError

__all__ = [
    "BASELINES",
    "Baseline",
    "Comparison",
    "ComparisonPlan",
    "Entry",
    "FinetuneRecipe",
    "FinetuneRun",
    "Finetuned",
    "NotEnoughMemoryError",
    "Progress",
    "compare",
    "compare_models",
    "finetune",
    "finish",
    "frozen",
    "predict",
    "read_comparison",
]
