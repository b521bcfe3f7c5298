"""Plots of what elements contribute to predictions."""

import textwrap
from collections.abc import Iterable
from itertools import cycle
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from ...composition import ATOMIC_NUMBERS, ELEMENTS
from .._composition_lines import atomic_fractions, mixed
from .._contributions import element_contributions
from .._periodic_table import PLACES
from ._common import (
    CHARACTERS_PER_INCH,
    COLORS,
    GREY,
    cell_in_points,
    check_kind,
    check_matplotlib_support,
    one_axes,
    panels,
    readable_on,
    typeset,
    with_unit,
)

_KINDS = ("periodic_table", "histogram", "binary")


def binary_compositions(first: str, second: str, n_points: int = 101) -> list[dict[str, float]]:
    """Return compositions along the line from one composition to another.

    Parameters
    ----------
    first, second : str
        Two elements, or formulas of any compositions, such as a base alloy. Formulas are mixed by
        atoms: only their atomic fractions count.
    n_points : int, default=101
        Number of compositions, 2 or more, at equal steps of the fraction.

    Returns
    -------
    list of dict
        Compositions from pure `first` to pure `second`, as X for any estimator of crabsk.

    Raises
    ------
    ValueError
        If a formula cannot be read, if both are the same composition, or if `n_points` is below 2.

    Examples
    --------
    >>> from crabsk.inspection import binary_compositions
    >>> binary_compositions("Si", "O", n_points=3)
    [{'Si': 1.0, 'O': 0.0}, {'Si': 0.5, 'O': 0.5}, {'Si': 0.0, 'O': 1.0}]
    >>> binary_compositions("Fe3Ni", "Cr", n_points=3)[1]
    {'Fe': 0.375, 'Ni': 0.125, 'Cr': 0.5}
    """
    start, end = atomic_fractions(first), atomic_fractions(second)
    if start == end:
        raise ValueError(f"{first!r} and {second!r} must be two different compositions")
    if n_points < 2:
        raise ValueError(f"n_points={n_points} must be 2 or more")
    return [mixed(start, end, x) for x in np.linspace(0, 1, n_points).tolist()]


class ElementContributionDisplay:
    """What elements contribute to the predictions of a CrabNet.

    Made by `from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    contributions : DataFrame
        What `element_contributions` returns, for one target or class.

    Attributes
    ----------
    ax_ : Axes
        Axes of the plot, or of the first one.
    axes_ : ndarray of Axes
        All axes with a plot: one, or two with one periodic table above the other.
    figure_ : Figure
        The figure.
    patches_ : list of PatchCollection
        Squares of the elements that occur, in each periodic table; only for "periodic_table".
    colorbar_ : list of Colorbar
        Their scales; only for "periodic_table".
    bars_ : BarContainer
        Bars of the histogram; only for "histogram".
    mean_line_ : Line2D
        Mean of the histogram; only for "histogram".
    lines_ : list of Line2D
        Contributions of the elements, and the prediction; only for "binary".
    bands_ : list of artists
        One standard deviation around the contributions; only for "binary".
    mean_ : float
        The mean prediction of the samples; only for "periodic_table".

    See Also
    --------
    element_contributions : The numbers.
    binary_compositions : X for the kind "binary".

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import ElementContributionDisplay, binary_compositions
    >>> X = ["NaCl", "KCl", "MgO", "SiO2"]
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=2, random_state=0)
    >>> _ = model.fit(X, [-2.1, -2.3, -3.1, -3.0])
    >>> display = ElementContributionDisplay.from_estimator(model, X, unit="eV/atom")
    >>> display.colorbar_[0].ax.get_ylabel().split()
    ['contribution', 'above', 'the', 'mean', '(eV/atom)']
    >>> line = binary_compositions("Si", "O", 21)
    >>> display = ElementContributionDisplay.from_estimator(model, line, kind="binary")
    >>> display.ax_.get_xlabel()
    'x in Si$_{1-x}$O$_x$'
    """

    def __init__(self, *, contributions: pd.DataFrame) -> None:
        self.contributions = contributions

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        kind: str = "periodic_table",
        element: str | None = None,
        target: Any = None,
        transformed: bool = False,
        mc_dropout: int = 0,
        uncertainty: bool = False,
        unit: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Show the contributions to the predictions of a fitted CrabNet.

        Parameters
        ----------
        estimator : CrabNetRegressor or CrabNetClassifier
            A fitted estimator.
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as the X of `fit`.
        kind : {"periodic_table", "histogram", "binary"}, default="periodic_table"
            See `plot`.
        element : str, default=None
            The element whose histogram is drawn.
        target : int or class label, default=None
            Which of several targets (by position), or which class.
        transformed : bool, default=False
            As in `element_contributions`.
        mc_dropout : int, default=0
            As in `element_contributions`.
        uncertainty : bool, default=False
            Whether a second periodic table shows the mean standard deviation.
        unit : str, default=None
            Unit of the target, for the labels.
        ax : Axes or array of Axes, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        ElementContributionDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `estimator` is not a CrabNet.
        ValueError
            As in `element_contributions` and `plot`. Also if there are several targets or classes
            and `target` is none of them.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_kind(kind, _KINDS)
        contributions = element_contributions(
            estimator, X, transformed=transformed, mc_dropout=mc_dropout
        )
        return cls(contributions=_of_target(contributions, target)).plot(
            ax, kind=kind, element=element, uncertainty=uncertainty, unit=unit
        )

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "periodic_table",
        element: str | None = None,
        uncertainty: bool = False,
        unit: str | None = None,
    ) -> Self:
        """Draw the contributions.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw; a new figure by default.
        kind : {"periodic_table", "histogram", "binary"}, default="periodic_table"
            - "periodic_table": the elements that occur, coloured by their mean contribution minus
              the mean prediction of the samples. The number below a symbol is the number of rows
              that hold the element. A contribution learnt from few rows is unreliable;
            - "histogram": all contributions of one element;
            - "binary": contributions of the elements and the prediction against stoichiometry, for
              samples on the line between two compositions, such as those from
              `binary_compositions`.
        element : str, default=None
            The element whose histogram is drawn.
        uncertainty : bool, default=False
            Whether a second periodic table shows the mean standard deviation.
        unit : str, default=None
            Unit of the target, for the labels.

        Returns
        -------
        self
            The display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is none of the three, if the contributions do not hold `element`, or, for
            "binary", if the samples do not lie on a line between two compositions.
        """
        check_kind(kind, _KINDS)
        caller = f"{type(self).__name__}.plot"
        if kind == "periodic_table":
            n_tables = 1 + uncertainty
            width, height = _size_of_table(self.contributions["element"].unique())
            self.axes_ = panels(ax, n_tables, 1, (width, height * n_tables), caller)[:, 0]
            self._plot_periodic_tables(unit)
        else:
            self.axes_ = np.array([one_axes(ax, caller)], dtype=object)
            if kind == "histogram":
                self._plot_histogram(self.axes_[0], element, unit)
            else:
                self._plot_binary(self.axes_[0], unit)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        return self

    def _plot_periodic_tables(self, unit: str | None) -> None:
        by_element = self.contributions.groupby("element")
        means, rows = by_element[["contribution", "std"]].mean(), by_element.size()
        # Every contribution holds the mean of the training labels: only differences say something.
        self.mean_ = float(self.contributions.groupby("row")["contribution"].mean().mean())
        means["contribution"] -= self.mean_
        # Blue pulls the prediction down, red up; white is the mean.
        widest = float(means["contribution"].abs().max()) or 1.0
        scales: list[tuple[str, str, dict]] = [
            (
                "contribution",
                "contribution above the mean",
                {"cmap": "RdBu_r", "clim": (-widest, widest)},
            ),
            ("std", "mean standard deviation", {"cmap": "cividis"}),
        ]
        self.patches_, self.colorbar_ = [], []
        for ax, (column, label, style) in zip(self.axes_, scales, strict=False):
            self.patches_.append(_draw_periodic_table(ax, means[column], rows, style))
            # The part of the table that is shown may be lower than the label is long.
            room = max(12, int(CHARACTERS_PER_INCH * ax.bbox.height / ax.figure.dpi))
            text = textwrap.fill(
                with_unit(label, unit), room, break_long_words=False, break_on_hyphens=False
            )
            self.colorbar_.append(
                ax.figure.colorbar(self.patches_[-1], ax=ax, label=text, shrink=0.9, pad=0.02)
            )

    def _plot_histogram(self, ax: Any, element: str | None, unit: str | None) -> None:
        values = self.contributions.loc[self.contributions["element"] == element, "contribution"]
        if not len(values):
            held = ", ".join(sorted(self.contributions["element"].unique()))
            raise ValueError(
                f"kind='histogram' shows one element: element={element!r} must be one that the "
                f"samples hold ({held})"
            )
        _, _, self.bars_ = ax.hist(values, bins="auto", color=COLORS[5], edgecolor="white", lw=0.5)
        mean = values.mean()
        label = f"mean {mean:{'.3g' if abs(mean) < 999.5 else '.0f'}}".replace("-", "−")
        self.mean_line_ = ax.axvline(mean, color=COLORS[1], ls="--", label=label)
        ax.set_xlabel(with_unit(f"contribution of {element}", unit))
        ax.set_ylabel("number of formulas")
        ax.legend(frameon=False)

    def _plot_binary(self, ax: Any, unit: str | None) -> None:
        line = _line_of(self.contributions)
        self.lines_, self.bands_ = [], []
        for symbol, color in zip(line.symbols, cycle(COLORS[:7]), strict=False):
            part = self.contributions[self.contributions["element"] == symbol]
            part = part.assign(x=line.x.loc[part["row"]].to_numpy()).sort_values("x")
            mean, std = part["contribution"], part["std"]
            self.lines_ += ax.plot(part["x"], mean, color=color, label=symbol)
            self.bands_.append(
                ax.fill_between(part["x"], mean - std, mean + std, color=color, alpha=0.2, lw=0)
            )
        predicted = self.contributions.groupby("row")["contribution"].mean()
        rows = predicted.to_frame().assign(x=line.x).sort_values("x")
        self.lines_ += ax.plot(
            rows["x"], rows["contribution"], color="black", ls="--", label="mean: the prediction"
        )
        ax.set_xlim(0, 1)
        ax.set_xlabel(line.label)
        ax.set_ylabel(with_unit("contribution", unit))
        # Above: the curves may be anywhere.
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)


class _Line(NamedTuple):
    """Where samples lie between two compositions.

    `x` is indexed by row, `symbols` are the elements in the order of their first row.
    """

    x: pd.Series
    symbols: list[str]
    label: str


def _line_of(contributions: pd.DataFrame) -> _Line:
    """Return where each row lies on the line that all of them are on."""
    fractions = contributions.pivot_table(
        index="row", columns="element", values="fraction", fill_value=0.0
    )
    symbols = list(contributions["element"].unique())
    if len(symbols) == 2:
        first, second = symbols
        return _Line(fractions[second], symbols, f"x in {first}$_{{1-x}}${second}$_x$")
    values = fractions.to_numpy()
    start, direction = values[0], values[-1] - values[0]
    length = float(direction @ direction)
    x = (values - start) @ direction / length if length else np.zeros(len(values))
    aside = values - start - x[:, None] * direction
    if not length or np.abs(aside).max() > 1e-6:
        raise ValueError(
            "kind='binary' is for samples on the line between two compositions. These samples hold "
            f"{len(symbols)} elements and lie elsewhere: use binary_compositions"
        )
    names = contributions.groupby("row")["formula"].first()
    label = f"x from {typeset(names.iloc[0])} (0) to {typeset(names.iloc[-1])} (1)"
    return _Line(pd.Series(x, fractions.index), symbols, label)


def _of_target(contributions: pd.DataFrame, target: Any) -> pd.DataFrame:
    """Return the contributions to one of several targets or classes."""
    column = next((name for name in ("target", "class") if name in contributions), None)
    if column is None:
        if target is not None:
            raise ValueError(f"target={target!r}, but there is only one")
        return contributions
    chosen = contributions[contributions[column] == target]
    if not len(chosen):
        raise ValueError(
            f"target={target!r} must be one of {contributions[column].unique().tolist()}"
        )
    return chosen.drop(columns=column)


def _frame(numbers: list[int]) -> tuple[float, float, float, float]:
    """Return the first and last column, and the first and last row, of some elements."""
    places = [PLACES[z - 1] for z in numbers]
    columns, rows = [place.column for place in places], [place.row for place in places]
    return min(columns), max(columns), min(rows), max(rows)


def _size_of_table(symbols: Iterable[str]) -> tuple[float, float]:
    """Return width and height in inches of the part of the table that some elements span."""
    left, right, top, bottom = _frame([ATOMIC_NUMBERS[symbol] for symbol in symbols])
    return max(3.0, 0.36 * (right - left + 1) + 1.2), max(2.0, 0.36 * (bottom - top + 1) + 0.4)


def _draw_periodic_table(ax: Any, values: pd.Series, rows: pd.Series, style: dict) -> Any:
    """Draw what the elements in `values` span of the table; return their coloured squares."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    def squares(numbers: list[int]) -> list:
        return [
            Rectangle((PLACES[z - 1].column - 0.47, PLACES[z - 1].row - 0.47), 0.94, 0.94)
            for z in numbers
        ]

    known = [ATOMIC_NUMBERS[symbol] for symbol in values.index]
    left, right, top, bottom = _frame(known)
    shown = [
        z
        for z, place in enumerate(PLACES, start=1)
        if left <= place.column <= right and top <= place.row <= bottom
    ]
    others = [z for z in shown if z not in known]
    ax.add_collection(PatchCollection(squares(others), facecolor="0.96", edgecolor="0.85", lw=0.5))
    patches = PatchCollection(squares(known), edgecolor=GREY, lw=0.5, **style)
    patches.set_array(values.to_numpy())
    ax.add_collection(patches)
    size = min(12.0, 0.38 * cell_in_points(ax, right - left + 1.2, bottom - top + 1.2))
    colors = dict(zip(known, patches.to_rgba(values.to_numpy()), strict=True))
    for z in shown:
        place, symbol = PLACES[z - 1], ELEMENTS[z - 1]
        centred = {"ha": "center", "va": "center"}
        if z not in colors:
            ax.text(place.column, place.row, symbol, fontsize=size, color="0.7", **centred)
            continue
        color = readable_on(colors[z])
        ax.text(place.column, place.row - 0.14, symbol, fontsize=size, color=color, **centred)
        ax.text(
            place.column,
            place.row + 0.28,
            _short(int(rows[symbol])),
            fontsize=0.6 * size,
            color=color,
            **centred,
        )
    ax.set(xlim=(left - 0.6, right + 0.6), ylim=(bottom + 0.6, top - 0.6), aspect="equal")
    ax.set_axis_off()
    return patches


def _short(number: int) -> str:
    """Write a number in the room of four characters."""
    return f"{number}" if number < 10_000 else f"{number / 1000:.0f}k"
