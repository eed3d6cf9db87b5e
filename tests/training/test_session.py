"""digits/training/session.py and checkpoint.py: trainings that are interrupted in every way, and go on to the same weights."""

import os
import shlex
import signal
import subprocess

import numpy as np
import pytest

import train
from digits.inference import model_files
from digits.support import files
from digits.support.messages import UserError
from digits.training import callbacks
from helpers import TRAINING, assert_same_weights, full_disk, make_arrays, run, start, weights_of


def wait_for(process, text):
    """Read a process's output up to the line that starts with `text`, and return that line."""
    for line in process.stdout:
        if line.startswith(text):
            return line
    raise AssertionError(f"no line {text!r}; standard error: {process.stderr.read()}")


@pytest.mark.slow
def test_interrupted_three_ways_ends_bit_identical(trained_path, tmp_path):
    """SIGKILL, Ctrl-C and SIGTERM, each in the middle of another epoch of one training, then on to the end."""
    path = tmp_path / "a b.keras"  # a name that a shell must quote
    path.write_bytes(b"the model of another day")
    arguments = [*TRAINING, "--model", path.name]  # relative, but the command that is printed works from any folder

    process = start("train.py", *arguments, cwd=tmp_path)
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

    process = start("train.py", *arguments, "--resume", cwd=tmp_path)
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
            train.main([*TRAINING, "--model", str(path), *changed, "--resume"])

    process = subprocess.Popen(
        ["/bin/sh", "-c", "exec " + resume], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
    )
    wait_for(process, "epoch 3/4")
    process.terminate()
    process.communicate()
    assert process.returncode == 143
    assert path.read_bytes() == b"the model of another day"

    last = run("train.py", *arguments, "--resume", cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    foreign.unlink()
    assert sorted(os.listdir(tmp_path)) == ["a b.json", "a b.keras", "a b.tflite"]
    assert_same_weights(trained_path, path)
    row = ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"]
    histories = [
        [[epoch[key] for key in row] for epoch in files.read_json(p.with_suffix(".json"))["history"]] for p in (trained_path, path)
    ]
    assert histories[0] == histories[1]


@pytest.mark.slow
def test_the_last_words_of_native_code_are_seen(tmp_path):
    """What an aborting library says on standard error while the network trains is not lost."""
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}  # Python's own words stand for a library's
    process = start("train.py", *TRAINING, "--model", tmp_path / "x.keras", env=environment)
    wait_for(process, "epoch 1/4")
    process.send_signal(signal.SIGABRT)
    assert "Fatal Python error: Aborted" in process.communicate()[1]


@pytest.fixture
def interrupted(small_data, tmp_path, monkeypatch):
    """Arguments of a training that was interrupted after its first epoch."""
    arguments = ["--data", str(small_data / "a.npz"), "--epochs", "3", "--preset", "mnist", "--model", str(tmp_path / "x.keras")]
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Report, "on_epoch_end", interrupt)
        assert train.main(arguments) == 130
    return arguments


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.slow
def test_resume_with_other_data_is_refused(interrupted, small_data, tmp_path):
    interrupted[1] = str(small_data / "b.npz")
    with pytest.raises(UserError, match="on a.npz and this one on b.npz"):
        train.main([*interrupted, "--resume"])
    other = tmp_path / "a.npz"  # the same name, other pixels
    arrays = make_arrays(300)
    arrays["x_train"][0] ^= 1
    np.savez(other, **arrays)
    interrupted[1] = str(other)
    with pytest.raises(UserError, match="ran with other data"):
        train.main([*interrupted, "--resume"])


@pytest.mark.slow
def test_an_unfinished_training_is_not_lost_unawares(interrupted, tmp_path, monkeypatch):
    content = (tmp_path / "x.checkpoint.npz").read_bytes()
    with pytest.raises(UserError, match="interrupted after epoch 1 of 3; .* start over with --restart") as refusal:
        train.main([*interrupted[:3], "2", *interrupted[4:]])  # the command told is that of the interrupted training
    words = shlex.split(str(refusal.value).partition("go on with it: ")[2].partition(" (or")[0])
    assert words[-1] == "--resume" and "3" in words
    assert (tmp_path / "x.checkpoint.npz").read_bytes() == content
    monkeypatch.chdir("/")
    assert train.main(words[2:]) == 0
    assert sorted(os.listdir(tmp_path)) == ["x.json", "x.keras", "x.tflite"]


@pytest.mark.slow
def test_restart_starts_over(interrupted, tmp_path):
    interrupted[3] = "1"
    assert train.main([*interrupted, "--restart"]) == 0
    assert len(files.read_json(tmp_path / "x.json")["history"]) == 1
    assert not (tmp_path / "x.checkpoint.npz").exists()


@pytest.mark.slow
def test_paths_are_kept_for_any_folder(small_data, tmp_path, monkeypatch, capsys):
    """--data and --model, given relative to one folder; the command typed in another."""
    monkeypatch.chdir(tmp_path)
    os.symlink(small_data, "data")
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Report, "on_epoch_end", interrupt)
        assert train.main(["--data", "data/a.npz", "--preset", "mnist", "--epochs", "2", "--model", "models/x.keras"]) == 130
    words = shlex.split(capsys.readouterr().err.partition("go on with: ")[2])
    monkeypatch.chdir("/")
    assert subprocess.run(words, capture_output=True).returncode == 0
    assert (tmp_path / "models" / "x.keras").exists()


def test_interrupted_before_the_first_epoch(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("data_loader.load_dataset", interrupt)
    assert train.main(["--model", str(tmp_path / "x.keras")]) == 130
    assert "nothing to resume" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["digits.json", "digits.tflite", "digits.lock"])
def test_files_of_another_kind_are_not_replaced(name, tmp_path):
    (tmp_path / name).write_text('{"mine": "precious"}')
    for options in ([], ["--resume"]):
        process = run("train.py", "--model", tmp_path / "digits.keras", "--limit", "300", "--epochs", "1", *options)
        assert process.returncode == 2 and name in process.stderr and process.stderr.count("\n") == 1
        assert (tmp_path / name).read_text() == '{"mine": "precious"}' and os.listdir(tmp_path) == [name]


@pytest.mark.slow
def test_a_restart_that_is_interrupted_at_once_leaves_the_earlier_training(interrupted, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("data_loader.load_dataset", interrupt)
        assert train.main([*interrupted, "--seed", "9", "--restart"]) == 130
    said = capsys.readouterr().err
    assert "no epoch was finished, so the earlier training is still there; go on with: " in said and "--seed 9" not in said
    (tmp_path / "x.checkpoint.npz").write_bytes(b"")
    with pytest.raises(UserError, match="x.checkpoint.npz is damaged"):
        train.main([*interrupted])
    assert (tmp_path / "x.checkpoint.npz").exists()
    with monkeypatch.context() as patch:
        patch.setattr("data_loader.load_dataset", interrupt)
        assert train.main([*interrupted, "--restart"]) == 130
    assert "nothing to resume" in capsys.readouterr().err


@pytest.mark.slow
def test_interrupted_while_the_results_are_written(interrupted, tmp_path, monkeypatch):
    """Whatever was written before, a resumed run writes all of it, and the three files belong together."""
    with monkeypatch.context() as patch:
        patch.setattr("digits.inference.keras_model.export_litert", interrupt)
        assert train.main([*interrupted, "--resume"]) == 130
    weights = weights_of(tmp_path / "x.keras")
    assert train.main([*interrupted, "--resume"]) == 0
    assert all(np.array_equal(a, b) for a, b in zip(weights, weights_of(tmp_path / "x.keras")))
    assert sorted(os.listdir(tmp_path)) == ["x.json", "x.keras", "x.tflite"]
    assert files.read_json(tmp_path / "x.json")["model_sha256"] == files.sha256(tmp_path / "x.keras")


def test_nothing_to_resume(tmp_path):
    process = run("train.py", "--model", tmp_path / "x.keras", "--resume")
    assert process.returncode == 2 and "no interrupted training" in process.stderr and process.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_damaged_checkpoint_is_refused(interrupted, tmp_path):
    path = tmp_path / "x.checkpoint.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="x.checkpoint.npz is damaged"):
        train.main([*interrupted, "--resume"])


@pytest.mark.slow
def test_checkpoint_of_another_network_is_refused(interrupted, monkeypatch):
    import model

    build = model.build_model
    monkeypatch.setattr("model.build_model", lambda **options: build(blocks=((4,), (4,)), **options))
    with pytest.raises(UserError, match="another network"):
        train.main([*interrupted, "--resume"])


@pytest.mark.slow
def test_full_disk_at_the_end_keeps_the_old_model_and_the_checkpoint(interrupted, tmp_path, monkeypatch):
    path = tmp_path / "x.keras"
    path.write_bytes(b"old")
    save = model_files.save

    def save_on_full_disk(*arguments):
        with full_disk(200_000):
            save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(model_files, "save", save_on_full_disk)
        with pytest.raises(UserError, match="x.keras: the disk is full"):
            train.main([*interrupted, "--resume"])
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["x.checkpoint.npz", "x.keras"]
    assert train.main([*interrupted, "--resume"]) == 0  # once there is space again
