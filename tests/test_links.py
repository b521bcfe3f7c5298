"""The HTML of estimators links to the documents, where the package says that these are."""

from email.message import Message
from importlib import metadata

import pytest
from sklearn.pipeline import make_pipeline

from crabsk import CompositionTransformer, CrabNetRegressor, RoostClassifier, _links


@pytest.fixture
def published(monkeypatch):
    package = Message()
    package["Project-URL"] = "Source, https://example.org/code"
    package["Project-URL"] = "Documentation, https://example.org/docs/"
    monkeypatch.setattr(metadata, "metadata", lambda name: package)
    _links._site.cache_clear()
    yield
    _links._site.cache_clear()


@pytest.mark.parametrize(
    ("estimator", "page"),
    [
        (CrabNetRegressor(), "crabsk.neural_network.CrabNetRegressor"),
        (RoostClassifier(), "crabsk.neural_network.RoostClassifier"),
        (CompositionTransformer(), "crabsk.feature_extraction.CompositionTransformer"),
    ],
)
def test_a_published_site_is_linked(published, estimator, page):
    link = f'href="https://example.org/docs/api/generated/{page}.html"'
    assert link in estimator._repr_html_()
    assert link in make_pipeline(estimator)._repr_html_()


def test_without_a_site_there_is_no_link_of_ours(monkeypatch):
    def not_installed(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", not_installed)
    _links._site.cache_clear()
    assert CrabNetRegressor()._get_doc_link() == ""
    assert "crabsk.neural_network.CrabNetRegressor.html" not in CrabNetRegressor()._repr_html_()
    _links._site.cache_clear()
