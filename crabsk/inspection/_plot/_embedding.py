"""Maps of elements or compositions in two dimensions."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from ...composition import ATOMIC_NUMBERS, ELEMENTS
from ...embeddings import load_embedding
from .._periodic_table import PLACES
from ._common import COLORS, GREY, check_matplotlib_support, one_axes

_METHODS = ("pca", "tsne")
_COLORED_BY = ("block", "group")
_MOST_NEIGHBOURS = 30
# Inches of a figure.
_ROOM_FOR_LABELS = (7.5, 6.0)


class EmbeddingDisplay:
    """Vectors of elements or compositions as a map.

    Made by `from_embedding` or `from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    coordinates : ndarray of shape (n_samples, 2)
        Positions on the map.
    labels : sequence of str of length n_samples, default=None
        Labels, written beside the points.
    values : ndarray of shape (n_samples,), default=None
        Numbers (NaN is grey) or names that determine the colours.
    value_name : str, default=""
        What the values are.
    axis_names : tuple of two str, default=("", "")
        Names of the axes.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure.
    scatter_ : list of PathCollection
        The points: one collection for each name among the values, or one for all.
    text_ : list of Text
        The labels, moved so that they do not overlap.
    colorbar_ : Colorbar or None
        The scale, if the values are numbers.

    Examples
    --------
    >>> from crabsk.inspection import EmbeddingDisplay
    >>> display = EmbeddingDisplay.from_embedding("magpie", elements=["Li", "Na", "Cl", "Br"])
    >>> display.coordinates.shape
    (4, 2)
    """

    def __init__(
        self,
        *,
        coordinates: np.ndarray,
        labels: Sequence[str] | None = None,
        values: np.ndarray | None = None,
        value_name: str = "",
        axis_names: tuple[str, str] = ("", ""),
    ) -> None:
        self.coordinates = coordinates
        self.labels = labels
        self.values = values
        self.value_name = value_name
        self.axis_names = axis_names

    @classmethod
    def from_embedding(
        cls,
        embedding: Any = "mat2vec",
        *,
        elements: Sequence[str] | None = None,
        method: str = "pca",
        color_by: str = "block",
        random_state: Any = 0,
        ax: Any = None,
    ) -> Self:
        """Show the elements of a table of element vectors.

        Features are standardised first, as in the networks.

        Parameters
        ----------
        embedding : str, DataFrame, mapping or elementembeddings Embedding, default="mat2vec"
            The table, in any form that `crabsk.embeddings.load_embedding` takes.
        elements : sequence of str, default=None
            Symbols of the elements to show. By default, all without a gap in the table.
        method : {"pca", "tsne"}, default="pca"
            Principal components keep distances; t-SNE keeps neighbours together.
        color_by : {"block", "group"}, default="block"
            What determines the colours: the block of the periodic table, or the group (the f block
            is grey).
        random_state : int, RandomState instance or None, default=0
            Random state of t-SNE.
        ax : Axes, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        EmbeddingDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the table cannot be read or lacks one of the requested elements, or if `method` or
            `color_by` is unknown.
        """
        check_matplotlib_support(f"{cls.__name__}.from_embedding")
        if color_by not in _COLORED_BY:
            raise ValueError(f"color_by={color_by!r} must be one of {_COLORED_BY}")
        vectors = load_embedding(embedding).values
        numbers = _numbers(elements, vectors)
        coordinates, axis_names = _map(vectors[numbers - 1], method, random_state)
        places = [PLACES[z - 1] for z in numbers]
        values = (
            np.array([place.block for place in places], dtype=object)
            if color_by == "block"
            else np.array([place.group or np.nan for place in places])
        )
        return cls(
            coordinates=coordinates,
            labels=[ELEMENTS[z - 1] for z in numbers],
            values=values,
            value_name=color_by,
            axis_names=axis_names,
        ).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        member: int = 0,
        method: str = "pca",
        value_name: str = "target",
        random_state: Any = 0,
        ax: Any = None,
    ) -> Self:
        """Show compositions as a fitted network encodes them.

        Parameters
        ----------
        estimator : CrabNet, Roost or ElemNet estimator
            A fitted estimator; its `encode` makes the vectors.
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as the X of `fit`.
        y : array-like of shape (n_samples,), default=None
            Numbers or names that determine the colours, for instance the targets.
        member : int, default=0
            Which network of the ensemble.
        method : {"pca", "tsne"}, default="pca"
            Principal components keep distances; t-SNE keeps neighbours together.
        value_name : str, default="target"
            Name of `y` with its unit, for the scale.
        random_state : int, RandomState instance or None, default=0
            Random state of t-SNE.
        ax : Axes, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        EmbeddingDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If X cannot be read, if `y` has another number of rows, or if `method` is unknown.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        vectors = estimator.encode(X, member=member)
        values = None if y is None else np.asarray(y)
        if values is not None and values.shape != (len(vectors),):
            raise ValueError(f"y has shape {values.shape}, but X has {len(vectors)} rows")
        coordinates, axis_names = _map(vectors, method, random_state)
        return cls(
            coordinates=coordinates, values=values, value_name=value_name, axis_names=axis_names
        ).plot(ax)

    def plot(self, ax: Any = None, *, cmap: str = "viridis") -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; a new figure by default.
        cmap : str, default="viridis"
            Name of a colour map, for numbers.

        Returns
        -------
        self
            The display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        size = None if self.labels is None else _ROOM_FOR_LABELS
        self.ax_ = one_axes(ax, f"{type(self).__name__}.plot", size)
        from matplotlib import colormaps

        self.figure_ = self.ax_.figure
        self.colorbar_ = None
        self.scatter_: list[Any] = []
        values = self.values
        everything = np.full(len(self.coordinates), True)
        colors: Any = [COLORS[0]] * len(everything)
        if values is None:
            self._scatter(everything, color=COLORS[0])
        elif values.dtype.kind in "OUSTb":
            of_name = dict(zip(np.unique(values), cycle(COLORS), strict=False))
            colors = [of_name[name] for name in values]
            for name, color in of_name.items():
                self._scatter(values == name, color=color, label=str(name))
            self.ax_.legend(title=self.value_name, frameon=False)
        else:
            known = colormaps[cmap].with_extremes(bad=GREY)
            self._scatter(everything, c=values, cmap=known, plotnonfinite=True)
            colors = self.scatter_[0].to_rgba(values)
            self.colorbar_ = self.figure_.colorbar(
                self.scatter_[0], ax=self.ax_, label=self.value_name
            )
        self.ax_.margins(0.06)
        self.text_ = [
            self.ax_.text(x, y, label, color=color, fontsize=7.5, ha="center", va="center")
            for (x, y), label, color in zip(
                self.coordinates, self.labels or (), colors, strict=False
            )
        ]
        self.ax_.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1], xticks=[], yticks=[])
        if self.text_:
            _spread_out(self.text_, self.coordinates, self.ax_)
        return self

    def _scatter(self, rows: np.ndarray, **style: Any) -> None:
        """Draw some of the points."""
        size = 14 if self.labels is not None else 10
        self.scatter_.append(
            self.ax_.scatter(*self.coordinates[rows].T, lw=0, s=size, alpha=0.8, **style)
        )


def _spread_out(texts: list[Any], points: np.ndarray, ax: Any) -> None:
    """Move labels off each other and off the points, with a thin line to the point of each."""
    from adjustText import adjust_text

    ax.figure.canvas.draw()  # the layout, which decides how large texts are beside the axes
    adjust_text(
        texts,
        *points.T,
        ax=ax,
        expand=(1.1, 1.3),
        max_move=None,
        arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.5},
        iter_lim=60,
    )


def _numbers(elements: Sequence[str] | None, vectors: np.ndarray) -> np.ndarray:
    """Return the atomic numbers of the elements to show."""
    whole = ~np.isnan(vectors).any(axis=1)
    if elements is None:
        return np.flatnonzero(whole) + 1
    unknown = [symbol for symbol in elements if symbol not in ATOMIC_NUMBERS]
    if unknown:
        raise ValueError(f"elements holds {unknown[0]!r}, which is not an element")
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in elements])
    lacking = numbers[~whole[numbers - 1]]
    if len(lacking):
        raise ValueError(f"the embedding lacks values of {ELEMENTS[lacking[0] - 1]}")
    return numbers


def _map(vectors: np.ndarray, method: str, random_state: Any) -> tuple[np.ndarray, tuple[str, str]]:
    """Return positions in two dimensions and the names of the axes."""
    if method not in _METHODS:
        raise ValueError(f"method={method!r} must be one of {_METHODS}")
    if len(vectors) < 3:
        raise ValueError(f"a map needs three samples or more, got {len(vectors)}")
    vectors = StandardScaler().fit_transform(vectors)
    if method == "pca":
        pca = PCA(2).fit(vectors)
        first, second = (
            f"component {k + 1} ({share:.0%} of the variance)"
            for k, share in enumerate(pca.explained_variance_ratio_)
        )
        return pca.transform(vectors), (first, second)
    tsne = TSNE(perplexity=min(_MOST_NEIGHBOURS, (len(vectors) - 1) / 3), random_state=random_state)
    return tsne.fit_transform(vectors), ("t-SNE 1", "t-SNE 2")
