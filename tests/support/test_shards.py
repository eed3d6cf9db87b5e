"""digits/support/shards.py: parts that cover everything once; predict.py and evaluate.py in parts give what they give in one."""

import argparse
import itertools
import os
import re

import numpy as np
import pytest
from PIL import Image

import evaluate
import predict
from digits.support import constants, files, shards
from digits.support.messages import UserError


@pytest.mark.parametrize(
    "total, count, unit", [(10, 3, 1), (0, 2, 1), (2, 5, 1), (1, 1, 1), (10_000, 3, 500), (1700, 3, 500), (7, 2, 500)]
)
def test_parts_follow_one_another(total, count, unit):
    parts = [shards.Shard(index, count).bounds(total, unit) for index in range(1, count + 1)]
    assert parts[0][0] == 0 and parts[-1][1] == total
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(parts))
    assert all(start % unit == 0 or start == total for start, _ in parts)
    lengths = [-(-(stop - start) // unit) for start, stop in parts]
    assert max(lengths) - min(lengths) <= 1 and lengths == sorted(lengths, reverse=True)


def test_what_names_a_shard():
    assert shards.shard("2/3") == (2, 3)
    for text in ("0/3", "4/3", "3", "1/0", "-1/2", "1/2/3", "a/b", "1/ 2", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="I/N"):
            shards.shard(text)


@pytest.fixture(scope="module")
def pictures(mnist, tmp_path_factory):
    """Return a folder with 20 digits, one file that is none, and a folder without images."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(20):
        Image.fromarray(mnist.x_test[number]).save(folder / f"{number}.png")
    (folder / "7.png").write_text("no image")
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize("form", ["text", "jsonl", "csv"])
@pytest.mark.parametrize("count", [3, 30])
def test_readings_in_parts_are_the_readings_in_one(form, count, pictures, capsys):
    def read(*options):
        predict.main(
            [
                "--model",
                str(constants.DEFAULT_MODEL),
                "--format",
                form,
                *options,
                str(pictures),
                str(pictures / "empty"),
                str(pictures / "3.png"),
            ]
        )
        return capsys.readouterr().out

    parts = [read("--shard", f"{index}/{count}") for index in range(1, count + 1)]
    assert "".join(parts) == read() and all(parts[:3])


def test_json_is_no_format_for_parts(pictures, capsys):
    with pytest.raises(SystemExit) as error:
        predict.main(["--shard", "1/2", "--format", "json", str(pictures)])
    assert error.value.code == 2 and "not json" in capsys.readouterr().err


def test_scores_of_the_parts_together_are_the_scores_of_one(mnist, tmp_path, capsys):
    np.savez(
        tmp_path / "a.npz",
        x_train=mnist.x_train[:50],
        y_train=mnist.y_train[:50],
        x_test=mnist.x_test[:1200],
        y_test=mnist.y_test[:1200],
    )

    def score(*options):
        assert evaluate.main(["--data", str(tmp_path / "a.npz"), *map(str, options)]) == 0
        return capsys.readouterr().out

    score("--output-dir", tmp_path / "one")
    parts = [score("--shard", f"{index}/4") for index in range(1, 5)]  # the last one empty: 1200 images are 3 batches
    assert [part.count("\n") for part in parts] == [501, 501, 201, 0]
    (tmp_path / "all.csv").write_text("".join(parts))
    score("--answers", tmp_path / "all.csv", "--output-dir", tmp_path / "parts")
    assert sorted(os.listdir(tmp_path / "parts")) == sorted(os.listdir(tmp_path / "one"))
    assert files.read_json(tmp_path / "parts" / "metrics.json") == files.read_json(tmp_path / "one" / "metrics.json")
    doubled = parts[0] + parts[0] + parts[2]
    certain = re.sub(r"^0,7,.*", "0,7,0,0,0,0,0,0,0,2,0,0", parts[0], flags=re.MULTILINE) + parts[1] + parts[2]
    other_model = "".join(parts).replace("# model ", "# model 0")
    for wrong in ("".join(parts[1:]), "".join(reversed(parts)), doubled, certain, other_model, "a,b\n", ""):
        (tmp_path / "all.csv").write_text(wrong)
        with pytest.raises(UserError, match="all.csv"):
            score("--answers", tmp_path / "all.csv", "--output-dir", tmp_path / "wrong")
    with pytest.raises(UserError, match="missing.csv"):
        score("--answers", tmp_path / "missing.csv", "--output-dir", tmp_path / "wrong")
