import numpy as np
import pytest
from matplotlib.colors import to_hex

from instantdl.plotting import plot_confusion_matrix, plot_roc_curves

LONG = [f"promyelocyte of the kind {i}" for i in range(15)]


def cells(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_cells_have_counts_and_shares_of_their_row():
    figure = plot_confusion_matrix([[6, 2], [0, 3]], ["a", "b"])
    assert cells(figure) == ["6\n75 %", "2\n25 %", "0\n0 %", "3\n100 %"]
    shares = np.asarray(figure.axes[0].images[0].get_array())
    assert shares.tolist() == [[0.75, 0.25], [0, 1]]
    assert figure.axes[0].images[0].get_clim() == (0, 1)


def test_a_class_without_images_says_so():
    figure = plot_confusion_matrix([[0, 0], [1, 3]], ["a", "b"])
    assert cells(figure) == ["none", "1\n25 %", "3\n75 %"]


def test_axes_name_classes_and_what_they_are():
    figure = plot_confusion_matrix(np.eye(3, dtype=int), [0, "b", True], unit="cells")
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["0", "b", "True"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert axes.get_title() == "cells, and share of the true class"


def test_shares_are_not_rounded_to_none_or_all():
    figure = plot_confusion_matrix([[999, 1], [1, 1]], ["a", "b"])
    assert cells(figure)[:2] == ["999\n>99 %", "1\n<1 %"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (9999, "9999"),
        (12345, "12.3k"),
        (123456, "123k"),
        (4567890, "4.57M"),
        (7e9, "7G"),
    ],
)
def test_large_numbers_are_short(count, text):
    assert cells(plot_confusion_matrix([[count]], ["a"])) == [f"{text}\n100 %"]


def test_numbers_stand_out_from_their_cells():
    figure = plot_confusion_matrix([[9, 1], [5, 5]], ["a", "b"])
    colours = [to_hex(text.get_color()) for text in figure.axes[0].texts]
    assert colours[:2] == ["#ffffff", "#000000"]


@pytest.mark.parametrize(
    ("n", "count"), [(1, 7), (2, 123456), (5, 8888), (15, 8888), (15, 123456)]
)
def test_all_cells_can_be_read(n, count, check_legible):
    counts = np.full((n, n), count)
    counts[n // 2 :: 5] = 0
    check_legible(plot_confusion_matrix(counts, [f"class {i}" for i in range(n)]))


def test_more_classes_make_the_figure_larger(check_legible):
    figure = plot_confusion_matrix(np.full((24, 24), 8888), range(24))
    check_legible(figure, smallest=5)
    assert figure.get_figwidth() > 7.6


def test_fifteen_long_names_can_be_read(check_legible):
    figure = plot_confusion_matrix(np.full((15, 15), 8888), LONG)
    check_legible(figure)
    assert figure.get_figwidth() < 7.2
    label = figure.axes[0].get_yticklabels()[0].get_text()
    assert len(label) == 24
    assert label.startswith("promyelocyt")


@pytest.mark.parametrize(
    ("counts", "classes", "message"),
    [
        ([], [], r"must have shape \(n_classes, n_classes\).* Got \(0,\)"),
        ([[1, 2]], ["a"], r"Got \(1, 2\)"),
        (np.zeros((2, 2, 2)), ["a", "b"], r"Got \(2, 2, 2\)"),
        ([[1, 0], [0, 1]], ["a"], "Got 1 names for 2 rows"),
        ([[0.5, 0.5], [0, 1]], ["a", "b"], "whole numbers from 0 on"),
        ([[-1, 0], [0, 1]], ["a", "b"], "whole numbers from 0 on"),
        ([[np.nan, 0], [0, 1]], ["a", "b"], "whole numbers from 0 on"),
        ([["x"]], ["a"], "whole numbers from 0 on"),
    ],
)
def test_other_tables_are_refused(counts, classes, message):
    with pytest.raises(ValueError, match=message):
        plot_confusion_matrix(counts, classes)


def test_legend_has_the_area_of_each_class():
    curves = {"ill": ([0, 0, 1], [0, 0.8, 1], 0.9), 3: ([0, 1], [0, 1], 0.5)}
    figure = plot_roc_curves(curves)
    assert entries(figure) == ["ill: AUC 0.900", "3: AUC 0.500", "chance: AUC 0.500"]
    line = figure.axes[0].lines[0]
    assert line.get_ydata().tolist() == [0, 0.8, 1]
    assert figure.axes[0].lines[-1].get_xdata().tolist() == [0, 1]


@pytest.mark.parametrize(
    "curve", [None, ([], [], None), ([0, 1], [np.nan] * 2, np.nan)]
)
def test_class_without_a_curve_is_named(curve):
    figure = plot_roc_curves({"a": ([0, 1], [0, 1], 0.5), "rare": curve})
    assert entries(figure)[1] == "rare: not in the test set"
    assert len(figure.axes[0].lines) == 2


def test_only_classes_without_a_curve_are_drawn(check_legible):
    check_legible(plot_roc_curves({"a": None}))


def test_curves_of_many_classes_differ():
    curves = {name: ([0, 1], [0, 1], 0.5) for name in range(28)}
    lines = plot_roc_curves(curves).axes[0].lines[:-1]
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(looks) == 28


@pytest.mark.parametrize("n", [1, 2, 15, 40])
def test_curves_can_be_read(n, check_legible):
    curves = {f"{LONG[0]} {i}": ([0, 0, 1], [0, 1, 1], 1.0) for i in range(n)}
    curves["a class with a long name"] = None
    check_legible(plot_roc_curves(curves))


def test_a_perfect_curve_is_not_cut_by_the_frame(check_legible):
    figure = plot_roc_curves({"a": ([0, 0, 1], [0, 1, 1], 1.0)})
    pixels = check_legible(figure)[..., :3]
    x, y = figure.axes[0].transData.transform((0.5, 1.0)).astype(int)
    column = pixels[::-1][y - 3 : y + 4, x]
    assert (column == (0, 0x72, 0xB2)).all(axis=1).any()


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "`curves` must hold at least one class. Got none"),
        ({"a": ([0, 1], [0, 0.5, 1], 0.5)}, "must hold 2 values.* Got 3"),
        ({"a": ([0, 100], [0, 1], 0.5)}, r"in \[0, 1\]. Got 100"),
        ({"a": ([0, np.nan], [0, 1], 0.5)}, "finite numbers. Got nan"),
        ({"a": ([], [], 0.5)}, r"one value at least. Got \(0,\)"),
    ],
)
def test_other_curves_are_refused(curves, message):
    with pytest.raises(ValueError, match=message):
        plot_roc_curves(curves)
