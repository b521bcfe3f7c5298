"""Saving and loading fitted models without executing anything from a file."""

import os
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from .automl import AutoClassifier, AutoRegressor
from .automl import load as load_models
from .automl import save as save_models
from .neural_network import (
    SAVEABLE,
    read_estimator,
    resolve_device,
    warn_of_other_version,
    write_estimator,
)

__all__ = ["load_model", "save_model"]


# The first bytes of an archive of skops.
_ARCHIVE = b"PK\x03\x04"


def save_model(estimator: Any, path: str | os.PathLike) -> None:
    """Write a fitted estimator to one file.

    The file appears under its name only when it is whole; one that was there is replaced.

    Parameters
    ----------
    estimator : CrabNet, Roost or ElemNet estimator, AutoRegressor or AutoClassifier
        What to save. A network's `callbacks`, `checkpoint` and `init_from` are left out, with a
        warning: they are code, or places on this machine. Of an AutoRegressor or
        AutoClassifier, what it was searched with is left out (`candidates`, `cv`, `checkpoint`,
        `random_state`). If its `weights` are a path, that file must be there when it is loaded.
    path : str or path
        Where to. It is used as it is: no suffix is added.

    Raises
    ------
    ImportError
        If an AutoRegressor or AutoClassifier is saved without skops.
    OSError
        If there is no such folder, or it cannot be written to.
    TypeError
        If `estimator` is none of these, or has a parameter that is no plain data: a
        transformer of one's own as `target_transform`, say, or a candidate of another package.
        skops can save these.
    ValueError
        If parameters were changed after the fit, so that they describe other networks.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

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
    if type(estimator) in (AutoClassifier, AutoRegressor):
        check_is_fitted(estimator)
        save_models(estimator, Path(path))
        return
    name = type(estimator).__name__
    if SAVEABLE.get(name) is not type(estimator):
        names = sorted({*SAVEABLE, AutoClassifier.__name__, AutoRegressor.__name__})
        raise TypeError(
            f"save_model takes {', '.join(names)}, not {name}: skops saves "
            "pipelines, stacks and searches whole (docs/clients.md); of a search, save_model takes "
            "best_estimator_"
        )
    check_is_fitted(estimator)
    write_estimator(estimator, path)


def load_model(path: str | os.PathLike, *, device: str | None = None) -> Any:
    """Read an estimator that `save_model` wrote.

    Nothing in the file is executed. It predicts what the saved one did, on the same kind of
    device bit for bit.

    Parameters
    ----------
    path : str or path
        The file.
    device : str, optional
        Where networks compute, in place of what was saved: "cpu" for what was trained on a GPU
        named in its parameters. An AutoRegressor or AutoClassifier computes where it did.

    Returns
    -------
    estimator
        A fitted estimator, of the class that was saved.

    Raises
    ------
    ImportError
        If it holds an AutoRegressor or AutoClassifier, and skops is not installed.
    OSError
        If the file cannot be read.
    ValueError
        If it is no model of crabsk, is not whole, was changed since it was saved, holds weights
        that are no numbers, or has another format than this crabsk reads.

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
        resolve_device(device)  # a wrong device is no fault of the file
    with Path(path).open("rb") as file:
        if file.read(len(_ARCHIVE)) == _ARCHIVE:
            model = load_models(Path(path), AutoClassifier, AutoRegressor)
            warn_of_other_version(Path(path), model.crabsk_version_, stacklevel=3)
            return model
    return read_estimator(path, device, stacklevel=3)
