"""Saving and loading fitted models without executing anything from a file."""

import os
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from .automl import AutoClassifier, AutoRegressor
from .automl import load as load_models
from .automl import save as save_models
from .calibration import CalibratedRegressorCV
from .neural_network import (
    SAVEABLE,
    read_estimator,
    resolve_device,
    warn_of_other_version,
    write_estimator,
)

__all__ = ["load_model", "save_model"]


# What is made of several models.
_OF_SEVERAL = (AutoClassifier, AutoRegressor, CalibratedRegressorCV)
# The first bytes of an archive of skops.
_ARCHIVE = b"PK\x03\x04"


def save_model(estimator: Any, path: str | os.PathLike) -> None:
    """Write a fitted estimator to one file.

    The file appears under its name only once it is complete. An existing file is replaced.

    Parameters
    ----------
    estimator : CrabNet, Roost or ElemNet estimator, CalibratedRegressorCV, AutoRegressor, \
AutoClassifier
        What to save. A network's `callbacks`, `checkpoint` and `init_from` are left out, with a
        warning, because they are code or paths on this machine. For an AutoRegressor or
        AutoClassifier, the settings of the search are left out (`candidates`, `cv`, `checkpoint`,
        `random_state`). If its `weights` are a path, that file must exist when the model is loaded.
    path : str or path
        Path of the file, used verbatim: no suffix is added.

    Raises
    ------
    ImportError
        If skops is not installed, for an estimator that is made of several models.
    OSError
        If the folder does not exist or cannot be written to.
    TypeError
        If `estimator` is none of these, or has a parameter that is not plain data, such as a
        custom transformer as `target_transform`, or a model from another package. skops can save
        such estimators.
    ValueError
        If parameters were changed after the fit, so that they no longer describe the fitted
        networks.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from crabsk import CrabNetRegressor, load_model, save_model
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=1, random_state=0)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "salts"
    >>> save_model(model.fit(["NaCl", "KCl", "NaBr"], [-2.1, -2.3, -1.9]), path)
    >>> bool((load_model(path).predict(["KBr"]) == model.predict(["KBr"])).all())
    True
    """
    if type(estimator) in _OF_SEVERAL:
        check_is_fitted(estimator)
        save_models(estimator, Path(path))
        return
    name = type(estimator).__name__
    if SAVEABLE.get(name) is not type(estimator):
        names = sorted({*SAVEABLE, *(kind.__name__ for kind in _OF_SEVERAL)})
        raise TypeError(
            f"save_model takes {', '.join(names)}, not {name}: skops saves "
            "whole pipelines, stacks and searches (docs/clients.md); for a search, pass "
            "best_estimator_ to save_model"
        )
    check_is_fitted(estimator)
    write_estimator(estimator, path)


def load_model(path: str | os.PathLike, *, device: str | None = None) -> Any:
    """Read an estimator that `save_model` wrote.

    Nothing in the file is executed. The loaded estimator makes the same predictions as the saved
    one: bit for bit on the same kind of device.

    Parameters
    ----------
    path : str or path
        The file.
    device : str, optional
        Device of the networks, in place of the saved one: pass "cpu" for a model whose saved
        `device` is a GPU that this machine lacks. Estimators that are made of several models keep
        their saved devices.

    Returns
    -------
    estimator
        A fitted estimator, of the class that was saved.

    Raises
    ------
    ImportError
        If the file holds an estimator that is made of several models, and skops is not installed.
    OSError
        If the file cannot be read.
    ValueError
        If the file is not a model of crabsk, is incomplete, was changed after it was saved, holds
        weights that are not numbers, or has a format that this version of crabsk cannot read.

    Warns
    -----
    UserWarning
        If the model was saved with another major or minor version of crabsk.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from crabsk import CrabNetRegressor, load_model, save_model
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=1, random_state=0)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "salts.crabsk"
    >>> save_model(model.fit(["NaCl", "KCl", "NaBr"], [-2.1, -2.3, -1.9]), path)
    >>> load_model(path).predict(["KBr"]).shape
    (1,)
    """
    if device is not None:
        resolve_device(device)  # a wrong device is not the file's fault
    with Path(path).open("rb") as file:
        if file.read(len(_ARCHIVE)) == _ARCHIVE:
            model = load_models(Path(path), *_OF_SEVERAL)
            warn_of_other_version(Path(path), model.crabsk_version_, stacklevel=3)
            return model
    return read_estimator(path, device, stacklevel=3)
