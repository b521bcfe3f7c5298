"""What is known of the tasks of Matbench v0.1 before their files are downloaded."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    """What is known of a task before its file is downloaded.

    ``inputs`` and ``column`` are the two columns of the official file; ``classes`` are the names of
    the classes 0 and 1.
    """

    url: str
    sha256: str
    n_rows: int
    inputs: str
    column: str
    unit: str | None
    what: str
    references: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "classification" if self.classes else "regression"

    @property
    def dtype(self) -> type[np.number]:
        return np.int64 if self.classes else np.float64


_HOST = "https://ml.materialsproject.org/projects"

_MATERIALS_PROJECT = (
    "A. Jain et al. The Materials Project: A materials genome approach to accelerating materials "
    "innovation. APL Materials 1, 011002 (2013). https://doi.org/10.1063/1.4812323"
)
_ELASTICITY = (
    "M. de Jong et al. Charting the complete elastic properties of inorganic crystalline "
    "compounds. Scientific Data 2, 150009 (2015). https://doi.org/10.1038/sdata.2015.9"
)
_ZHUO = (
    "Y. Zhuo, A. Mansouri Tehrani, J. Brgoch. Predicting the Band Gaps of Inorganic Solids by "
    "Machine Learning. J. Phys. Chem. Lett. 9, 1668 (2018). "
    "https://doi.org/10.1021/acs.jpclett.8b00124"
)

# Addresses, checksums and row counts as in matminer's dataset_metadata.json; units and target
# columns as in Matbench's own metadata, which corrects "eV" to "eV/atom" for mp_e_form.
TASKS = {
    "dielectric": Task(
        url=f"{_HOST}/matbench_dielectric.json.gz",
        sha256="83befa09bc2ec2f4b6143afc413157827a90e5e2e42c1eb507ccfa01bf26a1d6",
        n_rows=4764,
        inputs="structure",
        column="n",
        unit="unitless",
        what="Refractive index, computed (DFPT, Materials Project).",
        references=(
            "I. Petousis et al. High-throughput screening of inorganic compounds for the discovery "
            "of novel dielectric and optical materials. Scientific Data 4, 160134 (2017). "
            "https://doi.org/10.1038/sdata.2016.134",
        ),
    ),
    "expt_gap": Task(
        url=f"{_HOST}/matbench_expt_gap.json.gz",
        sha256="783e7d1461eb83b00b2f2942da4b95fda5e58a0d1ae26b581c24cf8a82ca75b2",
        n_rows=4604,
        inputs="composition",
        column="gap expt",
        unit="eV",
        what="Band gap, measured.",
        references=(_ZHUO,),
    ),
    "expt_is_metal": Task(
        url=f"{_HOST}/matbench_expt_is_metal.json.gz",
        sha256="8f2a4f9bacdcbc5c2c73615629ee7986f09d39bed40ba7db52b61b2889730887",
        n_rows=4921,
        inputs="composition",
        column="is_metal",
        unit=None,
        what="Metal or not, measured.",
        references=(_ZHUO,),
        classes=("nonmetal", "metal"),
    ),
    "glass": Task(
        url=f"{_HOST}/matbench_glass.json.gz",
        sha256="36beb654e2a463ee2a6572105bea0ca2961eee7c7b26a25377bff2c3b338e53a",
        n_rows=5680,
        inputs="composition",
        column="gfa",
        unit=None,
        what="Whether a ternary alloy forms a metallic glass, measured.",
        references=(
            "Y. Kawazoe, T. Masumoto, A.-P. Tsai, J.-Z. Yu, T. Aihara Jr. Nonequilibrium Phase "
            "Diagrams of Ternary Amorphous Alloys. Landolt-Börnstein, Group III, 37A. Springer "
            "(1997).",
        ),
        classes=("not glass forming", "glass forming"),
    ),
    "jdft2d": Task(
        url=f"{_HOST}/matbench_jdft2d.json.gz",
        sha256="26057dc4524e193e32abffb296ce819b58b6e11d1278cae329a2f97817a4eddf",
        n_rows=636,
        inputs="structure",
        column="exfoliation_en",
        unit="meV/atom",
        what="Exfoliation energy of layered crystals, computed (OptB88vdW, JARVIS).",
        references=(
            "K. Choudhary, I. Kalish, R. Beams, F. Tavazza. High-throughput Identification and "
            "Characterization of Two-dimensional Materials using Density functional theory. "
            "Scientific Reports 7, 5179 (2017). https://doi.org/10.1038/s41598-017-05402-0",
        ),
    ),
    "log_gvrh": Task(
        url=f"{_HOST}/matbench_log_gvrh.json.gz",
        sha256="098af941f4c663270f1fe21abf20ffad6fb85ecbfcba5786ceac03983ac29da7",
        n_rows=10987,
        inputs="structure",
        column="log10(G_VRH)",
        unit="log10(GPa)",
        what="Logarithm of the Voigt-Reuss-Hill shear modulus, computed (DFT, Materials Project).",
        references=(_ELASTICITY,),
    ),
    "log_kvrh": Task(
        url=f"{_HOST}/matbench_log_kvrh.json.gz",
        sha256="44b113ddb7e23aa18731a62c74afa7e5aa654199e0db5f951c8248a00955c9cd",
        n_rows=10987,
        inputs="structure",
        column="log10(K_VRH)",
        unit="log10(GPa)",
        what="Logarithm of the Voigt-Reuss-Hill bulk modulus, computed (DFT, Materials Project).",
        references=(_ELASTICITY,),
    ),
    "mp_e_form": Task(
        url=f"{_HOST}/matbench_mp_e_form.json.gz",
        sha256="dedcb1d4ba2e3e50dbdd45ba5bc647a00e9c2bcf8f8bf556dc8e92caa39eb21f",
        n_rows=132752,
        inputs="structure",
        column="e_form",
        unit="eV/atom",
        what="Formation energy, computed (DFT, Materials Project).",
        references=(_MATERIALS_PROJECT,),
    ),
    "mp_gap": Task(
        url=f"{_HOST}/matbench_mp_gap.json.gz",
        sha256="58b65746bd88329986ed66031a2ac1369c7c522f7bc9f9081528e07097c2c057",
        n_rows=106113,
        inputs="structure",
        column="gap pbe",
        unit="eV",
        what="Band gap, computed (PBE, Materials Project).",
        references=(_MATERIALS_PROJECT,),
    ),
    "mp_is_metal": Task(
        url=f"{_HOST}/matbench_mp_is_metal.json.gz",
        sha256="9a028ed5750a4c76ca36e9f3c8d48fe0bf3fb21b76ec2289e58ae7048d527919",
        n_rows=106113,
        inputs="structure",
        column="is_metal",
        unit=None,
        what="Metal or not, computed (DFT, Materials Project).",
        references=(_MATERIALS_PROJECT,),
        classes=("nonmetal", "metal"),
    ),
    "perovskites": Task(
        url=f"{_HOST}/matbench_perovskites.json.gz",
        sha256="4641e2417f8ec8b50096d2230864468dfa08278dc9d257c327f65d0305278483",
        n_rows=18928,
        inputs="structure",
        column="e_form",
        unit="eV/unit cell",
        what=(
            "Heat of formation of the five-atom perovskite cell, computed (RPBE); oxygen is taken "
            "from water vapour, not from O2."
        ),
        references=(
            "I. E. Castelli et al. New cubic perovskites for one- and two-photon water splitting "
            "using the computational materials repository. Energy Environ. Sci. 5, 9034 (2012). "
            "https://doi.org/10.1039/C2EE22341D",
        ),
    ),
    "phonons": Task(
        url=f"{_HOST}/matbench_phonons.json.gz",
        sha256="4db551f21ec5f577e6202725f10e34dfc509aa7df3a6bdaac497da7f6dbbb9b3",
        n_rows=1265,
        inputs="structure",
        column="last phdos peak",
        unit="1/cm",
        what="Frequency of the highest peak of the phonon density of states, computed (DFPT).",
        references=(
            "G. Petretto et al. High-throughput density-functional perturbation theory phonons for "
            "inorganic materials. Scientific Data 5, 180065 (2018). "
            "https://doi.org/10.1038/sdata.2018.65",
        ),
    ),
    "steels": Task(
        url=f"{_HOST}/matbench_steels.json.gz",
        sha256="473bc4957b2ea5e6465aef84bc29bb48ac34db27d69ea4ec5f508745c6fae252",
        n_rows=312,
        inputs="composition",
        column="yield strength",
        unit="MPa",
        what="Yield strength of steels, measured.",
        references=(
            "Citrine Informatics. Mechanical properties of some steels. "
            "https://citrination.com/datasets/153092/",
        ),
    ),
}
