"""`python -m bortlab.ui`: serve the lab and warm up beside it, so that the first visitor need not wait for imports.

Takes the options of `streamlit run`, such as `--server.port 8600`. `streamlit run app.py` works as well; it warms up
when the first page is opened.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "app.py"


def main() -> None:
    """Start the server, and import torch and load the bundled models while it starts."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported: waiting threads sleep
    os.chdir(APP.parent)
    threading.Thread(target=_warm_up, name="bortlab-warm-up", daemon=True).start()

    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    cli.main()


def _warm_up() -> None:
    from bortlab.ui.startup import warm_up

    warm_up()


if __name__ == "__main__":
    main()
