import unicodedata

import numpy as np
import pytest

from instantdl.exceptions import ImageError
from instantdl.io import write_image
from instantdl.pipeline._evaluate import evaluate, evaluate_folders
from instantdl.pipeline._evaluation import _resampling as resampling

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _fewer(monkeypatch):
    monkeypatch.setattr(resampling, "N_DRAWS", 20)
    monkeypatch.setattr(resampling, "N_HALVES", 20)


def _write(folder, images, names, ending):
    folder.mkdir()
    for name, image in zip(names, images, strict=True):
        write_image(folder / f"{name}.{ending}", image)
    return folder


@pytest.fixture
def masks(tmp_path):
    """Folders of masks with probability and uncertainty, and what is in them."""
    names = ["img2", "img10", "a"]
    true, pred = (RNG.integers(0, 3, (2, 3, 6, 7))).astype(np.uint8)
    proba = RNG.dirichlet(np.ones(3), true.shape).astype(np.float32)
    uncertainty = RNG.random(true.shape).astype(np.float32)
    folders = {
        "truth": _write(tmp_path / "truth", true, names, "png"),
        "predicted": _write(tmp_path / "predicted", pred, names, "tif"),
        "probability": _write(tmp_path / "probability", proba, names, "tif"),
        "uncertainty": _write(tmp_path / "uncertainty", uncertainty, names, "npy"),
    }
    order = [2, 0, 1]
    arrays = {
        "y_true": true[order],
        "y_pred": pred[order],
        "probability": proba[order],
        "uncertainty": uncertainty[order],
    }
    return folders, arrays


def test_folders_give_what_arrays_give(masks):
    folders, arrays = masks
    found = evaluate_folders("semantic_segmentation", **folders, random_state=3)
    names = ["a.png", "img2.png", "img10.png"]
    expected = evaluate("semantic_segmentation", **arrays, names=names, random_state=3)
    assert found.to_dict() == expected.to_dict()


@pytest.mark.parametrize("task", ["instance_segmentation", "regression"])
def test_other_tasks_are_read_too(task, tmp_path):
    true, pred = RNG.integers(0, 9, (2, 3, 8, 8)).astype(np.uint16)
    names = ["0", "1", "2"]
    found = evaluate_folders(
        task,
        str(_write(tmp_path / "t", true, names, "png")),
        str(_write(tmp_path / "p", pred, names, "tif")),
    )
    expected = evaluate(task, true, pred, names=["0.png", "1.png", "2.png"])
    assert found.to_dict() == expected.to_dict()


def test_all_files_without_partner_are_reported_at_once(masks):
    folders, _ = masks
    (folders["predicted"] / "a.tif").unlink()
    (folders["truth"] / "img2.png").unlink()
    (folders["uncertainty"] / "img10.npy").rename(folders["uncertainty"] / "b.npy")
    with pytest.raises(ImageError, match="Got 6 problems") as caught:
        evaluate_folders("semantic_segmentation", **folders)
    text = str(caught.value)
    for line in (
        f"{folders['truth'] / 'a.png'} has no partner in {folders['predicted']}",
        f"{folders['predicted'] / 'img2.tif'} has no partner in {folders['truth']}",
        f"{folders['truth'] / 'img10.png'} has no partner in {folders['uncertainty']}",
        f"{folders['uncertainty'] / 'b.npy'} has no partner in {folders['truth']}",
    ):
        assert line in text


def test_a_picture_beside_the_tiff_file_does_not_count(masks):
    folders, _ = masks
    expected = evaluate_folders("semantic_segmentation", **folders)
    write_image(folders["predicted"] / "a.png", np.zeros((3, 3), np.uint8))
    found = evaluate_folders("semantic_segmentation", **folders)
    assert found.to_dict() == expected.to_dict()
    write_image(folders["truth"] / "a.bmp", np.zeros((3, 3), np.uint8))
    with pytest.raises(ImageError, match="has a.bmp and a.png, one name too many"):
        evaluate_folders("semantic_segmentation", **folders)


def test_other_files_do_not_count(masks):
    folders, _ = masks
    (folders["predicted"] / "metrics.csv").write_text("a,b\n")
    assert len(evaluate_folders("semantic_segmentation", **folders).per_image) == 3


def test_folders_must_be_there_and_hold_images(tmp_path, masks):
    folders, _ = masks
    with pytest.raises(FileNotFoundError, match="nowhere: there must be a folder"):
        evaluate_folders("regression", folders["truth"], tmp_path / "nowhere")
    for name in ("empty", "void"):
        (tmp_path / name).mkdir()
    with pytest.raises(ImageError, match="there are no images in any folder"):
        evaluate_folders("regression", tmp_path / "empty", tmp_path / "void")


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="`task` must be one of"):
        evaluate_folders("masks", "a", "b")


@pytest.mark.parametrize("side", ["truth", "predicted"])
def test_bool_masks_take_the_values_of_the_others(tmp_path, side):
    truth, predicted = RNG.integers(0, 2, (2, 3, 6, 7)).astype(np.uint8) * 255
    masks = {"truth": truth, "predicted": predicted}
    # The first mask of the other side does not tell its values.
    masks["predicted" if side == "truth" else "truth"][0] = 0
    names = ["0.npy", "1.npy", "2.npy"]
    expected = evaluate("semantic_segmentation", truth, predicted, names=names)
    masks[side] = masks[side] > 0
    for part, images in masks.items():
        _write(tmp_path / part, images, ["0", "1", "2"], "npy")
    found = evaluate_folders(
        "semantic_segmentation", tmp_path / "truth", tmp_path / "predicted"
    )
    assert found.to_dict() == expected.to_dict()


def test_bool_masks_beside_several_classes_are_refused(tmp_path):
    classes = np.arange(3, dtype=np.uint8).repeat(12).reshape(1, 6, 6)
    truth = _write(tmp_path / "truth", classes > 0, ["a"], "npy")
    predicted = _write(tmp_path / "predicted", classes, ["a"], "npy")
    with pytest.raises(ValueError, match="A bool mask must be compared with values 0"):
        evaluate_folders("semantic_segmentation", truth, predicted)


TRUTH = """filename,groundtruth
b.png,monocyte
a.png,basophil
c.png,basophil
"""
PREDICTED = """filename,prediction,probability monocyte,probability basophil,uncertainty
a.tif,basophil,0.2,0.8,0.1
b.tif,basophil,0.4,0.6,0.7
c.tif,basophil,0.1,0.9,0.2
"""


@pytest.fixture
def tables(tmp_path):
    truth, predicted = tmp_path / "groundtruth.csv", tmp_path / "predictions.csv"
    truth.write_text(TRUTH)
    predicted.write_text(PREDICTED)
    return truth, predicted


def _expected(**options):
    return evaluate(
        "classification",
        ["monocyte", "basophil", "basophil"],
        ["basophil", "basophil", "basophil"],
        names=["b.png", "a.png", "c.png"],
        uncertainty=[0.7, 0.1, 0.2],
        **options,
    )


def test_tables_give_what_arrays_give(tables):
    found = evaluate_folders("classification", *tables)
    expected = _expected(
        probability=[[0.4, 0.6], [0.2, 0.8], [0.1, 0.9]],
        classes=["monocyte", "basophil"],
    )
    assert found.to_dict() == expected.to_dict()


def test_letters_with_marks_pair_in_either_form(tables):
    truth, predicted = tables
    for path, form in ((truth, "NFC"), (predicted, "NFD")):
        text = path.read_text().replace("a.", unicodedata.normalize(form, "ä."))
        path.write_text(text, encoding="utf-8")
    found = evaluate_folders("classification", *tables)
    assert list(found.per_image.index)[1] == unicodedata.normalize("NFC", "ä.png")


def test_classes_order_the_columns(tables):
    classes = ["basophil", "monocyte"]
    found = evaluate_folders("classification", *tables, classes=classes)
    expected = _expected(
        probability=[[0.6, 0.4], [0.8, 0.2], [0.9, 0.1]], classes=classes
    )
    assert found.to_dict() == expected.to_dict()


def test_probability_and_uncertainty_may_be_in_files_of_their_own(tables, tmp_path):
    truth, predicted = tables
    other = tmp_path / "other.csv"
    other.write_text(PREDICTED)
    predicted.write_text(
        "\n".join(
            line.split(",")[0] + "," + line.split(",")[1]
            for line in PREDICTED.splitlines()
        )
    )
    plain = evaluate_folders("classification", truth, predicted)
    assert plain.uncertainty == {}
    assert "roc_auc" not in plain.metrics.index
    found = evaluate_folders(
        "classification", truth, predicted, probability=other, uncertainty=other
    )
    other.rename(predicted)
    expected = evaluate_folders("classification", truth, predicted)
    assert found.to_dict() == expected.to_dict()


def test_whole_numbers_are_integers(tmp_path):
    (tmp_path / "t.csv").write_text("filename;groundtruth\na;1\nb;10\nc;2\n")
    (tmp_path / "p.csv").write_text(
        "filename,prediction,probability 1,Probability 2,probability 10\n"
        "a,1,1,0,0\nb,2,0,0.5,0.5\nc,2,0,1,0\n"
    )
    found = evaluate_folders("classification", tmp_path / "t.csv", tmp_path / "p.csv")
    assert list(found.per_class.index) == [1, 2, 10]
    assert found.metrics.loc["mean_absolute_error", "value"] == pytest.approx(8 / 3)


def test_labels_have_the_type_of_the_classes(tmp_path):
    (tmp_path / "t.csv").write_text("filename,groundtruth\na,True\nb,False\nc,True\n")
    (tmp_path / "p.csv").write_text("filename,prediction\na,True\nb,False\nc,False\n")
    files = tmp_path / "t.csv", tmp_path / "p.csv"
    found = evaluate_folders("classification", *files, classes=[False, True])
    assert found.per_image["true"].tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"labels of \['no', 'yes'\] only. Got 'True'"):
        evaluate_folders("classification", *files, classes=["no", "yes"])


def test_names_that_differ_in_their_ending_are_two(tmp_path):
    (tmp_path / "t.csv").write_text("filename,groundtruth\n1.png,a\n1.tif,b\n2.png,a\n")
    (tmp_path / "p.csv").write_text("filename,prediction\n1.tif,b\n2.png,b\n1.png,a\n")
    found = evaluate_folders("classification", tmp_path / "t.csv", tmp_path / "p.csv")
    assert found.per_image["correct"].tolist() == [True, True, False]


def test_all_rows_without_partner_are_reported_at_once(tables):
    truth, predicted = tables
    truth.write_text(TRUTH + "d.png,basophil\nd.tif,basophil\n,monocyte\n")
    predicted.write_text(PREDICTED + "e.png,basophil,0.5,0.5,1\n")
    with pytest.raises(ImageError, match="problems") as caught:
        evaluate_folders("classification", truth, predicted)
    text = str(caught.value)
    assert f"e.png has no row in {truth}" in text
    assert f"d.png has no row in {predicted}" in text
    assert f"{truth} has a row without a filename" in text


def test_all_cells_that_are_wrong_are_reported_at_once(tables):
    truth, predicted = tables
    truth.write_text(TRUTH.replace("c.png,basophil", "c.png,"))
    predicted.write_text(PREDICTED.replace("0.7", "high").replace("0.8", ""))
    with pytest.raises(ImageError, match="Got 3 problems") as caught:
        evaluate_folders("classification", truth, predicted)
    text = str(caught.value)
    assert f"{truth} has no groundtruth for c.png" in text
    assert f"{predicted} has 'high' as uncertainty, which is no number" in text
    assert f"{predicted} has no probability basophil for a.tif" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("filename,prediction\n", "is empty"),
        ("name,prediction\na,1\n", "has no column filename"),
        ("filename,label\na,1\nb,1\nc,1\n", "has no column prediction"),
        ("filename,prediction,prediction\na,1,1\n", "has 2 columns prediction"),
        ("filename,prediction\na,1,2\nb,1\nc,1\n", "line 2 has 3 cells, the header 2"),
        ("filename,prediction\na,1\na,1\nb,1\nc,1\n", "more than one row for a"),
        (b"\xff\xfe\x00", "no csv text in UTF-8"),
    ],
)
def test_tables_are_checked(tables, text, message):
    truth, predicted = tables
    content = text if isinstance(text, bytes) else text.encode()
    predicted.write_bytes(content)
    with pytest.raises(ImageError, match=message):
        evaluate_folders("classification", truth, predicted)


def test_columns_of_probabilities_must_be_those_of_the_classes(tables):
    with pytest.raises(ImageError, match="no column probability neutrophil"):
        evaluate_folders(
            "classification", *tables, classes=["basophil", "monocyte", "neutrophil"]
        )
    with pytest.raises(ImageError, match="probability monocyte, which is not in"):
        evaluate_folders("classification", *tables, classes=["basophil", "x"])
    with pytest.raises(ImageError, match="has no column probability and a class"):
        evaluate_folders("classification", *tables, probability=tables[0])


def test_tables_must_be_files(tables, tmp_path):
    with pytest.raises(FileNotFoundError, match="Got nothing of this name"):
        evaluate_folders("classification", tables[0], tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match="Got a folder"):
        evaluate_folders("classification", tmp_path, tables[1])
