"""digits/support/shards.py: parts that cover everything once, and predict.py in parts."""

import argparse
import itertools

import pytest
from PIL import Image

import predict
from digits.support import shards


@pytest.mark.parametrize("total, count", [(10, 3), (0, 2), (2, 5), (1, 1), (10_000, 3)])
def test_parts_follow_one_another(total, count):
    parts = [shards.Shard(number, count).bounds(total) for number in range(1, count + 1)]
    assert parts[0][0] == 0 and parts[-1][1] == total
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(parts))
    lengths = [stop - start for start, stop in parts]
    assert max(lengths) - min(lengths) <= 1 and lengths == sorted(lengths, reverse=True)


def test_what_names_a_shard():
    assert shards.shard("2/3") == (2, 3)
    for text in ("0/3", "4/3", "3", "1/0", "-1/2", "1/2/3", "a/b", "1/ 2", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="I/N"):
            shards.shard(text)


@pytest.fixture(scope="module")
def images(mnist, tmp_path_factory):
    """Return a folder with 20 digits, one file that is none, and a folder without images."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(20):
        Image.fromarray(mnist.x_test[number]).save(folder / f"{number}.png")
    (folder / "7.png").write_text("no image")
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize("form", ["text", "jsonl", "csv"])
@pytest.mark.parametrize("count", [3, 30])
def test_readings_in_parts_are_the_readings_in_one(form, count, images, capsys):
    def read(*options):
        predict.main(["--format", form, *options, *map(str, (images, images / "empty", images / "3.png"))])
        return capsys.readouterr().out

    parts = [read("--shard", f"{index}/{count}") for index in range(1, count + 1)]
    assert "".join(parts) == read() and all(parts[:3])


def test_json_is_no_format_for_parts(images, capsys):
    with pytest.raises(SystemExit) as error:
        predict.main(["--shard", "1/2", "--format", "json", str(images)])
    assert error.value.code == 2 and "not json" in capsys.readouterr().err
