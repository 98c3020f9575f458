"""What an inspection found, as an object, as JSON and as text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from instantdl.pipeline._files import plain
from instantdl.pipeline._text import showable

__all__ = ["Findings", "PartSummary", "ProjectReport", "describe", "part_lines"]

# So many lines of one kind are written out; of the rest the number is given.
_SHOWN = 5
# Classes that one line lists.
_LISTED = 8
_INDENT = 13


@dataclass(frozen=True)
class PartSummary:
    """What the images of one part of a project are, in numbers.

    Sizes, types, channels, values and masks are those of the images that were read.

    Parameters
    ----------
    n_images : int
        Images by their names.

    n_read : int
        Images of which the pixels were read.

    sizes : dict of str to tuple
        Least, median and greatest length of each spatial axis.

    dtypes : dict of str to int
        Number of images of each pixel type.

    channels : dict of int to int
        Number of images with so many channels.

    spatial_ndim : int or None
        Spatial axes of most images; None if none could be read.

    value_range : tuple of float or None
        Least and greatest finite value in all images.

    n_with_target, n_without_target : int
        Images that have a target or label, and those that have none.

    classes : dict
        For each class a dict of the numbers of "images" and, for masks, "pixels".
        For instances, "object" with "images", "objects" and "pixels". Empty for
        regression.

    n_empty_masks : int
        Masks with background only.

    names : list of str
        Names of all images, in natural order.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_report import PartSummary
    >>> PartSummary(n_images=3, n_with_target=3).n_without_target
    0
    """

    n_images: int = 0
    n_read: int = 0
    sizes: dict[str, tuple[int, float, int]] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)
    channels: dict[int, int] = field(default_factory=dict)
    spatial_ndim: int | None = None
    value_range: tuple[float, float] | None = None
    n_with_target: int = 0
    n_without_target: int = 0
    classes: dict[int | str, dict[str, int]] = field(default_factory=dict)
    n_empty_masks: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ProjectReport:
    """All that an inspection of a project folder found.

    Parameters
    ----------
    path : str
        The project folder.

    task : str
        What it was inspected for.

    problems : list of str
        What stops a run. Each names the file or folder and says what to do.

    warnings : list of str
        What should be looked at.

    parts : dict of str to PartSummary
        "train" and "test", as far as they are there.

    See Also
    --------
    inspect_project : Makes it.
    describe : Writes it down for a reader.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_report import ProjectReport
    >>> report = ProjectReport("cells", "regression", [], [], {})
    >>> report.to_dict()["problems"]
    []
    """

    path: str
    task: str
    problems: list[str]
    warnings: list[str]
    parts: dict[str, PartSummary]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings and numbers, ready for JSON.

        Returns
        -------
        dict
            With the names of the attributes as keys.
        """
        content: dict[str, Any] = plain(dataclasses.asdict(self))
        return content


class Findings:
    """Problems and warnings, in the order in which they are found.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_report import Findings
    >>> found = Findings()
    >>> found.problem("train/image/a.png", "it must be grey", "3 channels", "Mend it.")
    >>> found.problems
    ['train/image/a.png: it must be grey. Got 3 channels. Mend it.']
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def problem(self, where: str, rule: str, got: str, advice: str) -> None:
        """Note what stops a run.

        Parameters
        ----------
        where : str
            File or folder.

        rule : str
            What must hold; the same words for all findings of a kind.

        got : str
            What came.

        advice : str
            What to do: a sentence.
        """
        self.problems.append(f"{where}: {rule}. Got {got}. {advice}")

    def warning(self, where: str, rule: str, got: str, advice: str) -> None:
        """Note what should be looked at; the parameters are those of `problem`.

        Parameters
        ----------
        where, rule, got, advice : str
            See `problem`.
        """
        self.warnings.append(f"{where}: {rule}. Got {got}. {advice}")


def describe(report: ProjectReport) -> str:
    """Write a report down as lines for the terminal.

    Of findings of one kind the first five are written out. All are in
    ``report.problems`` and ``report.warnings``.

    Parameters
    ----------
    report : ProjectReport
        What :func:`inspect_project` returned.

    Returns
    -------
    str
        Several lines, without one at the end.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_report import ProjectReport, describe
    >>> problem = "cells/train: there must be a folder. Got nothing. Make it."
    >>> print(describe(ProjectReport("cells", "regression", [problem], [], {})))
    cells, for regression
    <BLANKLINE>
    1 problem, to be mended before a run:
      cells/train: there must be a folder. Got nothing. Make it.
    """
    lines = [f"{report.path}, for {report.task.replace('_', ' ')}"]
    for part, summary in report.parts.items():
        lines += ["", *_describe_part(part, summary)]
    lines.append("")
    if report.problems:
        lines += _describe_findings(report.problems, "problem", "mended before a run")
    else:
        lines.append("No problems.")
    if report.warnings:
        lines += ["", *_describe_findings(report.warnings, "warning", "looked at")]
    return "\n".join(showable(line) for line in lines)


def _describe_part(part: str, summary: PartSummary) -> list[str]:
    about = [f"{summary.n_with_target} with target"] if summary.n_with_target else []
    if summary.n_read < summary.n_images:
        about.append(f"{summary.n_read} read")
    first = f"{part}: {_count(summary.n_images, 'image')}"
    texts = part_lines(summary)
    return [", ".join([first, *about])] + [
        f"  {label:<{_INDENT}} {text}" for label, text in texts
    ]


def part_lines(summary: PartSummary) -> list[tuple[str, str]]:
    """Return what the images of a part are like, in words.

    Parameters
    ----------
    summary : PartSummary
        Of the part.

    Returns
    -------
    list of tuple of str
        What is told of, and the text, where there is any.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_report import PartSummary, part_lines
    >>> part_lines(PartSummary(n_images=2, sizes={"height": (4, 5.0, 6)}))
    [('size', 'height 4 to 6 (5)')]
    """
    found = (
        ("size", "; ".join(_span(axis, *x) for axis, x in summary.sizes.items())),
        ("channels", _counts(summary.channels)),
        ("pixel type", _counts(summary.dtypes)),
        ("values", _range(summary.value_range)),
        *_class_lines(summary.classes),
        ("empty masks", str(summary.n_empty_masks or "")),
    )
    return [(label, text) for label, text in found if text]


def _class_lines(
    classes: Mapping[int | str, Mapping[str, int]],
) -> list[tuple[str, str]]:
    """Return what is said of each class, the most frequent first."""
    pixels = sum(counts.get("pixels", 0) for counts in classes.values())
    order = sorted(classes, key=lambda name: -max(classes[name].values(), default=0))
    lines = []
    for name in order[:_LISTED]:
        counts = classes[name]
        text = _count(counts["images"], "image")
        if "objects" in counts:
            text = f"{_count(counts['objects'], 'object')} in {text}"
        elif pixels:
            text = f"{counts['pixels'] / pixels:.2%} of pixels, in {text}"
        lines.append((f"{name}" if "objects" in counts else f"class {name}", text))
    if len(order) > _LISTED:
        lines.append(("", f"and {len(order) - _LISTED} classes more"))
    return lines


def _describe_findings(texts: Sequence[str], noun: str, purpose: str) -> list[str]:
    """Return the findings grouped by kind, of each kind the first few."""
    kinds: dict[str, list[str]] = {}
    for text in texts:
        kinds.setdefault(_kind(text), []).append(text)
    lines = [f"{_count(len(texts), noun)}, to be {purpose}:"]
    for same in kinds.values():
        lines += [f"  {text}" for text in same[:_SHOWN]]
        if len(same) > _SHOWN:
            lines.append(f"  and {len(same) - _SHOWN} more of this kind")
    return lines


def _kind(text: str) -> str:
    """Return what texts of one kind share: the rule, or else the advice."""
    rule = re.search(r": (.+?)\. Got", text, flags=re.DOTALL)
    return rule[1] if rule else text.rpartition(". ")[2]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _counts(counts: Mapping[Any, int]) -> str:
    if len(counts) == 1:
        return str(next(iter(counts)))
    return ", ".join(f"{name} in {_count(n, 'image')}" for name, n in counts.items())


def _span(axis: str, low: int, median: float, high: int) -> str:
    return f"{axis} {low}" if low == high else f"{axis} {low} to {high} ({median:g})"


def _range(values: tuple[float, float] | None) -> str:
    return "" if values is None else f"{values[0]:g} to {values[1]:g}"
