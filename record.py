"""What a training leaves: the model, the same network for LiteRT, the history, and the record that says how it was made.

    record.save(model, pathlib.Path("models/mine.keras"), progress)     # and mine.tflite, mine.csv, mine.json

network.py reads the record, for predict.py and evaluate.py, and notices when a file beside it is another training's;
export.py renews the checksum of the LiteRT file in it.
"""

from __future__ import annotations

import csv
import io
import os
import pathlib
import platform
import shlex
from typing import TYPE_CHECKING

import files

if TYPE_CHECKING:
    import keras


def save(model: keras.Model, path: pathlib.Path, progress: dict) -> None:
    """Write the model, its LiteRT form, the history and, last, the record that binds them by their checksums.

    Args:
        path: where the model goes (.keras); the others go beside it, under the same name.
        progress: dict of the "run" that was asked for and the "options" of its command line, "history", "best", "replicas",
            "validation" and "temperature".

    Raises:
        files.UserError: one of them cannot be written.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from model import export_litert, save_model

    litert_path = path.with_suffix(".tflite")
    with files.atomic_write(path) as temporary:
        save_model(model, temporary)
    with files.atomic_write(litert_path) as temporary:
        export_litert(model, temporary)
    table = io.StringIO()
    writer = csv.DictWriter(table, progress["history"][0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(progress["history"])
    files.write_text(path.with_suffix(".csv"), table.getvalue())
    files.write_json(
        path.with_suffix(".json"),
        {
            "command": shlex.join(["python", "train.py", *progress["options"]]),
            **progress["run"],
            "replicas": progress["replicas"],
            "parameters": model.count_params(),
            "best_epoch": progress["best"]["epoch"],
            "validation": progress["validation"],
            "temperature": progress["temperature"],
            "duration_seconds": round(sum(row["seconds"] for row in progress["history"]), 1),
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
            },
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "history": progress["history"],
            "history_sha256": files.sha256(path.with_suffix(".csv")),
            "model_sha256": files.sha256(path),
            "litert_sha256": files.sha256(litert_path),
        },
    )
