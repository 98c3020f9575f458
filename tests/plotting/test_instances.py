import numpy as np
import pytest
from matplotlib.colors import to_rgb

from instantdl.exceptions import ImageError
from instantdl.plotting import plot_instances
from instantdl.plotting._instances import KIND_COLOURS, LINES


@pytest.fixture
def labels():
    """Objects of all kinds: what came out is known for each place."""
    true, pred = np.zeros((2, 40, 60), int)
    true[2:10, 2:10], pred[2:10, 2:10] = 1, 11  # matched
    true[2:10, 20:28] = 2  # missed
    pred[2:10, 40:48] = 12  # spurious
    true[20:28, 2:18], pred[20:28, 2:10], pred[20:28, 10:18] = 3, 13, 14  # split
    true[20:28, 30:38], true[20:28, 38:46], pred[20:28, 30:46] = 4, 5, 15  # merged
    return true, pred


def panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_legend_counts_each_kind(rng, labels):
    true, pred = labels
    figure = plot_instances([rng.random((40, 60))], [true], [pred])
    assert legend(figure) == [
        "truth",
        "prediction",
        "1 matched",
        "1 missed",
        "1 spurious",
        "1 split",
        "1 merged",
    ]


def test_counts_are_those_of_all_images(rng, labels):
    true, pred = labels
    figure = plot_instances(rng.random((3, 40, 60)), [true] * 3, [pred, true, pred])
    assert legend(figure)[2:4] == ["7 matched", "2 missed"]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ((5, 5), "matched"),
        ((5, 24), "missed"),
        ((5, 44), "spurious"),
        ((24, 5), "split"),
        ((24, 15), "split"),
        ((24, 32), "merged"),
        ((24, 44), "merged"),
    ],
)
def test_errors_have_the_colours_of_the_legend(rng, labels, place, kind):
    true, pred = labels
    figure = plot_instances([rng.random((40, 60))], [true], [pred])
    shown = np.asarray(panels(figure)["errors"].images[0].get_array())
    assert shown[place].tolist() == list(to_rgb(KIND_COLOURS[kind]))
    assert shown[35, 55].tolist() == [0, 0, 0]


def test_outlines_run_along_the_borders_of_objects(rng, labels):
    true, _ = labels
    figure = plot_instances([rng.random((40, 60))], [true])
    lines = panels(figure)["objects"].collections[0]
    assert tuple(lines.get_color()[0][:3]) == to_rgb(LINES["truth"][0])
    segments = np.concatenate(lines.get_segments())
    first = {tuple(point) for point in segments if (point < 15).all()}
    assert first == {(1.5, 1.5), (1.5, 9.5), (9.5, 1.5), (9.5, 9.5)}


def test_outlines_are_seen_in_their_colours(labels, check_legible):
    true, pred = labels
    figure = plot_instances([np.zeros((40, 60))], [true], [np.roll(pred, 2, axis=0)])
    pixels = check_legible(figure)[..., :3].reshape(-1, 3)
    for colour, _ in LINES.values():
        wanted = np.round(np.array(to_rgb(colour)) * 255)
        assert (np.abs(pixels - wanted) <= 2).all(axis=1).any()


def test_lines_of_large_images_are_thinner(rng):
    small, large = (np.ones((size, size), int) for size in (100, 1000))
    widths = [
        panels(plot_instances([image], [image]))["objects"]
        .collections[0]
        .get_linewidth()[0]
        for image in (small, large)
    ]
    assert widths[1] == pytest.approx(widths[0] / 2)


def test_panels_without_data_are_left_out(rng, labels):
    image, (true, pred) = rng.random((40, 60)), labels
    assert list(panels(plot_instances([image]))) == ["image"]
    assert list(panels(plot_instances([image], predictions=[pred]))) == [
        "image",
        "objects",
    ]
    full = plot_instances([image], [true], [pred], [image])
    assert list(panels(full)) == ["image", "objects", "errors", "uncertainty"]


def test_uncertainty_has_a_colour_bar_up_to_its_maximum(rng, labels):
    image, (true, _) = rng.random((40, 60)), labels
    figure = plot_instances([image], [true], uncertainties=[image])
    assert panels(figure)["uncertainty"].images[0].get_clim() == (0, image.max())
    assert len(figure.axes) == len(panels(figure)) + 1


def test_volumes_are_judged_as_a_whole_and_shown_in_two_rows(rng):
    # the middle plane alone shows no split: the parts lie above each other
    true = np.zeros((6, 12, 20), int)
    true[1:5, 2:10, 2:10] = 1
    pred = true.copy()
    pred[3:5][pred[3:5] == 1] = 2
    figure = plot_instances([rng.random((6, 12, 20, 1))], [true], [pred], names=["a"])
    shapes = [axes.images[0].get_array().shape[:2] for axes in figure.axes]
    assert shapes == [(12, 20)] * 3 + [(6, 20)] * 3
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == ["a\nplane 3", "row 6"]
    assert "1 split" in legend(figure)


def test_all_can_be_read(rng, labels, check_legible):
    true, pred = labels
    names = ["patient-0123456789-slice-000042.tif", "b"]
    maps = [array[:h] for array in (true,) for h in (40, 12)], [pred, pred[:12]]
    images = [rng.random((40, 60)), rng.random((12, 60))]
    figure = plot_instances(images, *maps, images, names=names, title="nuclei")
    check_legible(figure)
    assert figure.get_suptitle() == "nuclei"


@pytest.mark.parametrize("shape", [(3, 30, 30, 1), (20, 10, 60, 1), (60, 12)])
def test_thin_and_tall_images_can_be_read(rng, shape, check_legible):
    spatial = shape[:3] if len(shape) == 4 else shape
    labels = np.ones(spatial, int)
    names = ["a-long-name-of-a-file-0001.tif"] * 2
    images = rng.random((2, *shape))
    check_legible(plot_instances(images, [labels] * 2, [labels] * 2, names=names))


def test_no_objects_are_drawn_black(rng):
    empty = np.zeros((8, 8), int)
    figure = plot_instances([rng.random((8, 8))], [empty], [empty])
    assert (np.asarray(panels(figure)["errors"].images[0].get_array()) == 0).all()


def test_other_input_is_refused(rng):
    image = rng.random((8, 8))
    with pytest.raises(ImageError, match="at least one image. Got 0"):
        plot_instances([])
    with pytest.raises(ImageError, match=r"Image 0 is \(8, 8\), its truth \(4, 4\)"):
        plot_instances([image], [np.ones((4, 4), int)])
    with pytest.raises(ImageError, match="one prediction. Got 2 for 1 images"):
        plot_instances([image], predictions=[image, image])
    with pytest.raises(ValueError, match="whole numbers"):
        plot_instances([image], [image], [image])
    with pytest.raises(ValueError, match=r"must be in \[0.5, 1\). Got 0.2"):
        plot_instances([image], [image > 0], [image > 0], threshold=0.2)
