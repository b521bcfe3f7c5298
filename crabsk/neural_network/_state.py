"""What a fitted estimator is made of, without torch's objects: for pickle, joblib and skops."""

import warnings
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from .._version import __version__
from ..embeddings import ElementTable
from ..modules import CompositionNetwork, FractionStatistics
from ._devices import device_or_cpu
from ._net import CompositionNet, trained_net
from ._prediction import FittedNetworks
from ._targets import TargetScaler


class ArraysAsState(FittedNetworks):
    """Keeps arrays, numbers and texts where an object is pickled, and builds it anew from them.

    skops, which writes no object that its reader would have to trust blindly, can save such a
    state; of all classes in it, only the estimator's own must be trusted by name.
    """

    _network_class: ClassVar[type[CompositionNetwork]]
    _fraction_statistics: FractionStatistics
    device: str

    @abstractmethod
    def _network_settings(self) -> dict[str, Any]:
        """Return what the parameters say of a network, by the names that its class has for it."""

    @abstractmethod
    def _n_outputs(self) -> int:
        """Return the number of outputs of the fitted networks."""

    @abstractmethod
    def _criterion(self) -> nn.Module:
        """Return the loss of a prediction against encoded targets."""

    def _all_settings(self) -> dict[str, Any]:
        """Return all that, beside element vectors and statistics, a network is made from."""
        n_outputs, n_extra = self._n_outputs(), len(self._extra_mean)
        return {"n_outputs": n_outputs, "n_extra": n_extra, **self._network_settings()}

    def _build_network(
        self, element_vectors: Tensor, settings: dict[str, Any]
    ) -> CompositionNetwork:
        """Return a network with fresh weights, which knows the settings that it was made from."""
        network = self._network_class(element_vectors, **self._arguments(settings))
        network.settings = settings
        return network

    def _arguments(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a network's class: settings, and what was learnt of the data."""
        return settings

    def _trained_net(self, settings: dict[str, Any], weights: dict[str, Tensor]) -> CompositionNet:
        """Return a member that has these weights already.

        Raises
        ------
        LookupError, RuntimeError
            If the settings describe another network than that of the weights.
        """
        # Without memory of its own: what the settings say is believed once the weights fit.
        with torch.device("meta"):
            network = self._build_network(weights["element_vectors"].to("meta"), settings)
        network.load_state_dict(weights, assign=True)
        return trained_net(network, self._criterion(), device_or_cpu(self.device))

    def _fitted_to(self, nets: list[CompositionNet]) -> dict[str, Any]:
        """Return the attributes that make this estimator, while it is fitted, a fitted one."""
        return {"nets_": nets}

    def __getstate__(self) -> dict[str, Any]:
        state = {**super().__getstate__(), "_crabsk_version": __version__}
        if "nets_" in state:
            state["nets_"] = [
                {
                    "settings": net.module_.settings,
                    "weights": {
                        name: weight.cpu().numpy()
                        for name, weight in net.module_.state_dict().items()
                    },
                }
                for net in self.nets_
            ]
            table = self._element_table
            state["_element_table"] = [table.name, table.values, table.feature_names]
            state["_fraction_statistics"] = [part.numpy() for part in self._fraction_statistics]
            if "_scaler" in state:
                state["_scaler"] = dict(vars(state["_scaler"]))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written = state.pop("_crabsk_version", "of unknown version")
        if written != __version__:
            warnings.warn(
                f"{type(self).__name__} was pickled by crabsk {written}, and this is "
                f"{__version__}: it may fail or predict something else. To keep models, use "
                "crabsk.save_model",
                UserWarning,
                stacklevel=2,
            )
        members = state.pop("nets_", None)
        super().__setstate__(state)
        if members is None:
            return
        self._element_table = ElementTable(*state["_element_table"])
        self._element_table.values.setflags(write=False)
        self._fraction_statistics = FractionStatistics(*map(_tensor, state["_fraction_statistics"]))
        if "_scaler" in state:
            self._scaler = TargetScaler()
            self._scaler.__dict__.update(state["_scaler"])
        self.nets_ = [
            self._trained_net(
                member["settings"],
                {name: _tensor(weight) for name, weight in member["weights"].items()},
            )
            for member in members
        ]


def _tensor(array: np.ndarray) -> Tensor:
    # A copy is aligned as tensors of torch's own are: their sums have the same rounding.
    return torch.from_numpy(np.array(array))
