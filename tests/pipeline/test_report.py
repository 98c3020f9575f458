"""The report is sound HTML that everybody can read, and says what the files say."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from instantdl.pipeline import write_report
from tests.pipeline.report_runs import NAMES, SECTIONS, evaluation_of, write_run

TASKS = (
    "semantic_segmentation",
    "instance_segmentation",
    "regression",
    "classification",
)
DASH = "\N{EN DASH}"
VOID = {"img", "link", "meta"}


class Page(HTMLParser):
    """Elements with their attributes and text, in order; each must be closed."""

    def __init__(self, text):
        super().__init__()
        self.source, self.elements, self.open = text, [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, *tags):
        return [element for element in self.elements if element["tag"] in tags]

    def texts(self, tag):
        return [" ".join(element["text"].split()) for element in self.all(tag)]

    def rows(self, caption):
        """Return the cells of each row of a table."""
        rows, inside = [], False
        for element in self.elements:
            if element["tag"] == "caption":
                inside = element["text"].startswith(caption)
            elif inside and element["tag"] == "tr":
                rows.append([])
            elif inside and element["tag"] in ("th", "td"):
                rows[-1].append(element["text"])
        return rows


def report_of(root, task, **options):
    return Page(write_report(write_run(root, task, **options)).read_text("utf-8"))


@pytest.fixture(scope="module", params=TASKS)
def page(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("report") / "001"
    return report_of(root, request.param, warnings=12)


def test_it_has_a_language_a_title_and_one_heading_above_all(page):
    assert page.source.startswith("<!DOCTYPE html>")
    assert page.all("html")[0]["lang"] == "en"
    assert page.texts("title")[0].endswith(": <i>cells")
    assert page.texts("h1") == ["<i>cells"]


def test_no_level_of_headings_is_left_out(page):
    levels = [int(h["tag"][1]) for h in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_figures_are_told_in_words_and_keep_their_room(page):
    images = page.all("img")
    alts = [f"Seen in {section}: 1 < 2." for section in SECTIONS]
    assert [image["alt"] for image in images] == alts
    # 15 pixels for 10 points at 150 dots per inch.
    assert {(image["width"], image["height"]) for image in images} == {("72", "36")}


def test_tables_have_headers_and_whole_rows(page):
    assert {th.get("scope") for th in page.all("th")} == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table")) >= 2
    for caption in ("Metrics of the test images", "Each test image"):
        assert len({len(row) for row in page.rows(caption)}) == 1


def test_each_part_has_a_name_of_its_own_and_is_linked(page):
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(set(ids)) == len(ids)
    targets = [link["href"] for link in page.all("a")]
    assert targets
    assert {target.removeprefix("#") for target in targets} == set(ids)
    labels = [e["aria-labelledby"] for e in page.elements if "aria-labelledby" in e]
    assert set(labels) == set(ids)


def test_what_can_be_scrolled_can_be_reached_by_keyboard_and_has_a_name(page):
    wide = [e for e in page.elements if e.get("class") == "wide"]
    assert len(wide) == len(page.all("table"))
    assert all(e["tabindex"] == "0" and e["aria-label"] for e in wide)


def test_it_asks_for_nothing_from_elsewhere(page):
    for element in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert re.match("data:|#", element.get(name, "#"))
    style = page.texts("style")[0]
    assert not re.search(r"url\(|@import|https?:", style)
    assert not re.search(r"fetch|XMLHttp|import|https?:", page.texts("script")[0])


def test_names_are_shown_as_they_are(page):
    assert [row[0] for row in page.rows("Each test image")[1:]] == NAMES
    assert not page.all("b", "i", "u")


def test_the_most_telling_metrics_come_first(page):
    cards = [element for element in page.all("li") if "data-metric" in element]
    assert len(cards) == 4
    first = page.rows("Metrics of the test images")
    named = {row[0]: row[1] for row in first[1:]}
    for card in cards:
        label = page.elements[page.elements.index(card) + 1]["text"]
        value = page.elements[page.elements.index(card) + 2]["text"]
        assert float(value) == pytest.approx(float(named[label]), rel=0.01)


def test_many_warnings_are_folded(page):
    summary = page.elements.index(page.all("summary")[0])
    items = [
        e for e in page.elements if e["text"].startswith("No ") and e["tag"] == "li"
    ]
    assert [item["text"] for item in items] == [f"No {i} <u>." for i in range(12)]
    before = [item for item in items if page.elements.index(item) < summary]
    assert len(before) == 8
    assert page.texts("summary") == ["4 more"]
    assert "12 warnings" in page.texts("a")


def test_it_says_what_was_done_and_when(page):
    text = " ".join(page.texts("main"))
    assert "Trained on 4 images, tested on 4 others. There are 12 warnings." in text
    assert "3 epochs; the weights of epoch 2" in text
    assert "2026-11-27" in page.texts("header")[0]


def test_without_images_held_back_no_epoch_is_the_best(tmp_path):
    text = report_of(tmp_path / "1", "regression", val_loss=False).texts("main")[0]
    assert "2 epochs." in text
    assert "held back, were" not in text


def test_without_targets_there_are_no_metrics(tmp_path):
    page = report_of(tmp_path / "1", "regression", evaluated=False)
    assert "nothing was evaluated" in page.texts("main")[0]
    assert page.all("table") == []
    assert "warning" not in page.texts("main")[0]


@pytest.mark.parametrize(
    ("config", "test", "expected"),
    [
        ({}, {}, "There are no test targets, so nothing was evaluated."),
        ({"evaluation": True}, {"n_images": 0}, "There are no test images, so"),
        ({"evaluation": False}, {"n_with_target": 4}, "since `evaluation` is false."),
        ({}, {"n_with_target": 4}, "The run has not come as far as the evaluation."),
    ],
)
def test_it_says_why_there_are_no_metrics(tmp_path, config, test, expected):
    root = write_run(tmp_path / "1", "regression", evaluated=False)
    told = json.loads((root / "config.json").read_text())
    (root / "config.json").write_text(json.dumps(told | config))
    checked = json.loads((root / "check.json").read_text())
    checked["parts"]["test"].update(test)
    (root / "check.json").write_text(json.dumps(checked))
    page = Page(write_report(root).read_text("utf-8"))
    assert expected in page.texts("main")[0]


def test_a_model_that_was_given_needs_no_training_images(tmp_path):
    root = write_run(tmp_path / "1", "regression", warnings=1)
    checked = json.loads((root / "check.json").read_text())
    del checked["parts"]["train"]
    (root / "check.json").write_text(json.dumps(checked))
    (root / "training" / "history.csv").unlink()
    text = Page(write_report(root).read_text("utf-8")).texts("main")[0]
    assert "The model was given, tested on 4 images. There is 1 warning." in text


def test_figures_of_older_runs_are_told_by_their_title(tmp_path):
    page = report_of(tmp_path / "1", "regression", alt=False)
    assert [image["alt"] for image in page.all("img")] == [
        f'The "{section}" figure' for section in SECTIONS
    ]


def test_what_is_not_known_is_a_dash(tmp_path):
    rows = report_of(tmp_path / "1", "instance_segmentation").rows("Metrics of")
    assert [row[2:5] for row in rows if row[0] == "true objects"] == [[DASH] * 3]
    rows = report_of(tmp_path / "2", "semantic_segmentation").rows("Each test image")
    column = rows[0].index("ROC AUC")
    assert [row[column] == DASH for row in rows[1:]] == [False, True, False, False]


def test_large_numbers_are_grouped(tmp_path):
    page = report_of(tmp_path / "1", "semantic_segmentation")
    wrong = int(evaluation_of("semantic_segmentation").uncertainty["n_wrong"])
    assert wrong > 1000
    expected = f"{wrong:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    assert dict(zip(page.texts("dt"), page.texts("dd"), strict=True))[
        "wrong pixels"
    ] == " ".join(expected.split())


def test_classes_are_no_numbers_to_be_rounded(tmp_path):
    root = write_run(tmp_path / "1", "classification")
    table = root / "evaluation" / "per_image.csv"
    lines = table.read_text("utf-8").replace(",7,", ",0.7000,").splitlines()
    table.write_text("\n".join(lines) + "\n", "utf-8")
    rows = Page(write_report(root).read_text("utf-8")).rows("Each test image")
    assert rows[0][1:4] == ["true", "predicted", "correct"]
    assert [row[1] for row in rows[1:]] == ["0", "0.7000", "0.7000", "0.7000"]
    assert [row[3] for row in rows[1:]] == ["yes", "yes", "yes", "no"]
