"""What train and test have in common and should not, and where they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from instantdl.pipeline._inspect_facts import FEATURES, ImageFacts
from instantdl.pipeline._inspect_fingerprints import find_alike
from instantdl.pipeline._inspect_images import some
from instantdl.pipeline._inspect_report import Findings

# A shift is told of if it is neither small nor chance. Of random splits of dsb2018, 600
# to 15 images to train and 66 to 5 to test, at most 1 in 150 was; of its fluorescence
# twice as bright in 60 test images all were, in 10 test images four of five.
_LEAST_DISTANCE = 0.35
_MOST_CHANCE = 0.01
# Features of a shift that are written out, those that differ most.
_SHOWN = 3

_MOVE = "Remove one of them, or the test flatters."


@dataclass(frozen=True)
class Labelled:
    """An image, its label if it has one, and the group that it belongs to."""

    facts: ImageFacts
    label: str | None = None
    group: str | None = None


Images = Sequence[Labelled]


def compare_parts(parts: Mapping[str, Images], found: Findings) -> None:
    """Warn of copies within and across parts, and of how test differs from train.

    Parameters
    ----------
    parts : mapping of str to sequence of Labelled
        The images of "train" and "test", as far as they are there.

    found : Findings
        Grows by warnings.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._inspect_compare import Labelled, compare_parts
    >>> from instantdl.pipeline._inspect_facts import image_facts
    >>> from instantdl.pipeline._inspect_report import Findings
    >>> found, pixels = Findings(), np.arange(16).reshape(4, 4)
    >>> a, b = (Labelled(image_facts(name, pixels, 2)) for name in ("a.png", "b.png"))
    >>> compare_parts({"train": [a, b]}, found)
    >>> found.warnings
    ['b.png: an image should be there once. Got the same pixels as a.png. Remove one.']
    """
    train, test = parts.get("train", []), parts.get("test", [])
    for images in (train, test):
        _warn_of_copies(images, found)
    if train and test:
        _warn_of_leaks(train, test, found)
        _warn_of_groups(train, test, found)
        _warn_of_types(train, test, found)
        _warn_of_shift(train, test, found)


def _warn_of_copies(images: Images, found: Findings) -> None:
    first: dict[bytes, Labelled] = {}
    for image in images:
        other = first.setdefault(image.facts.digest, image)
        if other is image:
            continue
        got = f"the same pixels as {other.facts.where}"
        if other.label != image.label:
            got += f", which is {other.label} where this is {image.label}"
        found.warning(
            image.facts.where, "an image should be there once", got, "Remove one."
        )


def _warn_of_leaks(train: Images, test: Images, found: Findings) -> None:
    """Warn of images of test that are in train, or nearly so."""
    rule = "no image should be both in train and in test"
    first = {image.facts.digest: image.facts.where for image in reversed(train)}
    others = []
    for image in test:
        if same := first.get(image.facts.digest):
            got = f"the same pixels as {same}"
            found.warning(image.facts.where, rule, got, _MOVE)
        else:
            others.append(image)
    alike, n_compared = find_alike(
        [image.facts.fingerprint for image in train],
        [image.facts.fingerprint for image in others],
    )
    for pair in alike:
        found.warning(
            others[pair.second].facts.where,
            "no image should be nearly the same in train and in test",
            f"nearly the same picture as {train[pair.first].facts.where}, maybe turned"
            f" or with other brightness (correlation {pair.correlation:.2f})",
            "Look at both; keep them in one part if they show the same.",
        )
    n_known = sum(image.facts.fingerprint is not None for image in others)
    if n_compared < n_known:
        found.warning(
            "test",
            "all images should be compared with those in train",
            f"{n_compared} of {n_known}, since there are too many",
            "Nearly equal images may be among the others.",
        )


def _warn_of_groups(train: Images, test: Images, found: Findings) -> None:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for which, images in enumerate((train, test)):
        for image in images:
            if image.group is not None:
                counts[image.group][which] += 1
    for group, (n_train, n_test) in counts.items():
        if n_train and n_test:
            found.warning(
                "test",
                "a group should be either in train or in test",
                f"{group} with {n_train} images in train and {n_test} in test",
                "Move its images into one part, or the test flatters.",
            )


def _warn_of_types(train: Images, test: Images, found: Findings) -> None:
    mine, theirs = ({image.facts.dtype for image in part} for part in (train, test))
    if new := sorted(theirs - mine):
        names = [image.facts.where for image in test if image.facts.dtype in new]
        found.warning(
            "test",
            "images should have the pixel types of those in train",
            f"{', '.join(new)} where train has {', '.join(sorted(mine))}:"
            f" {some(names)}",
            "Export them alike, or check that intensities mean the same.",
        )


def _warn_of_shift(train: Images, test: Images, found: Findings) -> None:
    """Warn if intensities of test images are distributed unlike those in train."""
    channels = {image.facts.n_channels for part in (train, test) for image in part}
    # Where numbers of channels differ, the mean over channels can be compared.
    per_channel = len(channels) == 1
    mine, theirs = (_features(part, per_channel) for part in (train, test))
    if len(mine) < 2 or len(theirs) < 2:
        return
    shifts = []
    for channel, feature in np.ndindex(mine.shape[1:]):
        a, b = mine[:, channel, feature], theirs[:, channel, feature]
        distance, chance = ks_2samp(a, b)
        # Each feature is another draw at chance.
        chance = min(1.0, chance * mine[0].size)
        if distance >= _LEAST_DISTANCE and chance <= _MOST_CHANCE:
            name = FEATURES[feature]
            name += f" of channel {channel}" if mine.shape[1] > 1 else ""
            shifts.append((-distance, chance, name, np.median(a), np.median(b)))
    if shifts:
        shifts.sort()
        texts = [
            f"{name} {b:.4g} where train has {a:.4g} (medians over images;"
            f" Kolmogorov-Smirnov distance {-distance:.2f}, p = {chance:.1g})"
            for distance, chance, name, a, b in shifts[:_SHOWN]
        ]
        more = len(shifts) - len(texts)
        found.warning(
            "test",
            "intensities should be distributed as in train",
            "; ".join(texts) + (f"; and {more} more differ" if more else ""),
            "Check that both are of the same source; if they are meant to differ,"
            " figures of the test hold for such images only.",
        )


def _features(images: Images, per_channel: bool) -> NDArray[np.float64]:
    """Return features of shape (n_images, channels or 1, n_features), finite ones."""
    rows = [
        image.facts.features if per_channel else image.facts.features.mean(0)[None]
        for image in images
    ]
    stack = np.array(rows).reshape(len(rows), -1, len(FEATURES))
    return np.asarray(stack[np.isfinite(stack).all(axis=(1, 2))])
