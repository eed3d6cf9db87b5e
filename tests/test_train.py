"""train.py: a real short training through the command line; interruptions of every kind; refusals; disk faults."""

import csv
import os
import pty
import shlex
import signal
import subprocess

import numpy as np
import pytest

import train
from conftest import ROOT, TRAINING, command, full_disk, make_arrays, ordinary_user, run, start
from digits.inference import record
from digits.support import files
from digits.support.messages import UserError
from digits.training import callbacks


def weights_of(path):
    from digits.inference import keras_model

    return keras_model.load_model(path).get_weights()


def assert_same_weights(first, second):
    first, second = weights_of(first), weights_of(second)
    assert len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second))


def wait_for(process, text):
    """Read a process's output up to the line that starts with `text`, and return that line."""
    for line in process.stdout:
        if line.startswith(text):
            return line
    raise AssertionError(f"no line {text!r}; standard error: {process.stderr.read()}")


@pytest.fixture(scope="module")
def small_data(tmp_path_factory):
    """Paths of three .npz files with the same 300 training images; the third has other test images."""
    folder = tmp_path_factory.mktemp("data")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        np.savez_compressed(folder / f"{name}.npz", **make_arrays(300, seed))
    return folder


# ---- a training from start to end ----


def test_short_training_reads_digits(training, trained, mnist):
    from digits.inference import keras_model

    process, _ = training
    assert process.returncode == 0, process.stderr
    accuracy = np.mean(keras_model.predict(trained, mnist.x_test[:2000]).argmax(axis=1) == mnist.y_test[:2000])
    assert accuracy > 0.93


def test_output_in_a_file_is_one_line_per_epoch(training):
    lines = training[0].stdout.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == [f"epoch {i}/4" for i in range(1, 5)]
    assert all("left" in line for line in lines if line.startswith("epoch"))
    assert len(lines) == 8 and "\b" not in training[0].stdout and "\r" not in training[0].stdout
    assert "python evaluate.py" in lines[-1] and "short.keras" in lines[-1]


def test_standard_error_is_quiet(training):
    assert training[0].stderr == ""


def test_the_files_belong_together(training):
    path = training[1]
    assert sorted(os.listdir(path.parent)) == ["short.csv", "short.json", "short.keras", "short.tflite"]
    record = files.read_json(path.with_suffix(".json"))
    assert record["model_sha256"] == files.sha256(path)
    assert record["litert_sha256"] == files.sha256(path.with_suffix(".tflite"))
    rows = list(csv.DictReader(path.with_suffix(".csv").open()))
    assert list(rows[0]) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate", "seconds"]
    assert [{key: float(value) for key, value in row.items()} for row in rows] == record["history"]
    assert record["seed"] == 0 and record["limit"] == 1800 and record["validation_size"] == 150
    assert record["best_epoch"] == 1 + max(range(4), key=lambda i: (float(rows[i]["val_accuracy"]), i))
    from digits.inference import model_files

    assert model_files.mismatches(path) == []


def test_record_states_the_command(training):
    words = shlex.split(files.read_json(training[1].with_suffix(".json"))["command"])
    assert words[:2] == ["python", "train.py"] and "--resume" not in words
    again = train.parse_arguments(words[2:])
    assert (again.limit, again.epochs, again.model) == (1800, 4, training[1])


def test_litert_file_is_the_same_network(trained, trained_path, mnist):
    from digits.inference import keras_model, network

    litert = network.LiteRTNetwork(trained_path.with_suffix(".tflite"))
    assert np.abs(litert(mnist.x_test[:100]) - keras_model.predict(trained, mnist.x_test[:100])).max() < 1e-5


def test_weights_depend_on_the_seed_and_not_on_the_test_set(small_data, tmp_path):
    for name, data, seed in (("first", "a", 0), ("same", "b", 0), ("other test set", "c", 0), ("other seed", "a", 1)):
        assert (
            train.main(
                [
                    "--data",
                    str(small_data / f"{data}.npz"),
                    "--epochs",
                    "1",
                    "--seed",
                    str(seed),
                    "--preset",
                    "mnist",
                    "--model",
                    str(tmp_path / f"{name}.keras"),
                ]
            )
            == 0
        )
    assert_same_weights(tmp_path / "first.keras", tmp_path / "same.keras")
    assert_same_weights(tmp_path / "first.keras", tmp_path / "other test set.keras")
    assert not np.array_equal(weights_of(tmp_path / "first.keras")[0], weights_of(tmp_path / "other seed.keras")[0])


def test_keras_bar_on_a_terminal(small_data, tmp_path):
    terminal, inner = pty.openpty()
    process = subprocess.Popen(
        command("train.py", "--data", small_data / "a.npz", "--epochs", 1, "--preset", "mnist", "--model", tmp_path / "x.keras"),
        stdout=inner,
        stderr=subprocess.PIPE,
    )
    os.close(inner)
    seen = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux reports the end of a terminal so
            break
        if not chunk:
            break
        seen += chunk
    assert process.wait() == 0, process.stderr.read()
    assert "━".encode() in seen and b"epoch 1/1" in seen


# ---- interruptions ----


def test_interrupted_three_ways_ends_bit_identical(trained_path, tmp_path):
    """SIGKILL, Ctrl-C and SIGTERM, each in the middle of another epoch of one training, then on to the end."""
    path = tmp_path / "a b.keras"  # a name that a shell must quote
    path.write_bytes(b"the model of another day")
    arguments = [*TRAINING, "--model", path]

    process = start("train.py", *arguments, cwd=ROOT)
    wait_for(process, "epoch 1/4")
    second = run("train.py", "--model", path)
    assert second.returncode == 2 and "another training of" in second.stderr and second.stderr.count("\n") == 1
    process.kill()
    process.communicate()
    assert path.with_suffix(".lock").exists()  # left by the killed process; it must not be in the way
    assert path.read_bytes() == b"the model of another day"

    leftover = path.with_name(".a b.keras-0123abcd.keras")
    leftover.write_bytes(b"half a model")
    foreign = path.with_name(".a b-c.keras-0123abcd.keras")  # another training's
    foreign.write_bytes(b"")

    process = start("train.py", *arguments, "--resume", cwd=ROOT)
    wait_for(process, "epoch 2/4")
    assert not leftover.exists() and foreign.exists()
    process.send_signal(signal.SIGINT)
    error = process.communicate()[1]
    assert process.returncode == 130 and "Traceback" not in error
    assert not path.with_suffix(".lock").exists()
    resume = error.split("go on with: ")[1].strip()

    for changed, words in (
        (["--seed", "7"], "--seed 0 and this one with --seed 7"),
        (["--limit", "1700"], "--limit 1800 and this one with --limit 1700"),
        (["--epochs", "9"], "--epochs 4 and this one with --epochs 9"),
    ):
        with pytest.raises(UserError, match=words):
            train.main([*map(str, arguments), *changed, "--resume"])

    process = subprocess.Popen(
        ["/bin/sh", "-c", "exec " + resume], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    wait_for(process, "epoch 3/4")
    process.terminate()
    process.communicate()
    assert process.returncode == 143
    assert path.read_bytes() == b"the model of another day"

    last = run("train.py", *arguments, "--resume", cwd=ROOT)
    assert last.returncode == 0, last.stderr
    foreign.unlink()
    assert sorted(os.listdir(tmp_path)) == ["a b.csv", "a b.json", "a b.keras", "a b.tflite"]
    assert_same_weights(trained_path, path)
    row = ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"]
    histories = [
        [[epoch[key] for key in row] for epoch in files.read_json(p.with_suffix(".json"))["history"]] for p in (trained_path, path)
    ]
    assert histories[0] == histories[1]


@pytest.fixture
def interrupted(small_data, tmp_path, monkeypatch):
    """Arguments of a training that was interrupted in its second epoch."""
    arguments = ["--data", str(small_data / "a.npz"), "--epochs", "3", "--preset", "mnist", "--model", str(tmp_path / "x.keras")]

    def interrupt(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Epochs, "report", interrupt)
        assert train.main(arguments) == 130
    return arguments


def test_resume_with_other_data_is_refused(interrupted, small_data, tmp_path):
    interrupted[1] = str(small_data / "b.npz")
    with pytest.raises(UserError, match="on a.npz and this one on b.npz"):
        train.main([*interrupted, "--resume"])
    other = tmp_path / "a.npz"  # the same name, other pixels
    arrays = make_arrays(300)
    arrays["x_train"][0] ^= 1
    np.savez(other, **arrays)
    interrupted[1] = str(other)
    with pytest.raises(UserError, match="ran on other data"):
        train.main([*interrupted, "--resume"])


def test_start_over_says_that_there_is_an_unfinished_training(interrupted, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    capsys.readouterr()
    monkeypatch.setattr("data_loader.load_dataset", stop)
    interrupted[3] = "2"  # this run's arguments differ: the command must be that of the interrupted one
    assert train.main(interrupted) == 130
    out, err = capsys.readouterr()
    assert "unfinished training" in out and "--epochs 3" in out and "--resume" in out
    assert "--epochs 3" in err


def test_interrupted_before_the_first_epoch(tmp_path, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_loader.load_dataset", stop)
    assert train.main(["--model", str(tmp_path / "x.keras")]) == 130
    assert "nothing to resume" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_interrupted_while_the_results_are_written(interrupted, tmp_path, monkeypatch):
    """Whatever was written before, a resumed run writes all of it, and the four files belong together."""
    with monkeypatch.context() as patch:
        patch.setattr("digits.inference.keras_model.export_litert", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert train.main([*interrupted, "--resume"]) == 130
    weights = weights_of(tmp_path / "x.keras")
    assert train.main([*interrupted, "--resume"]) == 0
    assert all(np.array_equal(a, b) for a, b in zip(weights, weights_of(tmp_path / "x.keras")))
    assert sorted(os.listdir(tmp_path)) == ["x.csv", "x.json", "x.keras", "x.tflite"]
    assert files.read_json(tmp_path / "x.json")["model_sha256"] == files.sha256(tmp_path / "x.keras")


def test_nothing_to_resume(tmp_path):
    process = run("train.py", "--model", tmp_path / "x.keras", "--resume")
    assert process.returncode == 2 and "no interrupted training" in process.stderr and process.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_training_that_goes_astray_says_so(small_data, tmp_path):
    with pytest.raises(UserError, match="went astray in epoch .*smaller --learning-rate"):
        train.main(
            [
                "--data",
                str(small_data / "a.npz"),
                "--epochs",
                "4",
                "--preset",
                "mnist",
                "--learning-rate",
                "1e8",
                "--model",
                str(tmp_path / "x.keras"),
            ]
        )
    assert not (tmp_path / "x.keras").exists()


def test_damaged_checkpoint_is_refused(interrupted, tmp_path):
    path = tmp_path / "x.checkpoint.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="x.checkpoint.npz is damaged"):
        train.main([*interrupted, "--resume"])


def test_checkpoint_of_another_network_is_refused(interrupted, monkeypatch):
    import model

    build = model.build_model
    monkeypatch.setattr("model.build_model", lambda **options: build(blocks=((4,), (4,)), **options))
    with pytest.raises(UserError, match="another network"):
        train.main([*interrupted, "--resume"])


# ---- disks and permissions ----


@pytest.mark.parametrize("limit", [1000, 1_000_000])
def test_full_disk_keeps_the_old_model(limit, small_data, tmp_path):
    path = tmp_path / "x.keras"
    path.write_bytes(b"old")
    arguments = ["--data", str(small_data / "a.npz"), "--epochs", "1", "--preset", "mnist", "--model", str(path)]
    with pytest.raises(UserError, match="the disk is full"), full_disk(limit):
        train.main(arguments)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["x.keras"]


def test_full_disk_at_the_end_keeps_the_old_model_and_the_checkpoint(interrupted, tmp_path, monkeypatch):
    path = tmp_path / "x.keras"
    path.write_bytes(b"old")
    save = record.save

    def save_on_full_disk(*arguments):
        with full_disk(200_000):
            save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(record, "save", save_on_full_disk)
        with pytest.raises(UserError, match="x.keras: the disk is full"):
            train.main([*interrupted, "--resume"])
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["x.checkpoint.npz", "x.keras"]
    assert train.main([*interrupted, "--resume"]) == 0  # once there is space again


def test_full_disk_in_the_litert_export(trained, tmp_path):
    """TensorFlow writes through its own library, in the system's temporary folder."""
    from digits.inference import keras_model

    path = tmp_path / "x.tflite"
    with pytest.raises(UserError, match="cannot write the LiteRT form"), full_disk(200_000), files.atomic_write(path) as temporary:
        keras_model.export_litert(trained, temporary)
    assert os.listdir(tmp_path) == []


def test_full_disk_through_the_command_line(small_data, tmp_path):
    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    process = run(
        "train.py",
        "--data",
        small_data / "a.npz",
        "--epochs",
        1,
        "--preset",
        "mnist",
        "--model",
        tmp_path / "x.keras",
        preexec_fn=limit,
    )
    assert process.returncode == 2
    assert process.stderr.startswith("train.py: error: cannot write") and process.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_read_only_folder(tmp_path):
    folder = tmp_path / "read only"
    folder.mkdir(mode=0o555)
    with pytest.raises(UserError, match="cannot write .*permission denied"), ordinary_user():
        train.main(["--model", str(folder / "x.keras")])
    assert os.listdir(folder) == []


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
        (["--model", "file.txt/x.keras"], "cannot write"),
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
