"""What each ingredient of the recipe adds: the same training again and again, each time with one thing left out.

    python benchmarks/ablation.py                              # about an hour on two cores
    python benchmarks/ablation.py --seeds 1 --only "no warp"   # one line of the table
    python benchmarks/ablation.py --handwriting other.npz      # scores on other handwriting, too

Trainings are a third as long as `train.py` and scored on 10,000 of MNIST's training images that they do not see;
the test images are never looked at. `other.npz` holds `x` (N, 28, 28) uint8, ink 255 on 0, drawn as
`mnist_format.mnist_normalise` does, and `y` (N,): 0 to 9, or 255 for an image of something else. Results are kept
in a folder of reports/ablation/ that is named after the code: run it again after an interruption, and it goes on.
"""

import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import tables
from digits.reading.decoding import MIN_CONFIDENCE
from digits.support import command_line, files
from digits.support.command_line import Parser
from train import PRESETS

EPOCHS, VALIDATION_SIZE, BATCH_SIZE, LEARNING_RATE = 6, 10_000, 128, 3e-3
NEVER = 1e-9  # a share of the images that is next to none, by which one can still divide

STANDARD = PRESETS["standard"]
# What is different: a module's constants, or one of the preset's shares of synthetic digits and negatives.
VARIANTS = {
    "the recipe": {},
    "no synthetic digits": {"synthetic_share": 0.0},
    "synthetic digits: a quarter as many": {"synthetic_share": STANDARD["synthetic_share"] / 4},
    "synthetic digits: pens of even strokes": {"pen": {"CONTRAST_SHARE": 0.0}},
    "synthetic digits: none beside a rest": {"recipe": {"REST_SHARE": 0.0}},
    "no negatives": {"negatives_share": 0.0},
    "negatives: half as many": {"negatives_share": STANDARD["negatives_share"] / 2},
    "no warp": {"augmentation": {"ROTATION": 0.0, "SCALE": 0.0, "SHEAR": 0.0, "SHIFT": 0.0, "STRETCH_SHARE": 0.0}},
    "no stretching to a square": {"augmentation": {"STRETCH_SHARE": 0.0}},
    "no change of pen width": {"augmentation": {"PEN_SHARE": NEVER}},
    "no loss of detail": {"augmentation": {"COARSE_SHARE": NEVER}},
    "no label smoothing": {"recipe": {"LABEL_SMOOTHING": 0.0}},
}


def train_variant(changes, seed, handwriting):
    """Train once. Returns a dict of scores: validation accuracy and loss, and on the other handwriting, if given."""
    from digits.inference.calibration import calibrate, score
    from digits.inference.keras_model import predict, start_tensorflow
    from model import build_model

    start_tensorflow()
    import keras
    import numpy as np

    from data_loader import load_dataset, split
    from digits.training import augmentation, pen, recipe

    shares = {key: changes.get(key, PRESETS["standard"][key]) for key in ("synthetic_share", "negatives_share")}
    constants = [
        (module, name, value)
        for module in (augmentation, pen, recipe)
        for name, value in changes.get(module.__name__.rpartition(".")[2], {}).items()
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in constants]
    for change in constants:
        setattr(*change)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    data = load_dataset()
    training, validation = split(data.y_train, VALIDATION_SIZE, 0)
    x, y = data.x_train[validation], data.y_train[validation]
    images, labels = recipe.training_set(data.x_train[training], data.y_train[training], **shares, seed=seed)
    batches = recipe.Batches(images, labels, BATCH_SIZE, seed)
    model = build_model()
    model.compile(recipe.optimizer(LEARNING_RATE, EPOCHS * batches.steps), "categorical_crossentropy")
    model.fit(batches.dataset(EPOCHS), steps_per_epoch=batches.steps, epochs=EPOCHS, shuffle=False, verbose=0)
    calibrate(model, x, y)
    scores = dict(zip(("accuracy", "loss"), score(model, x, y)))
    if handwriting:
        with np.load(handwriting, allow_pickle=False) as other:
            answers, truth = predict(model, other["x"]), other["y"]
        digits = truth < 10
        scores["handwriting"] = float(np.mean(answers[digits].argmax(axis=1) == truth[digits]))
        scores["refused"] = float(np.mean(answers[~digits].max(axis=1) < MIN_CONFIDENCE))
    for change in before:
        setattr(*change)
    return scores


def table(results, seeds, handwriting):
    """Return Markdown: one row per variant, means over the seeds and, for accuracy, their range."""
    columns = [
        ("accuracy", "MNIST validation %"),
        ("loss", "its cross-entropy"),
        ("handwriting", "other handwriting %"),
        ("refused", f"negatives below {MIN_CONFIDENCE}, %"),
    ]
    columns = [column for column in columns if any(column[0] in scores for scores in results.values())]
    means = f"Means over {seeds} seeds (lowest to highest)" if seeds > 1 else "One seed"
    lines = [
        tables.made_by(__file__, "--seeds", seeds, *(["--handwriting", handwriting.name] if handwriting else []))
        + f". {means}, {EPOCHS} epochs, {VALIDATION_SIZE} images held out.",
        "",
        "| | " + " | ".join(title for _, title in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for variant in VARIANTS:
        runs = [results[f"{variant} {seed}"] for seed in range(seeds) if f"{variant} {seed}" in results]
        if runs:
            cells = [cell([run[key] for run in runs], key) for key, _ in columns]
            lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(values, key):
    """Return the mean of several runs, with the lowest and the highest; percentages but for the loss."""
    values = [
        f"{value:.4f}" if key == "loss" else f"{100 * value:.2f}" for value in (statistics.mean(values), min(values), max(values))
    ]
    return values[0] if values[1] == values[2] else "{} ({} to {})".format(*values)


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="how many, from 0 on (default: %(default)s)")
    parser.add_argument("--only", choices=VARIANTS, help="train one variant")
    parser.add_argument("--handwriting", type=pathlib.Path, metavar="NPZ", help="score these images, too")
    tables.add_option(parser)
    arguments = parser.parse_args(argv)
    path = tables.cache("ablation", *filter(None, [arguments.handwriting])) / "results.json"
    results = files.read_json(path) if path.exists() else {}
    for seed in range(arguments.seeds):
        for variant in [arguments.only] if arguments.only else VARIANTS:
            if f"{variant} {seed}" not in results:
                results[f"{variant} {seed}"] = train_variant(VARIANTS[variant], seed, arguments.handwriting)
                files.write_json(path, results)
                print(variant, seed, results[f"{variant} {seed}"], flush=True)
    text = table(results, arguments.seeds, arguments.handwriting)
    tables.publish(text, arguments.table)
    return 0


if __name__ == "__main__":
    command_line.run(main)
