"""Numbers as people read them: with a unit, and with the digits that mean something."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    """A share: 61%, 3.2%, 0.04%, < 0.01%. ValueError for what is not a number.

    >>> percent(0.6132)
    '61%'
    """
    if math.isnan(share):
        raise ValueError("A share that is not a number says nothing.")
    if not share:
        return "0%"
    hundredths = 100 * share
    if hundredths >= 9.95:
        return f"{hundredths:.0f}%"
    if hundredths >= 0.995:
        return f"{hundredths:.1f}%"
    return f"{hundredths:.2f}%" if hundredths >= 0.01 else "< 0.01%"


def signed(value: float) -> str:
    """A signed number of three digits: +3.07, −0.0021."""
    return f"{value + 0.0:+.3g}".replace("-", "−")  # + 0.0: there is no negative zero


def fixed(value: float, digits: int) -> str:
    """A number with so many digits after the point and a real minus sign; what rounds to nothing has no sign.

    >>> fixed(-0.25, 1), fixed(-0.001, 2)
    ('−0.2', '0.00')
    """
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def signed_cell(value: float) -> str:
    """A signed number for a narrow cell: +12, +3.1, +.04; nothing for what rounds to nothing."""
    size = abs(value)
    if math.isnan(value) or size < 0.005:
        return ""
    digits = f"{size:.0f}" if size >= 9.95 else f"{size:.1f}" if size >= 0.995 else f"{size:.2f}".removeprefix("0")
    return f"{'−' if value < 0 else '+'}{digits}"


def short_count(number: float) -> str:
    """A large number: 335 M, 11.7 M, 8.2 k, 87.2 G."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= 0.9995 * size:
            value = number / size
            return f"{value:.0f} {letter}" if value >= 99.95 else f"{value:.1f} {letter}"
    return f"{number:.0f}"


def data_size(n_bytes: float) -> str:
    """Bytes: 12.3 MB, 1.34 GB."""
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.2f} GB"
    if n_bytes >= 1e6:
        return f"{n_bytes / 1e6:.1f} MB"
    return f"{n_bytes / 1e3:.1f} kB"


def milliseconds(value: float) -> str:
    """A measured time: 0.42 ms, 5.8 ms, 31 ms, 1.24 s."""
    if value >= 999.5:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 9.95 else f"{value:.1f} ms" if value >= 0.995 else f"{value:.2g} ms"


def factor(value: float) -> str:
    """A ratio: 0.86×, 7.9×, 21×."""
    return f"{value:.0f}×" if value >= 19.95 else f"{value:.1f}×" if value >= 0.995 else f"{value:.2f}×"


def duration(seconds: float) -> str:
    """An estimated time: about 40 seconds, about 12 minutes, about 1.5 hours."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} seconds"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


def ago(seconds: float) -> str:
    """How long ago: just now, 40 s ago, 12 min ago, 3 h ago, 2 d ago."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago" if seconds >= 5 else "just now"
