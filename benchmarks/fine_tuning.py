"""How much `train.py --fine-tune` gains with 1, 5 and 20 images of each digit, and whether it forgets MNIST.

    python benchmarks/fine_tuning.py DIR                    # a minute or two a row
    python benchmarks/fine_tuning.py DIR OTHER --counts 5 --seeds 3

DIR is a folder of images that hold one digit each, with a labels.csv (file,label). For each count and seed, so many images of
each digit are drawn at random; the default model is fine-tuned on them, and scored on the rest of
the folder and on MNIST's test images. The images as 28x28, and the models, are kept in a folder of reports/fine_tuning/
that is named after the code and the default model: run it again after an interruption, and it goes on.
"""

import csv
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import tables
from data_loader import load_dataset, load_mnist
from digits.inference.model_files import files_of
from digits.inference.runtimes import LiteRTNetwork
from digits.support import command_line, files, messages
from digits.support.command_line import Parser
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import percent


def read_folder(folder, cache):
    """Return images (N, 28, 28) uint8 and labels (N,) uint8 of a folder with a labels.csv; kept in `cache` (.npz)."""
    if not cache.exists():
        with tempfile.TemporaryDirectory() as copy, open(folder / "labels.csv", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                (pathlib.Path(copy) / row["label"]).mkdir(exist_ok=True)
                shutil.copy(folder / row["file"], pathlib.Path(copy) / row["label"])
            data = load_dataset(copy)
        with files.atomic_write(cache) as temporary:
            np.savez_compressed(
                temporary, images=np.concatenate([data.x_train, data.x_test]), labels=np.concatenate([data.y_train, data.y_test])
            )
    with np.load(cache, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]


def fine_tune(images, labels, count, seed, folder):
    """Fine-tune on `count` images of each digit. Returns the row of the table as a dict; kept in `folder`."""
    result = folder / f"{count}-{seed}.result"
    if not result.exists():
        order = np.random.default_rng(seed).permutation(len(labels))
        own = np.concatenate([order[labels[order] == digit][:count] for digit in range(10)])
        rest = np.setdiff1d(order, own)
        data, model = folder / f"{count}-{seed}.npz", folder / f"{count}-{seed}.keras"
        np.savez(data, x_train=images[own], y_train=labels[own], x_test=images[rest], y_test=labels[rest])
        before, seconds = scores(DEFAULT_MODEL, images[rest], labels[rest]), processor_seconds()
        resume = ["--resume"] if files_of(model).checkpoint.exists() else []
        command = [sys.executable, ROOT / "train.py", "--fine-tune", "--data", data, "--model", model, *resume]
        status = subprocess.run(command).returncode
        if status not in (0, 1):  # 1: nothing gained, no model
            raise messages.UserError(f"train.py ended with status {status}; run this again to go on from there.")
        seconds = processor_seconds() - seconds
        after = before if status else scores(model, images[rest], labels[rest])
        files.write_json(result, {"rest": len(rest), "before": before, "after": after, "seconds": seconds})
    return files.read_json(result)


def scores(model, images, labels):
    """Return accuracy (0 to 1) on the images and on MNIST's test images."""
    network, mnist = LiteRTNetwork(files_of(model).litert), load_mnist()
    sets = ((images, labels), (mnist.x_test, mnist.y_test))
    return [float(np.mean(network(x).argmax(axis=1) == y)) for x, y in sets]


def processor_seconds():
    """Return the time that all finished child processes have spent on all cores."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def line(name, count, results):
    """Return one row of the table: means over the seeds."""
    before, after = (np.mean([result[when] for result in results], axis=0) for when in ("before", "after"))
    fewer = (after[0] - before[0]) / max(1 - before[0], 1e-9)
    cells = [percent(before[0], 2), percent(after[0], 2), f"{100 * fewer:+.0f} %", percent(before[1], 2), percent(after[1], 2)]
    seconds = statistics.mean(result["seconds"] for result in results)
    return f"| {name} ({results[0]['rest']}) | {count} | {' | '.join(cells)} | {seconds:.0f} |"


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("folders", nargs="+", type=pathlib.Path, metavar="DIR", help="images and labels.csv")
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 5, 20], help="images of each digit (default: 1 5 20)")
    parser.add_argument("--seeds", type=int, default=2, help="how many draws of them, from 0 on (default: %(default)s)")
    tables.add_option(parser)
    arguments = parser.parse_args(argv)
    names = [folder.resolve().name for folder in arguments.folders]
    lines = [
        tables.made_by(__file__, *names, "--seeds", arguments.seeds)
        + f". Means over {arguments.seeds} draws of one's own images; in brackets, how many others are scored. MNIST: its test "
        "images. Where every image of one's own was read before, train.py finds nothing to gain and leaves no model. Processor "
        "time is that of all cores together, from start to end.",
        "",
        "| handwriting | own images of each digit | before | after | errors fewer by | MNIST before | MNIST after | processor s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, folder in zip(names, arguments.folders):
        cache = tables.cache("fine_tuning", DEFAULT_MODEL, *sorted(ROOT.glob("digits/reading/*.py"))) / name
        files.make_folder(cache)
        images, labels = read_folder(folder, cache / "images.npz")
        for count in arguments.counts:
            results = [fine_tune(images, labels, count, seed, cache) for seed in range(arguments.seeds)]
            lines.append(line(name, count, results))
            tables.publish("\n".join(lines) + "\n", arguments.table)
    return 0


if __name__ == "__main__":
    command_line.run(main)
