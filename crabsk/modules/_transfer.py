"""What one network takes over from another that was trained on other targets."""

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
    """Give a network the weights of another, up to the layers that read off the targets.

    These stay as they are; so does the whole head if it has other widths or experts. An encoding of
    what the source's data lacked (extra features, fractions of narrow range) stays as it is, too.
    What the source knows of the usual range of fractions is copied with its weights. Of a network
    with more extra features, the first are the source's.

    Parameters
    ----------
    source, network : CompositionNetwork
        Networks of one class. Its `readers` are what reads off the targets.

    Returns
    -------
    list of str
        Names of the weights that were copied.

    Raises
    ------
    ValueError
        If the networks differ in kind, in their elements' vectors or in a weight's shape, or if
        the source encodes what the network does not.

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
        raise ValueError(f"{type(source).__name__} gives nothing to {type(network).__name__}")
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
                # Not among those that may be frozen: its other columns are fresh.
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
