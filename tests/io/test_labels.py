import unicodedata

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from instantdl.exceptions import ImageError, InstantDLWarning
from instantdl.images import ImageCollection
from instantdl.io import load_folder, write_image

HEADER = "filename,groundtruth\n"


def fill(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for value, name in enumerate(names):
        write_image(folder / name, np.full((4, 5), value, np.uint8))


@pytest.fixture
def root(tmp_path):
    fill(tmp_path / "image", ["img10.png", "img2.png", "img1.png"])
    (tmp_path / "groundtruth").mkdir()
    return tmp_path


def write(root, text, encoding="utf-8"):
    path = root / "groundtruth" / "groundtruth.csv"
    path.write_bytes(text.encode(encoding))


def problems(root, text, encoding="utf-8"):
    write(root, text, encoding)
    with pytest.raises(ImageError, match=r"one row in groundtruth.csv. Got") as caught:
        load_folder(root)
    return [line.strip() for line in str(caught.value).split("\n")[1:]]


def test_whole_numbers_stay_integers_in_the_order_of_the_images(root):
    write(root, HEADER + "img10.png,0\nimg2.png,1\nimg1.png,2\n")
    data = load_folder(root)
    assert data.names == ["img1.png", "img2.png", "img10.png"]
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [2, 1, 0]
    assert data.groups is None
    assert data.channels == ["image"]


@pytest.mark.parametrize(
    "labels", [["benign", "1", "0"], ["0.5", "1", "2"], ["9" * 19, "1", "0"]]
)
def test_other_labels_are_strings(root, labels):
    names = ["img1", "img2", "img10"]
    rows = [f"{name},{label}\n" for name, label in zip(names, labels, strict=True)]
    write(root, HEADER + "".join(rows))
    y = load_folder(root).y
    assert y.dtype.kind == "U"
    assert y.tolist() == labels


def test_labels_and_groups_may_stay_as_they_stand(root):
    write(root, "filename,groundtruth,group\nimg1,01,007\nimg2,1,7\nimg10,+2,8\n")
    data = load_folder(root, as_text=True)
    assert data.y.tolist() == ["01", "1", "+2"]
    assert data.groups.tolist() == ["007", "7", "8"]
    assert load_folder(root).y.tolist() == [1, 1, 2]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_tables_of_other_programs_are_read(root, separator, newline):
    lines = [
        "\ufeff",
        "No, Group ,FileName,GroundTruth ",
        '1,p 1,img2.tif, "b, c" ',
        "2,p 2, img1 , a ,,",
        ",,,",
        "3,p 1,img10.PNG,ü",
        "",
    ]
    text = newline.join(lines).replace(",", separator).replace("b" + separator, "b,")
    write(root, text.replace('" ', '"'))
    data = load_folder(root)
    assert data.y.tolist() == ["a", "b, c", "ü"]
    assert data.groups.tolist() == ["p 2", "p 1", "p 1"]


def test_groups_cut_folds(root):
    write(root, "filename,groundtruth,group\nimg1,a,7\nimg2,b,7\nimg10,a,8\n")
    data = load_folder(root)
    assert data.groups.dtype == np.int64
    folds = list(GroupKFold(2).split(data.X, data.y, data.groups))
    assert sorted(test.tolist() for _, test in folds) == [[0, 1], [2]]


def test_labels_may_lie_beside_the_images(root):
    (root / "groundtruth").rmdir()
    assert load_folder(root).y is None
    assert load_folder(root).groups is None
    (root / "groundtruth.csv").write_text(HEADER + "img1,a\nimg2,b\nimg10,c\n")
    assert load_folder(root).y.tolist() == ["a", "b", "c"]


def test_letters_with_marks_pair_in_either_form(tmp_path):
    name = unicodedata.normalize("NFD", "für.png")
    fill(tmp_path / "image", ["b.png", name])
    (tmp_path / "groundtruth").mkdir()
    write(tmp_path, HEADER + unicodedata.normalize("NFC", "für.png,1\nb,0\n"))
    data = load_folder(tmp_path)
    assert data.names == ["b.png", name]
    assert data.y.tolist() == [0, 1]


def test_rows_without_an_image_are_left_out(root):
    rows = "".join(f"img{i}.png,{i % 2}\n" for i in range(20))
    write(root, HEADER + rows + "img7.png,\n")
    message = r"Got 18 without one, such as img0\.png\. They are left out"
    with pytest.warns(InstantDLWarning, match=message) as caught:
        data = load_folder(root)
    assert len(caught) == 1
    assert data.y.tolist() == [1, 0, 0]


def test_a_table_of_other_images_is_refused(root):
    found = problems(root, HEADER + "a.png,0\nb.png,1\n")
    assert "groundtruth.csv, line 2: a.png is not in image/" in found
    assert "image/img1.png has no row in groundtruth.csv" in found


def test_a_name_that_ends_like_a_file_is_not_cut(tmp_path):
    fill(tmp_path / "image", ["a.tif.png", "a.png"])
    (tmp_path / "groundtruth").mkdir()
    write(tmp_path, HEADER + "a.tif,1\na,0\n")
    data = load_folder(tmp_path)
    assert data.names == ["a.png", "a.tif.png"]
    assert data.y.tolist() == [0, 1]


def test_all_problems_of_a_table_are_reported_at_once(root):
    (root / "image" / "notes.txt").touch()
    (root / "image1").mkdir()
    found = problems(
        root,
        "filename,groundtruth,group\n"
        "img1.png,,p\n"
        "img2.png,1,\n"
        "img3.png,1,\n"
        ",1,p\n"
        "img2.tif,1,p,q\n"
        "img1\n",
    )
    for problem in [
        "image/notes.txt is not a known image file",
        "image1/ is empty",
        "image/img10.png has no row in groundtruth.csv",
        "groundtruth.csv, line 2 has no label for img1.png",
        "groundtruth.csv, line 3 has no group for img2.png",
        "groundtruth.csv, line 5 has no filename",
        "groundtruth.csv, line 6 has 4 cells, the header 3",
        "groundtruth.csv has img2.png in lines 3 and 6",
        "groundtruth.csv, line 7 has no label for img1",
        "groundtruth.csv has img1.png in lines 2 and 7",
    ]:
        assert problem in found
    assert not [problem for problem in found if "img3" in problem]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["groundtruth.csv is empty: it needs a header and a row per image"]),
        (HEADER, ["groundtruth.csv is empty: it needs a header and a row per image"]),
        (
            "file; label\nimg1;0\n",
            [
                "groundtruth.csv has no column filename; its first line is file, label",
                "groundtruth.csv has no column groundtruth; its first line is file,"
                " label",
            ],
        ),
        (
            "filename,groundtruth,Groundtruth\nimg1,0,1\n",
            ["groundtruth.csv has 2 columns groundtruth"],
        ),
    ],
)
def test_a_table_that_is_wrong_as_a_whole_is_one_problem(root, text, expected):
    assert problems(root, text) == expected


@pytest.mark.parametrize(
    ("text", "encoding", "reason"),
    [
        (HEADER + "img1,ü\n", "latin-1", r"can't decode byte 0xfc"),
        (HEADER + "img1,0\n", "utf-16", r"can't decode byte"),
        (HEADER + 'img1,"0\n', "utf-8", r"unexpected end of data"),
    ],
)
def test_an_unreadable_table_says_why(root, text, encoding, reason):
    write(root, text, encoding)
    with pytest.raises(ImageError, match=rf"no csv text in UTF-8: .*{reason}"):
        load_folder(root)


def test_a_table_beside_target_images_is_refused(root):
    fill(root / "groundtruth", ["img1.png"])
    assert problems(root, HEADER + "img1,a\nimg2,b\nimg10,c\n") == [
        "groundtruth/ has groundtruth.csv and images such as img1.png, one kind too"
        " many"
    ]


def test_two_tables_are_refused(root):
    (root / "groundtruth.csv").write_text(HEADER)
    assert problems(root, HEADER + "img1,a\nimg2,b\nimg10,c\n") == [
        "groundtruth.csv lies beside groundtruth/, one of them too many"
    ]


def test_nothing_in_a_table_is_evaluated(root):
    labels = ["=1+1", "__import__('os')", "None"]
    rows = zip(["img1", "img2", "img10"], labels, strict=True)
    write(root, HEADER + "".join(f'{name},"{label}"\n' for name, label in rows))
    assert load_folder(root).y.tolist() == labels


def test_folders_are_classes(tmp_path):
    fill(tmp_path / "type 10", ["b.png", "a.png"])
    fill(tmp_path / "type 2", ["10.tif", "9.tif", "9.png"])
    fill(tmp_path / ".cache", ["a.png"])
    (tmp_path / "results").mkdir()
    (tmp_path / "README.md").touch()
    data = load_folder(tmp_path)
    assert data.names == [
        "type 2/9.png",
        "type 2/9.tif",
        "type 2/10.tif",
        "type 10/a.png",
        "type 10/b.png",
    ]
    assert data.y.dtype.kind == "U"
    assert data.y.tolist() == ["type 2"] * 3 + ["type 10"] * 2
    assert isinstance(data.X, ImageCollection)
    assert [int(image[0, 0]) for image in data.X] == [2, 1, 0, 1, 0]
    assert data.groups is None
    assert data.channels == []


def test_other_files_among_the_images_of_classes_are_reported(tmp_path):
    for name in ["a", "b"]:
        fill(tmp_path / name, ["1.png"])
        (tmp_path / name / "2.gif").touch()
    with pytest.raises(
        ImageError, match=r"classes must hold images only. Got 2 problems(.|\n)*b/2.gif"
    ):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["images", "masks"],
        ["a", "groundtruth"],
        ["Image", "image1"],
        ["train", "test"],
    ],
)
def test_folders_that_are_no_classes_are_refused(tmp_path, names):
    for name in names:
        fill(tmp_path / name, ["1.png"])
    with pytest.raises(FileNotFoundError, match=r"Put the images into it.*each class"):
        load_folder(tmp_path)


def test_one_folder_of_a_class_is_told_what_it_lacks(tmp_path):
    fill(tmp_path / "basophil", ["1.png"])
    with pytest.raises(
        FileNotFoundError, match=r"two or more, and basophil/ is one.*groundtruth\.csv"
    ):
        load_folder(tmp_path)


def test_folders_of_whole_data_sets_are_no_classes(tmp_path):
    for part in ["test", "train"]:
        fill(tmp_path / part / "image", ["1.png"])
        fill(tmp_path / part, ["overview.png"])
    with pytest.raises(
        FileNotFoundError, match=r"Got test, train. Load .*test instead"
    ):
        load_folder(tmp_path)


def test_a_table_without_images_is_not_dropped_for_classes(tmp_path):
    for name in ["a", "b"]:
        fill(tmp_path / name, ["1.png"])
    (tmp_path / "groundtruth.csv").write_text(HEADER + "1,0\n")
    with pytest.raises(FileNotFoundError, match=r"must hold a folder `image/`"):
        load_folder(tmp_path)
