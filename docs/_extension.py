"""What Sphinx and its gallery do not do by themselves for these pages."""

import inspect
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from matplotlib.figure import Figure
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx_gallery.scrapers import figure_rst

# From the tasks to what they have in common; others follow by their names.
EXAMPLES = (
    "semantic_segmentation",
    "instance_segmentation",
    "pixel_regression",
    "classification",
    "3d",
    "uncertainty",
    "cross_validation",
    "augmentation",
    "large_image",
    "instance_labels",
    "pipeline",
)
SHAPE_STAR = re.compile(r"(?<=\()\*(?=[a-z])|(?<=, )\*(?=[a-z])")


def find_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Link names that docstrings use without their package, or from another one.

    What is in single backticks and no name of the library, such as a parameter, is
    shown as it is. What begins like a name of the library and leads nowhere is left
    to Sphinx' warning.
    """
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    documented = {_without_package(name, domain): name for name in domain.objects}
    target = _without_package(node["reftarget"], domain)
    if target in documented:
        name = documented[target]
        entry = domain.objects[name]
        return make_refnode(
            app.builder, node["refdoc"], entry.docname, entry.node_id, content, name
        )
    in_package = target != node["reftarget"]
    in_class = "." in target and target.partition(".")[0] in documented
    return None if in_package or in_class or node["reftype"] != "obj" else content


def _without_package(name: str, domain: PythonDomain) -> str:
    packages = [p for p in domain.modules if name.startswith(f"{p}.")]
    return name.removeprefix(max(packages, key=len, default="") + ".")


def skip_foreign(
    app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what scikit-learn, pydantic or Keras document themselves."""
    function = member.fget if isinstance(member, property) else member
    module = getattr(inspect.unwrap(function), "__module__", None) or ""
    return None if module.partition(".")[0] == "instantdl" else True


def escape_stars(
    app: Sphinx, what: str, name: str, member: Any, options: Any, lines: list[str]
) -> None:
    """Keep the star in shapes such as (*spatial, n_channels) from starting italics."""
    for number, line in enumerate(lines):
        parts = line.split("``")
        parts[::2] = [SHAPE_STAR.sub(r"\\*", part) for part in parts[::2]]
        lines[number] = "``".join(parts)


class ReadingOrder:
    """Sort the examples of the gallery as they are best read."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, file: str | Path) -> tuple[int, str]:
        name = Path(file).stem.removeprefix("plot_")
        return (EXAMPLES.index(name) if name in EXAMPLES else len(EXAMPLES), name)

    def __repr__(self) -> str:
        return "ReadingOrder"


def scrape_figure(block: Any, variables: dict[str, Any], conf: dict[str, Any]) -> str:
    """Show the figure that a block of an example ends with.

    The gallery looks for figures in windows, and those of `instantdl.plotting` are in
    none.
    """
    last = variables["example_globals"].get("___")
    # It outlives its block, if the next one ends without a value.
    if not isinstance(last, Figure) or last is variables.get("last_figure"):
        return ""
    variables["last_figure"] = last
    path = next(variables["image_path_iterator"])
    last.savefig(path)
    return figure_rst([path], conf["src_dir"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("missing-reference", find_name)
    app.connect("autodoc-skip-member", skip_foreign)
    # Before numpydoc, which turns the docstring into other text.
    app.connect("autodoc-process-docstring", escape_stars, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
