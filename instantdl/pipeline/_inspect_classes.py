"""What must hold for all targets of a part together, for each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from instantdl.pipeline._inspect_images import some
from instantdl.pipeline._inspect_report import Findings
from instantdl.pipeline._inspect_targets import MOST_VALUES, TargetFacts

# Without a number of classes, more than these are not believed of a mask, and from
# these on it is looked whether they may be labels of objects.
_MOST_CLASSES, _MANY_CLASSES = 20, 8
_RAREST = 0.05

_LOOKS = {
    "labels": (
        "a number for each object, like a label image",
        "Use the task instance_segmentation, or save the number of its class for each"
        " pixel; if they are classes, say so by n_classes.",
    ),
    "photo": (
        "values that change from pixel to pixel, like a photo",
        "Check that no images lie among the masks; for real values the task is"
        " regression.",
    ),
    "lossy": (
        "values close to two, like a mask stored as JPEG or resized smoothly",
        "Export it again without loss; only of two classes a run sets a threshold.",
    ),
    None: (
        f"more than {MOST_VALUES}",
        "Save the number of its class for each pixel.",
    ),
}

Note = Callable[[str, str, str, str], None]
Classes = dict[int | str, dict[str, int]]


class Targets(NamedTuple):
    """The targets or labels of a part that could be looked at."""

    facts: Sequence[TargetFacts] = ()
    labels: Mapping[str, str] = {}
    # Whether these are all of the part.
    complete: bool = True


class ClassSummary(NamedTuple):
    """What a summary says of targets."""

    classes: Classes
    n_empty_masks: int = 0
    # Masks of two classes whose values are more, and are cut in the middle.
    is_cut: bool = False


def check_targets(
    task: str, parts: Mapping[str, Targets], n_classes: int | None, found: Findings
) -> dict[str, ClassSummary]:
    """Note targets that a task cannot be learnt from.

    Parameters
    ----------
    task : str
        One of the four.

    parts : mapping of str to Targets
        Those of "train" and "test", as far as they have some.

    n_classes : int or None
        Number of classes that there should be.

    found : Findings
        Grows by what is wrong.

    Returns
    -------
    dict of str to ClassSummary
        For each part its classes, and how many masks are empty.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_classes import Targets, check_targets
    >>> from instantdl.pipeline._inspect_report import Findings
    >>> found = Findings()
    >>> parts = {"train": Targets(labels={"a.png": "cat", "b.png": "cat"})}
    >>> check_targets("classification", parts, None, found)["train"].classes
    {'cat': {'images': 2}}
    >>> found.problems[0][:48]
    'train: there must be two classes or more. Got ca'
    """
    check = {
        "semantic_segmentation": _check_masks,
        "instance_segmentation": _check_instances,
        "regression": _check_regression,
        "classification": _check_labels,
    }[task]
    result = {
        part: check(part, targets, n_classes, found) for part, targets in parts.items()
    }
    if task in ("semantic_segmentation", "classification"):
        train = result.get("train", ClassSummary({}))
        if train.classes and not any(summary.is_cut for summary in result.values()):
            complete = parts["train"].complete
            _check_number(train.classes, n_classes, complete, found)
            _warn_of_imbalance(train.classes, found)
            _check_new_classes(parts, result, found)
    return result


def _check_labels(
    part: str, targets: Targets, n_classes: int | None, found: Findings
) -> ClassSummary:
    counts = Counter(targets.labels.values())
    return ClassSummary({name: {"images": counts[name]} for name in sorted(counts)})


def _check_masks(
    part: str, targets: Targets, n_classes: int | None, found: Findings
) -> ClassSummary:
    """Note masks that hold no classes; return the classes of the others."""
    # Up to so many, a wrong number of classes is the likelier fault.
    most = max(n_classes, _MANY_CLASSES) if n_classes else _MOST_CLASSES
    odd: dict[str | None, list[TargetFacts]] = {}
    plain: list[TargetFacts] = []
    for facts in targets.facts:
        limit = (n_classes or 2) if facts.looks_like == "lossy" else most
        unlike = facts.n_values > limit and facts.looks_like is not None
        if unlike or facts.n_values > MOST_VALUES:
            odd.setdefault(facts.looks_like, []).append(facts)
        else:
            plain.append(facts)
    classes = _count_classes(plain)
    if "labels" in odd or (len(classes) > most and _are_labels(plain)):
        # Those with a few objects are label images as well.
        alike = [x for x in plain if x.looks_like == "labels"]
        odd["labels"] = [*odd.get("labels", []), *alike]
        plain = [x for x in plain if x.looks_like != "labels"]
        classes = _count_classes(plain)
    elif n_classes is None and len(classes) > _MANY_CLASSES and _are_labels(plain):
        _note_look("labels", plain, found.warning)
    elif n_classes is None and len(classes) > _MOST_CLASSES:
        found.warning(
            part,
            f"masks should have {_MOST_CLASSES} classes at most",
            f"{len(classes)}",
            "If that is right, say so by n_classes.",
        )
    is_cut = n_classes == 2 and "lossy" in odd
    if is_cut:
        smooth = odd.pop("lossy")
        _note_look("lossy", smooth, found.warning)
        plain += smooth
        classes = _count_classes(plain)
    for look, files in odd.items():
        _note_look(look, files, found.problem)
    values = [value for facts in plain for value in facts.counts or ()]
    background = 0 if 0 in values else min(values, default=0)
    empty = [x.where for x in plain if list(x.counts or ()) == [background]]
    _warn_of_empty(part, empty, len(plain), found)
    return ClassSummary(classes, len(empty), is_cut)


def _count_classes(masks: Iterable[TargetFacts]) -> Classes:
    classes: dict[int, dict[str, int]] = {}
    for facts in masks:
        for value, pixels in (facts.counts or {}).items():
            counts = classes.setdefault(value, {"images": 0, "pixels": 0})
            counts["images"] += 1
            counts["pixels"] += pixels
    return {value: classes[value] for value in sorted(classes)}


def _are_labels(masks: Sequence[TargetFacts]) -> bool:
    """Tell whether masks of few values each are rather label images."""
    many = [facts for facts in masks if facts.n_values > 2]
    alike = [facts for facts in many if facts.looks_like == "labels"]
    # Labels are counted from 1 on in each image: few of them are in all.
    return len(alike) > len(many) / 2 and len({x.n_values for x in many}) > 1


def _note_look(look: str | None, files: Sequence[TargetFacts], note: Note) -> None:
    got, advice = _LOOKS[look]
    most = max(files, key=lambda facts: facts.n_values)
    note(
        some([facts.where for facts in files]),
        "the values of a mask must be few, one for each class",
        f"{got}: up to {most.n_values} values ({most.low:g} to {most.high:g})",
        advice,
    )


def _check_number(
    classes: Classes, n_classes: int | None, complete: bool, found: Findings
) -> None:
    """Note one class only, or another number than there should be."""
    names = some([f"{name}" for name in classes])
    note = found.problem if complete else found.warning
    if len(classes) < 2:
        note(
            "train",
            "there must be two classes or more",
            f"{names} only",
            "Add images of another class, or check how targets were exported.",
        )
    if n_classes is None or len(classes) == n_classes:
        return
    if len(classes) > n_classes:
        rarest = min(classes, key=lambda name: classes[name]["images"])
        found.problem(
            "train",
            "there must be as many classes as n_classes says",
            f"{len(classes)} instead of {n_classes}: {names}; the rarest is {rarest}",
            "Correct the targets, or n_classes.",
        )
    else:
        note(
            "train",
            "there must be as many classes as n_classes says",
            f"{len(classes)} instead of {n_classes}: {names}",
            "Add images of the others, or correct n_classes.",
        )


def _check_new_classes(
    parts: Mapping[str, Targets], result: Mapping[str, ClassSummary], found: Findings
) -> None:
    """Note classes of test that cannot be learnt from train."""
    note = found.problem if parts["train"].complete else found.warning
    for name in result["test"].classes if "test" in result else ():
        if name in result["train"].classes:
            continue
        test = parts["test"]
        files = [file for file, label in test.labels.items() if label == name]
        files += [x.where for x in test.facts if name in (x.counts or {})]
        note(
            some(files),
            "each class of test must be in train",
            f"{name}, where train has {some([*map(str, result['train'].classes)])}",
            "Add images of this class to train, or correct these.",
        )


def _warn_of_imbalance(classes: Classes, found: Findings) -> None:
    unit = "pixels" if all("pixels" in one for one in classes.values()) else "images"
    total = sum(counts[unit] for counts in classes.values())
    rare = [name for name in classes if classes[name][unit] < _RAREST * total]
    if rare:
        shares = [f"class {x} with {classes[x][unit] / total:.2%}" for x in rare]
        found.warning(
            "train",
            f"each class should have {_RAREST:.0%} of the {unit} or more",
            some(shares),
            'Add images of it, or set class_weight="balanced".',
        )


def _warn_of_empty(part: str, empty: list[str], n_masks: int, found: Findings) -> None:
    if empty:
        found.warning(
            part,
            "masks should mark something",
            f"{len(empty)} of {n_masks} ({len(empty) / n_masks:.0%}) that are empty:"
            f" {some(empty)}",
            "Check that nothing is to be seen in their images.",
        )


def _check_instances(
    part: str, targets: Targets, n_classes: int | None, found: Findings
) -> ClassSummary:
    """Note label images that number no objects."""
    plain = []
    for facts in targets.facts:
        if facts.low < 0:
            found.problem(
                facts.where,
                "labels must be 0 for the background and 1 or more for objects",
                f"{facts.low:g}",
                "Number the objects anew.",
            )
        else:
            plain.append(facts)
    for look in ("photo", "lossy"):
        if files := [facts for facts in plain if facts.looks_like == look]:
            got, advice = _LOOKS[look]
            found.problem(
                some([facts.where for facts in files]),
                "a label image must hold one number for each object",
                got,
                advice,
            )
    marked = [facts for facts in plain if facts.n_foreground]
    _check_binary(marked, found)
    if part == "train" and plain and targets.complete:
        _check_background(plain, found)
    empty = [facts.where for facts in plain if not facts.n_foreground]
    _warn_of_empty(part, empty, len(plain), found)
    counts = {
        "images": len(marked),
        "objects": sum(facts.n_objects for facts in marked),
        "pixels": sum(facts.n_foreground for facts in marked),
    }
    return ClassSummary({"object": counts} if plain else {}, len(empty))


def _check_binary(marked: Sequence[TargetFacts], found: Findings) -> None:
    """Note masks of one value that have several parts."""
    binary = [x for x in marked if x.n_objects == 1 and x.n_parts > 1]
    if not binary:
        return
    only = all(facts.n_objects == 1 for facts in marked)
    note = found.problem if only else found.warning
    most = max(binary, key=lambda facts: facts.n_parts)
    note(
        some([facts.where for facts in binary]),
        "a label image must have another number for each object",
        f"one value besides 0, like a binary mask (up to {most.n_parts} parts of value"
        f" {most.high:g})",
        "`instantdl.images.label_mask` splits it into objects; or use the task"
        " semantic_segmentation.",
    )


def _check_background(plain: Sequence[TargetFacts], found: Findings) -> None:
    got = None
    if not any(facts.n_foreground for facts in plain):
        got = "background only"
    elif all(facts.n_foreground == facts.n_pixels for facts in plain):
        got = "no background at all"
    if got:
        found.problem(
            "train",
            "label images must mark objects in some images, and background",
            got,
            "Number objects from 1 on; 0 is the background.",
        )


def _check_regression(
    part: str, targets: Targets, n_classes: int | None, found: Findings
) -> ClassSummary:
    """Note targets without contrast, and those of other channels than most."""
    facts = targets.facts
    constant = [x for x in facts if x.low == x.high]
    if constant and len(constant) == len(facts) and part == "train":
        found.problem(
            part,
            "targets must show something",
            f"one value throughout each: {some([one.where for one in facts])}",
            "Check how they were exported.",
        )
    else:
        for one in constant:
            found.warning(
                one.where,
                "a target should show something",
                f"the value {one.low:g} everywhere",
                "Look at it: it has no correlation with anything.",
            )
    usual = Counter(one.n_channels for one in facts).most_common(1)
    for one in facts:
        if one.n_channels != usual[0][0]:
            found.problem(
                one.where,
                "all targets must have the same number of channels",
                f"shape {one.shape}, where most have {usual[0][0] or 'none'}",
                "Save it as the others are.",
            )
    return ClassSummary({})
