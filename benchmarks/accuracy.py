"""Train with several seeds and report what to expect of a recipe: mean, spread and minutes.

    python benchmarks/accuracy.py --seeds 5                    # `train.py` as it stands
    python benchmarks/accuracy.py --seeds 5 --preset quick
    python benchmarks/accuracy.py --seeds 5 --table benchmarks/results/accuracy_standard.md
    python benchmarks/accuracy.py --seeds 5 --preset quick --workers 2      # the same, each batch shared by two processes

Each seed is one `train.py --seed N` and one `evaluate.py`, in a folder of reports/accuracy/ that is named after the
code. Run it again after an interruption: finished seeds are kept, an unfinished training goes on where it stopped.
"""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import tables
from digits.inference.model_files import files_of
from digits.support import command_line, files, messages
from digits.support.command_line import Parser
from train import PRESETS

COLUMNS = (
    ("accuracy", "test accuracy %"),
    ("accuracy_without_label_errors", "without the 15 wrong labels %"),
    ("expected_calibration_error", "calibration error %"),
)


def train_and_evaluate(preset, seed, folder, workers=1):
    """Return evaluate.py's metrics of one seed, with the minutes that training took; cached in `folder`."""
    name = f"{preset}-{seed}" + (f"-{workers}-workers" if workers > 1 else "")
    model, reports = files_of(folder / f"{name}.keras"), folder / name
    if not model.record.exists():
        resume = ["--resume"] if model.checkpoint.exists() else []
        options = ["--preset", preset, "--seed", str(seed), "--model", str(model.keras), *resume]
        run("train.py", *options, *(["--strategy", "multiworker"] if workers > 1 else []), workers=workers)
    if not (reports / "metrics.json").exists():
        run("evaluate.py", "--model", str(model.keras), "--output-dir", str(reports))
    record, metrics = files.read_json(model.record), files.read_json(reports / "metrics.json")
    if metrics["model_sha256"] != record["model_sha256"]:
        raise messages.UserError(f"{reports} is not of {model.keras}; delete both and run this again.")
    return metrics | {"minutes": record["duration_seconds"] / 60, "versions": record["versions"]}


def run(script, *options, workers=1):
    """Run one of the project's scripts, in so many processes that TF_CONFIG tells of one another, and stop where it fails."""
    print("$", "python", script, *options, flush=True)
    sockets = [socket.create_server(("localhost", 0)) for _ in range(workers)]  # all open at once, so that no port comes twice
    addresses = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    processes = [
        subprocess.Popen(
            [sys.executable, ROOT / script, *options],
            env=os.environ
            | {"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})}
            if workers > 1
            else None,
        )
        for index in range(workers)
    ]
    if status := max(process.wait() for process in processes):
        raise messages.UserError(f"{script} ended with status {status}; run this again to go on from there.")


def table(preset, results, workers=1):
    """Return Markdown: one row per seed, then mean, standard deviation, minimum and maximum."""
    names = [name for name, _ in COLUMNS]
    rows = [
        [str(seed)] + [f"{100 * result[name]:.2f}" for name in names] + [f"{result['minutes']:.1f}"]
        for seed, result in enumerate(results)
    ]
    for label, function in (
        ("mean", statistics.mean),
        ("sd", statistics.pstdev if len(results) < 2 else statistics.stdev),
        ("min", min),
        ("max", max),
    ):
        values = [function([100 * result[name] for result in results]) for name in names]
        rows.append(
            [f"**{label}**"] + [f"{value:.3f}" for value in values] + [f"{function([result['minutes'] for result in results]):.1f}"]
        )
    head = ["seed", *(title for _, title in COLUMNS), "training minutes"]
    versions = ", ".join(f"{name} {version}" for name, version in results[0]["versions"].items())
    shared, options = (f", each batch shared by {workers} workers", ["--workers", workers]) if workers > 1 else ("", [])
    lines = [
        f"## Recipe `{preset}`: {PRESETS[preset]['epochs']} epochs{shared}",
        "",
        f"{tables.made_by(__file__, '--preset', preset, '--seeds', len(results), *options)}; {versions}.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on (default: %(default)s)")
    parser.add_argument("--preset", choices=PRESETS, default="standard", help="the recipe (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that train together (default: %(default)s)")
    parser.add_argument("--folder", type=pathlib.Path, default=tables.cache("accuracy"), help="where the models go")
    tables.add_option(parser)
    arguments = parser.parse_args(argv)
    results = []
    for seed in range(arguments.seeds):
        results.append(train_and_evaluate(arguments.preset, seed, arguments.folder, arguments.workers))
        text = table(arguments.preset, results, arguments.workers)
        tables.publish(text, arguments.table)
    return 0


if __name__ == "__main__":
    command_line.run(main)
