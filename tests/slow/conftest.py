"""Tests that take minutes: `make test-slow`."""

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "slow" in item.path.parts:
            item.add_marker(pytest.mark.slow)
