"""predict.py through its command line: what is read, how it is written, and what a fault costs."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import data_loader
import predict
from digits.reading import image_paths, reader
from digits.support import constants, messages

FOLDER = os.path.dirname(os.path.abspath(predict.__file__))
COMMAND = [sys.executable, os.path.join(FOLDER, "predict.py"), "--model", str(constants.DEFAULT_MODEL)]


@pytest.fixture(scope="module")
def mnist():
    """Return MNIST test digits that are easy: 7, 2, 1, 0, 4 ... and their labels."""
    data = data_loader.load_mnist()
    return data.x_test[:400], data.y_test[:400]


@pytest.fixture
def digits(tmp_path, mnist):
    """Return a folder with 1.png (7), 2.png (2) and 10.png (1)."""
    for name, index in (("1", 0), ("2", 1), ("10", 2)):
        save(mnist[0][index], tmp_path / f"{name}.png")
    return tmp_path


def save(image, path):
    """Write a digit as people draw: dark on light, enlarged, with a margin."""
    Image.fromarray(np.pad(255 - image, 6, constant_values=255)).resize((160, 160)).save(path)


def run(capsys, *arguments):
    """Call main in this process. Returns (exit status, standard output, standard error)."""
    try:
        status = predict.main(["--model", str(constants.DEFAULT_MODEL), *map(str, arguments)])
    except messages.UserError as error:
        status = 2
        print(error, file=sys.stderr)
    except SystemExit as error:
        status = error.code
    said = capsys.readouterr()
    return status, said.out, said.err


def records_of(text):
    return [json.loads(line) for line in text.splitlines()]


# --- what is read ------------------------------------------------------------------------------------------


def test_text(capsys, digits):
    status, out, err = run(capsys, digits / "1.png", digits / "10.png")
    assert status == 0 and err == ""
    first, second = out.splitlines()
    assert first.startswith(f"{digits}/1.png: 7 (") and first.endswith(" %)")
    assert second.startswith(f"{digits}/10.png: 1 (")


def test_blank(capsys, tmp_path):
    Image.new("L", (100, 80), 230).save(tmp_path / "blank.png")
    assert run(capsys, tmp_path / "blank.png") == (0, f"{tmp_path}/blank.png: no digit found\n", "")
    status, out, _ = run(capsys, "--format", "jsonl", tmp_path / "blank.png")
    (record,) = records_of(out)
    assert status == 0 and record["error"] is None
    assert (record["text"], record["confidence"], record["digits"]) == ("", None, [])


def test_single_always_answers_with_one(capsys, digits, mnist):
    Image.new("L", (100, 80), 230).save(digits / "blank.png")
    save(np.hstack(mnist[0][:2]), digits / "two.png")
    _, out, _ = run(capsys, "--single", "--format", "jsonl", digits)
    assert [len(record["text"]) for record in records_of(out)] == [1] * 5


def test_folder_is_in_natural_order_and_holds_only_images(capsys, digits):
    (digits / "labels.csv").write_text("file,label\n")
    (digits / ".hidden.png").write_text("no image")
    (digits / "inner").mkdir()
    save(np.zeros((28, 28), np.uint8), digits / "inner" / "3.png")
    _, out, err = run(capsys, "--format", "jsonl", digits)
    assert [os.path.basename(r["file"]) for r in records_of(out)] == ["1.png", "2.png", "10.png"] and err == ""
    _, out, _ = run(capsys, "--format", "jsonl", "--recursive", digits)
    assert [os.path.relpath(r["file"], digits) for r in records_of(out)] == ["1.png", "2.png", "10.png", "inner/3.png"]


def test_a_pattern_over_folders_names_each_image_once(capsys, digits):
    (digits / "labels.csv").write_text("file,label\n")
    (digits / "in" / "ner").mkdir(parents=True)
    save(np.zeros((28, 28), np.uint8), digits / "in" / "ner" / "3.png")
    for pattern in ("**", "**/*.png"):
        _, out, err = run(capsys, "--format", "jsonl", "--recursive", digits / pattern)
        read = [os.path.relpath(record["file"], digits) for record in records_of(out)]
        assert read == ["1.png", "2.png", "10.png", os.path.join("in", "ner", "3.png")] and err == ""


def test_images_of_a_kind_that_is_not_read_are_named_in_folders_too(capsys, digits, tmp_path):
    phone = tmp_path / "phone"
    phone.mkdir()
    shutil.copy(digits / "1.png", phone)
    (phone / "LOGO.SVG").write_bytes(b"<svg/>")
    status, out, err = run(capsys, phone)
    assert status == 1 and out.count("\n") == 1 and "LOGO.SVG is an SVG drawing; export it as a PNG" in err


def test_patterns(capsys, digits):
    _, out, _ = run(capsys, "--format", "jsonl", digits / "*.png")
    assert [os.path.basename(r["file"]) for r in records_of(out)] == ["1.png", "2.png", "10.png"]
    (digits / "[1].png").write_bytes((digits / "2.png").read_bytes())  # a name that looks like a pattern
    _, out, _ = run(capsys, digits / "[1].png")
    assert out.startswith(f"{digits}/[1].png: 2 (")
    status, out, err = run(capsys, digits / "*.jpg")
    assert status == 2 and out == "" and "*.jpg matches no file" in err


def test_natural_key():
    names = ["b1", "a10", "a9", "a09", "a09b", "a", "10", "9", "é2", "a1" + "0" * 300]
    assert sorted(names, key=image_paths.natural_key) == ["9", "10", "a", "a09", "a9", "a09b", "a10", "a1" + "0" * 300, "b1", "é2"]


def test_boxes_are_in_pixels_of_the_upright_image(capsys, tmp_path, mnist):
    page = np.full((400, 600), 250, np.uint8)
    page[250 : 250 + 112, 60 : 60 + 112] = 255 - np.kron(mnist[0][0], np.ones((4, 4), np.uint8)) // 255 * 250 - 5
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(page).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    _, out, _ = run(capsys, "--format", "jsonl", "--single", tmp_path / "turned.png")
    x0, y0, x1, y1 = records_of(out)[0]["digits"][0]["box"]
    ys, xs = np.nonzero(page < 100)
    assert np.abs(np.array([x0, y0, x1, y1]) - [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).max() <= 6


def test_top_k(capsys, digits):
    _, out, _ = run(capsys, "--format", "jsonl", "--top-k", "10", digits / "1.png")
    top = records_of(out)[0]["digits"][0]["top"]
    assert sorted(digit for digit, _ in top) == list(range(10)) and abs(sum(p for _, p in top) - 1) < 1e-4
    assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)
    _, out, _ = run(capsys, "--top-k", "2", digits / "1.png")
    assert out.count("[7 ") == 1 and out.count(",") == 1


def test_standard_input(digits):
    data = (digits / "1.png").read_bytes()
    process = subprocess.run([*COMMAND, "-"], input=data, capture_output=True)
    assert process.returncode == 0 and process.stdout.startswith(b"-: 7 (") and process.stderr == b""
    process = subprocess.run([*COMMAND, "--format", "jsonl", "-"], input=b"", capture_output=True)
    assert process.returncode == 2 and b"nothing came on standard input" in process.stdout
    process = subprocess.run([*COMMAND, "-", "--annotate", "."], input=data, capture_output=True, cwd=digits / "..")
    assert process.returncode == 0, process.stderr


def test_read_image_from_everything(digits):
    path = digits / "1.png"
    content, image = path.read_bytes(), Image.open(path)
    sources = path, str(path), content, image, np.asarray(image), io.BytesIO(content)
    records = [reader.read_image(source, constants.DEFAULT_MODEL) for source in sources]
    assert records[0]["file"] == str(path) and records[2]["file"] is None and records[0]["text"] == "7"
    assert all({**record, "file": None} == {**records[0], "file": None} for record in records)
    with pytest.raises(messages.UserError, match="does not exist"):
        reader.read_image(digits / "nothing.png", constants.DEFAULT_MODEL)


# --- how it is written -------------------------------------------------------------------------------------


def test_json_is_one_array(capsys, digits):
    _, out, _ = run(capsys, "--format", "json", digits)
    records = json.loads(out)
    assert [r["text"] for r in records] == ["7", "2", "1"]
    assert list(records[0]) == ["file", "page", "text", "confidence", "unsure", "digits", "separators", "guess", "notes", "error"]
    assert list(records[0]["digits"][0]) == ["digit", "confidence", "box", "top"]


def test_csv(capsys, digits, monkeypatch):
    monkeypatch.chdir(digits)
    os.rename("1.png", "=1+1.png")
    os.rename("2.png", '@a,"b".png')
    _, out, _ = run(capsys, "--format", "csv", "=1+1.png", '@a,"b".png', "10.png")
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0] == ["file", "text", "confidence", "unsure", "boxes", "error"]
    assert [row[0] for row in rows[1:]] == ["'=1+1.png", '\'@a,"b".png', "10.png"]
    assert [row[1] for row in rows[1:]] == ["7", "2", "1"] and 0.5 < float(rows[1][2]) <= 1
    assert rows[1][3] == "" and len(rows[1][4].split()) == 4


def test_formula_cells():
    assert predict.csv_line(["=a", "+a", "-a", "@a", "\ta", "a=", ""]) == "'=a,'+a,'-a,'@a,'\ta,a=,\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["two words.png", "new\nline.png", "\U0001f600.png", "\x1b[31mred.png", "bytes\udcff.png", "\u202ex.png"]
)
def test_strange_names(digits, name):
    try:
        os.rename(digits / "1.png", digits / name)
    except OSError:
        pytest.skip("this file system has no such names")
    for option in ("text", "jsonl", "csv"):
        process = subprocess.run([*COMMAND, "--format", option, digits / name], capture_output=True)
        assert process.returncode == 0 and process.stderr == b""
        text = process.stdout.decode("utf-8")  # strictly
        assert "\x1b" not in text and "\u202e" not in text and text.count("\n") == (2 if option == "csv" else 1)
        if option == "jsonl":
            expected = os.fsencode(name).decode("utf-8", "backslashreplace")
            assert os.path.basename(json.loads(text)["file"]) == expected and json.loads(text)["text"] == "7"


@pytest.mark.parametrize("arguments", [["--", "-7.png"], ["./-7.png"]])
def test_leading_dash(digits, arguments):
    os.rename(digits / "1.png", digits / "-7.png")
    process = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=digits)
    assert process.returncode == 0 and process.stdout.startswith(f"{arguments[-1]}: 7 (")


def test_a_file_that_looks_like_an_option_is_explained(digits):
    os.rename(digits / "1.png", digits / "-7.png")
    process = subprocess.run([*COMMAND, "-7.png"], capture_output=True, text=True, cwd=digits)
    assert process.returncode == 2 and process.stderr.endswith("for the file -7.png write ./-7.png (--help lists all options).\n")


def test_output_that_cannot_show_a_name(digits):
    os.rename(digits / "1.png", digits / "😀.png")
    process = subprocess.run([*COMMAND, digits / "😀.png"], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert process.returncode == 0 and b"\\U0001f600.png: 7 (" in process.stdout


# --- faults ------------------------------------------------------------------------------------------------


def test_bad_files_do_not_stop_the_rest(capsys, digits):
    (digits / "3.png").write_text("no image")
    status, out, err = run(capsys, digits, digits / "gone.png")
    assert status == 1 and len(out.splitlines()) == 3
    assert [line.split(": ")[0] for line in err.splitlines()] == ["predict.py"] * 2
    assert "3.png is not an image" in err and "gone.png does not exist" in err
    status, out, err = run(capsys, "--format", "jsonl", digits, digits / "gone.png")
    assert status == 1 and [bool(r["error"]) for r in records_of(out)] == [False, False, True, False, True]
    assert "2 of 5" in err


def test_nothing_readable_is_status_2(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    for paths, fault in (
        ([tmp_path / "gone.png"], "does not exist"),
        ([tmp_path / "empty"], "holds no images"),
        ([""], "empty name"),
        ([tmp_path / "gone.png", tmp_path / "empty"], "--recursive"),
    ):
        status, out, err = run(capsys, *paths)
        assert status == 2 and out == "" and fault in err and len(err.splitlines()) == len(paths)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--top-k", "0", "x"],
        ["--top-k", "2", "--format", "csv", "x"],
        ["--min-confidence", "2", "x"],
        ["--min-confidence", "nan", "x"],
        ["--format", "xml", "x"],
        ["--invert", "maybe", "x"],
        ["--runtime", "gpu", "x"],
        ["-x.png"],
    ],
)
def test_wrong_usage(capsys, arguments):
    status, out, err = run(capsys, *arguments)
    assert status == 2 and out == ""
    assert err.count("\n") == 1 and err.endswith(" (--help lists all options).\n")


def test_missing_model(capsys, digits):
    for option in ("text", "json"):
        status, out, err = run(capsys, "--format", option, "--model", digits / "none.keras", digits / "1.png")
        assert status == 2 and out == "" and "none.keras" in err and "train" in err


def test_export_instead_of_the_model(capsys, digits):
    status, out, err = run(capsys, "--model", constants.DEFAULT_MODEL.with_suffix(".tflite"), digits / "1.png")
    assert status == 2 and out == "" and len(err.splitlines()) == 1 and "mnist_cnn.tflite is not a .keras file" in err


@pytest.mark.slow
def test_fallback_is_said_once(digits, tmp_path):
    """Without its record the model is read by Keras, with the same answer."""
    (tmp_path / "alone.keras").write_bytes(constants.DEFAULT_MODEL.read_bytes())
    process = subprocess.run(
        [*COMMAND, "--model", tmp_path / "alone.keras", "--format", "jsonl", digits / "1.png", digits / "2.png"],
        capture_output=True,
        text=True,
    )
    by_keras = records_of(process.stdout)
    assert process.returncode == 0 and [r["text"] for r in by_keras] == ["7", "2"]
    assert len(process.stderr.splitlines()) == 1 and "using Keras instead" in process.stderr
    process = subprocess.run([*COMMAND, "--format", "jsonl", digits / "1.png"], capture_output=True, text=True)
    assert records_of(process.stdout)[0]["confidence"] == pytest.approx(by_keras[0]["confidence"], abs=1e-4)
    assert process.stderr == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_a_folder_does_not_hang(digits):
    os.mkfifo(digits / "3.png")
    (digits / "4.png").symlink_to("gone")
    process = subprocess.run([*COMMAND, digits], capture_output=True, text=True, timeout=60)
    assert process.returncode == 1 and len(process.stdout.splitlines()) == 3
    assert "3.png is a pipe" in process.stderr and "4.png is a link to a file that does not exist" in process.stderr


def test_reader_that_stops_early(digits):
    process = subprocess.run(
        f"'{COMMAND[0]}' '{COMMAND[1]}' --model '{constants.DEFAULT_MODEL}' '{digits}' | true",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert process.stderr == ""


def test_notes(capsys, digits):
    with Image.open(digits / "1.png") as first, Image.open(digits / "2.png") as second:
        first.save(digits / "both.gif", save_all=True, append_images=[second])
    status, out, err = run(capsys, digits / "both.gif")
    assert status == 0 and ": 7 (" in out
    assert err == f"predict.py: {digits}/both.gif has several frames; the first was read.\n"
    _, out, err = run(capsys, "--format", "jsonl", digits / "both.gif")
    assert "several frames" in records_of(out)[0]["notes"][0] and err == ""


# --- annotated copies --------------------------------------------------------------------------------------


def test_more_strokes_than_are_looked_at(capsys, digits, monkeypatch):
    assert run(capsys, digits / "1.png")[2] == ""
    monkeypatch.setattr("digits.reading.strokes.MOST_STROKES", 1)
    monkeypatch.setattr("digits.reading.candidates.MOST_STROKES", 1)
    status, out, err = run(capsys, digits / "1.png")
    assert status == 0 and "7 (" in out and "1.png has more strokes than are looked at" in err


def test_annotate(capsys, digits):
    (digits / "a").mkdir()
    (digits / "a" / "1.png").write_bytes((digits / "2.png").read_bytes())
    (digits / "1.jpg").write_bytes((digits / "2.png").read_bytes())
    status, out, _ = run(
        capsys, "--format", "jsonl", "--annotate", digits / "out", digits / "1.png", digits / "1.jpg", digits / "a" / "1.png"
    )
    assert status == 0
    assert [os.path.basename(r["annotated"]) for r in records_of(out)] == ["1.png", "1-2.png", "1-3.png"]
    assert sorted(os.listdir(digits / "out")) == ["1-2.png", "1-3.png", "1.png"]
    with Image.open(digits / "out" / "1.png") as image:
        image.load()
        assert image.mode == "RGB" and image.width > 560
        colours = {colour for _, colour in image.getcolors(1 << 24)}
    assert (0, 114, 178) in colours or (213, 94, 0) in colours  # a box


def test_annotate_never_writes_among_the_images(capsys, digits):
    before = (digits / "1.png").read_bytes()
    for paths in ([digits], [digits / "1.png"], [f"{digits}/*.png"]):
        status, out, err = run(capsys, "--annotate", f"{digits}/", *paths)
        assert status == 2 and out == "" and "choose another folder" in err
    assert (digits / "1.png").read_bytes() == before
    status, _, err = run(capsys, "--annotate", digits / "1.png" / "x", digits / "2.png")
    assert status == 2 and "cannot write" in err
    status, _, err = run(capsys, "--annotate", digits / "1.png", digits / "2.png")
    assert status == 2 and "1.png is a file, not a folder; choose another name." in err
    assert (digits / "1.png").read_bytes() == before


# --- start-up ----------------------------------------------------------------------------------------------


def test_one_image_needs_neither_tensorflow_nor_processes(digits):
    code = (
        "import sys, predict; predict.main(sys.argv[1:]);"
        "print(sorted({'tensorflow', 'keras', 'tqdm', 'multiprocessing', 'pillow_heif', 'pypdfium2', 'csv', 'matplotlib'}"
        " & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, "--model", constants.DEFAULT_MODEL, digits / "1.png"],
        capture_output=True,
        text=True,
        cwd=FOLDER,
    )
    assert process.stdout.splitlines()[-1] == "['csv']"
