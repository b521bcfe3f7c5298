"""Shared by the displays. matplotlib is imported only in functions."""

import re
from typing import Any

import numpy as np

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
GREY = "0.6"

# How much text an inch has room for, in matplotlib's default sizes.
CHARACTERS_PER_INCH = 10


def check_matplotlib_support(caller: str) -> None:
    """Raise an ImportError that says what to install, if there is no matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib: install it with `pip install matplotlib`"
        ) from error


def check_kind(kind: str, kinds: tuple[str, ...]) -> None:
    """Raise a ValueError unless `kind` is one of `kinds`."""
    if kind not in kinds:
        raise ValueError(f"kind={kind!r} must be one of {', '.join(map(repr, kinds))}")


def with_unit(label: str, unit: str | None) -> str:
    """Return the label of an axis, with the unit if it is known."""
    return label if unit is None else f"{label} ({unit})"


def typeset(formula: str) -> str:
    """Return a formula with its amounts as subscripts, in matplotlib's math text."""
    return re.sub(r"(?<=[A-Za-z)\]}])(\d+(?:\.\d+)?)", r"$_{\1}$", formula)


def title_of(formula: str, width: float) -> str:
    """Return a formula as the title of a figure of `width` in inches, in lines that fit."""
    lines, room = [""], int(CHARACTERS_PER_INCH * width)
    for part in re.findall(r"[A-Z]?[^A-Z]+|[A-Z]", formula):
        if lines[-1] and len(lines[-1]) + len(part) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(map(typeset, lines))


def one_axes(ax: Any, caller: str, size: tuple[float, float] | None = None) -> Any:
    """Return `ax`, or the axes of a new figure of `size` in inches (matplotlib's by default)."""
    check_matplotlib_support(caller)
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def panels(ax: Any, n_rows: int, n_columns: int, size: tuple[float, float], caller: str) -> Any:
    """Return an array of axes (n_rows, n_columns).

    Of a new figure of `size` in inches, or those passed as `ax`, or parts of the one passed.
    """
    check_matplotlib_support(caller)
    import matplotlib.pyplot as plt

    if ax is None:
        return plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, layout="constrained")[1]
    given = np.asarray(ax, dtype=object)
    if given.size == n_rows * n_columns:
        return given.reshape(n_rows, n_columns)
    if given.size != 1:
        raise ValueError(
            f"ax holds {given.size} axes: pass one, which is divided, or {n_rows} x {n_columns}"
        )
    outer = given.item()
    outer.set_axis_off()
    return outer.get_subplotspec().subgridspec(n_rows, n_columns).subplots(squeeze=False)


def cell_in_points(ax: Any, n_columns: float, n_rows: float) -> float:
    """Return the side of the square cells that axes have room for, before the final layout."""
    return 72 / ax.figure.dpi * min(ax.bbox.width / n_columns, ax.bbox.height / n_rows)


def readable_on(color: Any) -> str:
    """Return the colour of text that can be read on a background."""
    red, green, blue = color[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
