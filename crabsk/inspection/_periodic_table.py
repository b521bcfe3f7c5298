"""Where elements stand in the periodic table."""

from typing import NamedTuple

from ..composition import N_ELEMENTS

# Atomic number of the last element of each period.
_NOBLE_GASES = (2, 10, 18, 36, 54, 86, 118)
N_COLUMNS = 18
# Seven periods, half a row of space, and the f block.
N_ROWS = 9.5
_F_BLOCK_ROW = 7.5


class Place(NamedTuple):
    """The place of an element.

    Attributes
    ----------
    row, column : float, int
        Position in the table of 18 columns, from the top left; the lanthanoids and actinoids stand
        below.
    block : {"s", "p", "d", "f"}
        After IUPAC, with Lu and Lr in the d block.
    group : int or None
        1 to 18; None in the f block.
    """

    row: float
    column: int
    block: str
    group: int | None


def _place(z: int) -> Place:
    period = sum(z > last for last in _NOBLE_GASES)
    last = _NOBLE_GASES[period]
    before = _NOBLE_GASES[period - 1] if period else 0
    from_left, from_right = z - before - 1, last - z
    if from_left < 2 and z != 2:
        return Place(period, from_left, "s", from_left + 1)
    group = N_COLUMNS - from_right
    if group > 3 or last - before == N_COLUMNS:
        block = "s" if z == 2 else "p" if group > 12 else "d"
        return Place(period, group - 1, block, group)
    # Of the long periods, the fifteen elements that group 3 has room for one of.
    row = _F_BLOCK_ROW + period - 5
    return Place(row, from_left, "d", 3) if group == 3 else Place(row, from_left, "f", None)


PLACES: tuple[Place, ...] = tuple(_place(z) for z in range(1, N_ELEMENTS + 1))
"""``PLACES[z - 1]`` is the place of the element with atomic number ``z``."""
