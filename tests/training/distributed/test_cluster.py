"""digits/training/distributed/cluster.py: what TF_CONFIG may say, and who is the first worker."""

import json
import os

import pytest

import train
from digits.support.messages import UserError
from digits.training.distributed import cluster


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "is not set"),
        ("{", "is not JSON"),
        ("[]", "lacks"),
        ("{}", "lacks"),
        ('{"cluster": {"worker": ["a:1"]}}', "lacks"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "x"}}', "no whole number"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "no place for worker 1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}', "no place for worker -1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', "no place for chief 0"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1e400}}', "no whole number"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0.7}}', "no whole number"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": ["worker"], "index": 0}}', "no place for"),
        ('{"cluster": {"worker": ["a..b:1"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["::1:1"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a:70000"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "twice"),
        ('{"cluster": {"ps": ["b:1"], "worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}', "job 'ps'"),
    ],
)
def test_malformed_tf_config_is_refused(text, words, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=f"TF_CONFIG .*{words}"):
        train.main(["--strategy", "multiworker", "--model", str(tmp_path / "x.keras")])
    assert os.listdir(tmp_path) == []


def test_the_chief_is_the_first_worker():
    jobs = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    places = [
        cluster.worker_of("multiworker", json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}}))
        for kind, index in (("chief", 0), ("worker", 0), ("worker", 1))
    ]
    assert [(place.addresses, place.index, place.is_first) for place in places] == [
        (("a:1", "b:1", "c:1"), 0, True),
        (("a:1", "b:1", "c:1"), 1, False),
        (("a:1", "b:1", "c:1"), 2, False),
    ]
