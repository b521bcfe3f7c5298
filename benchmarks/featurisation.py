"""How fast formulas become feature vectors: CompositionTransformer beside its peers.

Each peer is set against the same statistics of the same 22 Magpie properties, by turns in one
process, on one core, from text to numbers, with the table of properties loaded beforehand:

- elementembeddings: mean, variance, minimum, maximum and range, with its `Embedding` object (given
  a name it would read the file again for each formula). The features are checked to be equal.
- matminer, where it can be imported (0.10.1 needs pandas < 3): `ElementProperty`'s preset "magpie"
  (minimum, maximum, range, mean, average deviation, mode) on compositions that
  `StrToComposition` makes, n_jobs=1.

elementembeddings and crabsk describe all formulas of Matbench's expt_gap, matminer a random part
of them: figures are formulas per second. crabsk describes its formulas ten times over in a repeat,
so that it, too, is timed for some tenths of a second; it keeps nothing from one time to the next.
"""

import importlib.util
import time
import warnings
from collections.abc import Callable

import numpy as np
from _common import ROOT, argument_parser, read_data_set, spread, write_results

from crabsk import CompositionTransformer

DATA_SET = "matbench/expt_gap"
REPEATS = 5
N_MATMINER = 500
PASSES = 10
TARGETS = {"elementembeddings": 8, "matminer": 100}

STATS = {
    "elementembeddings": ["mean", "variance", "min", "max", "range"],
    "matminer": ["min", "max", "range", "mean", "avg_dev", "mode"],
}


def crabsk_featuriser(peer: str) -> Callable[[list[str]], np.ndarray]:
    return CompositionTransformer("magpie", stats=STATS[peer]).fit(["Fe2O3"]).transform


def elementembeddings_featuriser() -> Callable[[list[str]], np.ndarray]:
    from elementembeddings.composition import CompositionalEmbedding
    from elementembeddings.core import Embedding

    magpie = Embedding.load_data("magpie")
    stats = ["mean", "variance", "minpool", "maxpool", "range"]
    return lambda formulas: np.array(
        [CompositionalEmbedding(formula, magpie).feature_vector(stats) for formula in formulas]
    )


def matminer_featuriser() -> Callable[[list[str]], np.ndarray]:
    from matminer.featurizers.composition import ElementProperty
    from matminer.featurizers.conversions import StrToComposition

    to_composition, magpie = StrToComposition(), ElementProperty.from_preset("magpie")
    to_composition.set_n_jobs(1)
    magpie.set_n_jobs(1)
    return lambda formulas: np.array(
        magpie.featurize_many(to_composition.featurize_many(formulas, pbar=False), pbar=False)
    )


def formulas_per_second(featurise: Callable, formulas: list[str], passes: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(passes):
        featurise(formulas)
    return passes * len(formulas) / (time.perf_counter() - start)


def main() -> None:
    data = argument_parser(__doc__).parse_args().data
    formulas = read_data_set(data, DATA_SET)["formula"].tolist()
    part = np.random.default_rng(0).permutation(len(formulas))[:N_MATMINER]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers, about their own dependencies
        peers = {"elementembeddings": (elementembeddings_featuriser(), formulas)}
        if importlib.util.find_spec("matminer"):
            peers["matminer"] = (matminer_featuriser(), [formulas[i] for i in part])
        ours = {peer: crabsk_featuriser(peer) for peer in peers}
        for peer, (theirs, _) in peers.items():  # imports and tables, once
            features = ours[peer](formulas[:50]), theirs(formulas[:50])
            if peer == "elementembeddings":
                np.testing.assert_allclose(*features, rtol=1e-9, atol=1e-9)
        runs: dict[str, dict[str, list[float]]] = {
            peer: {"crabsk_per_s": [], "peer_per_s": []} for peer in peers
        }
        for _ in range(REPEATS):
            for peer, (theirs, its_formulas) in peers.items():
                runs[peer]["crabsk_per_s"].append(formulas_per_second(ours[peer], formulas, PASSES))
                runs[peer]["peer_per_s"].append(formulas_per_second(theirs, its_formulas))

    figures = {}
    print(f"{len(formulas)} formulas of {DATA_SET}, {REPEATS} repeats by turns\n")
    print(f"{'':34}{'median':>10}{'min':>10}{'max':>10}")
    for peer, run in runs.items():
        ratios = [o / t for o, t in zip(run["crabsk_per_s"], run["peer_per_s"], strict=True)]
        figures[peer] = {
            "n_formulas": len(peers[peer][1]),
            "stats": STATS[peer],
            **{key: spread(rates) for key, rates in run.items()},
            "ratio": spread(ratios),
            "target_ratio": TARGETS[peer],
        }
        for label, key, digits in (
            ("crabsk, formulas/s", "crabsk_per_s", 0),
            (f"{peer}, formulas/s", "peer_per_s", 0),
            (f"crabsk / {peer}", "ratio", 1),
        ):
            shown = "".join(
                f"{figures[peer][key][k]:>10.{digits}f}" for k in ("median", "min", "max")
            )
            print(f"{label:34}{shown}")
        print(f"({peer}: {len(peers[peer][1])} formulas, target ratio {TARGETS[peer]})\n")
    path = write_results(
        "featurisation",
        {"data_set": DATA_SET, "repeats": REPEATS, "peers": figures},
        packages=("numpy", "scikit-learn", "pandas", *peers),
    )
    print(f"{path.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
