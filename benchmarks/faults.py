"""Cause faults that must not cost anybody work or safety, and count the failures. Every count should be 0.

    python benchmarks/faults.py                                    # an hour on two cores
    python benchmarks/faults.py --quick                            # minutes
    python benchmarks/faults.py --kills 0 --models 0 --images 500  # only images

Trainings are killed (kill -9) at random moments and resumed; images and model files are damaged at random and
read by the code that a user's command runs; writing fails as on a full disk. The same --seed does the same
again. Damaged files are tried in processes of their own, so that a crash of a library is counted, too. A file
that caused a fault is kept in --keep.
"""

import argparse
import collections
import contextlib
import faulthandler
import io
import json
import os
import pathlib
import platform
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from digits.support.command_line import Parser
from helpers import encoded, full_disk, run, start, weights_of

HANG_SECONDS = 10
MEMORY_BYTES = 1.5e9
SHARD = 250  # files per process
TRAINING = ["--limit", "1200", "--epochs", "5", "--preset", "quick"]
FAULTS = ("tracebacks", "crashes", "hangs over 10 s", "over 1.5 GB", "wrong exit statuses")


# ---- damage ----


def mutate(content, rng):
    """Return bytes damaged in one to eight places: altered, removed, repeated, overwritten or cut off."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        if not content:
            break
        at, length = rng.randrange(len(content)), rng.choice((1, 1, 2, 4, 16, 200))
        kind = rng.randrange(6)
        if kind == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            content[at : at + length] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length
        elif kind == 3:
            del content[at : at + length]
        elif kind == 4:
            content[at:at] = content[at : at + length]
        elif rng.random() < 0.3:
            del content[at:]
        if rng.random() < 0.5:  # headers hold what matters
            at = rng.randrange(min(len(content), 64)) if content else 0
            content[at : at + 1] = rng.randbytes(1)
    return bytes(content)


def mutate_json(value, rng):
    """Return a JSON value of which about one part is replaced."""
    parts = []

    def walk(part):
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part):
            parts.append((part, key))
            if isinstance(inner, (dict, list)):
                walk(inner)

    walk(value)
    part, key = rng.choice(parts)
    whole, layer = json.loads(json.dumps(value)), {"class_name": "Lambda", "config": {}}
    numbers = [True, -1, 0, 2, 10**9, 10**30, 0.5, float("inf")]
    part[key] = rng.choice([None, *numbers, "", "x" * 1000, "../x", "Lambda", [], {}, [None] * 50, layer, whole])
    return json.dumps(value)


def mutate_model(content, rng):
    """Return a damaged `.keras` file: as a whole, or one entry of it with its checksum made right again."""
    kind = rng.randrange(3)
    if kind == 0:
        return mutate(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if kind == 1:
        entries["config.json"] = mutate_json(json.loads(entries["config.json"]), rng).encode()
    else:
        name = "model.weights.h5"
        # Most of the file is numbers: three quarters of the damage go where its structure lies.
        head = len(entries[name]) if rng.random() < 0.25 else 4096
        entries[name] = mutate(entries[name][:head], rng) + entries[name][head:]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return buffer.getvalue()


def images():
    """Return images of digits as the bytes of files of many kinds, documents of several pages among them."""
    import numpy as np
    import pillow_heif
    from PIL import Image

    from data_loader import load_mnist

    pillow_heif.register_heif_opener()
    data = load_mnist()
    grey = Image.fromarray(255 - np.hstack(data.x_test[:3])).resize((168, 56))
    found = []
    for mode, kind, options in (
        ("L", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("P", "PNG", {}),
        ("1", "PNG", {}),
        ("I;16", "PNG", {}),
        ("L", "JPEG", {}),
        ("RGB", "JPEG", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"}),
        ("CMYK", "JPEG", {}),
        ("P", "GIF", {"save_all": True, "append_images": [grey.convert("P")]}),
        ("RGB", "BMP", {}),
        ("L", "TIFF", {}),
        ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("1", "TIFF", {"compression": "group4"}),
        ("F", "TIFF", {}),
        ("L", "TIFF", {"compression": "jpeg"}),
        ("RGB", "WEBP", {}),
        ("RGB", "PPM", {}),
        ("1", "PPM", {}),
        ("L", "TIFF", {"save_all": True, "append_images": [grey, grey]}),
        ("RGB", "HEIF", {}),
        ("L", "HEIF", {}),
        ("RGBA", "AVIF", {}),
        ("L", "AVIF", {}),
        ("L", "PDF", {}),
        ("1", "PDF", {"save_all": True, "append_images": [grey, grey]}),
    ):
        image = Image.fromarray(np.asarray(grey).astype("uint16") * 257) if mode == "I;16" else grey.convert(mode)
        found.append(encoded(image, kind, **options))
    return found


# ---- one damaged file through the code that a command runs ----


def try_image(path, model_path):
    """Read a damaged image with predict.py. Returns the kind of fault, or None."""
    import predict

    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = predict.main([str(path), "--model", str(model_path), "--format", "jsonl"])
    except Exception:
        return "tracebacks"
    errors = [json.loads(line)["error"] for line in out.getvalue().splitlines()]  # of each page
    told = all(error is None or ("\n" not in error and error.endswith(".")) for error in errors)
    good = told and errors and status == (0 if not any(errors) else 2 if all(errors) else 1)
    return None if good and "Traceback" not in err.getvalue() else "wrong exit statuses"


def try_model(path, _):
    """Load a damaged model as evaluate.py and predict.py do, and run it. Returns the kind of fault, or None."""
    import numpy as np

    from digits.inference.runtimes import KerasNetwork
    from digits.support.messages import UserError

    try:
        answers = KerasNetwork(path)(np.zeros((1, 28, 28), np.uint8))
    except UserError as error:
        return None if "\n" not in str(error) else "wrong exit statuses"
    except Exception:
        return "tracebacks"
    return None if answers.shape == (1, 10) else "wrong exit statuses"


def try_files(kind, first, count, seed, model_path, keep=None):
    """Try damaged files number `first` to `first + count`. Returns a Counter of faults."""
    originals = images() if kind == "images" else [pathlib.Path(model_path).read_bytes()]
    suffix, damage, attempt = (".png", mutate, try_image) if kind == "images" else (".keras", mutate_model, try_model)
    faults = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder, f"whole{suffix}")
        whole.write_bytes(originals[0])
        if found := attempt(whole, model_path):  # loads the libraries, too, whose time is not a file's
            return collections.Counter({found: count})
        for number in range(first, first + count):
            rng = random.Random(f"{seed} {kind} {number}")
            path = pathlib.Path(keep or folder, f"{kind}-{number}{suffix}")
            path.write_bytes(damage(rng.choice(originals), rng))
            started = time.process_time()  # another program's work is no hang; one that waits for ever ends the process
            faulthandler.dump_traceback_later(30 * HANG_SECONDS, exit=True)
            found = attempt(path, model_path)
            faulthandler.cancel_dump_traceback_later()
            if time.process_time() - started > HANG_SECONDS:
                found = "hangs over 10 s"
            if found:
                faults[found] += 1
            else:
                path.unlink()
    return faults


def peak_memory():
    """Return the most memory (bytes) that this process has held since its program started."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # on Linux getrusage counts what the parent held when it started this process, too
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fuzz(kind, count, seed, model_path, keep=None):
    """Try `count` damaged files in processes of their own. Returns a Counter of faults."""
    faults = collections.Counter()
    for first in range(0, count, SHARD):
        words = [
            "--worker",
            kind,
            first,
            min(SHARD, count - first),
            model_path,
            "--seed",
            seed,
            *(["--keep", keep] if keep else []),
        ]
        process = run(__file__, *words)
        try:
            faults.update(json.loads(process.stdout.splitlines()[-1]))
        except (IndexError, ValueError):
            faults["crashes"] += 1
            print(process.stderr[-2000:], file=sys.stderr)
    return faults


# ---- killed trainings, full disks ----


def kill_trainings(kills, folder, seed):
    """Kill a training at each of `kills` random moments, then go on with it. Returns (reference model, Counter)."""
    import numpy as np

    from digits.inference.keras_model import load_model
    from digits.inference.model_files import files_of, read_history
    from digits.support.messages import UserError

    reference, faults, rng = folder / "reference.keras", collections.Counter(), random.Random(seed)
    done = run("train.py", *TRAINING, "--model", reference)
    if done.returncode:
        sys.exit(f"the training that was to be killed does not run:\n{done.stderr}")
    history = read_history(reference)
    seconds, last = min(history["seconds"]), len(history["epoch"])
    for number in range(kills):
        path = folder / "killed.keras"
        if number % 2:  # half of the time a model of another training is there
            shutil.copy(reference, path)
        process = start("train.py", *TRAINING, "--model", path)
        # After 0 to all epochs, and then at any moment of the next one, or of the writing of the results.
        epochs = rng.randrange(last + 1)
        while epochs and not process.stdout.readline().startswith(f"epoch {epochs}/"):
            if process.poll() is not None:
                sys.exit("a training ended before it was killed")
        time.sleep(rng.random() * (seconds if 0 < epochs < last else 4))
        process.kill()
        process.communicate()
        try:
            if path.exists():
                load_model(path)
            elif number % 2:
                faults["models lost"] += 1
        except UserError:
            faults["models that do not load"] += 1
        resume = ["--resume"] if files_of(path).checkpoint.exists() else []
        faults["resumed"] += len(resume)
        if run("train.py", *TRAINING, "--model", path, *resume).returncode:
            faults["wrong exit statuses"] += 1
        else:
            faults["other weights"] += not all(map(np.array_equal, weights_of(reference), weights_of(path)))
        faults["litter"] += len(
            set(os.listdir(folder)) - {f"{name}{end}" for name in ("reference", "killed") for end in (".keras", ".tflite", ".json")}
        )
        for file in folder.glob("*killed*"):
            file.unlink()
    return reference, faults


def fill_disks(reference, folder):
    """Let every script write where no file can grow beyond a limit. Returns (number of runs, Counter of faults)."""
    image = folder / "digits.png"
    image.write_bytes(images()[0])
    runs, faults = 0, collections.Counter()
    for limit in (0, 100, 10_000, 300_000, 2_000_000):
        for script, arguments in (
            ("train.py", [*TRAINING, "--epochs", "1", "--model", "full/x.keras"]),
            ("evaluate.py", ["--model", str(reference), "--output-dir", "full"]),
            ("visualize.py", ["--model", str(reference), "--output-dir", "full"]),
            ("predict.py", [str(image), "--model", str(reference), "--annotate", "full"]),
        ):
            (folder / "full").mkdir()
            (folder / "full" / "x.keras").write_bytes(b"old")
            with full_disk(limit):
                process = run(script, *arguments, cwd=folder)
            written = {path.name: path.stat().st_size for path in (folder / "full").iterdir()}
            runs += 1
            faults["tracebacks"] += "Traceback" in process.stderr
            faults["wrong exit statuses"] += process.returncode not in (0, 2) or (process.returncode == 2) == (process.stderr == "")
            faults["old file touched"] += script == "train.py" and process.returncode == 2 and written.pop("x.keras") != 3
            faults["litter"] += sum(name.startswith(".") or size == 0 for name, size in written.items())
            shutil.rmtree(folder / "full")
    return runs, faults


def main(argv=None):
    """Print the table; the exit status is 1 after any failure."""
    parser = Parser(__doc__)
    parser.add_argument("--kills", type=int, metavar="N", help="trainings to kill (default: 25; quick: 3)")
    parser.add_argument("--images", type=int, metavar="N", help="damaged images (default: 10000; quick: 1000)")
    parser.add_argument("--models", type=int, metavar="N", help="damaged models (default: 1000; quick: 100)")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--keep", metavar="FOLDER", help="an existing folder for the files that cause faults")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        kind, first, count, model_path = arguments.worker
        faults = try_files(kind, int(first), int(count), arguments.seed, model_path, arguments.keep)
        faults["over 1.5 GB"] += peak_memory() > MEMORY_BYTES
        print(json.dumps(faults))
        return 0
    for name, full, quick in (("kills", 25, 3), ("images", 10_000, 1000), ("models", 1000, 100)):
        if getattr(arguments, name) is None:
            setattr(arguments, name, quick if arguments.quick else full)

    print(
        f"`python benchmarks/faults.py --kills {arguments.kills} --images {arguments.images} --models {arguments.models} --seed "
        f"{arguments.seed}`, {time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {platform.system()}\n\n"
        "| fault | times | failures | kinds of failure |\n| --- | --- | --- | --- |",
        flush=True,
    )
    total = 0

    def report(what, count, faults, kinds):
        nonlocal total
        if not count:
            return
        total += sum(faults[kind] for kind in kinds)
        found = ", ".join(f"{faults[kind]} {kind}" for kind in kinds)
        print(f"| {what} | {count} | {sum(faults[kind] for kind in kinds)} | {found} |", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        reference, faults = kill_trainings(arguments.kills, folder, arguments.seed)
        report(
            f"training killed at a random moment, then resumed ({faults['resumed']}) or started again",
            arguments.kills,
            faults,
            ("models lost", "models that do not load", "wrong exit statuses", "other weights", "litter"),
        )
        for kind, what in (("images", "damaged image read"), ("models", "damaged model loaded")):
            count = getattr(arguments, kind)
            report(what, count, fuzz(kind, count, arguments.seed, reference, arguments.keep), FAULTS)
        if arguments.kills:
            runs, faults = fill_disks(reference, folder)
            report("script run on a full disk", runs, faults, ("tracebacks", "wrong exit statuses", "old file touched", "litter"))
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
