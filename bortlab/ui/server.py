"""The server of the lab. Importing this module does not import torch, so that its environment can be set first."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from bortlab.system.assets import APP


def serve(options: Sequence[str]) -> None:
    """Start Streamlit with these options, and import torch and load the bundled models while it starts."""
    os.chdir(APP.parent)  # where Streamlit looks for the lab's settings

    from streamlit.web import cli

    from bortlab.ui import startup

    startup.begin()

    sys.argv = ["streamlit", "run", str(APP), *options]
    cli.main()
