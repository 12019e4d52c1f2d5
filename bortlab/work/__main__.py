"""`python -m bortlab.work FOLDER`: the process of the job that a folder describes."""

from __future__ import annotations

import sys
from pathlib import Path

from bortlab.work.running import main

if __name__ == "__main__":
    main(Path(sys.argv[1]))
