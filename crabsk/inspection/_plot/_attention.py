"""Heat maps of the attention in one formula."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ...composition import ELEMENTS, FormulaReader
from .._attention import FormulaAttention, attention_weights
from ._common import cell_in_points, check_matplotlib_support, panels, readable_on, title_of

# Inches of a panel, and of its part that belongs to an element where there are many.
_PANEL, _CELL = 1.05, 0.32
_SMALLEST_FONT = 4.5
# Of more elements than these, figures in the cells only hide the pattern.
_MOST_WITH_FIGURES = 6


class AttentionDisplay:
    """Attention among the elements of a formula: a heat map for each layer and head.

    Made by `from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    weights : ndarray of shape (n_layers, n_heads, n_elements, n_elements)
        ``weights[l, h, i, j]`` is the attention that element ``i`` gives to element ``j``.
    symbols : tuple of str
        The elements.
    formula : str, default=""
        The formula, for the title.

    Attributes
    ----------
    axes_ : ndarray of Axes, shape (n_layers, n_heads)
        One for each head that is shown, one row for each layer. With ``average_heads=True``,
        `n_heads` is 1 here and below.
    im_ : ndarray of AxesImage, shape (n_layers, n_heads)
        The heat maps.
    text_ : ndarray of Text, shape (n_layers, n_heads, n_elements, n_elements), or None
        The weights as numbers; None for more than six elements, or if the cells are too small.
    colorbar_ : Colorbar or None
        The scale, from 0 to 1.
    figure_ : Figure
        The figure.

    See Also
    --------
    attention_weights : The weights alone.
    AttentionRecorder : The weights while a network is trained.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import AttentionDisplay
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=1, random_state=0)
    >>> _ = model.fit(["NaCl", "KCl", "Al2O3"], [-2.1, -2.3, -3.5])
    >>> display = AttentionDisplay.from_estimator(model, "Al2O3", layer=0)
    >>> display.symbols, display.axes_.shape
    (('Al', 'O'), (1, 4))
    """

    def __init__(self, *, weights: np.ndarray, symbols: tuple[str, ...], formula: str = "") -> None:
        self.weights = weights
        self.symbols = symbols
        self.formula = formula

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        formula: Any,
        *,
        layer: int | None = None,
        average_heads: bool = False,
        member: int = 0,
        ax: Any = None,
        cmap: str = "viridis",
        colorbar: bool = True,
    ) -> Self:
        """Show the attention of a fitted CrabNet.

        Parameters
        ----------
        estimator : CrabNetRegressor or CrabNetClassifier
            A fitted estimator.
        formula : str, mapping or X of one row
            The formula. If the estimator was fitted with extra features, a DataFrame or array of
            one row.
        layer : int, default=None
            Which encoder layer to show; all by default.
        average_heads : bool, default=False
            Whether to show the mean over the heads of a layer.
        member : int, default=0
            Which network of the ensemble.
        ax : Axes or array of Axes, default=None
            Where to draw: one Axes, which is divided, or one for each panel. A new figure by
            default.
        cmap : str, default="viridis"
            Name of a colour map.
        colorbar : bool, default=True
            Whether to draw the scale.

        Returns
        -------
        AttentionDisplay
            The display, with elements in the order in which the formula names them.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `estimator` is not a CrabNet.
        ValueError
            If `formula` is not one row or cannot be read, or if there is no such layer.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        X = [formula] if isinstance(formula, str | Mapping) else formula
        found = attention_weights(estimator, X, member=member)
        if len(found) != 1:
            raise ValueError(f"formula has {len(found)} rows: the display shows one formula")
        return cls.from_attention(found[0]).plot(
            ax, layer=layer, average_heads=average_heads, cmap=cmap, colorbar=colorbar
        )

    @classmethod
    def from_attention(cls, attention: FormulaAttention) -> Self:
        """Make a display, not yet drawn, from one result of `attention_weights`.

        Parameters
        ----------
        attention : FormulaAttention
            The weights and elements of one formula.

        Returns
        -------
        AttentionDisplay
            The display, with elements in the order in which the formula names them.
        """
        order = _order_as_written(attention.formula, attention.symbols)
        return cls(
            weights=attention.weights[:, :, order][:, :, :, order],
            symbols=tuple(attention.symbols[i] for i in order),
            formula=attention.formula,
        )

    def plot(
        self,
        ax: Any = None,
        *,
        layer: int | None = None,
        average_heads: bool = False,
        cmap: str = "viridis",
        colorbar: bool = True,
    ) -> Self:
        """Draw the heat maps.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw: one Axes, which is divided, or one for each panel. A new figure by
            default.
        layer : int, default=None
            Which encoder layer to show; all by default.
        average_heads : bool, default=False
            Whether to show the mean over the heads of a layer.
        cmap : str, default="viridis"
            Name of a colour map.
        colorbar : bool, default=True
            Whether to draw the scale.

        Returns
        -------
        self
            The display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is no such layer.
        """
        if layer is not None and layer not in range(-len(self.weights), len(self.weights)):
            raise ValueError(f"layer={layer}, but there are {len(self.weights)} layers, from 0 on")
        weights = self._shown(layer, average_heads)
        n_layers, n_heads, n = weights.shape[:3]
        first = 0 if layer is None else range(len(self.weights))[layer]
        caller = f"{type(self).__name__}.plot"
        self.axes_ = panels(ax, n_layers, n_heads, self._size(*weights.shape[:3]), caller)
        self.figure_ = self.axes_[0, 0].figure
        self.im_: Any = np.empty((n_layers, n_heads), dtype=object)
        for (row, head), axes in np.ndenumerate(self.axes_):
            self.im_[row, head] = axes.imshow(weights[row, head], vmin=0, vmax=1, cmap=cmap)
            axes.set_xticks(range(n), self.symbols if row == n_layers - 1 else [""] * n)
            axes.set_yticks(range(n), self.symbols if head == 0 else [""] * n)
            axes.tick_params(length=0)
            if row == 0:
                title = "mean of the heads" if average_heads else f"head {head}"
                axes.set_title(title, fontsize="medium")
            if head == 0:
                axes.set_ylabel(f"layer {first + row}")
        self.text_ = self._write(n)
        self._show(weights)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                self.im_[0, 0], ax=list(self.axes_.flat), label="attention", fraction=0.05
            )
        if ax is None:
            self.figure_.suptitle(title_of(self.formula, self.figure_.get_figwidth()))
            self.figure_.supxlabel("attended element", fontsize="medium")
            self.figure_.supylabel("attending element", fontsize="medium")
        return self

    def _shown(self, layer: int | None, average_heads: bool = False) -> np.ndarray:
        """Return the weights of one layer, or of all, (n_layers, n_heads, n, n)."""
        weights = self.weights if layer is None else self.weights[[layer]]
        return weights.mean(axis=1, keepdims=True) if average_heads else weights

    def _size(self, n_layers: int, n_heads: int, n: int) -> tuple[float, float]:
        """Return width and height of a figure in inches."""
        panel = max(_PANEL, n * _CELL)
        return n_heads * (panel + 0.1) + 1.6, n_layers * (panel + 0.1) + 0.9

    def _show(self, weights: np.ndarray) -> None:
        """Put the weights of the layers that are drawn into their heat maps."""
        for place, image in np.ndenumerate(self.im_):
            image.set_data(weights[place])
        if self.text_ is None:
            return
        for place, text in np.ndenumerate(self.text_):
            image = self.im_[place[:2]]
            text.set_text(f"{weights[place]:.2f}")
            text.set_color(readable_on(image.cmap(image.norm(weights[place]))))

    def _write(self, n: int) -> np.ndarray | None:
        """Return a text for each cell, empty yet, if there is room for it."""
        size = 0.32 * cell_in_points(self.axes_[0, 0], max(n, 1), max(n, 1))
        if size < _SMALLEST_FONT or n > _MOST_WITH_FIGURES:
            return None
        text = np.empty((*self.im_.shape, n, n), dtype=object)
        for row, head, i, j in np.ndindex(text.shape):
            text[row, head, i, j] = self.axes_[row, head].text(
                j, i, "", ha="center", va="center", fontsize=min(size, 9)
            )
        return text


def _order_as_written(formula: str, symbols: tuple[str, ...]) -> list[int]:
    """Return the order in which a formula names its elements."""
    written = [ELEMENTS[z - 1] for z in FormulaReader().read(formula)] if formula else symbols
    return [symbols.index(symbol) for symbol in written]
