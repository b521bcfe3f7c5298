"""Plots of how a prediction changes with the composition."""

from collections.abc import Mapping
from typing import Any, Self

import pandas as pd
from scipy.stats import norm

from .._response import composition_response
from ._common import COLORS, check_matplotlib_support, one_axes, typeset, with_unit

# Characters of a base up to which it has a place in the label of an axis.
_ROOM_FOR_BASE = 24


class CompositionResponseDisplay:
    """Predictions as an element is added to a composition or replaces another element.

    Made by `from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    response : DataFrame
        What `composition_response` returns.
    base : str
        The composition at which the curve starts.
    element : str
        The element that is added.
    replacing : str, default=None
        The element that is replaced.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure.
    line_ : Line2D
        The predictions.
    band_ : PolyCollection or None
        The intervals of the predictions; None if there are no standard deviations.

    See Also
    --------
    composition_response : The numbers.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import CompositionResponseDisplay
    >>> X, y = ["FeNi", "FeCr", "Fe3Ni", "Fe3Cr"], [1.0, 2.0, 1.5, 2.5]
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=2, random_state=0).fit(X, y)
    >>> steps = {"max_fraction": 0.5, "n_points": 3}
    >>> display = CompositionResponseDisplay.from_estimator(
    ...     model, "Fe3Ni", "Cr", **steps, unit="GPa"
    ... )
    >>> display.ax_.get_xlabel()
    'Cr added to Fe$_{3}$Ni (at. %)'

    More elements in the same axes:

    >>> other = CompositionResponseDisplay.from_estimator(
    ...     model, "Fe3Ni", "Ni", **steps, ax=display.ax_
    ... )
    >>> [text.get_text() for text in other.ax_.get_legend().get_texts()]
    ['Cr', 'Ni']
    """

    def __init__(
        self, *, response: pd.DataFrame, base: str, element: str, replacing: str | None = None
    ) -> None:
        self.response = response
        self.base = base
        self.element = element
        self.replacing = replacing

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        base: str,
        element: str,
        *,
        replacing: str | None = None,
        max_fraction: float | None = None,
        n_points: int = 51,
        context: Mapping[str, float] | None = None,
        level: float = 0.9,
        unit: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Show the response of a fitted regressor.

        Parameters
        ----------
        estimator, base, element, replacing, max_fraction, n_points, context
            As in `composition_response`.
        level : float, default=0.9
            Probability of the intervals, between 0 and 1.
        unit : str, default=None
            Unit of the target, for the label.
        ax : Axes, default=None
            Where to draw; a new figure by default. Several elements can share the axes.

        Returns
        -------
        CompositionResponseDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            As in `composition_response` and `plot`.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        response = composition_response(
            estimator,
            base,
            element,
            replacing=replacing,
            max_fraction=max_fraction,
            n_points=n_points,
            context=context,
        )
        display = cls(response=response, base=base, element=element, replacing=replacing)
        return display.plot(ax, level=level, unit=unit)

    def plot(self, ax: Any = None, *, level: float = 0.9, unit: str | None = None) -> Self:
        """Draw the predictions with their intervals.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; a new figure by default. Several elements can share the axes.
        level : float, default=0.9
            Probability of the intervals, between 0 and 1.
        unit : str, default=None
            Unit of the target, for the label.

        Returns
        -------
        self
            The display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `level` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level={level} must be between 0 and 1")
        self.ax_ = one_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = self.ax_.figure
        color = COLORS[len(self.ax_.lines) % len(COLORS)]
        x, mean = 100 * self.response["added"], self.response["mean"]
        (self.line_,) = self.ax_.plot(x, mean, color=color, label=self.element)
        self.band_ = None
        if "std" in self.response:
            half = norm.ppf((1 + level) / 2) * self.response["std"]
            self.band_ = self.ax_.fill_between(
                x, mean - half, mean + half, color=color, alpha=0.2, lw=0
            )
        alone = len(self.ax_.lines) == 1
        what = self.element if alone else "element"
        where = "added" if self.replacing is None else f"in place of {self.replacing}"
        if len(self.base) <= _ROOM_FOR_BASE:
            where += f" {'to' if self.replacing is None else 'in'} {typeset(self.base)}"
        self.ax_.set_xlabel(f"{what} {where} (at. %)")
        self.ax_.set_ylabel(with_unit("prediction", unit))
        self.ax_.set_xlim(0, max(line.get_xdata()[-1] for line in self.ax_.lines))
        if not alone:
            self.ax_.legend(frameon=False)
        return self
