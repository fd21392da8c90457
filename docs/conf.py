"""Sphinx's settings for `make docs`.  Nothing is fetched from the network, neither by the build nor by its pages."""

import inspect
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]  # the table of differences is one of the tests
import explorers  # noqa: E402
from tables import pages  # noqa: E402

import minigrad  # noqa: E402

project = "minigrad"
author = "The minigrad authors"
copyright = author
version = release = minigrad.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_nb"]
exclude_patterns = ["_build", "pictures", "tables"]
default_role = "code"  # docstrings write `x` for code

# Pages: Markdown whose code cells run while the site is built; an error in one of them stops the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "text/latex", None)]  # a script would have to come from the network
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # they would come from the network
IPYTHON = HERE / "_build" / "ipython"  # the cells run with nobody's own IPython settings
(IPYTHON / "profile_default").mkdir(parents=True, exist_ok=True)
(IPYTHON / "profile_default" / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
os.environ["IPYTHONDIR"] = str(IPYTHON)
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The API: docstrings, in the order of the source.
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # activation=ReLU, not <class ...>
autodoc_typehints = "none"  # most are Any: an array, a number or a Value; the docstrings say what is meant
toc_object_entries_show_parents = "hide"
autosummary_generate = False
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "minigrad"
html_static_path = ["_static"]
explorers.write(HERE / "_build" / "extra" / "explorers")
html_extra_path = ["_build/extra"]
html_css_files = ["minigrad.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_sidebars = {"*": [], "api/*": ["sidebar-nav-bs"]}
html_theme_options = {
    "show_prev_next": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
}
html_math_renderer = None  # formulas are text: no script that would come from the network


def plain(app, what, name, obj, options, lines):
    """Docstrings are plain text: a `*` or `|` in a formula is no markup."""
    code = False
    for i, line in enumerate(lines):
        code = line.lstrip().startswith(">>>") or (code and bool(line.strip()))
        if not code:
            pieces = re.split(r"(`+[^`]*`+)", line)  # odd places are code
            pieces[::2] = [re.sub(r"\|", r"\\|", re.sub(r"(?<![*\w])\*(?=[\w*]+[,)])", r"\\*", p)) for p in pieces[::2]]
            lines[i] = "".join(pieces)


def made_by_init(app, what, name, obj, options, signature, returns):
    """A class with a __new__ of its own is made as its __init__ says."""
    if what == "class" and "__new__" in vars(obj):
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
        return str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters])), returns
    return None


def not_scikit_learns(app, what, name, obj, skip, options):
    """set_score_request and its like are made, and documented, by scikit-learn."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    app.connect("autodoc-skip-member", not_scikit_learns)
    app.connect("autodoc-process-signature", made_by_init)
    app.connect("source-read", pages.fill)
    app.connect("autodoc-process-docstring", plain)
