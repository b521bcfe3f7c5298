"""Composition-based feature vectors: statistics of element properties over a formula."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from .._descriptors import (
    NOT_OF_NEGATIVES,
    STATISTICS,
    describe,
    sorted_by_kind,
)
from .._text import few
from .._validation import (
    CompositionTable,
    HasMethods,
    StrOptions,
    _check_feature_names_in,
    _fit_context,
    extra_feature_columns,
    numeric_target,
    validate_compositions,
    warn_of_target_among_features,
)
from ..composition import (
    ELEMENTS,
    N_ELEMENTS,
    Compositions,
    SpeciesCompositions,
    find_formulas_at,
    species_of,
)
from ..embeddings import (
    MISSING,
    ElementTable,
    SpeciesTable,
    is_of_species,
    load_embedding,
    load_species_embedding,
)

# XGBoost refuses [ ] < in the names of features; LightGBM refuses [ ] { } " , :
_REFUSED_IN_NAMES = '[]<{}",:'


class CompositionTransformer(TransformerMixin, BaseEstimator):
    r"""Turn chemical formulas into composition-based feature vectors (CBFV).

    Each feature is a statistic of an element property over the elements of a formula, such as the
    mean electronegativity: ``magpie_mean_Electronegativity``. With ``stats="amount"`` or
    ``"fraction"`` the features are the amounts or fractions of the elements themselves.

    Parameters
    ----------
    embedding : str, DataFrame, mapping, Embedding, or list of these, default="magpie"
        Table of element properties: a name (see `crabsk.embeddings.embedding_names`), a DataFrame
        indexed by element symbol, a mapping from symbol to vector, or an ``Embedding`` of
        elementembeddings. "skipspecies" and "skipspecies_induced" are tables of species (Fe2+,
        Fe3+), and so are tables of your own whose labels are species. X then gives the species, as
        in ``{"Fe3+": 2, "O2-": 3}`` or a pymatgen ``Composition``, or `oxidation_states` guesses
        them. The features of several tables in a list are joined. "amount" and "fraction" do not
        use a table.

    stats : str or list of str, default=("mean", "std", "min", "max", "range", "mode")
        Statistics, with :math:`x_i` the property of element :math:`i`, :math:`n_i` its amount in
        the formula as written and :math:`f_i = n_i / \sum_j n_j` its atomic fraction:

        - "mean": :math:`\bar x = \sum_i f_i x_i`;
        - "variance": :math:`\sum_i f_i (x_i - \bar x)^2`, that of the population;
        - "std": the square root of "variance";
        - "avg_dev": the mean absolute deviation :math:`\sum_i f_i |x_i - \bar x|`, called
          "avg_dev" by matminer and "dev" by CBFV;
        - "min", "max", "range": over the elements, whatever their amounts;
        - "mode": the property of the most abundant element; if several elements are equally
          abundant, the smallest of their properties;
        - "sum": :math:`\sum_i n_i x_i`, which unlike the others differs between Fe2O3 and Fe4O6;
        - "geometric_mean": :math:`\prod_i x_i^{f_i}`, which is 0 if an :math:`x_i` is 0;
        - "harmonic_mean": :math:`1 / \sum_i (f_i / x_i)`, 0 (its limit) if an :math:`x_i` is 0;
        - "amount", "fraction": :math:`n_i` and :math:`f_i` themselves, in 118 columns in order of
          atomic number.

        Statistics of a property have its unit; only "variance" has its square. "geometric_mean" and
        "harmonic_mean" are refused for tables with negative values, for which they are not defined.

    missing : {"error", "mean", "zero"}, default="error"
        What to do about an element that the table lacks (NaN in a table of your own): refuse it,
        fill in the mean of the property over the elements that have it, or fill in 0.

    n_jobs : int, default=None
        Number of threads that compute the statistics; the result is the same for any number.
        ``None`` means 1 unless in a :obj:`joblib.parallel_config` context, ``-1`` all processors.
        Formulas are always read by one thread. Reading takes about four fifths of the time with the
        22 properties of "magpie", and two fifths with the 200 of "mat2vec". More threads therefore
        help only with wide tables and many formulas.

    oxidation_states : {"guess"}, default=None
        What to do about a formula without oxidation states, for tables of species. "guess" uses
        the most likely ones according to pymatgen, for formulas of up to 40 atoms and if a guess
        balances the charges. A formula that still has none is refused or its gaps are filled,
        depending on `missing`.

    Attributes
    ----------
    tables_ : list of ElementTable or SpeciesTable
        The tables of element properties.

    stats_ : list of str
        The statistics.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts.

    See Also
    --------
    crabsk.embeddings.load_embedding : The tables that `embedding` can name.

    Notes
    -----
    Statistics of element properties go back to Magpie [1]_. The statistics here are defined as in
    CBFV [2]_, elementembeddings and matminer, where these offer them. The exception is matminer's
    ``std_dev``, which divides the variance by :math:`1 - \sum_i f_i^2`, as for a sample.

    Equal values have a "std", "variance" and "avg_dev" of exactly 0.

    References
    ----------
    .. [1] Ward, L., Agrawal, A., Choudhary, A. and Wolverton, C., "A general-purpose machine
       learning framework for predicting properties of inorganic materials", npj Computational
       Materials 2, 16028 (2016). https://doi.org/10.1038/npjcompumats.2016.28
    .. [2] Murdock, R. J., Kauwe, S. K., Wang, A. Y.-T. and Sparks, T. D., "Is domain knowledge
       necessary for machine learning materials properties?", Integrating Materials and
       Manufacturing Innovation 9, 221 (2020). https://doi.org/10.1007/s40192-020-00179-z

    Examples
    --------
    >>> from crabsk.feature_extraction import CompositionTransformer
    >>> table = {"O": [3.44], "Na": [0.93], "Cl": [3.16], "Fe": [1.83]}
    >>> transformer = CompositionTransformer(embedding=table, stats=["mean", "range"])
    >>> transformer.fit_transform(["Fe2O3", "NaCl"])
    array([[2.796, 1.61 ],
           [2.045, 2.23 ]])
    >>> CompositionTransformer().fit(["Fe2O3"]).get_feature_names_out()[:2]
    array(['magpie_mean_Number', 'magpie_mean_MendeleevNumber'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict] = {
        "embedding": [
            str,
            list,
            tuple,
            pd.DataFrame,
            Mapping,
            HasMethods(["as_dataframe"]),  # an Embedding of elementembeddings
            HasMethods(["get_element_oxi_states"]),  # a SpeciesEmbedding of it
        ],
        "stats": [StrOptions(set(STATISTICS)), list, tuple],
        "missing": [StrOptions(set(MISSING))],
        "n_jobs": [Integral, None],
        "oxidation_states": [StrOptions({"guess"}), None],
    }

    def __init__(
        self,
        embedding: Any = "magpie",
        stats: Any = ("mean", "std", "min", "max", "range", "mode"),
        missing: str = "error",
        n_jobs: int | None = None,
        *,
        oxidation_states: str | None = None,
    ) -> None:
        self.embedding = embedding
        self.stats = stats
        self.missing = missing
        self.n_jobs = n_jobs
        self.oxidation_states = oxidation_states

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "CompositionTransformer":
        """Load the tables, and fix the form of X.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Formulas, alone or beside numeric columns; or amounts of elements, of shape
            (n_samples, n_elements).
        y : array-like, optional
            Targets. They only serve to warn if they are also among the columns of X.

        Returns
        -------
        self : CompositionTransformer

        Raises
        ------
        ValueError
            If X cannot be read, if a table cannot be used or lacks an element (see `missing`), if
            a statistic is unknown or not defined for a table, or if two output features would
            have the same name.
        """
        self._fit(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit to X and transform it, reading the formulas once.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            See `fit`.
        y : array-like, optional
            See `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float64
            As `transform` returns. The errors are also those of `transform`.
        """
        return self._transform(*self._fit(X, y))

    def transform(self, X: Any) -> np.ndarray:
        """Compute the feature vectors.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Rows, in the form that X had in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float64
            For each table each statistic of each property, then "amount" and "fraction", then the
            numeric columns beside the formulas, unchanged. A DataFrame after
            ``set_output(transform="pandas")`` or ``"polars"``. A row of zeros in a matrix of
            amounts, an empty composition, has 0 in all features.

        Raises
        ------
        ValueError
            If X cannot be read or differs in form from the X of `fit`, or if a table lacks an
            element (see `missing`).
        """
        check_is_fitted(self)
        table = validate_compositions(self, X, reset=False)
        return self._transform(table, self._species(X, table.compositions))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the output features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, used for those beside the formulas. By default
            `feature_names_in_`, or else ``x0``, ``x1``, ... by position.

        Returns
        -------
        ndarray of shape (n_features_out,), dtype object
            ``<table>_<statistic>_<property>``; then the element symbols for "amount" or "fraction",
            or ``amount_<symbol>`` and ``fraction_<symbol>`` if `stats` has both; then the names of
            the columns beside the formulas, unchanged. The names of features made from a table
            leave out the characters ``[ ] < { } " , :``, which XGBoost or LightGBM refuses.

        Raises
        ------
        ValueError
            If `input_features` are not those of `fit`.
        """
        check_is_fitted(self)
        names_in = _check_feature_names_in(self, input_features)
        descriptors, matrices = sorted_by_kind(self.stats_)
        left_out = str.maketrans("", "", _REFUSED_IN_NAMES)
        names = [
            f"{table.name}_{stat}_{feature}".translate(left_out)
            for table in self.tables_
            for stat in descriptors
            for feature in table.feature_names
        ]
        for stat in matrices:
            names += [symbol if len(matrices) == 1 else f"{stat}_{symbol}" for symbol in ELEMENTS]
        names += names_in[extra_feature_columns(self)].tolist()
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.positive_only = True
        return tags

    def _fit(self, X: Any, y: Any) -> tuple[CompositionTable, SpeciesCompositions | None]:
        table = validate_compositions(self, X, reset=True)
        target = numeric_target(y, len(table.compositions))
        if target is not None:
            warn_of_target_among_features(self, table, target)
        self.stats_ = [self.stats] if isinstance(self.stats, str) else list(self.stats)
        unknown = [stat for stat in self.stats_ if stat not in STATISTICS]
        if unknown or not self.stats_:
            raise ValueError(
                f"stats={self.stats!r} must name one or more of {', '.join(STATISTICS)}"
            )
        self.tables_ = self._load_tables()
        species = self._species(X, table.compositions)
        self._check_tables(table.compositions, species)
        refuse_repeated(
            self.get_feature_names_out(),
            "name each statistic and each embedding once, join your own tables into one, rename "
            "columns beside the formulas that have the name of a feature, and rename features that "
            f"differ only in the characters {' '.join(_REFUSED_IN_NAMES)}",
        )
        return table, species

    def _load_tables(self) -> list[ElementTable | SpeciesTable]:
        """Return the tables, each fit for the statistics."""
        descriptors, _ = sorted_by_kind(self.stats_)
        if not descriptors:
            return []
        joined = isinstance(self.embedding, list | tuple)
        tables: list[ElementTable | SpeciesTable] = [
            load_species_embedding(e) if is_of_species(e) else load_embedding(e)
            for e in (self.embedding if joined else [self.embedding])
        ]
        if not tables:
            raise ValueError(f"embedding={self.embedding!r} is empty: name at least one table")
        for table in tables:
            negative = [
                name
                for name, column in zip(table.feature_names, table.values.T, strict=True)
                if (column < 0).any()
            ]
            undefined = [stat for stat in descriptors if stat in NOT_OF_NEGATIVES]
            if negative and undefined:
                raise ValueError(
                    f"{few(undefined)} is not defined for negative values, which embedding "
                    f"{table.name!r} has in {few(negative)}: choose other stats, or pass a table "
                    "without these features"
                )
        return tables

    def _species(self, X: Any, compositions: Compositions) -> SpeciesCompositions | None:
        """Return the species in X, if a table asks for them."""
        if not any(isinstance(table, SpeciesTable) for table in self.tables_):
            return None
        table = find_formulas_at(X, self.formula_position_)
        items = None if table is None else table.formulas
        return species_of(items, compositions, guess=self.oxidation_states == "guess")

    def _check_tables(
        self, compositions: Compositions, species: SpeciesCompositions | None
    ) -> None:
        """Refuse what the tables lack, unless `missing` chose a fill."""
        for table in self.tables_:
            if isinstance(table, SpeciesTable):
                assert species is not None
                table.fill(species, self.missing)
            else:
                table.fill(compositions, self.missing)

    def _transform(
        self, table: CompositionTable, species: SpeciesCompositions | None
    ) -> np.ndarray:
        compositions = table.compositions
        descriptors, matrices = sorted_by_kind(self.stats_)
        widths = [len(descriptors) * len(t.feature_names) for t in self.tables_]
        n_features = sum(widths) + len(matrices) * N_ELEMENTS
        features = np.empty((len(compositions), n_features + table.extra.shape[1]))
        features[:, n_features:] = table.extra
        n_jobs = effective_n_jobs(self.n_jobs)
        ends = np.cumsum(widths).tolist()
        for t, width, end in zip(self.tables_, widths, ends, strict=True):
            own = features[:, end - width : end]
            if isinstance(t, SpeciesTable):
                assert species is not None
                vectors, rows = t.fill(species, self.missing)
                describe(species.as_compositions, [vectors], descriptors, own, n_jobs, rows)
            else:
                describe(
                    compositions, [t.fill(compositions, self.missing)], descriptors, own, n_jobs
                )
        if matrices:
            describe(compositions, [], matrices, features[:, sum(widths) : n_features], n_jobs)
        return features


def refuse_repeated(names: np.ndarray, way_out: str) -> None:
    """Refuse output features of the same name."""
    index = pd.Index(names)
    repeated = index[index.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"more than one output feature would be called {few(repeated)}: {way_out}")
