"""train.py: a real short training through the command line; what it prints and writes; refusals; disk faults."""

import os
import pty
import re
import shlex
import subprocess
import termios

import numpy as np
import pytest

import train
from digits.inference import model_files
from digits.support import files
from digits.support.messages import UserError
from helpers import assert_same_weights, command, full_disk, ordinary_user, run, weights_of

# ---- a training from start to end ----


def test_short_training_reads_digits(training, trained, mnist):
    from digits.inference import keras_model

    process, _ = training
    assert process.returncode == 0, process.stderr
    accuracy = np.mean(keras_model.predict(trained, mnist.x_test[:2000]).argmax(axis=1) == mnist.y_test[:2000])
    assert accuracy > 0.93


LINE = re.compile(
    r"epoch (\d)/4: loss \d\.\d{4}, accuracy \d+\.\d\d %, val_loss \d\.\d{4}, val_accuracy \d+\.\d\d %, "
    r"(\d+ min )?\d+ s left"
)


def test_output_in_a_file_is_one_line_per_epoch(training):
    lines = training[0].stdout.splitlines()
    epochs = [LINE.fullmatch(line) for line in lines if line.startswith("epoch")]
    assert [epoch and epoch[1] for epoch in epochs] == ["1", "2", "3", "4"], lines
    assert len(lines) == 9 and "\b" not in training[0].stdout and "\r" not in training[0].stdout
    assert re.search(r"training on the (CPU, \d+ cores|GPU)", lines[2])
    assert "python evaluate.py" in lines[-1] and "short.keras" in lines[-1]


def test_standard_error_is_quiet(training):
    assert training[0].stderr == ""


def test_the_files_belong_together(training):
    path = training[1]
    assert sorted(os.listdir(path.parent)) == ["short.json", "short.keras", "short.tflite"]
    record = files.read_json(path.with_suffix(".json"))
    assert record["model_sha256"] == files.sha256(path)
    assert record["litert_sha256"] == files.sha256(path.with_suffix(".tflite"))
    assert list(record["history"][0]) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate", "seconds"]
    assert record["seed"] == 0 and record["limit"] == 1800 and record["validation_size"] == 150
    assert record["validation"] == {"accuracy": record["history"][-1]["val_accuracy"], "loss": record["history"][-1]["val_loss"]}
    assert model_files.mismatch(path) is None


def test_record_states_the_command(training):
    words = shlex.split(files.read_json(training[1].with_suffix(".json"))["command"])
    assert words[:2] == ["python", "train.py"] and "--resume" not in words
    again = train.parse_arguments(words[2:])
    assert (again.limit, again.epochs, again.model, again.preset) == (1800, 4, training[1], "standard")


@pytest.mark.slow
def test_weights_depend_on_the_seed_and_not_on_the_test_set(small_data, tmp_path):
    for name, data, seed in (("first", "a", 0), ("same", "b", 0), ("other test set", "c", 0), ("other seed", "a", 1)):
        assert train.main(short(small_data / f"{data}.npz", tmp_path / f"{name}.keras", "--seed", seed)) == 0
    assert_same_weights(tmp_path / "first.keras", tmp_path / "same.keras")
    assert_same_weights(tmp_path / "first.keras", tmp_path / "other test set.keras")
    assert not np.array_equal(weights_of(tmp_path / "first.keras")[0], weights_of(tmp_path / "other seed.keras")[0])


def short(data, model, *options):
    """The options of a training of one epoch of two steps."""
    return list(map(str, ["--data", data, "--epochs", 1, "--preset", "mnist", "--model", model, *options]))


def seen_on_a_terminal(script, *arguments, **options):
    """Run a script whose output goes to a terminal. Returns its exit status and the bytes that the terminal gets."""
    terminal, inner = pty.openpty()
    termios.tcsetwinsize(inner, (24, 120))
    process = subprocess.Popen(command(script, *arguments), stdout=inner, stderr=inner, **options)
    os.close(inner)
    seen = b""
    while chunk := read(terminal):
        seen += chunk
    return process.wait(), seen


def read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux reports the end of a terminal so
        return b""


@pytest.mark.slow
def test_a_bar_on_a_terminal_that_disappears(small_data, tmp_path):
    status, seen = seen_on_a_terminal("train.py", *short(small_data / "a.npz", tmp_path / "x.keras"))
    assert status == 0 and b"| 0/2 " in seen, seen
    shown = [line.rpartition(b"\r")[2].strip() for line in seen.replace(b"\r\n", b"\n").split(b"\n")]
    assert [line[:10] for line in shown if line.startswith(b"epoch")] == [b"epoch 1/1:"]  # the bar has been wiped out


@pytest.mark.slow
def test_next_command_scores_the_same_data_and_model(small_data, tmp_path):
    process = run("train.py", *short(small_data / "a.npz", "x y.keras"), cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    words = shlex.split(process.stdout.splitlines()[-1].partition("next: ")[2])
    assert words == ["python", "evaluate.py", "--data", str(small_data / "a.npz"), "--model", "x y.keras"]


@pytest.mark.slow
def test_tensorboard_gets_the_history(small_data, tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    import tensorflow as tf

    assert train.main(short(small_data / "a.npz", tmp_path / "x.keras", "--tensorboard", tmp_path / "logs")) == 0
    (history,) = files.read_json(tmp_path / "x.json")["history"]
    for part, name in (("train", "accuracy"), ("train", "loss"), ("validation", "val_accuracy"), ("validation", "val_loss")):
        events = event_accumulator.EventAccumulator(str(tmp_path / "logs" / part)).Reload()
        (tensor,) = events.Tensors(f"epoch_{name.removeprefix('val_')}")
        assert float(tf.make_ndarray(tensor.tensor_proto)) == pytest.approx(history[name])


@pytest.mark.slow
def test_tensorboard_that_is_not_installed(small_data, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['tensorboard'] = None")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = run("train.py", *short(small_data / "a.npz", tmp_path / "x.keras", "--tensorboard", "logs"), env=environment)
    assert process.returncode == 2 and "pip install tensorboard" in process.stderr and process.stderr.count("\n") == 1


@pytest.mark.slow
def test_tensorboard_into_a_file_is_refused(small_data, tmp_path):
    (tmp_path / "logs").write_text("mine")
    process = run("train.py", *short(small_data / "a.npz", tmp_path / "x.keras", "--tensorboard", tmp_path / "logs"))
    assert process.returncode == 2 and "logs is a file, not a folder" in process.stderr and process.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["logs"]


# ---- what can go wrong ----


@pytest.mark.slow
def test_training_that_diverges_says_so(small_data, tmp_path):
    arguments = short(small_data / "a.npz", tmp_path / "x.keras", "--learning-rate", 1e8, "--epochs", 4)
    with pytest.raises(UserError, match="training diverged in epoch .*smaller --learning-rate"):
        train.main(arguments)
    assert not (tmp_path / "x.keras").exists()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1000, 1_000_000])
def test_full_disk_keeps_the_old_model(limit, small_data, tmp_path):
    path = tmp_path / "x.keras"
    path.write_bytes(b"old")
    arguments = short(small_data / "a.npz", path)
    with pytest.raises(UserError, match="the disk is full"), full_disk(limit):
        train.main(arguments)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["x.keras"]


@pytest.mark.slow
def test_full_disk_through_the_command_line(small_data, tmp_path):
    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    process = run("train.py", *short(small_data / "a.npz", tmp_path / "x.keras"), preexec_fn=limit)
    assert process.returncode == 2
    assert process.stderr.startswith("train.py: error: cannot write") and process.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_read_only_folder(tmp_path):
    folder = tmp_path / "read only"
    folder.mkdir(mode=0o555)
    with pytest.raises(UserError, match="cannot write .*permission denied"), ordinary_user():
        train.main(["--model", str(folder / "x.keras")])
    assert os.listdir(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--model", "x.h5"], "must end in .keras"),
        (["--epochs", "0"], "'0' is not a whole number from 1 to"),
        (["--seed", "-1"], "'-1' is not a whole number from 0 to"),
        (["--preset", "slow"], "invalid choice"),
        (["--limit", "5"], "cannot hold"),
        (["--data", "missing.npz"], "no data set at"),
        (["--learning-rate", "nan"], "'nan' is not a number from 1e-09 to 1000000000"),
        (["--validation-size", "70000"], "cannot hold"),
        (["--model", "file.txt/x.keras"], "file.txt is a file, not a folder"),
        (["--resume", "--restart"], "exclude each other"),
    ],
)
def test_wrong_usage(arguments, words, tmp_path):
    (tmp_path / "file.txt").touch()
    process = run("train.py", "--model", "x.keras", *arguments, cwd=tmp_path)
    assert process.returncode == 2 and words in process.stderr and "Traceback" not in process.stderr
    assert os.listdir(tmp_path) == ["file.txt"]


def test_folder_in_place_of_the_model(tmp_path):
    (tmp_path / "x.keras").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        train.main(["--model", str(tmp_path / "x.keras")])
