"""Tables of element vectors: by name, or the user's own.

The named tables are data files of the elementembeddings package, read here directly: importing
``elementembeddings.core`` would load umap, openTSNE, numba and matplotlib.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pandas as pd
from elementembeddings.utils.config import (
    DEFAULT_ELEMENT_EMBEDDINGS,
    DEFAULT_SPECIES_EMBEDDINGS,
)

from .._text import ERRORS_SHOWN, few, shown
from ..composition import (
    ATOMIC_NUMBERS,
    ELEMENTS,
    N_ELEMENTS,
    Compositions,
    split_species,
)

MISSING: tuple[str, ...] = ("error", "mean", "zero")
"""What `ElementTable.fill` can do about values that a table lacks."""

_ONE_HOT = "onehot"
# One-hot vectors of ElemNet's 86 elements: up to Pu, but for He, Ne, Ar, Po, At, Rn, Fr and Ra.
_ELEMNET = "elemnet"
_ELEMNET_ELEMENTS = [z for z in range(1, 95) if z not in {2, 10, 18, 84, 85, 86, 87, 88}]
_OF_SPECIES = (
    "embedding {name!r} has vectors of species such as Fe3+, not of elements: "
    "CompositionTransformer takes it"
)
OWN_NAME = "custom"

# Labels in elementembeddings' tables that are not today's symbols. `random_200` has a row `Lv`
# and two more, at the places of Ts and Og, that both say `Uuh` (Lv's old name): which is which
# is not for us to guess. `Null` is megnet16's vector for no element; the heavy isotopes are
# hydrogen to crabsk.
_OLD_SYMBOLS = {"Uut": "Nh", "Uup": "Mc"}
_NO_ELEMENTS = ("Uuh", "Null", "D", "T")

# Values, by the position of their column, that were filled in where the source has none. Magpie's
# own files say "Missing", where `magpie` has the median of the column; elementembeddings' file
# `oliynyk.csv` is empty, where `oliynyk` has the mean of five similar elements. The scaled tables
# were made from filled columns: with the same medians, and with the means of the columns.
_FILLED = {
    # MeltingT, CovalentRadius, Electronegativity, SpaceGroupNumber
    "magpie": {3: "He Fr", 6: "Bk", 7: "He Ne Ar Rn", 21: "At Rn Fr"},
    # Miracle_Radius_[pm], crystal_radius, MB_electonegativity, Mulliken_EN
    "oliynyk": {11: "H He F Ne Cl Ar Br Kr I Xe", 15: "Kr", 17: "Kr", 19: "Kr Xe"},
}


@dataclass(frozen=True, slots=True, eq=False)
class ElementTable:
    """One vector for each element.

    Parameters
    ----------
    name : str
        Name of the table in feature names and messages.
    values : ndarray of shape (118, n_features), float64, read-only
        Row ``z - 1`` is the vector of the element with atomic number ``z``. NaN where the table
        has no value. The whole row is NaN for an element that the table lacks.
    feature_names : tuple of str
        Names of the columns.

    Examples
    --------
    >>> from crabsk.embeddings import load_embedding
    >>> table = load_embedding("magpie")
    >>> table.values.shape
    (118, 22)
    >>> electronegativity = table.feature_names.index("Electronegativity")
    >>> float(table.values[26 - 1, electronegativity])
    1.83
    """

    name: str
    values: np.ndarray
    feature_names: tuple[str, ...]

    def fill(self, compositions: Compositions, missing: str = "error") -> np.ndarray:
        """Return the vectors, with no gap in the elements of some compositions.

        Parameters
        ----------
        compositions : Compositions
            The compositions that the vectors have to cover.
        missing : {"error", "mean", "zero"}, default="error"
            What to do about values that the table lacks. "error" refuses compositions with an
            element that lacks any value. "mean" fills in the mean of the feature over the elements
            that have it. "zero" fills in 0, as CBFV and elementembeddings do. Zero is neutral if
            features are centred (``magpie_sc``, learnt vectors), but means a melting point of 0 K
            in a table of properties.

        Returns
        -------
        ndarray of shape (118, n_features), read-only
            `values`, with all gaps filled. With "error", elements that are in no composition may
            still have NaN.

        Raises
        ------
        ValueError
            If `missing` is "error" and an element in `compositions` lacks the value of a feature.
            The message names the elements, the number of such rows and the first few of them. Also
            if `missing` is none of the three.
        """
        if missing not in MISSING:
            raise ValueError(f"missing={missing!r} must be one of {few(MISSING)}")
        if missing == "error":
            self._check_covers(compositions)
            return self.values
        replacement = np.nanmean(self.values, axis=0) if missing == "mean" else 0.0
        return read_only(np.where(np.isnan(self.values), replacement, self.values))

    def _check_covers(self, compositions: Compositions) -> None:
        lacking = np.isnan(self.values).any(axis=1)[compositions.atomic_numbers - 1]
        if not lacking.any():
            return
        rows = np.unique(compositions.row_of_token[lacking]).tolist()
        elements = np.unique(compositions.atomic_numbers[lacking]).tolist()
        raise ValueError(
            f"embedding {self.name!r} has no values for "
            f"{', '.join(self._described(z) for z in elements)}, in {len(rows)} of "
            f"{len(compositions)} rows (row {', '.join(map(str, rows[:ERRORS_SHOWN]))}"
            f"{', ...' if len(rows) > ERRORS_SHOWN else ''}): remove these rows, choose an "
            "embedding that has the elements ('mat2vec' and 'onehot' have all 118), or fill the "
            "gaps with missing='mean'"
        )

    def _described(self, z: int) -> str:
        """Return an element's symbol, with the features that it lacks unless it lacks all."""
        symbol = ELEMENTS[z - 1]
        unknown = np.flatnonzero(np.isnan(self.values[z - 1]))
        if len(unknown) == len(self.feature_names):
            return symbol
        return f"{symbol} (in {few([self.feature_names[j] for j in unknown.tolist()])})"


def embedding_names() -> list[str]:
    """Return the names that `load_embedding` knows.

    Returns
    -------
    list of str
        Every table of elementembeddings, named as in its ``Embedding.load_data``, and "onehot" and
        "elemnet"; sorted.

    Examples
    --------
    >>> from crabsk.embeddings import embedding_names
    >>> "mat2vec" in embedding_names()
    True
    """
    return sorted([*DEFAULT_ELEMENT_EMBEDDINGS, _ONE_HOT, _ELEMNET])


def load_embedding(embedding: Any) -> ElementTable:
    """Return a table of element vectors, given by name or as your own table.

    Named tables are read once and cached. Your own tables are neither changed nor kept.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings ``Embedding``
        - A name from `embedding_names`. "onehot" is the identity matrix over all 118 elements, and
          "elemnet" the one over the 86 elements of the ElemNet paper. The linear scales of
          elementembeddings, "atomic" and "mod_petti", become one-hot vectors in the order of the
          scale.
        - A pandas DataFrame of numbers indexed by element symbol, one column for each feature; NaN
          means "no value".
        - A mapping from element symbol to a vector of numbers, all of the same length.
        - An ``Embedding`` object of elementembeddings. All of its values are kept as they are.

    Returns
    -------
    ElementTable
        The table. Its array is read-only: copy it before you change it (``torch.tensor`` copies).

    Raises
    ------
    ValueError
        If the name is unknown, or if a table of your own has unknown or repeated element symbols,
        repeated feature names, vectors of different lengths, values that are infinite or not
        numbers, or features without any value.
    TypeError
        If `embedding` is none of the above.

    Notes
    -----
    The named tables are those of elementembeddings [1]_, which lists their sources. The values are
    the same, bit for bit, with one exception: a value that was filled in because the source has
    none is NaN here. "magpie" and "magpie_sc" have 10 such values, "oliynyk" and "oliynyk_sc" have
    14. An ``Embedding`` object keeps its filled values, because they may be the user's own.

    Two labels of "random_200" are replaced by today's symbols: Uut by Nh, and Uup by Mc. The table
    has a row Lv and two rows labelled Uuh, the old name of Lv. These two are left out, so the table
    lacks Ts and Og.

    elementembeddings turns missing values into 0 when it describes a composition. crabsk does so
    only on request (``missing="zero"``).

    References
    ----------
    .. [1] Onwuli, A., Hegde, A. V., Nguyen, K. V. T., Butler, K. T. and Walsh, A., "Element
       similarity in high-dimensional materials representations", Digital Discovery 2, 1558 (2023).
       https://github.com/WMD-group/ElementEmbeddings

    Examples
    --------
    >>> from crabsk.embeddings import load_embedding
    >>> load_embedding("mat2vec").values.shape
    (118, 200)
    >>> load_embedding({"O": [3.44, 16.0], "Fe": [1.83, 55.8]}).values[26 - 1]
    array([ 1.83, 55.8 ])
    """
    if isinstance(embedding, str):
        return _load_named(embedding)
    if isinstance(embedding, pd.DataFrame):
        return _from_frame(OWN_NAME, embedding)
    if isinstance(embedding, Mapping):
        return _from_frame(OWN_NAME, mapping_to_frame(embedding))
    if hasattr(embedding, "as_dataframe") and hasattr(embedding, "embedding_name"):
        name = embedding.embedding_name or OWN_NAME
        return _from_frame(name, _with_todays_symbols(embedding.as_dataframe()))
    raise TypeError(
        "an embedding is a name, a pandas DataFrame indexed by element symbol, a mapping symbol -> "
        f"vector or an elementembeddings Embedding, not {type(embedding)}"
    )


@cache
def _load_named(name: str) -> ElementTable:
    if name == _ONE_HOT:
        return ElementTable(name, read_only(np.eye(N_ELEMENTS)), ELEMENTS)
    if name == _ELEMNET:
        own = [ELEMENTS[z - 1] for z in _ELEMNET_ELEMENTS]
        return _from_frame(name, pd.DataFrame(np.eye(len(own)), index=own, columns=own))
    if name in DEFAULT_SPECIES_EMBEDDINGS:
        raise ValueError(_OF_SPECIES.format(name=name))
    if name not in DEFAULT_ELEMENT_EMBEDDINGS:
        raise ValueError(
            f"unknown embedding {name!r}: the names are {', '.join(embedding_names())}"
        )
    file = DEFAULT_ELEMENT_EMBEDDINGS[name]
    with as_file(files("elementembeddings") / "data" / "element_representations" / file) as path:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, index_col="element")
        else:
            vectors = json.loads(path.read_text())
            scalar = not isinstance(next(iter(vectors.values())), list)
            frame = _scale_to_frame(vectors) if scalar else mapping_to_frame(vectors)
    for position, symbols in _FILLED.get(name.removesuffix("_sc"), {}).items():
        frame.loc[symbols.split(), frame.columns[position]] = np.nan
    return _from_frame(name, _with_todays_symbols(frame))


def _scale_to_frame(positions: dict[str, int]) -> pd.DataFrame:
    """Return the one-hot vectors of a linear scale: column ``p`` is the element at place ``p``."""
    by_place: dict[int, str] = {}
    for symbol in ELEMENTS:
        # The file of mod_petti, a scale of 103 elements, gives all heavier ones the place of He.
        by_place.setdefault(positions[symbol], symbol)
    symbols = [by_place[place] for place in sorted(by_place)]
    return pd.DataFrame(np.eye(len(symbols)), index=symbols, columns=symbols)


def mapping_to_frame(vectors: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table with a row for each vector."""
    arrays = {}
    for symbol, vector in vectors.items():
        array = np.asarray(vector)
        if array.dtype.kind not in "biuf" or array.ndim != 1:
            raise ValueError(
                f"the vector of {symbol!r} must be a 1-D sequence of numbers (NaN where a value is "
                f"unknown; a single number is a vector of length 1), got {shown(vector)}"
            )
        arrays[symbol] = array
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        raise ValueError(f"the vectors have different lengths: {sorted(lengths)}")
    return pd.DataFrame(list(arrays.values()), index=pd.Index(list(arrays), dtype=object))


def _with_todays_symbols(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=[s for s in _NO_ELEMENTS if s in frame.index]).rename(
        index=_OLD_SYMBOLS
    )


def _from_frame(name: str, frame: pd.DataFrame) -> ElementTable:
    """Check a table and put its rows in order of atomic number."""
    unknown = [label for label in frame.index if label not in ATOMIC_NUMBERS]
    if any(isinstance(label, str) and split_species(label) for label in unknown):
        raise ValueError(_OF_SPECIES.format(name=name))
    if unknown:
        raise ValueError(
            f"embedding {name!r} has rows that are no element symbols: {few(unknown)} (a "
            "DataFrame must be indexed by symbol, such as with frame.set_index('element'); species "
            "are written as in Fe3+ and O2-)"
        )
    numbers = checked_numbers(name, frame, "elements")
    values = np.full((N_ELEMENTS, numbers.shape[1]), np.nan)
    values[[ATOMIC_NUMBERS[symbol] - 1 for symbol in frame.index]] = numbers
    return ElementTable(name, read_only(values), tuple(map(str, frame.columns)))


def checked_numbers(name: str, frame: pd.DataFrame, rows: str) -> np.ndarray:
    """Return the numbers of a table, NaN where unknown; refuse other values and repeated labels.

    `rows` says what its rows are.
    """
    if not frame.size:
        raise ValueError(f"embedding {name!r} is empty: its shape is {frame.shape}")
    feature_names = tuple(map(str, frame.columns))
    for labels, what in ((frame.index, rows), (pd.Index(feature_names), "features")):
        repeated = labels[labels.duplicated()].unique().tolist()
        if repeated:
            raise ValueError(f"embedding {name!r} has {what} more than once: {few(repeated)}")
    no_numbers = [
        column
        for column, dtype in frame.dtypes.items()
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype)
    ]
    if no_numbers:
        raise ValueError(f"embedding {name!r} has features that are no numbers: {few(no_numbers)}")
    numbers = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(numbers).any():
        bad = np.isinf(numbers).any(axis=0)
        raise ValueError(
            f"embedding {name!r} has infinite values in {_few_at(feature_names, bad)} (write NaN "
            "for unknown values)"
        )
    void = np.isnan(numbers).all(axis=0)
    if void.any():
        raise ValueError(
            f"embedding {name!r} has no value at all in {_few_at(feature_names, void)}: drop it"
        )
    return numbers


def read_only(values: np.ndarray) -> np.ndarray:
    """Protect an array that callers share."""
    values.setflags(write=False)
    return values


def _few_at(names: Sequence[str], mask: np.ndarray) -> str:
    return few([names[j] for j in np.flatnonzero(mask).tolist()])
