import json
import re
import shutil
import tracemalloc

import numpy as np
import pytest

from instantdl.images import ImageCollection
from instantdl.io import read_image, write_image
from instantdl.pipeline import _inspect_reading
from instantdl.pipeline._inspect import describe, inspect_project
from tests.pipeline.projects import (
    CLASSIFICATION,
    INSTANCE,
    REGRESSION,
    SEMANTIC,
    assert_found,
    cells,
    classes_of,
    make,
    make_both,
    objects_of,
    write_table,
)


@pytest.mark.parametrize("task", [SEMANTIC, INSTANCE, REGRESSION, CLASSIFICATION])
def test_nothing_is_found_where_nothing_is_wrong(tmp_path, task):
    make_both(tmp_path, task)
    report = inspect_project(tmp_path, task)
    assert report.problems == []
    assert report.warnings == []
    assert list(report.parts) == ["train", "test"]


def test_a_summary_tells_what_the_images_are(tmp_path):
    make(tmp_path, SEMANTIC)
    image = cells(7, (32, 40)).astype(np.uint16) * 2
    write_image(tmp_path / "train/image/5.png", image)
    write_image(tmp_path / "train/groundtruth/5.png", np.zeros((32, 40), np.uint8))
    train = inspect_project(tmp_path, SEMANTIC).parts["train"]
    images = [read_image(tmp_path / f"train/image/{i}.png") for i in range(6)]
    masks = [read_image(tmp_path / f"train/groundtruth/{i}.png") for i in range(6)]
    assert (train.n_images, train.n_read) == (6, 6)
    assert (train.n_with_target, train.n_without_target) == (6, 0)
    assert train.names == [f"{i}.png" for i in range(6)]
    assert train.sizes == {"height": (32, 48.0, 48), "width": (40, 64.0, 64)}
    assert train.dtypes == {"uint8": 5, "uint16": 1}
    assert train.channels == {1: 6}
    assert train.spatial_ndim == 2
    assert train.value_range == (0, 510)
    assert train.n_empty_masks == 1
    assert train.classes == {
        value: {
            "images": sum((mask == value).any() for mask in masks),
            "pixels": sum((mask == value).sum() for mask in masks),
        }
        for value in (0, 1)
    }
    assert images[5].max() == 510


def test_objects_are_counted(tmp_path):
    make(tmp_path, INSTANCE)
    counts = inspect_project(tmp_path, INSTANCE).parts["train"].classes["object"]
    labels = [objects_of(cells(seed)) for seed in range(6)]
    assert counts["objects"] == sum(int(image.max()) for image in labels)
    assert counts["pixels"] == sum(int((image > 0).sum()) for image in labels)
    assert counts["images"] == 6


def test_volumes_are_told_from_images_with_channels(tmp_path):
    for part, shape in (("a", (12, 20, 24)), ("b", (20, 24, 3))):
        for folder in ("image", "groundtruth"):
            (tmp_path / part / "train" / folder).mkdir(parents=True)
        for i in range(5):
            image = cells(i, shape)
            mask = classes_of(image if part == "a" else image[..., 0])
            write_image(tmp_path / part / f"train/image/{i}.tif", image)
            write_image(tmp_path / part / f"train/groundtruth/{i}.tif", mask)
    a, b = (inspect_project(tmp_path / part, SEMANTIC) for part in "ab")
    assert a.problems == b.problems == []
    assert (a.parts["train"].spatial_ndim, a.parts["train"].channels) == (3, {1: 5})
    assert (b.parts["train"].spatial_ndim, b.parts["train"].channels) == (2, {3: 5})


def test_a_report_is_ready_for_json(tmp_path):
    make_both(tmp_path, SEMANTIC)
    plain = inspect_project(tmp_path, SEMANTIC).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["parts"]["train"]["classes"]["1"]["images"] == 6
    assert plain["parts"]["train"]["sizes"]["height"] == [48, 48.0, 48]


def test_everything_is_found_at_once(tmp_path):
    make_both(tmp_path, SEMANTIC)
    train = tmp_path / "train"
    (train / "image/0.png").unlink()
    (train / "groundtruth/1.png").unlink()
    (train / "image/notes.txt").touch()
    data = (train / "image/2.png").read_bytes()
    (train / "image/2.png").write_bytes(data[: len(data) // 2])
    (train / "groundtruth/2.png").write_bytes(b"broken")
    write_image(train / "groundtruth/3.png", classes_of(cells(3, (40, 64))))
    (tmp_path / "test/image/0.png").write_bytes(b"")
    mask = classes_of(cells(101))
    mask[0, 0] = 9
    write_image(tmp_path / "test/groundtruth/1.png", mask)
    # All of train but 3.png and 4.png is named, so no class is known to be missing.
    assert_found(
        inspect_project(tmp_path, SEMANTIC).problems,
        r"train/groundtruth/0\.png has no partner in image/",
        r"train/image/1\.png has no partner in groundtruth/",
        r"train/image/notes\.txt is not a known image file",
        r"^train/image/2\.png: a readable .png file is needed",
        r"^train/groundtruth/2\.png: a readable .png file is needed",
        r"^train/groundtruth/3\.png.*\(40, 64\) for train/image/3\.png.*\(48, 64\)",
        r"^test/image/0\.png: a readable .png file is needed",
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], r"^train: there must be a folder `train` in the project\. Got an empty"),
        (["image"], r"Got image\. Move image/ and what lies beside it into train/\."),
        (["train"], r"^train: it must hold a folder `image/`.*Got nothing"),
        (["train/cat"], r"^train: it must hold a folder `image/`.*Got cat"),
        (["train/image"], r"^train/image/ is empty"),
        (["train/a/image"], r"^train: where each image has .* Got 0 in a/image/\."),
    ],
)
def test_missing_and_empty_folders(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    assert_found(inspect_project(tmp_path, REGRESSION).problems, expected)


def test_a_project_that_is_not_there(tmp_path):
    report = inspect_project(tmp_path / "absent", REGRESSION)
    assert_found(report.problems, r"absent: .* Got nothing of this name\. Check its")
    assert report.parts == {}
    (tmp_path / "a").touch()
    report = inspect_project(tmp_path / "a", REGRESSION)
    assert_found(report.problems, r"there must be a project folder\. Got a file")


def test_a_test_folder_may_lack_but_not_be_empty(tmp_path):
    make(tmp_path, SEMANTIC)
    assert inspect_project(tmp_path, SEMANTIC).problems == []
    (tmp_path / "test").mkdir()
    assert_found(inspect_project(tmp_path, SEMANTIC).problems, r"^test: it must hold")
    (tmp_path / "test/image").mkdir()
    assert_found(inspect_project(tmp_path, SEMANTIC).problems, r"^test/image/ is empty")


@pytest.mark.parametrize("task", [SEMANTIC, INSTANCE, REGRESSION, CLASSIFICATION])
def test_test_images_need_no_targets_but_train_images_do(tmp_path, task):
    make_both(tmp_path, task)
    shutil.rmtree(tmp_path / "test/groundtruth")
    report = inspect_project(tmp_path, task)
    assert report.problems == []
    assert report.parts["test"].n_without_target == 6
    shutil.rmtree(tmp_path / "train/groundtruth")
    problems = inspect_project(tmp_path, task).problems
    assert_found(problems, rf"^train: for {task} there must be .* Got nothing of that")


def test_targets_of_another_task_are_told(tmp_path):
    make(tmp_path / "masks", SEMANTIC)
    make(tmp_path / "labels", CLASSIFICATION)
    assert_found(
        inspect_project(tmp_path / "masks", CLASSIFICATION).problems,
        r"there must be groundtruth/groundtruth.csv.* Got an image for each image",
    )
    assert_found(
        inspect_project(tmp_path / "labels", INSTANCE).problems,
        r"there must be a label image.* Got labels of whole images",
    )


def test_few_images(tmp_path):
    make(tmp_path, SEMANTIC, n=4)
    make(tmp_path, SEMANTIC, "test", n=3, seed=100)
    report = inspect_project(tmp_path, SEMANTIC)
    assert_found(report.problems, r"^train: there must be 5 images or more\. Got 4")
    assert_found(report.warnings, r"^test: there must be 5 images or more\. Got 3")


def test_one_folder_of_channels_less_in_test(tmp_path):
    make_both(tmp_path, SEMANTIC)
    shutil.copytree(tmp_path / "train/image", tmp_path / "train/image1")
    (tmp_path / "train/image1/3.png").unlink()
    problems = inspect_project(tmp_path, SEMANTIC).problems
    folders = [line for line in problems if line.startswith("test: ")]
    assert_found(folders, r"Got image where train has image, image1\.")
    assert any("train/image/3.png has no partner in image1/" in x for x in problems)
    channels = [x for x in problems if "all images must have the same number" in x]
    assert len(channels) == 6
    assert all(
        re.search(r"^test/image/\d.png.*Got 1 where 5 of 5", x) for x in channels
    )


def test_every_damaged_channel_is_named(tmp_path):
    make(tmp_path, SEMANTIC)
    shutil.copytree(tmp_path / "train/image", tmp_path / "train/image1")
    for folder in ("image", "image1"):
        (tmp_path / "train" / folder / "0.png").write_bytes(b"broken")
    write_image(tmp_path / "train/image1/1.png", cells(1, (48, 60)))
    assert_found(
        inspect_project(tmp_path, SEMANTIC).problems,
        r"^train/image/0\.png: a readable",
        r"^train/image1/0\.png: a readable",
        r"train/image/1\.png is \(48, 64\), train/image1/1\.png is \(48, 60\)",
    )


def test_grey_images_beside_those_in_colour(tmp_path):
    make(tmp_path, SEMANTIC)
    colour = np.stack([cells(3), cells(30), cells(31)], axis=-1)
    write_image(tmp_path / "train/image/3.png", colour)
    report = inspect_project(tmp_path, SEMANTIC)
    assert report.problems == []
    expected = r"^train/image/3\.png: all images .* Got three channels in 1 of 6"
    assert_found(report.warnings, expected)
    # There a run does not repeat channels, nor does it for any other number of them.
    regression = inspect_project(tmp_path, REGRESSION)
    assert_found(regression.problems, r"^train/image/3\.png.*Got 3 where 5 of 6 have 1")
    two = tmp_path / "train/image/4.npy"
    np.save(two, colour[..., :2])
    (tmp_path / "train/image/4.png").unlink()
    problems = inspect_project(tmp_path, SEMANTIC).problems
    assert_found(problems, r"/3\.png.*Got 3 where 4", r"/4\.npy.*Got 2 where 4 of 6")


def test_volumes_among_images(tmp_path):
    make(tmp_path, SEMANTIC)
    for folder in ("image", "groundtruth"):
        (tmp_path / "train" / folder / "3.png").unlink()
        volume = cells(9, (12, 48, 64))
        volume = classes_of(volume) if folder == "groundtruth" else volume
        write_image(tmp_path / "train" / folder / "3.tif", volume)
    assert_found(
        inspect_project(tmp_path, SEMANTIC).problems,
        r"^train/image/3\.tif: .* spatial axes\. Got shape \(12, 48, 64\), 3 axes",
    )


def test_values_that_are_not_finite(tmp_path):
    make(tmp_path, REGRESSION)
    for folder, value in (("image", np.nan), ("groundtruth", np.inf)):
        (tmp_path / "train" / folder / "2.png").unlink()
        image = cells(2).astype(np.float32)
        image[3, 4:6] = value
        write_image(tmp_path / "train" / folder / "2.tif", image)
    (tmp_path / "train/image/4.png").unlink()
    np.save(tmp_path / "train/image/4.npy", cells(4) * 1e40)
    report = inspect_project(tmp_path, REGRESSION)
    assert_found(
        report.problems,
        r"^train/image/2\.tif: an image must hold finite numbers\..* in 2 values",
        r"^train/groundtruth/2\.tif: a target must hold finite .* in 2 values",
        r"^train/image/4\.npy: an image must hold finite numbers",
    )
    assert np.isfinite(report.parts["train"].value_range).all()


def test_sizes_of_targets_that_are_turned(tmp_path):
    make(tmp_path, SEMANTIC)
    write_image(tmp_path / "train/groundtruth/1.png", classes_of(cells(1)).T)
    problems = inspect_project(tmp_path, SEMANTIC).problems
    expected = r"^train/groundtruth/1\.png.*turned or transposed: export both again"
    assert_found(problems, expected)


def test_faults_of_a_table_leave_the_other_labels(tmp_path):
    make_both(tmp_path, CLASSIFICATION)
    rows = ["0.png,a", "1.png,a", "2.png,", "3.png,a", "4.png,a", "9.png,a"]
    write_table(tmp_path, "train", rows)
    table = "train/groundtruth/groundtruth.csv"
    report = inspect_project(tmp_path, CLASSIFICATION)
    assert_found(
        report.problems,
        rf"^{table}, line 4 has no label for 2\.png",
        r"^train/image/5\.png has no row in groundtruth\.csv",
    )
    # The labels that are lacking may be those of the other class.
    assert_found(
        report.warnings,
        rf"^{table}: each row should have an image\. Got 1 without one, such as 9\.png",
        r"^train: there must be two classes or more\. Got a only",
        r"^test/image/1\.png, .*: each class of test must be in train\. Got b",
    )


def test_labels_are_numbers_only_if_those_of_all_parts_are(tmp_path):
    make_both(tmp_path, CLASSIFICATION)
    header = "filename,groundtruth,group"
    rows = [f"{i}.png,0{i % 2},0{i}" for i in range(6)]
    write_table(tmp_path, "train", rows, header)
    others = [f"{i}.png,{i % 2},{i + 5}" for i in range(6)]
    write_table(tmp_path, "test", others, header)
    report = inspect_project(tmp_path, CLASSIFICATION)
    assert report.problems == []
    counts = {"0": {"images": 3}, "1": {"images": 3}}
    assert [part.classes for part in report.parts.values()] == [counts, counts]
    assert_found(report.warnings, r"Got 5 with 1 images in train and 1 in test")
    kept = inspect_project(tmp_path, CLASSIFICATION, as_text=True)
    assert list(kept.parts["train"].classes) == ["00", "01"]
    write_table(tmp_path, "train", [*rows[:5], "5.png,unknown,5"], header)
    assert_found(
        inspect_project(tmp_path, CLASSIFICATION).problems,
        r"Got 0, where train has 00, 01, unknown",
        r"Got 1, where train has 00, 01, unknown",
    )


def test_one_folder_of_a_class_is_told_what_it_lacks(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    write_image(tmp_path / "train" / "cat" / "0.png", cells(0))
    assert_found(
        inspect_project(tmp_path, CLASSIFICATION).problems,
        r"^train: it must hold .* Got cat\. Folders of classes must be two or more",
    )


def test_folders_of_classes(tmp_path):
    for i, name in enumerate(["cat", "cat", "dog", "dog", "dog", "dog"]):
        (tmp_path / "train" / name).mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / "train" / name / f"{i}.png", cells(i))
    report = inspect_project(tmp_path, CLASSIFICATION)
    assert report.problems == []
    train = report.parts["train"]
    assert train.classes == {"cat": {"images": 2}, "dog": {"images": 4}}
    assert train.names[0] == "cat/0.png"
    (tmp_path / "train/bird").mkdir()
    (tmp_path / "train/dog/notes.txt").touch()
    (tmp_path / "train/dog/5.png").write_bytes(b"broken")
    assert_found(
        inspect_project(tmp_path, CLASSIFICATION).problems,
        r"^train/bird/ is empty",
        r"^train/dog/notes\.txt is not a known image file",
        r"^train/dog/5\.png: a readable",
    )


def make_nested(root, part, n=5, seed=0):
    for i in range(n):
        image = cells(seed + i)
        for folder in ("image", "mask"):
            (root / part / f"id{i}" / folder).mkdir(parents=True)
        write_image(root / part / f"id{i}" / "image" / f"id{i}.png", image)
        labels = objects_of(image)
        for k in range(1, labels.max() + 1):
            write_image(root / part / f"id{i}" / "mask" / f"{k}.png", labels == k)


def test_a_folder_for_each_image(tmp_path):
    make_nested(tmp_path, "train")
    report = inspect_project(tmp_path, INSTANCE)
    assert report.problems == report.warnings == []
    counts = report.parts["train"].classes["object"]
    assert counts["objects"] == sum(objects_of(cells(i)).max() for i in range(5))
    for name in ("1.png", "2.png"):
        (tmp_path / "train/id1/mask" / name).write_bytes(b"broken")
    shutil.rmtree(tmp_path / "train/id2/mask")
    write_image(tmp_path / "train/id3/image/more.png", cells(50))
    (tmp_path / "train/id4/mask/1.gif").touch()
    report = inspect_project(tmp_path, INSTANCE)
    assert_found(
        report.problems,
        r"^train/id1/mask/1\.png: a readable",
        r"^train/id1/mask/2\.png: a readable",
        r"^train/id2/mask/ must hold a mask of each object",
        r"^train/id3/image/ must hold one image, not 2",
        r"^train: there must be 5 images or more\. Got 4",
    )
    assert_found(report.warnings, r"^train/id4/mask/1\.gif: files of unknown endings")
    problems = inspect_project(tmp_path, SEMANTIC).problems
    assert any("Got a mask for each object" in line for line in problems)


def test_test_images_in_folders_of_their_own_need_no_masks(tmp_path):
    make_nested(tmp_path, "train")
    make_nested(tmp_path, "test", seed=100)
    for i in range(5):
        shutil.rmtree(tmp_path / f"test/id{i}/mask")
    report = inspect_project(tmp_path, INSTANCE)
    assert report.problems == []
    assert report.parts["test"].n_without_target == 5
    for i in range(5):
        shutil.rmtree(tmp_path / f"train/id{i}/mask")
    problems = inspect_project(tmp_path, INSTANCE).problems
    assert_found(problems, r"^train: for instance_seg.* Got nothing of that")
    # What lies there is not passed over.
    write_image(tmp_path / "test/id3/image/more.png", cells(50))
    problems = inspect_project(tmp_path, INSTANCE).problems
    assert [x for x in problems if x.startswith("test") and "Got 2 in id3/image/" in x]


def test_some_images_are_read_of_many(tmp_path, monkeypatch):
    make_both(tmp_path, SEMANTIC)
    read = []
    original = _inspect_reading.read_image
    monkeypatch.setattr(
        _inspect_reading,
        "read_image",
        lambda path, **options: read.append(path.name) or original(path, **options),
    )
    (tmp_path / "train/image/1.png").write_bytes(b"broken")
    report = inspect_project(tmp_path, SEMANTIC, read=3)
    assert read == 2 * ["0.png", "0.png", "2.png", "2.png", "5.png", "5.png"]
    assert report.problems == []
    assert report.parts["train"].n_images == 6
    assert report.parts["train"].n_read == 3
    # What was not read may hold the third class.
    report = inspect_project(tmp_path, SEMANTIC, read=3, n_classes=3)
    assert report.problems == []
    assert_found(report.warnings, r"Got 2 instead of 3")
    read.clear()
    inspect_project(tmp_path, SEMANTIC)
    assert len(read) == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "segmentation"}, r"`task` must be one of semantic.* Got 'segment"),
        ({"n_classes": 1}, r"`n_classes` must be None or an int >= 2\. Got 1"),
        ({"n_classes": "2"}, r"`n_classes` must be None or an int >= 2\. Got '2'"),
        ({"read": 0}, r"`read` must be 'all' or an int >= 1\. Got 0"),
        ({"read": True}, r"`read` must be 'all' or an int >= 1\. Got True"),
        ({"read": "some"}, r"`read` must be 'all' or an int >= 1\. Got 'some'"),
        ({"spatial_ndim": 4}, r"`spatial_ndim` must be 2, 3 or None\. Got 4"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        inspect_project(tmp_path, **{"task": SEMANTIC, **arguments})


def test_a_description_shows_some_of_each_kind(tmp_path):
    make(tmp_path, SEMANTIC, n=12)
    for i in range(9):
        (tmp_path / f"train/image/{i}.png").write_bytes(b"broken")
    write_image(tmp_path / "train/groundtruth/11.png", cells(0, (20, 20)))
    report = inspect_project(tmp_path, SEMANTIC)
    lines = describe(report).splitlines()
    assert lines[0] == f"{tmp_path}, for semantic segmentation"
    assert "train: 12 images, 12 with target, 3 read" in lines
    assert "  size          height 48; width 64" in lines
    assert "10 problems, to be mended before a run:" in lines
    assert sum("a readable .png" in line for line in lines) == 5
    assert "  and 4 more of this kind" in lines
    assert any("train/groundtruth/11.png" in line for line in lines)


def test_a_description_without_problems(tmp_path):
    make(tmp_path, INSTANCE)
    text = describe(inspect_project(tmp_path, INSTANCE))
    assert text.endswith("No problems.")
    assert re.search(r"object +\d+ objects in 6 images", text)


def test_a_description_names_classes(tmp_path):
    make(tmp_path, CLASSIFICATION)
    rows = [f"{i}.png,{'a_long_name' if i else 'b'}" for i in range(6)]
    write_table(tmp_path, "train", rows)
    lines = describe(inspect_project(tmp_path, CLASSIFICATION)).splitlines()
    assert "  class a_long_name 5 images" in lines
    assert "  class b       1 image" in lines
    make(tmp_path / "masks", SEMANTIC)
    text = describe(inspect_project(tmp_path / "masks", SEMANTIC))
    assert re.search(r"  class 1       \d\d\.\d\d% of pixels, in 6 images\n", text)


def test_paths_may_be_relative(tmp_path, monkeypatch):
    make(tmp_path, SEMANTIC)
    (tmp_path / "train/image/1.png").write_bytes(b"broken")
    monkeypatch.chdir(tmp_path)
    assert_found(
        inspect_project(".", SEMANTIC).problems, r"^train/image/1\.png: a read"
    )
    assert_found(
        inspect_project("./", SEMANTIC).problems, r"^train/image/1\.png: a rea"
    )


def test_it_finds_what_load_folder_takes(shared_data):
    report = inspect_project(shared_data / "nuclear_envelope_3d", REGRESSION)
    assert report.problems == []
    assert report.parts["train"].spatial_ndim == 3
    assert report.parts["train"].sizes["depth"] == (16, 16.0, 16)
    assert ImageCollection(report.parts["test"].names).shape == (2,)


def peak_memory(root):
    tracemalloc.start()
    try:
        inspect_project(root, SEMANTIC)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_one_image_is_held_at_a_time(tmp_path):
    for folder in ("image", "groundtruth"):
        (tmp_path / "train" / folder).mkdir(parents=True)
    peaks = []
    for numbers in (range(4), range(4, 24)):
        for i in numbers:
            image = cells(i, (512, 512))
            write_image(tmp_path / f"train/image/{i}.png", image)
            write_image(tmp_path / f"train/groundtruth/{i}.png", classes_of(image))
        peaks.append(peak_memory(tmp_path))
    # 20 images more are 10 MiB more, of which some kilobytes each are kept.
    assert peaks[1] < peaks[0] + 2**20


def channels_of(seed, n_channels, shape=(48, 64)):
    return np.stack([cells(seed + 100 * i, shape) for i in range(n_channels)], axis=-1)


def test_many_channels_of_test_images_are_known_from_train(tmp_path):
    make_both(tmp_path, SEMANTIC)
    shutil.rmtree(tmp_path / "test/groundtruth")
    for part in ("train", "test"):
        for i in range(6):
            path = tmp_path / part / "image" / f"{i}.png"
            path.unlink()
            image = channels_of(i + (part == "test") * 50, 7)
            np.save(path.with_suffix(".npy"), image)
    report = inspect_project(tmp_path, SEMANTIC)
    assert report.problems == []
    assert report.parts["test"].channels == {7: 6}
    assert report.parts["test"].spatial_ndim == 2
    # Where there is no train to know it from, it is said.
    alone = inspect_project(tmp_path, SEMANTIC, only_test=True, spatial_ndim=2)
    assert alone.problems == []
    assert alone.parts == {"test": report.parts["test"]}


def test_classes_are_told_of_images_but_not_of_volumes(tmp_path):
    make(tmp_path, CLASSIFICATION)
    for n_channels in (7, 64):
        for i in range(6):
            (tmp_path / "train/image" / f"{i}.png").unlink(missing_ok=True)
            image = channels_of(i, n_channels, (20, 24))
            np.save(tmp_path / "train/image" / f"{i}.npy", image)
        problems = inspect_project(tmp_path, CLASSIFICATION).problems
        assert len(problems) == (0 if n_channels == 7 else 6)
    assert re.search(r"^train/image/0\.npy: .*\(20, 24, 64\)", problems[0])
