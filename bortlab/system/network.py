"""This machine's place in its network."""

from __future__ import annotations

import ipaddress
import socket

_SOMEWHERE = ("192.0.2.1", 9)
"""An address that no machine has (RFC 5737): asking for the way there sends nothing, and names the network's card."""


def is_loopback(host: str) -> bool:
    """Does this name or address lead to this very machine, and for nobody else?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_address() -> str | None:
    """This machine's address in its network; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(_SOMEWHERE)
        except OSError:
            return None
        host = str(way.getsockname()[0])
    return None if is_loopback(host) else host
