"""predict.py on documents of several pages, and its answers in a file."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

import documents
import predict
from compose import number, paper, write
from digits.support import constants
from digits.support.messages import UserError
from helpers import full_disk, run, start


def scan(*texts):
    """Return a PDF with a number on each page, as bytes."""
    first, *others = (Image.fromarray(write(number(text), paper((120, 400)))) for text in texts)
    file = io.BytesIO()
    first.save(file, "PDF", save_all=True, append_images=others, resolution=100, quality=95)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a scan of three pages, one of a single page, and an image."""
    (tmp_path / "scan.pdf").write_bytes(scan("31", "407", "58"))
    (tmp_path / "page.pdf").write_bytes(scan("92"))
    Image.fromarray(write(number("2026"), paper((120, 400)))).save(tmp_path / "a.png")
    return tmp_path


NAMES = ["a.png", "page.pdf", "scan.pdf#1", "scan.pdf#2", "scan.pdf#3"]
TEXTS = ["2026", "92", "31", "407", "58"]


def test_every_page_has_a_record(folder, capsys):
    assert predict.main([str(folder), "--format", "jsonl"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [os.path.basename(record["file"]) for record in records] == NAMES
    assert [record["page"] for record in records] == [None, None, 1, 2, 3]
    assert [record["text"] for record in records] == TEXTS
    x0, y0, x1, y1 = records[2]["digits"][0]["box"]
    assert 40 <= x0 < x1 <= 170 and 40 <= y0 < y1 <= 200  # the page is drawn at twice its resolution


def test_annotated_copies_of_pages(folder, capsys):
    (folder / "scan#2.png").write_bytes((folder / "a.png").read_bytes())  # another image of the name of a page's copy
    assert predict.main([str(folder), "--annotate", str(folder / "out")]) == 0
    assert sorted(os.listdir(folder / "out")) == ["a.png", "page.png", "scan#1.png", "scan#2.png", "scan#3.png", "scan_2.png"]


def test_damaged_pages_and_documents(folder, capsys):
    (folder / "locked.pdf").write_bytes(documents.LOCKED)
    (folder / "cut.pdf").write_bytes(scan("31")[:-1500])
    assert predict.main([str(folder)]) == 1
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 5 and len(said.err.splitlines()) == 2
    assert "locked.pdf is locked with a password" in said.err and "cut.pdf" in said.err
    assert predict.main([str(folder / "locked.pdf")]) == 2


def test_a_pdf_on_standard_input(folder):
    with open(folder / "scan.pdf", "rb") as file:
        process = subprocess.run([sys.executable, predict.__file__, "-"], stdin=file, capture_output=True, text=True)
    assert [line.split(" (")[0] for line in process.stdout.splitlines()] == ["-#1: 31", "-#2: 407", "-#3: 58"]


# --- answers in a file -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "CSV"])
def test_output_is_what_the_format_gives(folder, ending, capsys):
    assert predict.main([str(folder), "--format", ending.lower()]) == 0
    expected = capsys.readouterr().out
    path = folder / "answers" / f"today.{ending}"
    assert predict.main([str(folder), "--output", str(path)]) == 0
    assert path.read_text() == expected and capsys.readouterr().out == "" and os.listdir(path.parent) == [path.name]
    if ending == "csv":
        assert [row["text"] for row in csv.DictReader(io.StringIO(expected))] == TEXTS


def test_output_of_a_wrong_kind(folder, capsys):
    for arguments, fault in (
        (["--output", "answers.txt"], ".csv, .jsonl or .json"),
        (["--output", "answers.csv", "--format", "json"], "no other --format"),
        (["--output", "answers.json", "--shard", "1/2"], "--shard"),
    ):
        with pytest.raises(SystemExit) as ended:
            predict.main([str(folder), *arguments])
        assert ended.value.code == 2 and fault in capsys.readouterr().err


def test_output_never_replaces_an_image(folder, capsys):
    image = folder / "photo.csv"
    shutil.copy(folder / "a.png", image)
    for paths in ([image], [folder, f"{folder}/*.csv"]):
        with pytest.raises(UserError, match="photo.csv is one of the images"):
            predict.main([*map(str, paths), "--output", str(image)])
    with pytest.raises(SystemExit):
        predict.main([str(image), "--output", ""])
    assert image.read_bytes() == (folder / "a.png").read_bytes() and capsys.readouterr().out == ""


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_output_stays_as_it_was_where_nothing_could_be_read(folder, ending):
    path = folder / f"answers.{ending}"
    path.write_text("of yesterday\n")
    with pytest.raises(UserError, match=f"No image could be read, so .*answers.{ending} stays as it was"):
        predict.main([str(folder / "mistyped.png"), "--output", str(path)])
    assert path.read_text() == "of yesterday\n"
    assert predict.main([str(folder / "mistyped.png"), "--output", str(folder / f"new.{ending}")]) == 2
    assert "mistyped.png does not exist" in (folder / f"new.{ending}").read_text()


def test_output_is_whole_or_not_at_all(folder, capsys):
    path = folder / "answers.csv"
    path.write_text("of yesterday\n")
    with full_disk(100), pytest.raises(UserError, match="cannot write .*answers.csv: the disk is full"):
        predict.main([str(folder), "--output", str(path)])
    process = start("predict.py", *[folder / "a.png"] * 3000, "--annotate", folder / "out", "--output", path)
    while not (folder / "out").exists() or len(os.listdir(folder / "out")) < 3:
        assert process.poll() is None
    process.terminate()
    process.communicate()
    assert path.read_text() == "of yesterday\n"


def test_a_shard_is_the_same_part_whatever_the_file_system(folder):
    for name in ("1.png", "01.png", "001.png"):
        shutil.copy(folder / "a.png", folder / name)
    lines = [
        line
        for part in (1, 2, 3)
        for line in run("predict.py", folder, "--shard", f"{part}/3", "--format", "jsonl").stdout.splitlines()
    ]
    names = [os.path.basename(json.loads(line)["file"]) for line in lines]
    assert names == ["001.png", "01.png", "1.png", *NAMES]


@pytest.mark.slow
def test_a_warning_about_the_model_is_said_once(folder, tmp_path):
    """A record of another training; and images so large that each would go to a process alone."""
    model = tmp_path / "model" / "mine.keras"
    model.parent.mkdir()
    shutil.copy(constants.DEFAULT_MODEL, model)
    for ending in (".tflite", ".json"):
        shutil.copy(constants.DEFAULT_MODEL.with_suffix(ending), model.with_suffix(ending))
    model.with_suffix(".json").write_text('{"model_sha256": "of another"}')
    Image.open(folder / "a.png").resize((800, 240)).save(folder / "large.bmp")
    process = run("predict.py", "--model", model, *[folder / "large.bmp"] * 20)
    assert process.returncode == 0 and len(process.stdout.splitlines()) == 20
    assert process.stderr.count("is not the record of") == 1 and process.stderr.count("using Keras instead") == 1
