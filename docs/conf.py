"""How Sphinx builds the site: `make docs`. Nothing is fetched from the network."""

import importlib
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

from numpydoc.docscrape import NumpyDocString
from sphinx.application import Sphinx

import crabsk

HERE = Path(__file__).parent
ROOT = HERE.parent

project = "crabsk"
author = "the crabsk developers"
version = release = crabsk.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
# Blocks without a language are shell commands.
highlight_language = "none"
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
# Names in single backticks lead to what they name, where that is crabsk's.
default_role = "py:obj"
# Quotation marks as in code: most stand around values of parameters.
smartquotes = False
toc_object_entries_show_parents = "hide"

# Markdown, and notebooks as they were executed and stored.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_use_plots = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"crabsk {release}"
html_static_path = ["_static"]
html_css_files = ["crabsk.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "crabsk"},
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "use_edit_page_button": False,
}
# Pages without pages below them.
html_sidebars = {page: [] for page in ("index", "getting_started", "coming_from", "faq")}
project_copyright = "the crabsk developers, MIT licence"


def own_members(cls: type) -> dict[str, list[str]]:
    """Return the public methods and properties of a class that crabsk itself defines."""
    found: dict[str, list[str]] = {"methods": [], "properties": []}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("crabsk"):
            continue
        for member, value in vars(base).items():
            if isinstance(value, property):
                kind = found["properties"]
            elif inspect.isfunction(value) or isinstance(value, classmethod):
                kind = found["methods"]
            else:
                continue
            if not member.startswith("_") and member not in kind:
                kind.append(member)
    return found


SUBPACKAGES = [importlib.import_module(f"crabsk.{name}") for name in crabsk._SUBPACKAGES]
# For the template of classes, by the full name of each.
autosummary_context = {
    "own_members": {
        f"{subpackage.__name__}.{name}": own_members(getattr(subpackage, name))
        for subpackage in SUBPACKAGES
        for name in subpackage.__all__
        if inspect.isclass(getattr(subpackage, name))
    }
}
# So that numpydoc lets the section pass, which `show_shapes` shows.
NumpyDocString.sections["Shape"] = ""


def show_shapes(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Turn a section "Shape", which numpydoc does not know, into a list."""
    if "Shape" not in lines:
        return
    start = lines.index("Shape")
    if not lines[start + 1].startswith("---"):
        return
    end = next((k for k in range(start + 2, len(lines)) if not lines[k].strip()), len(lines))
    items = [
        re.sub(r"^(\w[\w, ]*) : ", r"- ``\1``: ", line) if line[:1].strip() else f"  {line.strip()}"
        for line in lines[start + 2 : end]
    ]
    lines[start:end] = ["**Shape**", "", *items]


def link_inside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Lead links that are right in the repository to the pages of the site."""
    text = source[0]
    text = text.replace("](../notebooks/", "](notebooks/")
    # Notebooks stand in a folder of their own here as well, the other pages above it.
    text = text.replace("](../docs/", "](../")
    for file, page in {"CHANGELOG": "changelog", "SECURITY": "security"}.items():
        text = text.replace(f"](../{file}.md)", f"]({page}.md)")
    source[0] = text


def bring_notebooks(app: Sphinx) -> None:
    """Copy the notebooks, which live beside the documents, to where Sphinx looks."""
    target = HERE / "notebooks"
    target.mkdir(exist_ok=True)
    sources = {path.name: path for path in (ROOT / "notebooks").glob("*.ipynb")}
    for old in target.glob("*.ipynb"):
        if old.name not in sources:
            old.unlink()
    for name, path in sources.items():
        shutil.copy2(path, target / name)  # with its time, so that only changed ones are read


def setup(app: Sphinx) -> None:
    """Connect what is ours."""
    app.connect("builder-inited", bring_notebooks, priority=100)
    app.connect("autodoc-process-docstring", show_shapes, priority=100)
    app.connect("source-read", link_inside)
