"""How the documentation is built: `sphinx-build -W -n -b html docs OUTPUT`.

With `INSTANTDL_QUICK_DOCS=1` only those examples of the gallery run that train nothing.
"""

import os
import sys
from pathlib import Path

import instantdl

sys.path.insert(0, str(Path(__file__).parent))
# TensorFlow's notes on the processor do not belong into the log of a build.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

project = "instantdl"
author = copyright = "The instantdl developers"
release = version = instantdl.__version__

extensions = [
    "_extension",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.json"]
templates_path = ["_templates"]
default_role = "py:obj"
add_module_names = False
smartquotes = False
toc_object_entries_show_parents = "hide"
nitpicky = True
# Their pages are not asked for: the build needs no network.
nitpick_ignore_regex = [
    ("py:.*", r"(keras|matplotlib|numpy|pandas|scipy|skimage|sklearn|tensorflow)\..*")
]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# Docstrings tell types and shapes; signatures are readable without them.
autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False

_quick = os.environ.get("INSTANTDL_QUICK_DOCS", "") not in ("", "0")

sphinx_gallery_conf = {
    "filename_pattern": "plot_(augmentation|instance_labels)" if _quick else "plot_",
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "ignore_pattern": r"^(?!plot_)",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("instantdl",),
    "image_scrapers": ("_extension.scrape_figure", "matplotlib"),
    "ignore_repr_types": r"matplotlib|sklearn|instantdl\.estimators",
    "abort_on_example_error": True,
    "within_subsection_order": "_extension.ReadingOrder",
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"instantdl {release}"
html_static_path = ["_static"]
html_css_files = ["instantdl.css"]
html_copy_source = False
html_show_sourcelink = False
# Pages without others below them have nothing to list at their left.
html_sidebars = {
    name: []
    for name in (
        "benchmarks",
        "changes",
        "coming_from_1x",
        "contributing",
        "first_steps",
        "glossary",
        "index",
        "install",
        "notebooks",
    )
}
html_theme_options = {
    "header_links_before_dropdown": 5,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
