"""Pictures of what elements contribute to predictions."""

from typing import Any, Self

import numpy as np
import pandas as pd

from ...composition import ATOMIC_NUMBERS, ELEMENTS, N_ELEMENTS
from .._contributions import element_contributions
from .._periodic_table import N_COLUMNS, N_ROWS, PLACES
from ._common import (
    COLORS,
    GREY,
    cell_in_points,
    check_kind,
    check_matplotlib_support,
    one_axes,
    panels,
    readable_on,
    with_unit,
)

_KINDS = ("periodic_table", "histogram", "binary")


def binary_compositions(first: str, second: str, n_points: int = 101) -> list[dict[str, float]]:
    """Return compositions along the line from one element to another.

    Parameters
    ----------
    first, second : str
        Symbols of two elements.
    n_points : int, default=101
        Number of compositions, 2 or more, at equal steps of the fraction.

    Returns
    -------
    list of dict
        From pure `first` to pure `second`; for any estimator of crabsk.

    Raises
    ------
    ValueError
        If the symbols are no two elements, or there are fewer than 2 points.

    Examples
    --------
    >>> from crabsk.inspection import binary_compositions
    >>> binary_compositions("Si", "O", n_points=3)
    [{'Si': 1.0, 'O': 0.0}, {'Si': 0.5, 'O': 0.5}, {'Si': 0.0, 'O': 1.0}]
    """
    if first == second or not {first, second} <= ATOMIC_NUMBERS.keys():
        raise ValueError(f"{first!r} and {second!r} must be the symbols of two elements")
    if n_points < 2:
        raise ValueError(f"n_points={n_points} must be 2 or more")
    return [{first: 1 - x, second: x} for x in np.linspace(0, 1, n_points).tolist()]


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
        Axes of the (first) picture.
    axes_ : ndarray of Axes
        All axes with a picture: one, or two periodic tables below each other.
    figure_ : Figure
        The figure.
    patches_ : list of PatchCollection
        Squares of the elements that occur, in each periodic table; only of "periodic_table".
    colorbar_ : list of Colorbar
        Their scales; only of "periodic_table".
    bars_ : BarContainer
        Only of "histogram".
    mean_line_ : Line2D
        Mean of the histogram; only of "histogram".
    lines_ : list of Line2D
        Contributions of the two elements, and the prediction; only of "binary".
    bands_ : list of artists
        One standard deviation around the contributions; only of "binary".

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
    >>> display.colorbar_[0].ax.get_ylabel()
    'mean contribution (eV/atom)'
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
            Samples, in the form that `fit` was given.
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
            If `estimator` is no CrabNet.
        ValueError
            As `element_contributions` and `plot`; if there are several targets or classes and
            `target` is none of them.
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
            - "periodic_table": the elements coloured by their mean contribution;
            - "histogram": all contributions of one element;
            - "binary": contributions of two elements and the prediction against stoichiometry, for
              samples that hold no other elements, as those of `binary_compositions`.
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
            "binary", if they are not those of two elements.
        """
        check_kind(kind, _KINDS)
        caller = f"{type(self).__name__}.plot"
        if kind == "periodic_table":
            n_tables = 1 + uncertainty
            self.axes_ = panels(ax, n_tables, 1, (7.0, 3.6 * n_tables), caller)[:, 0]
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
        means = self.contributions.groupby("element")[["contribution", "std"]].mean()
        lowest, highest = means["contribution"].min(), means["contribution"].max()
        if lowest < 0 < highest:
            # Blue is bound, red is not: the sign must be seen, so that zero is white.
            widest = max(-lowest, highest)
            style = {"cmap": "RdBu_r", "clim": (-widest, widest)}
        else:
            # Of one sign, as band gaps and moduli are: what differs is to be seen.
            style = {"cmap": "viridis"}
        scales: list[tuple[str, str, dict]] = [
            ("contribution", "mean contribution", style),
            ("std", "mean standard deviation", {"cmap": "cividis"}),
        ]
        self.patches_, self.colorbar_ = [], []
        for ax, (column, label, style) in zip(self.axes_, scales, strict=False):
            self.patches_.append(_draw_periodic_table(ax, means[column], style))
            self.colorbar_.append(
                ax.figure.colorbar(
                    self.patches_[-1], ax=ax, label=with_unit(label, unit), shrink=0.75, pad=0.02
                )
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
        label = f"mean {mean:.3g}".replace("-", "−")
        self.mean_line_ = ax.axvline(mean, color=COLORS[1], ls="--", label=label)
        ax.set_xlabel(with_unit(f"contribution of {element}", unit))
        ax.set_ylabel("number of formulas")
        ax.legend(frameon=False)

    def _plot_binary(self, ax: Any, unit: str | None) -> None:
        table = self.contributions
        symbols = table["element"].unique()
        if len(symbols) != 2:
            raise ValueError(
                f"kind='binary' is for samples of two elements, these hold {len(symbols)}: "
                "binary_compositions makes some"
            )
        first, second = symbols
        self.lines_, self.bands_ = [], []
        for symbol, color in zip(symbols, COLORS, strict=False):
            part = table[table["element"] == symbol]
            x = part["fraction"] if symbol == second else 1 - part["fraction"]
            part = part.assign(x=x).sort_values("x")
            mean, std = part["contribution"], part["std"]
            self.lines_ += ax.plot(part["x"], mean, color=color, label=symbol)
            self.bands_.append(
                ax.fill_between(part["x"], mean - std, mean + std, color=color, alpha=0.2, lw=0)
            )
        share = table["fraction"].where(table["element"] == second, 0.0)
        rows = table.assign(x=share).groupby("row").agg({"x": "sum", "contribution": "mean"})
        rows = rows.sort_values("x")
        self.lines_ += ax.plot(
            rows["x"], rows["contribution"], color="black", ls="--", label="mean: the prediction"
        )
        ax.axhline(0, color=GREY, lw=0.8, zorder=0)
        ax.set_xlim(0, 1)
        ax.set_xlabel(f"x in {first}$_{{1-x}}${second}$_x$")
        ax.set_ylabel(with_unit("contribution", unit))
        # Above: the curves may be anywhere.
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


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


def _draw_periodic_table(ax: Any, values: pd.Series, style: dict) -> Any:
    """Draw the table with the elements in `values` coloured; return their squares."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    def squares(numbers: list[int]) -> list:
        return [
            Rectangle((PLACES[z - 1].column - 0.47, PLACES[z - 1].row - 0.47), 0.94, 0.94)
            for z in numbers
        ]

    known = [ATOMIC_NUMBERS[symbol] for symbol in values.index]
    others = [z for z in range(1, N_ELEMENTS + 1) if z not in known]
    ax.add_collection(PatchCollection(squares(others), facecolor="0.96", edgecolor="0.85", lw=0.5))
    patches = PatchCollection(squares(known), edgecolor=GREY, lw=0.5, **style)
    patches.set_array(values.to_numpy())
    ax.add_collection(patches)
    size = min(11.0, 0.42 * cell_in_points(ax, N_COLUMNS, N_ROWS))
    colors = dict(zip(known, patches.to_rgba(values.to_numpy()), strict=True))
    for z, place in enumerate(PLACES, start=1):
        ax.text(
            place.column,
            place.row,
            ELEMENTS[z - 1],
            ha="center",
            va="center",
            fontsize=size,
            color=readable_on(colors[z]) if z in colors else "0.7",
        )
    ax.set(xlim=(-0.6, N_COLUMNS - 0.4), ylim=(N_ROWS - 0.4, -0.6), aspect="equal")
    ax.set_axis_off()
    return patches
