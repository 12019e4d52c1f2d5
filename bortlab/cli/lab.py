"""Open the lab in a browser: serve it on this machine, with the bundled models, until Ctrl+C.

Takes every option of `streamlit run`. Without any, it listens on http://localhost:8501 for this machine only.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec

EXAMPLES = """\
  bortlab lab
  bortlab lab --server.port 8600
  bortlab lab --server.address 0.0.0.0 --server.allowedHosts 192.0.2.7 --browser.serverAddress 192.0.2.7
      for a class: 192.0.2.7 stands for the address that the others open\
"""
NEEDED = ("streamlit", "plotly", "bertviz", "captum")
"""What the lab imports and the library does not need."""


class MissingExtraError(ImportError):
    """The packages of an extra are not installed. The message says which line installs them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The lab has no options of its own: all of them are Streamlit's."""
    parser.usage = "bortlab lab [options of `streamlit run`]"
    parser.set_defaults(streamlit_options=[])


def run(options: argparse.Namespace) -> None:
    """Serve the lab until it is stopped."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"The lab needs {', '.join(missing)}. Install what is missing with: pip install 'bortlab[lab]' "
            "(in a checkout: pip install '.[lab]')."
        )
    settle_environment()

    from bortlab.ui.server import serve

    serve(options.streamlit_options)


def settle_environment() -> None:
    """Set what must stand before the process computes; unless it is set already.

    Threads of torch that wait for work sleep: OpenMP reads OMP_WAIT_POLICY when torch is imported. And glibc keeps two
    heaps instead of eight a core, which would hold on to what many threads once used: it reads MALLOC_ARENA_MAX when
    the process starts, so this starts the same program again in its place.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        os.environ["MALLOC_ARENA_MAX"] = "2"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
