"""`from digits import read_image, read_images` from any program: threads, processes, folders, foreign modules."""

import json
import pathlib
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

import documents
from compose import number, paper, write
from digits import read_image, read_images
from digits.support.messages import UserError
from helpers import ROOT


def page(text):
    """Return a sheet with a number on it, (120, 400, 3) uint8."""
    return write(number(text), paper((120, 400)))


@pytest.fixture(scope="module")
def tiff(tmp_path_factory):
    """Return the path of a TIFF with three pages: 31, nothing, 407."""
    path = tmp_path_factory.mktemp("scans") / "scan.tif"
    first, *others = (Image.fromarray(image) for image in (page("31"), paper((120, 400)), page("407")))
    first.save(path, save_all=True, append_images=others)
    return path


def test_threads_give_the_answers_of_one(mnist):
    """8 threads with 50 calls each, the first of which load the network."""
    images = [*mnist.x_test[:9], page("31")]
    answers: list[tuple[int, dict]] = []

    def read_many(first):
        for turn in range(50):
            place = (first + turn) % len(images)
            answers.append((place, read_image(images[place], top_k=7)))  # so many alternatives that no test has a reader for it

    threads = [threading.Thread(target=read_many, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [read_image(image, top_k=7) for image in images]
    assert len(answers) == 400 and all(answer == expected[place] for place, answer in answers)


def test_read_image_of_a_document_is_its_first_page(tiff):
    record = read_image(tiff)
    assert (record["file"], record["page"], record["text"]) == (f"{tiff}#1", 1, "31")
    assert record["notes"] == [f"{tiff} has several pages; the first was read."]


def test_read_images_reads_every_page_of_paths_and_arrays(tiff, tmp_path):
    Image.fromarray(page("58")).save(tmp_path / "one.tif")
    records = list(read_images([tiff, tmp_path / "one.tif", page("31"), str(tmp_path / "gone.png")]))
    names = [f"{tiff}#1", f"{tiff}#2", f"{tiff}#3", str(tmp_path / "one.tif"), None, str(tmp_path / "gone.png")]
    assert [record["file"] for record in records] == names
    assert [record["page"] for record in records] == [1, 2, 3, None, None, None]
    assert [record["text"] for record in records] == ["31", "", "407", "58", "31", ""]
    assert [bool(record["error"]) for record in records] == [False] * 5 + [True]


def test_a_locked_document_is_refused(tmp_path):
    (tmp_path / "scan.pdf").write_bytes(documents.LOCKED)
    with pytest.raises(UserError, match="scan.pdf is locked"):
        read_image(tmp_path / "scan.pdf")


def test_boxes_in_a_large_jpeg_are_in_pixels_of_the_upright_original(tmp_path):
    """Of digits, and of the signs between them."""
    coverage = number("407", size=(120, 400), gap=1.2)
    cv2.line(coverage, (112, 100), (128, 20), 1.0, 7)  # a slash between the first two digits
    sheet = write(coverage, paper((120, 400)))
    small = read_image(sheet)
    exif = Image.Exif()
    exif[0x0112] = 6
    large = Image.fromarray(cv2.resize(sheet, None, fx=8.0025, fy=8.0025))  # 3201 x 960: decoded at a part of its size
    large.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    record = read_image(tmp_path / "turned.jpg")
    assert record["text"] == small["text"] and len(record["digits"]) >= 3
    for kind in ("digits", "separators"):
        assert len(record[kind]) == len(small[kind])
        for one, same in zip(record[kind], small[kind]):
            assert np.abs(np.array(one["box"]) - 8 * np.array(same["box"])).max() <= 24


PROGRAM = """
import json, sys
sys.path.append({project!r})  # behind the program's own folder
import data_loader, model, training
from digits import read_image, read_images

if __name__ == "__main__":
    assert (model.mine, data_loader.mine, training.mine) == (1, 2, 3)
    text = read_image("{scan}")["text"]
    texts = [record["text"] for record in read_images(["{scan}"] * 20)]
    print(json.dumps([text, sorted(set(texts)), len(texts), "tensorflow" in sys.modules]))
"""


@pytest.mark.slow
def test_beside_modules_of_the_same_names_and_from_any_folder(tmp_path):
    """A program has a model.py, a data_loader.py and a training/ of its own, and images for several processes."""
    program = tmp_path / "program"
    (program / "training").mkdir(parents=True)
    for name, value in (("model.py", 1), ("data_loader.py", 2), ("training/__init__.py", 3)):
        (program / name).write_text(f"mine = {value}\n")
    Image.fromarray(page("407")).resize((800, 240)).save(tmp_path / "scan.bmp")  # so large that each goes to a process alone
    (program / "main.py").write_text(PROGRAM.format(project=str(ROOT), scan=tmp_path / "scan.bmp"))
    for folder in (tmp_path, pathlib.Path("/")):
        process = subprocess.run([sys.executable, program / "main.py"], capture_output=True, text=True, cwd=folder)
        assert process.stderr == "" and process.returncode == 0
        assert json.loads(process.stdout) == ["407", ["407"], 20, False]


def test_why_an_image_without_plain_paper_is_not_read_is_told():
    record = read_image(ROOT / "images" / "examples" / "blank.jpg")
    assert record["text"] == "" and any("no plain paper" in note for note in record["notes"])


@pytest.mark.parametrize("fault", [{"runtime": "gpu"}, {"invert": True}, {"top_k": 0}, {"min_confidence": 85}], ids=str)
def test_values_that_an_argument_does_not_have_are_refused(fault):
    with pytest.raises(ValueError, match=f"{next(iter(fault))} is .*; it must be"):
        read_image(ROOT / "images" / "examples" / "number.jpg", **fault)
