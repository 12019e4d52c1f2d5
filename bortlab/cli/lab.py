"""Open the lab in a browser: serve it on this machine, with the bundled models, until Ctrl+C.

Takes every option of `streamlit run`. Without any, it listens on http://localhost:8501 for this machine only;
`--class` opens it to a class in the same network.
"""

from __future__ import annotations

import argparse
import re
from importlib.util import find_spec

from bortlab.system import settings
from bortlab.system.network import own_address

EXAMPLES = """\
  bortlab lab
  bortlab lab --server.port 8600
  bortlab lab --class
      for a class: everybody in the same network can open the lab, and every page shows the address
  bortlab lab --class 192.0.2.7
      the same, where the machine has several addresses: 192.0.2.7 stands for the one that the others open\
"""
NEEDED = ("streamlit", "plotly", "bertviz", "captum")
"""What the lab imports and the library does not need."""


class MissingExtraError(ImportError):
    """The packages of an extra are not installed. The message says which line installs them."""


class NoNetworkError(RuntimeError):
    """This machine is in no network that a class could share."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option of its own; all others are Streamlit's."""
    parser.usage = "bortlab lab [--class [ADDRESS]] [options of `streamlit run`]"
    parser.add_argument(
        "--class",
        dest="class_address",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="let everybody in the same network open the lab, at this machine's address (or the one given here), "
        "which every page then shows with a QR code",
    )
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

    serve([*class_options(options.class_address), *options.streamlit_options])


def class_options(address: str | None) -> list[str]:
    """Streamlit's options for a class, told on the terminal. address: None for no class, "" for this machine's own."""
    if address is None:
        return []
    host = address or own_address()
    if host is None:
        raise NoNetworkError(
            "This machine is in no network, so a class cannot reach it. Join the network of the class, or give the "
            "address that the others open: bortlab lab --class ADDRESS."
        )
    if not re.fullmatch(r"[A-Za-z0-9.-]+", host):
        raise ValueError(
            f"--class: expected a name or an IPv4 address such as 192.0.2.7, without http:// and port, got {host!r}."
        )
    settings.show_class_banner()
    print(
        f"Class: everybody in this network can open the lab at {host}, see what it shows and use this machine's "
        "processor, until you stop it with Ctrl+C. Every page shows the address.",
        flush=True,
    )
    hosts = ["localhost", "127.0.0.1", host]
    named = [part for name in hosts for part in ("--server.allowedHosts", name)]
    return ["--server.address", "0.0.0.0", "--browser.serverAddress", host, *named]


def settle_environment() -> None:
    """Set what must stand before the process computes; unless it is set already. It may start this program again."""
    settings.let_threads_sleep()
    settings.keep_few_kernels()
    settings.take_huge_pages()
    settings.keep_few_heaps()
