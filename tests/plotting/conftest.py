"""What every figure must keep: no text meets another, is cut off or small."""

from unittest import mock

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.text import Text

PAGE_INCHES = 6.7
SMALLEST_POINTS = 6.5


def _draw(figure):
    """Draw, and return the texts that are drawn: others exist but are not seen."""
    texts, draw = {}, Text.draw

    def record(text, renderer):
        if text.get_visible() and text.get_text().strip():
            texts[id(text)] = text
        draw(text, renderer)

    renderer = RendererAgg(*figure.bbox.size, figure.dpi)
    with mock.patch.object(Text, "draw", record):
        figure.draw(renderer)
    return renderer, list(texts.values())


def _check(figure, smallest=SMALLEST_POINTS):
    """Draw, and fail where a text is small, is cut off or meets another."""
    renderer, texts = _draw(figure)
    boxes = [text.get_window_extent(renderer) for text in texts]
    shrunk = min(1.0, PAGE_INCHES / figure.get_figwidth())
    for text, box in zip(texts, boxes, strict=True):
        name = text.get_text()
        assert text.get_fontsize() * shrunk >= smallest, f"{name!r} is small"
        inside = (box.min >= -1).all() and (box.max <= figure.bbox.max + 1).all()
        assert inside, f"{name!r} is cut off"
    for one, other in zip(*_meeting(texts, boxes), strict=True):
        raise AssertionError(
            f"{texts[one].get_text()!r} meets {texts[other].get_text()!r}"
        )
    for legend in figure.legends:
        for axes in figure.axes:
            legend_box, axes_box = legend.get_window_extent(renderer), axes.bbox
            assert not legend_box.overlaps(axes_box), "the legend covers data"
    return np.asarray(renderer.buffer_rgba())


def _meeting(texts, boxes):
    """Positions of texts that meet others; slanted ones keep apart, their boxes not."""
    low, high = (
        np.array([getattr(box, end) for box in boxes]) for end in ("min", "max")
    )
    common = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    slanted = np.array([text.get_rotation() % 90 != 0 for text in texts])
    meets = (common.min(axis=2) >= 1) & ~(slanted[:, None] & slanted)
    return np.nonzero(np.triu(meets, 1))


@pytest.fixture
def check_legible():
    """Function that draws a figure and fails where it cannot be read."""
    return _check
