"""How good predictions of labels are, how sure that is, and whether two models differ."""

from bortlab.analysis.evaluation.calibration import Bin, Calibration, calibration
from bortlab.analysis.evaluation.measures import (
    NAMES,
    Figures,
    Measure,
    Outcomes,
    confusion,
    kind_of,
    main_measure,
    measure_of,
)
from bortlab.analysis.evaluation.predictions import Predictions
from bortlab.analysis.evaluation.uncertainty import Difference, difference, intervals, mcnemar, wilson

__all__ = [
    "NAMES",
    "Bin",
    "Calibration",
    "Difference",
    "Figures",
    "Measure",
    "Outcomes",
    "Predictions",
    "calibration",
    "confusion",
    "difference",
    "intervals",
    "kind_of",
    "main_measure",
    "mcnemar",
    "measure_of",
    "wilson",
]
