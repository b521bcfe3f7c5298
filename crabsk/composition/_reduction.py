"""One form for all multiples of a composition: what "the same composition" means in crabsk."""

import numpy as np

_MAX_COUNT = 10_000
"""Most atoms of the scarcest element for which a formula is written in whole numbers."""

_SAME = 1e-11
"""Relative difference of amounts that the rounding of their ratios explains."""


def reduce_amounts(amounts: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return what all multiples of a composition have in common.

    These are the smallest whole amounts. Where those would take more than 10,000 atoms of the
    scarcest element, they are amounts relative to that element, to eight digits. Everything
    follows from ratios of amounts, so that a formula and its multiple never differ.

    Parameters
    ----------
    amounts : ndarray of shape (n_tokens,)
        Amounts above zero.
    offsets : ndarray of shape (n_compositions + 1,)
        Tokens ``offsets[i]:offsets[i + 1]`` belong to composition ``i``.

    Returns
    -------
    ndarray of shape (n_tokens,)
    """
    if not len(amounts):
        return amounts
    lengths = np.diff(offsets)
    # Every composition but the empty ones, which hold no tokens to divide.
    starts = offsets[:-1][lengths > 0]
    lengths = lengths[lengths > 0]
    ratios = amounts / np.repeat(np.minimum.reduceat(amounts, starts), lengths)
    # The amount of the scarcest element: the common denominator of all ratios. Where that
    # overflows it is rubbish, which the check for wholeness refuses.
    counts = np.lcm.reduceat(_denominators(ratios), starts)
    counts[(counts < 1) | (counts > _MAX_COUNT)] = 1
    multiples = ratios * np.repeat(counts, lengths)
    whole = np.logical_and.reduceat(_is_whole(multiples), starts)
    return np.where(np.repeat(whole, lengths), np.rint(multiples), _to_eight_digits(ratios))


def _to_eight_digits(ratios: np.ndarray) -> np.ndarray:
    scale = 10.0 ** (7 - np.floor(np.log10(ratios)))
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.rint(ratios * scale) / scale
    return np.where(np.isfinite(rounded), rounded, ratios)


def _is_whole(values: np.ndarray) -> np.ndarray:
    return np.abs(values - np.rint(values)) <= _SAME * values


def _denominators(ratios: np.ndarray) -> np.ndarray:
    """Return the denominators of the ratios as fractions, some number above the limit if larger."""
    # Continued fractions, for all ratios in step: denominators grow at least as Fibonacci's
    # numbers do, so the loop ends after some twenty rounds.
    before, denominators = np.zeros(len(ratios)), np.ones(len(ratios))
    rest = ratios % 1.0
    while True:
        (todo,) = np.nonzero(~_is_whole(ratios * denominators) & (denominators <= _MAX_COUNT))
        if not len(todo):
            return np.minimum(denominators, _MAX_COUNT + 1).astype(np.int64)
        # A rest of (nearly) zero in a ratio that is not whole yet gives a number above the limit.
        inverse = 1.0 / np.maximum(rest[todo], 1e-9)
        quotients = np.floor(inverse)
        before[todo], denominators[todo] = (
            denominators[todo],
            quotients * denominators[todo] + before[todo],
        )
        rest[todo] = inverse - quotients
