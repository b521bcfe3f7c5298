"""What setup.cfg asks for, and the versions that are pinned, agree."""

import configparser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def required():
    """Return each required package's specifier."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].split("\n")
    requirements = [Requirement(line) for line in lines if line]
    return {canonicalize_name(one.name): one.specifier for one in requirements}


def pins(path):
    """Return each pinned package's version, without its local part (the build of torch)."""
    lines = (ROOT / path).read_text().splitlines()
    pinned = (line.split()[0].split("==") for line in lines if line[:1].isalnum())
    return {canonicalize_name(name): Version(version.split("+")[0]) for name, version in pinned}


@pytest.mark.parametrize("path", ["constraints.txt", ".ci/requirements.txt", ".ci/lowest.txt"])
def test_requirements_are_pinned_to_what_they_allow(path):
    pinned = pins(path)
    for name, specifier in required().items():
        assert pinned[name] in specifier, name


def test_lowest_versions_are_the_lowest():
    lowest = pins(".ci/lowest.txt")
    for name, specifier in required().items():
        (floor,) = (Version(one.version) for one in specifier if one.operator == ">=")
        assert lowest[name] == floor, name


def test_what_ci_installs_are_the_constraints():
    constraints = pins("constraints.txt")
    for name, version in pins(".ci/requirements.txt").items():
        assert version == constraints[name], name


def test_what_ci_installs_is_hashed():
    entries = (ROOT / ".ci" / "requirements.txt").read_text().replace("\\\n", " ").splitlines()
    assert len(entries) == len(pins(".ci/requirements.txt"))
    assert all("--hash=sha256:" in entry for entry in entries)
