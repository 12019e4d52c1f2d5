"""Open the lab in a browser: serve it on this machine, with the bundled models, until Ctrl+C.

Takes every option of `streamlit run`. Without any, it listens on http://localhost:8501 for this machine only.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from bortlab.system import settings

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
    """Set what must stand before the process computes; unless it is set already. It may start this program again."""
    settings.let_threads_sleep()
    settings.keep_few_heaps()
