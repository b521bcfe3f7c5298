"""Official files of Matbench tasks, as small as tests want them."""

import gzip
import json
from functools import partial


def site(*species):
    """A site as pymatgen writes it, from pairs of element and occupancy."""
    return {
        "species": [{"element": element, "occu": share} for element, share in species],
        "abc": [0.0, 0.5, 0.25],
        "xyz": [0.0, 1.5, 0.75],
        "label": species[0][0],
        "properties": {},
    }


def structure(*sites):
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "charge": None,
        "lattice": {"matrix": [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], "a": 3.0},
        "sites": list(sites),
    }


def simple(formula_sites):
    """A structure from symbols, each fully occupying its site: ``"K Mn O O"``."""
    return structure(*(site((symbol, 1)) for symbol in formula_sites.split()))


# Without the time of day, which would tell the processes that share out the tests apart.
compress = partial(gzip.compress, mtime=0)


def pack(columns, data, **more):
    content = {"index": list(range(len(data))), "columns": columns, "data": data, **more}
    return compress(json.dumps(content).encode())
