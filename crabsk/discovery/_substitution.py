"""Known compositions with elements replaced by similar ones."""

from collections.abc import Iterable
from itertools import combinations, product
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_scalar

from .._text import few, first_of
from ..composition import ELEMENTS, N_ELEMENTS, Compositions, read_compositions, reduced_formula
from ..embeddings import ElementTable, load_embedding
from ._candidates import Candidates, check_elements, read_excluded
from ._isovalence import may_replace

_DIGITS = 9
"""Decimals to which similarities count: what differs beyond is rounding."""

_AT_ONCE = 2**22
"""Most elements of new compositions that are made at once."""


def substitute(
    X: Any,
    *,
    n_neighbors: int = 5,
    n_replaced: int = 1,
    embedding: Any = "orb_v2",
    elements: Iterable[str] | None = None,
    isovalent: bool = False,
    exclude: Any = None,
) -> Candidates:
    """Return the compositions that known ones become if similar elements replace theirs.

    Parameters
    ----------
    X : sequence of formulas, DataFrame or matrix of element amounts
        Compositions to begin with, in any form that crabsk's estimators take. Equal ones count
        once. Fractional amounts, as of dopants, are kept.
    n_neighbors : int, default=5
        Number of most similar elements that may replace an element.
    n_replaced : int, default=1
        Most elements to replace in a composition.
    embedding : str, DataFrame, mapping or elementembeddings ``Embedding``, default="orb_v2"
        Element vectors that say what is similar, as in `crabsk.embeddings.load_embedding`. Elements
        that lack a value are never suggested.
    elements : iterable of str, default=None
        Symbols of the elements that may be suggested; None for all. The most similar ones are
        sought among those of them that `embedding` has. The elements that are not replaced stay,
        whether they are named here or not.
    isovalent : bool, default=False
        Whether an element may only be replaced by those that share a common oxidation state with
        it, as S does with O, and F does not. If common states balance the charges of the
        composition, those that are shared must balance them, too.
    exclude : sequence of formulas, DataFrame or matrix of element amounts, default=None
        More compositions that must not come out; those of `X` never do.

    Returns
    -------
    Candidates
        Formulas in order of the rows of X. Those of a row begin with one element replaced, the most
        similar replacement first. What several rows lead to stands at the first of them.

    Raises
    ------
    ValueError
        If `X` or `exclude` cannot be read, a symbol in `elements` is unknown or comes twice, or
        `embedding` lacks an element of X or all of `elements`. Also if `embedding` has one feature,
        or all elements are equally similar, as in "onehot".
    ImportError
        If `isovalent` and SMACT is not installed.

    Warns
    -----
    TableWarning
        If X or `exclude` holds numbers that may not be amounts of elements.

    See Also
    --------
    enumerate_compositions : Compositions that need no known ones.

    Notes
    -----
    Replacing ions by similar ones is how many compounds were found; [1]_ learns which from the
    ICSD. Here, similar are elements whose vectors have a large cosine, after each feature is
    standardised over all elements. In "orb_v2", vectors that an interatomic potential has learnt,
    the elements nearest to O are F, Cl, N, S and Br, and those nearest to Fe are Co, Ni, Mn, Pd and
    Ru. Vectors learnt from text put H next to O. "orb_v2" has the elements up to Pu but for Ne, Ar,
    Po, At, Rn, Fr and Ra.

    A replacement that the composition has already is skipped, because two elements would become
    one.

    With `isovalent`, the common oxidation states of an element are those that make up a twentieth
    or more of its ions in the ICSD. Charges are balanced if each element can have one of them such
    that the charges add up to zero, or to at most 0.01 per atom, because the amounts of dopants are
    often rounded. Those in positive states must be less electronegative than those in negative
    states [2]_. The new composition must be balanced as well as the old one was. Charges do not
    balance in intermetallics, in compounds of mixed valence, and where an element has a rare state,
    such as O in peroxides. There, one shared state is enough. Replacements that balance each other
    only together, such as Na and Nb for Ca and Ti, are left out. Elements without an
    electronegativity in SMACT, such as Ne, Ar and Pm, neither give way nor come in.

    All compositions are found at once. A composition of ``k`` elements leads to up to
    ``k * n_neighbors`` others with one element replaced. They take about 20 bytes each, and 800
    while they are found. 100,000 compositions in X take about ten seconds, and half a minute with
    `isovalent`. Formulas are written when they are read.

    References
    ----------
    .. [1] G. Hautier, C. Fischer, V. Ehrlacher, A. Jain, G. Ceder. Data Mined Ionic Substitutions
       for the Discovery of New Compounds. Inorganic Chemistry 50, 656-663 (2011).
       https://doi.org/10.1021/ic102031h
    .. [2] D. W. Davies, K. T. Butler, A. J. Jackson, J. M. Skelton, K. Morita, A. Walsh. SMACT:
       Semiconducting Materials by Analogy and Chemical Theory. Journal of Open Source Software 4,
       1361 (2019). https://doi.org/10.21105/joss.01361

    Examples
    --------
    >>> from crabsk.discovery import substitute
    >>> list(substitute(["NaCl"], n_neighbors=2))
    ['NaBr', 'KCl', 'NaI', 'RbCl']
    >>> list(substitute(["Tm2O3"], n_neighbors=2))
    ['Er2O3', 'Lu2O3', 'Tm2F3', 'Tm2Cl3']
    >>> list(substitute(["Tm2O3"], n_neighbors=2, isovalent=True))
    ['Er2O3', 'Lu2O3']
    >>> doped = substitute(["La0.9Sr0.1MnO3"], n_neighbors=1, elements=["Ca", "Ba", "Nd", "Fe"])
    >>> list(doped)
    ['BaLa9Mn10O30', 'SrNd9Mn10O30', 'SrLa9Fe10O30', 'SrLa9Mn10Fe30']
    """
    check_scalar(n_neighbors, "n_neighbors", Integral, min_val=1)
    check_scalar(n_replaced, "n_replaced", Integral, min_val=1)
    compositions = read_compositions(X)
    table = load_embedding(embedding)
    similarity = _similarity(table)
    _check_covered(table, compositions)
    allowed = ~np.isnan(table.values).any(axis=1)
    if elements is not None:
        chosen = check_elements(elements, "elements")
        if not len(chosen):
            raise ValueError(
                "elements is empty, so that nothing can be suggested: name some, or leave it out "
                "to allow all"
            )
        allowed &= np.isin(np.arange(N_ELEMENTS), chosen - 1)
        if not allowed.any():
            raise ValueError(
                f"elements: embedding {table.name!r} has a vector for none of "
                f"{few([ELEMENTS[z - 1] for z in chosen])}, so that nothing can be suggested: add "
                "elements or choose another embedding"
            )
    near, similarity = _neighbors(similarity, allowed, int(n_neighbors))
    known = compositions.take(compositions.unique()[0])
    excluded = read_excluded(exclude)
    groups = []
    for n in np.unique(known.lengths[known.lengths > 0]).tolist():
        rows = np.flatnonzero(known.lengths == n)
        tokens = known.offsets[rows][:, None] + np.arange(n)
        old, amounts = known.atomic_numbers[tokens], known.amounts[tokens]
        found, replaced = _in_order(old, near, similarity, n_replaced)
        if isovalent:
            fits = may_replace(old[found], replaced, amounts[found])
            found, replaced = found[fits], replaced[fits]
        elements_ahead, amounts_ahead = _of_length(n, known, excluded)
        is_new = _first_of_equal(
            np.concatenate([elements_ahead, replaced]),
            np.concatenate([amounts_ahead, amounts[found]]),
        )[len(elements_ahead) :]
        groups.append((rows[found[is_new]], replaced[is_new]))
    return _Substitutes(known, groups)


class _Substitutes(Candidates):
    """Compositions with the amounts of known ones, and other elements.

    Parameters
    ----------
    known : Compositions
    groups : list of (rows, elements)
        For each number of elements: rows of `known`, shape (n,), and the atomic numbers that
        take the place of theirs, shape (n, n_elements), dtype uint8.
    """

    def __init__(self, known: Compositions, groups: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self._known = known
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows, _ in groups)])
        # A row is in one group, within which the order is right.
        order = np.argsort(rows, kind="stable")
        self._rows = rows[order]
        self._offsets = np.concatenate([[0], np.cumsum(known.lengths[self._rows])])
        self._elements = np.empty(self._offsets[-1], dtype=np.uint8)
        starts = np.empty(len(rows), dtype=np.int64)
        starts[order] = self._offsets[:-1]
        done = 0
        for rows, elements in groups:
            tokens = starts[done : done + len(rows), None] + np.arange(elements.shape[1])
            self._elements[tokens] = elements
            done += len(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _formulas(self, positions: np.ndarray) -> list[str]:
        old = self._known.take(self._rows[positions])
        tokens = np.arange(old.offsets[-1]) + np.repeat(
            self._offsets[positions] - old.offsets[:-1], old.lengths
        )
        elements = self._elements[tokens].astype(np.int64)
        order = np.lexsort((elements, old.row_of_token))
        return reduced_formula(
            Compositions(elements[order], old.amounts[order], old.offsets)
        ).tolist()

    def _described(self) -> str:
        return f"compositions made from {len(self._known):,} others by replacing elements"


def _similarity(table: ElementTable) -> np.ndarray:
    """Return the similarity of each two elements, shape (119, 119), by atomic number.

    It is NaN where a vector is missing.
    """
    known = np.flatnonzero(~np.isnan(table.values).any(axis=1))
    if len(table.feature_names) < 2:
        raise ValueError(
            f"embedding {table.name!r} has a single feature: similarity needs two or more"
        )
    values = cosine_similarity(StandardScaler().fit_transform(table.values[known]))
    between = values[~np.eye(len(known), dtype=bool)]
    if len(known) > 2 and np.ptp(between) < 10**-_DIGITS:
        raise ValueError(
            f"in embedding {table.name!r} all elements are equally similar: choose one that tells "
            "them apart, such as 'orb_v2'"
        )
    similarity = np.full((N_ELEMENTS + 1, N_ELEMENTS + 1), np.nan)
    similarity[np.ix_(known + 1, known + 1)] = values
    return similarity


def _check_covered(table: ElementTable, compositions: Compositions) -> None:
    """Refuse compositions of elements without a vector, which nothing could replace."""
    lacking = np.isnan(table.values).any(axis=1)[compositions.atomic_numbers - 1]
    if lacking.any():
        rows = np.unique(compositions.row_of_token[lacking]).tolist()
        symbols = [ELEMENTS[z - 1] for z in np.unique(compositions.atomic_numbers[lacking])]
        raise ValueError(
            f"embedding {table.name!r} has no vector for {', '.join(symbols)}, in {len(rows)} of "
            f"{len(compositions)} rows (row {first_of(list(map(str, rows)))}): remove these rows, "
            "or choose an embedding that has the elements ('mat2vec' has all)"
        )


def _neighbors(
    similarity: np.ndarray, allowed: np.ndarray, n_neighbors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the most similar elements of each element, and how similar they are.

    Both have the shape (119, n_neighbors), by atomic number. An atomic number of 0 stands where
    there are no more.
    """
    similarity = similarity.copy()
    np.fill_diagonal(similarity, np.nan)
    similarity[:, 1:][:, ~allowed] = np.nan
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :n_neighbors]
    similarity = np.take_along_axis(similarity, order, axis=1)
    return np.where(np.isnan(similarity), 0, order).astype(np.uint8), similarity


def _in_order(
    elements: np.ndarray, near: np.ndarray, similarity: np.ndarray, n_replaced: int
) -> tuple[np.ndarray, np.ndarray]:
    """Replace elements in all ways.

    Parameters
    ----------
    elements : ndarray of shape (n_compositions, n_elements)
        Atomic numbers of compositions.
    near, similarity : ndarray of shape (119, n_neighbors)
        What `_neighbors` returns.
    n_replaced : int
        Most elements to replace.

    Returns
    -------
    rows : ndarray of shape (n_found,)
        Where in `elements` each composition comes from, in rising order.
    replaced : ndarray of shape (n_found, n_elements), dtype uint8
        Its atomic numbers.
    """
    n_compositions, n_elements = elements.shape
    elements = elements.astype(np.uint8)
    found = []
    for n in range(1, min(n_replaced, n_elements) + 1):
        choices = np.array(list(product(range(near.shape[1]), repeat=n)))
        at_once = max(1, _AT_ONCE // (len(choices) * n_elements))
        for columns in combinations(range(n_elements), n):
            for start in range(0, n_compositions, at_once):
                old = elements[start : start + at_once]
                new = np.repeat(old[:, None], len(choices), axis=1)
                new[:, :, columns] = near[old[:, columns]][:, np.arange(n), choices]
                likeness = similarity[old[:, columns]][:, np.arange(n), choices].mean(axis=2)
                rising = np.sort(new, axis=2)
                # No element is missing (0) and none is there twice.
                fits = (rising[:, :, 0] > 0) & (np.diff(rising, axis=2) > 0).all(axis=2)
                rows = start + np.nonzero(fits)[0]
                found.append((rows, np.full(len(rows), n), likeness[fits], new[fits]))
    rows, n_each, likeness, replaced = map(np.concatenate, zip(*found, strict=True))
    # Rounded, because elements that change places in a circle are equally similar both ways round.
    order = np.lexsort((-np.round(likeness, _DIGITS), n_each, rows))
    return rows[order], replaced[order]


def _of_length(
    n: int, known: Compositions, excluded: Compositions | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the elements and amounts of all compositions of `n` elements, each (rows, n)."""
    elements, amounts = [], []
    for compositions in (known, excluded):
        if compositions is not None:
            starts = compositions.offsets[:-1][compositions.lengths == n]
            tokens = starts[:, None] + np.arange(n)
            elements.append(compositions.atomic_numbers[tokens])
            amounts.append(compositions.amounts[tokens])
    return np.concatenate(elements), np.concatenate(amounts)


def _first_of_equal(elements: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return whether each composition, a row of both, is the first that equals it."""
    n_rows, n_elements = elements.shape
    order = np.argsort(elements, axis=1)
    compositions = Compositions(
        np.take_along_axis(elements, order, axis=1).ravel().astype(np.int64),
        np.take_along_axis(amounts, order, axis=1).ravel(),
        np.arange(n_rows + 1) * n_elements,
    )
    is_first = np.zeros(n_rows, dtype=bool)
    is_first[compositions.unique()[0]] = True
    return is_first
