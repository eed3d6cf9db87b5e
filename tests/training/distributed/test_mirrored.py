"""Two replicas in one process, on two logical devices."""

import pytest

from digits.support import files
from workers import ended, same, start, weights_in


@pytest.mark.distributed
def test_two_replicas_in_one_process_end_with_the_same_weights(options, tmp_path):
    status, out, err = ended(start(tmp_path, "m", options, devices=2))
    assert status == 0 and "2 replicas share each batch" in out and "epoch 2/2" in out, err
    assert same(weights_in(tmp_path, "m", 0, 0), weights_in(tmp_path, "m", 0, 1))
    assert files.read_json(tmp_path / "m.json")["replicas"] == 2


@pytest.mark.distributed
def test_replicas_that_differ_are_noticed(options, tmp_path):
    status, _, err = ended(start(tmp_path, "spoiled", options, devices=2))
    assert status == 2 and "the weights of the replicas differ" in err and not (tmp_path / "spoiled.keras").exists()


@pytest.mark.distributed
def test_a_killed_training_goes_on_to_the_same_weights(options, tmp_path):
    options = [*options, "--epochs", "3"]
    assert ended(start(tmp_path, "whole", options, devices=2))[0] == 0
    process = start(tmp_path, "killed", options, devices=2)
    for line in process.stdout:
        if line.startswith("epoch 1"):
            break
    process.kill()
    process.communicate()
    status, out, err = ended(start(tmp_path, "killed", [*options, "--resume"], devices=2))
    assert status == 0 and "epoch 1/3" not in out and "epoch 3/3" in out, err
    assert same(weights_in(tmp_path, "whole", 0), weights_in(tmp_path, "killed", 0))
