"""How fast predict.py answers, as ratios to what it could not do without.

    python benchmarks/predict_speed.py                             # about ten minutes on two cores
    python benchmarks/predict_speed.py --repeats 3 --images 1000   # a look
    python benchmarks/predict_speed.py --large 100000 --table benchmarks/results/predict_speed.md

Whole processes are timed, in turn (A B A B ...), and medians are compared, so that a machine that is slow today
is slow for both sides. The images are MNIST's test digits, written as PNG files to a temporary folder. Memory is
what the processes of one command hold together: the sum of their resident sets (shared pages counted again for
each), and of their proportional sets (each page once), sampled while it runs (Linux only).
"""

import importlib.metadata
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import tables
from benchmarks.sample_files import write_digits, write_document, write_photo, write_text
from digits.support import command_line
from digits.support.command_line import Parser

SCRIPTS = ("predict.py", "train.py", "evaluate.py", "visualize.py", "export.py", "app.py")
TIGHT_LOOP = """
import sys, numpy as np
from PIL import Image
sys.path.insert(0, sys.argv[1])
from digits.inference import runtimes
run = runtimes.load_network(sys.argv[2], "litert", threads=int(sys.argv[3]))
import os
names = sorted(os.listdir(sys.argv[4]))
for start in range(0, len(names), 64):
    run(np.stack([np.asarray(Image.open(os.path.join(sys.argv[4], name))) for name in names[start:start + 64]]))
"""

PLAIN_PREDICT = """
import sys, numpy as np, keras
keras.saving.load_model(sys.argv[1], compile=False).predict(np.load(sys.argv[2]), batch_size=500, verbose=0)
"""


def parse_arguments(argv):
    """Return the command line's arguments."""
    parser = Parser(__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="runs of each command (default: %(default)s)")
    parser.add_argument("--images", type=int, default=10_000, help="in the folder (default: %(default)s)")
    parser.add_argument("--large", type=int, metavar="N", help="also read a folder of N images once, for its memory")
    parser.add_argument("--model", help="the trained model (default: the default model)")
    tables.add_option(parser)
    return parser.parse_args(argv)


def in_turn(repeats, *commands):
    """Run commands in turn, `repeats` rounds. Returns a list of median wall seconds, one per command."""
    seconds = [[] for _ in commands]
    for _ in range(repeats):
        for command, times in zip(commands, seconds):
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, check=True)
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def watch(command):
    """Run a command that prints a line per image.

    Returns:
        dict: seconds until its first line and until its end, lines, processors kept busy on average, and the
        highest sums over its processes of resident and proportional set sizes, in MB (None off Linux).
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
    lines, first, resident, proportional = 0, None, 0, 0
    os.set_blocking(process.stdout.fileno(), False)
    open_ = True
    while open_:
        time.sleep(0.01)
        while (chunk := process.stdout.read(1 << 20)) is not None:
            open_ = bool(chunk)
            if not open_:
                break
            first = first or time.perf_counter() - start
            lines += chunk.count(b"\n")
        memory = memory_of(process.pid)
        resident, proportional = max(resident, memory[0]), max(proportional, memory[1])
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    end = time.perf_counter() - start
    return {
        "first": first,
        "seconds": end,
        "lines": lines,
        "processors": (usage.ru_utime + usage.ru_stime) / end,
        "resident": resident or None,
        "proportional": proportional or None,
    }


def memory_of(pid):
    """Return (resident, proportional) MB of a process and all that it started, 0 where unknown."""
    resident = proportional = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in file if line.endswith("kB\n")}
        resident, proportional = sizes["Rss"] / 1024, sizes["Pss"] / 1024
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            for child in file.read().split():
                more = memory_of(child)
                resident, proportional = resident + more[0], proportional + more[1]
    except OSError:
        pass
    return resident, proportional


def time_file(path, model, repeats):
    """Return (seconds from file to answers, seconds of decoding), medians in this process."""
    from digits.reading import image_loader, ink, reader

    images = reader.ImageReader(reader.Settings(model))
    answers, decodings = [], []
    for _ in range(repeats + 1):  # the first also fills caches
        start = time.perf_counter()
        list(images.read([reader.Job(str(path), str(path))]))
        middle = time.perf_counter()
        list(image_loader.load_pages(path, least_side=ink.FINE_SIDE))
        answers.append(middle - start)
        decodings.append(time.perf_counter() - middle)
    return statistics.median(answers[1:]), statistics.median(decodings[1:])


def machine():
    """Return the machine and the versions, as one line."""
    processor = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), processor)
    packages = ("numpy", "pillow", "opencv-python-headless", "ai-edge-litert", "keras", "tensorflow")
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, " + ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in packages
    )


def main(argv=None):
    """Measure and print the table. Returns the exit status."""
    arguments = parse_arguments(argv)
    import numpy as np

    import data_loader
    from digits.support.constants import DEFAULT_MODEL

    model = str(pathlib.Path(arguments.model or DEFAULT_MODEL).resolve())
    python, predict = sys.executable, [sys.executable, "predict.py", "--model", model]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="predict_speed-"))
    rows = []

    def row(what, value, aim):
        rows.append(f"| {what} | {value} | {aim} |")
        print(rows[-1], flush=True)

    try:
        write_digits(folder / "digits", arguments.images)
        digit = str(folder / "digits" / "0.png")
        imports, litert, keras = in_turn(
            arguments.repeats,
            [python, "-c", "import numpy, PIL.Image, cv2"],
            [*predict, "--runtime", "litert", digit],
            [*predict, "--runtime", "keras", digit],
        )
        row("one image, LiteRT against Keras", f"{litert:.2f} s / {keras:.2f} s = 1/{keras / litert:.1f}", "at most 1/8")
        row(
            "one image against `import numpy, PIL.Image, cv2`",
            f"{litert:.2f} s / {imports:.2f} s = {litert / imports:.2f}",
            "at most 3",
        )

        scripts = [name for name in SCRIPTS if (ROOT / name).exists()]
        bare, *helps = in_turn(arguments.repeats, [python, "-c", "pass"], *([python, name, "--help"] for name in scripts))
        row(
            "`--help` over bare Python, slowest script",
            f"{max(helps) - bare:.2f} s ({scripts[helps.index(max(helps))]})",
            "below 0.15 s",
        )

        np.save(folder / "x.npy", data_loader.load_mnist().x_test[..., None].astype("float32"))
        ours, theirs = in_turn(
            arguments.repeats,
            [python, "evaluate.py", "--model", model, "--output-dir", str(folder / "reports")],
            [python, "-c", PLAIN_PREDICT, model, str(folder / "x.npy")],
        )
        row(
            "evaluate.py on 10,000 images against importing Keras and `model.predict`",
            f"{ours:.1f} s / {theirs:.1f} s = {ours / theirs:.2f}",
            "at most 1.5",
        )

        loops = [[python, "-c", TIGHT_LOOP, str(ROOT), model, str(threads), str(folder / "digits")] for threads in (1, 2)]
        reading = [*predict, "--format", "jsonl", str(folder / "digits")]
        ours, *theirs = in_turn(arguments.repeats, reading, *loops)
        for threads, seconds in zip((1, 2), theirs):
            row(
                f"folder of {arguments.images} PNGs: rate against a tight loop of decoding and network, threads of the network: "
                f"{threads}",
                f"{arguments.images / ours:.0f} / {arguments.images / seconds:.0f} images/s = {seconds / ours:.2f}",
                "at least 0.7",
            )
        runs = [watch(reading) for _ in range(3)]
        run = sorted(runs, key=lambda one: one["seconds"])[1]
        assert run["lines"] == arguments.images, "an image is missing from the output"
        row("its first result after", f"{run['first']:.2f} s", "at most 1 s")
        row("processors kept busy", f"{run['processors']:.2f} of {os.cpu_count()}", "both of 2")
        if run["resident"]:
            row(
                "peak memory of all processes, resident / proportional",
                f"{max(one['resident'] for one in runs):.0f} / {max(one['proportional'] for one in runs):.0f} MB",
                "below 400 MB",
            )
        if arguments.large:
            write_digits(folder / "large", arguments.large)
            run = watch([*reading[:-1], str(folder / "large")])
            assert run["lines"] == arguments.large, "an image is missing from the output"
            loops = in_turn(1, *([*loop[:-1], str(folder / "large")] for loop in loops))
            row(
                f"folder of {arguments.large}: rate against the same two loops",
                f"{arguments.large / run['seconds']:.0f} / "
                + ", ".join(f"{arguments.large / seconds:.0f} images/s = {seconds / run['seconds']:.2f}" for seconds in loops),
                "at least 0.7",
            )
            row(f"folder of {arguments.large}: first result", f"{run['first']:.2f} s", "as above")
            if run["resident"]:
                row(
                    f"folder of {arguments.large}: peak memory", f"{run['resident']:.0f} / {run['proportional']:.0f} MB", "as above"
                )
        for name, write, what, aim in (
            ("photo.jpg", write_photo, "12-megapixel JPEG", "under 0.5 s"),
            ("text.png", write_text, "page of text", "under 1 s"),
            ("scan.pdf", write_document, "ten-page PDF", "under 5 s"),
        ):
            write(folder / name)
            answer, decoding = time_file(folder / name, model, arguments.repeats)
            row(f"{what}, file to answer (decoding alone)", f"{answer:.2f} s ({decoding:.2f} s)", aim)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    made = tables.made_by(__file__, "--repeats", arguments.repeats) + f": medians of {arguments.repeats} runs in turn."
    tables.publish("\n".join([made, "", machine(), "", "| what | measured | aim |", "|---|---|---|", *rows, ""]), arguments.table)
    return 0


if __name__ == "__main__":
    command_line.run(main)
