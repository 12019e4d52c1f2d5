"""What the papers claim about sizes, beside what the lab counts, with a verdict and the reason where they differ.

Published speed-ups need a clock: see `bortlab.analysis.latency`. Qualities that the authors measured are in QUOTED, as
quoted: nothing here can check them.

    from bortlab.analysis import claims

    claims.frame(claims.sizes())
"""

from bortlab.analysis.claims.claim import NEARLY, VERDICTS, Claim, Source, Verdict, frame, judge
from bortlab.analysis.claims.quoted import QUOTED, Quoted
from bortlab.analysis.claims.sizes import RELEASED_BORT, SHARING, SWAPPED_BORT, sizes

__all__ = [
    "NEARLY",
    "QUOTED",
    "RELEASED_BORT",
    "SHARING",
    "SWAPPED_BORT",
    "VERDICTS",
    "Claim",
    "Quoted",
    "Source",
    "Verdict",
    "frame",
    "judge",
    "sizes",
]
