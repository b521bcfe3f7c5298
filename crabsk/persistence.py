"""Saving and loading fitted networks without executing anything from a file."""

import os

from sklearn.utils.validation import check_is_fitted

from .neural_network import (
    SAVEABLE,
    BaseCompositionNetwork,
    read_estimator,
    resolve_device,
    write_estimator,
)

__all__ = ["load_model", "save_model"]


def save_model(estimator: BaseCompositionNetwork, path: str | os.PathLike) -> None:
    """Write a fitted estimator to one file.

    The file appears under its name only when it is whole; one that was there is replaced.

    Parameters
    ----------
    estimator : CrabNet, Roost or ElemNet estimator
        What to save. Its `callbacks`, `checkpoint` and `init_from` are left out, with a
        warning: they are code, or places on this machine.
    path : str or path
        Where to. It is used as it is: no suffix is added.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be written to.
    TypeError
        If `estimator` is none of crabsk's networks, or has a parameter that is no plain data: a
        transformer of one's own as `target_transform`, say, which skops can save.
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
    name = type(estimator).__name__
    if SAVEABLE.get(name) is not type(estimator):
        raise TypeError(
            f"save_model takes {', '.join(sorted(SAVEABLE))}, not {name}: skops saves "
            "pipelines, stacks and searches whole (docs/clients.md); of a search, save_model takes "
            "best_estimator_"
        )
    check_is_fitted(estimator)
    write_estimator(estimator, path)


def load_model(path: str | os.PathLike, *, device: str | None = None) -> BaseCompositionNetwork:
    """Read an estimator that `save_model` wrote.

    Nothing in the file is executed. It predicts what the saved one did, on the same kind of
    device bit for bit.

    Parameters
    ----------
    path : str or path
        The file.
    device : str, optional
        Where to compute, in place of what was saved: "cpu" for what was trained on a GPU named in
        its parameters.

    Returns
    -------
    estimator
        A fitted estimator, of the class that was saved.

    Raises
    ------
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
    return read_estimator(path, device, stacklevel=3)
