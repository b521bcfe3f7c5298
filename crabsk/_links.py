"""Links from an estimator's HTML to its page of the documents."""

from functools import cache
from importlib import metadata


@cache
def _site() -> str:
    """Return where the documents are published, as the package's metadata say; or nothing."""
    try:
        urls = metadata.metadata("crabsk").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    named = dict(url.split(", ", maxsplit=1) for url in urls)
    return named.get("Documentation", "").rstrip("/")


class LinkedToDocuments:
    """Mixin: scikit-learn's HTML of an estimator links to its page, where a site is published."""

    _doc_link_module = "crabsk"

    @property
    def _doc_link_template(self) -> str:
        if not _site():
            return ""
        return f"{_site()}/api/generated/{{estimator_module}}.{{estimator_name}}.html"
