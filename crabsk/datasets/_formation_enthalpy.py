"""Experimental formation enthalpies, shipped with the package.

The numbers are those of ``exp_compounds.json.gz`` in pymatgen (MIT licence), which were compiled
for A. Wang et al., "A framework for quantifying uncertainty in DFT energy corrections", Scientific
Reports 11, 15496 (2021). ``benchmarks/make_formation_enthalpy_csv.py`` makes the CSV file from it.
"""

from __future__ import annotations

import math
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from ._base import make_bunch, read_columns, read_descr

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def load_formation_enthalpy(
    *, return_X_y: bool = False, as_frame: bool = False
) -> Bunch | tuple[Any, Any]:
    """Load 2135 measured formation enthalpies of inorganic solids (regression).

    ==================   ================================
    Samples                                          2135
    Features                                    1 formula
    Elements                                           79
    Target                    real, -4.49 to 0.33 eV/atom
    ==================   ================================

    The data are part of the package: no network is needed.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(X, y)`` instead of a Bunch.

    as_frame : bool, default=False
        Return pandas objects instead of NumPy arrays.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A dictionary with attributes:

        data : ndarray of str objects of shape (2135,)
            Formulas, each once, in the order of the source. With `as_frame`, a DataFrame with one
            column ``formula``.
        target : ndarray of float of shape (2135,)
            Formation enthalpy at 298 K in eV/atom. With `as_frame`, a Series.
        uncertainty : ndarray of float of shape (2135,)
            Uncertainty of the measurement in eV/atom, as given in the source. It is NaN for the
            301 formulas without one, and 0 for 5 formulas, which is probably not meant literally.
            With `as_frame`, a Series.
        feature_names, target_names : list of str
            ``["formula"]`` and ``["formation_enthalpy"]``.
        frame : DataFrame of shape (2135, 2) or None
            ``data`` and ``target`` side by side; None without `as_frame`.
        DESCR : str
            Source and licence, and how the numbers were made.
        filename : str
            Path of the file.

    (X, y) : tuple if `return_X_y`
        Formulas and target, both of shape (2135,): two ndarrays, or with `as_frame` two Series.

    See Also
    --------
    fetch_matbench : Thirteen data sets that are downloaded.

    Examples
    --------
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> enthalpies = load_formation_enthalpy()
    >>> enthalpies.data[:3]
    array(['Ag2CO3', 'Ag2O', 'Ag2O3'], dtype=object)
    >>> enthalpies.target[:3]
    array([-0.873708, -0.107443,  0.07027 ])
    >>> X, y = load_formation_enthalpy(return_X_y=True, as_frame=True)
    >>> float(y[X == "NaCl"].iloc[0])
    -2.131412
    """
    path = resources.files(__package__).joinpath("data", "formation_enthalpy.csv")
    columns = read_columns(path.read_text(encoding="utf-8"))
    uncertainty = [float(value) if value else math.nan for value in columns["uncertainty"]]
    return make_bunch(
        columns["formula"],
        np.array(columns["formation_enthalpy"], dtype=float),
        "formation_enthalpy",
        return_X_y=return_X_y,
        as_frame=as_frame,
        per_row={"uncertainty": np.array(uncertainty)},
        target_names=["formation_enthalpy"],
        DESCR=read_descr("formation_enthalpy.rst"),
        filename=str(path),
    )
