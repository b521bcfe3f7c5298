"""Where to compute: the devices of torch that are here."""

import warnings

import torch


class AbsentDeviceError(ValueError):
    """There is no such device here."""


def resolve_device(device: str) -> str:
    """Return the device to compute on; raise ValueError if there is none of that name here."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(f"device={device!r} is no device of torch: {error}") from error
    if kind == "meta":
        raise ValueError("device='meta' computes nothing: take device='auto' or 'cpu'")
    if kind == "cuda" and not torch.cuda.is_available():
        raise AbsentDeviceError(
            f"device={device!r}, but torch finds no CUDA GPU here: take device='auto' or 'cpu'"
        )
    return device


def device_or_cpu(device: str) -> str:
    """Return the device to compute on; the processor, with a warning, if there is none here."""
    try:
        return resolve_device(device)
    except AbsentDeviceError as error:
        warnings.warn(f"{error}. Until then the CPU predicts", UserWarning, stacklevel=2)
        return "cpu"
