"""Copies weights from a network that was trained on other targets."""

from itertools import zip_longest

import torch
from torch import Tensor

from ._network import CompositionNetwork

# Parts of an encoder that a network has or lacks by the data it was made for, and what they encode.
OPTIONAL = {
    "embed_extra": "extra features",
    "standardized": "fractions of narrow range",
}


def copy_encoder(source: CompositionNetwork, network: CompositionNetwork) -> list[str]:
    """Copy the weights of one network to another, except the layers that read off the targets.

    If the heads differ in widths or experts, the whole head is left as it is. Encodings that the
    source lacks (extra features, fractions of narrow range) are left as they are, too. The source's
    statistics of fractions are copied with its weights. If the network has more extra features than
    the source, the first of them are those of the source.

    Parameters
    ----------
    source, network : CompositionNetwork
        Networks of one class. Its `readers` name the weights that read off the targets.

    Returns
    -------
    list of str
        Names of the weights that were copied.

    Raises
    ------
    ValueError
        If the networks differ in class, in their element vectors or in the shape of a weight, or if
        the source has an encoding that the network lacks.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import CrabNet, copy_encoder
    >>> small = {"d_model": 8, "n_layers": 1, "dim_feedforward": 16, "head_widths": (4,)}
    >>> source, network = CrabNet(torch.eye(118), **small), CrabNet(torch.eye(118), **small)
    >>> "embed.weight" in copy_encoder(source, network)
    True
    >>> torch.equal(network.embed.weight, source.embed.weight)
    True
    """
    if type(source) is not type(network):
        raise ValueError(f"weights of {type(source).__name__} do not fit {type(network).__name__}")
    if not torch.equal(source.element_vectors.to(network.element_vectors), network.element_vectors):
        raise ValueError("the vectors of the elements differ")
    lacking = {name for name in OPTIONAL if getattr(source, name, None) is None}
    for name, what in OPTIONAL.items():
        if name not in lacking and getattr(network, name, None) is None:
            raise ValueError(f"the source encodes {what}, and this one does not")
    for name, module in network.named_children():
        if name not in {*network.heads, *lacking, "embed_extra"} and repr(module) != repr(
            getattr(source, name)
        ):
            there, here = _first_difference(repr(getattr(source, name)), repr(module))
            raise ValueError(f"the encoders differ in {name}: {there} there, {here} here")
    given = source.state_dict()
    gives_heads = _shapes_before_readers(source) == _shapes_before_readers(network)
    parameters = dict(network.named_parameters())
    copied = []
    with torch.no_grad():
        for name, value in network.state_dict(keep_vars=True).items():
            part = name.partition(".")[0]
            if part in network.heads and (not gives_heads or name.startswith(network.readers)):
                continue
            if part in lacking or name == "element_vectors":
                continue
            if part == "embed_extra" and _is_narrower(given[name], value):
                # Not among those that may be frozen, because its other columns are new.
                value[:, : given[name].shape[1]] = given[name]
                continue
            # A weight of its own shows in no module's text, and one of length 1 would be spread.
            if given[name].shape != value.shape:
                raise ValueError(f"the encoders differ in {name}")
            value.copy_(given[name])
            if name in parameters:
                copied.append(name)
    return copied


def _shapes_before_readers(network: CompositionNetwork) -> dict[str, torch.Size]:
    """Return the shapes of the weights of the heads, but for those that belong to the targets."""
    return {
        name: value.shape
        for name, value in network.state_dict().items()
        if name.partition(".")[0] in network.heads and not name.startswith(network.readers)
    }


def _is_narrower(given: Tensor, own: Tensor) -> bool:
    return given.ndim == 2 and len(given) == len(own) and given.shape[1] < own.shape[1]


def _first_difference(there: str, here: str) -> tuple[str, str]:
    """Return the first lines in which two texts differ."""
    for lines in zip_longest(there.splitlines(), here.splitlines(), fillvalue="nothing"):
        if lines[0] != lines[1]:
            return lines[0].strip(), lines[1].strip()
    return there, here
