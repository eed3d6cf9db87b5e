"""Images and labels as arrays: MNIST as shipped in data/, or a data set of your own.

    from data_loader import load_dataset, split, subset
    data = load_dataset()                                  # MNIST: data.x_train is (60000, 28, 28) uint8
    train, validation = split(data.y_train, 5000, seed=0)  # indices into the training images
    part = subset(data.y_train, 3000, seed=0)              # indices of 3000 images, stratified

Pixels stay uint8, 0 (paper) to 255 (ink): scaling to [0, 1] is a layer inside the model, so that training
and prediction cannot differ. Every file is checked before it is used; a faulty one is refused with one sentence
that says what is wrong (`messages.UserError`).
"""

import contextlib
import gzip
import hashlib
import io
import os
import pathlib
import sys
import zipfile
from typing import NamedTuple

import numpy as np

from digits.inference.runtimes import load_network
from digits.reading.decoding import DigitReader
from digits.reading.image_loader import load_pages
from digits.reading.image_paths import find_images
from digits.reading.ink import LONG_SIDE
from digits.support import native_output
from digits.support.constants import IMAGE_SIZE, NO_DIGIT, NOT_A_DIGIT, NUM_CLASSES, PROJECT
from digits.support.files import atomic_write
from digits.support.idx import MAX_ARRAY_BYTES, idx_bytes, read_idx
from digits.support.messages import UserError, printable, reason

MNIST_FOLDER = PROJECT / "data"
TEST_EVERY = 5  # of a folder of images: one image in so many of each digit is for the test

# The four original files (Y. LeCun, C. Cortes; see data/README.md) and the SHA-256 of their uncompressed bytes.
MNIST_FILES = {
    "x_train": ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "y_train": ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "x_test": ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "y_test": ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}

RESTORE_MNIST = "restore it with `git checkout -- data`, or delete it to have Keras download MNIST"


class Dataset(NamedTuple):
    """Images (N, 28, 28) uint8, 0 = paper to 255 = ink, and labels (N,) uint8, 0 to 9, for training and test."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    checksum: str  # SHA-256 over the four arrays


def load_dataset(path: str | os.PathLike | None = None, complete: bool = True) -> Dataset:
    """Load MNIST, or the data set at `path`.

    Args:
        path: None for MNIST; or a `.npz` with x_train, y_train, x_test and y_test; or a folder of the four
            IDX files (plain or .gz); or a folder with one sub-folder of images per digit, `0/` to `9/`, of
            which every fifth image of a class (in order of name) becomes the test set.
        complete: refuse a data set that lacks images of a digit. False: one image of a digit, for training, is enough, and
            the training images may hold negatives: those in the sub-folder `no_digit/`, labelled NOT_A_DIGIT.

    Returns:
        Dataset.

    Raises:
        UserError: anything missing, unreadable or not of the shapes and ranges of `Dataset`.
    """
    if path is None:
        return load_mnist()
    path = pathlib.Path(path)
    if path.is_dir():
        if any((path / name).is_dir() for name in _class_folders(complete)):
            arrays = _read_image_folders(path, complete)
        else:
            arrays = {key: read_idx(_idx_path(path, name)) for key, (name, _) in MNIST_FILES.items()}
    elif path.suffix.lower() == ".npz" and path.is_file():
        arrays = _read_npz(path)
    elif path.exists():
        raise UserError(
            f"{printable(path)} is not a data set; give a .npz, a folder of IDX files, or a folder "
            "with one sub-folder of images per digit, 0 to 9."
        )
    else:
        raise UserError(f"there is no data set at {printable(path)}; check the path.")
    return _checked_dataset(arrays, path, complete)


def load_mnist(folder: str | os.PathLike = MNIST_FOLDER) -> Dataset:
    """Load MNIST from `folder`; where its files are absent, have Keras download them and keep the result there.

    Returns:
        Dataset of 60,000 training and 10,000 test images, verified by checksum.

    Raises:
        UserError: a file is truncated, altered or unreadable, or the download failed.
    """
    folder = pathlib.Path(folder)
    paths = {key: folder / f"{name}.gz" for key, (name, _) in MNIST_FILES.items()}
    missing = {key: path for key, path in paths.items() if not path.exists()}
    if missing:
        _download_mnist(missing)
    arrays = {}
    for key, (_, checksum) in MNIST_FILES.items():
        arrays[key] = read_idx(paths[key], RESTORE_MNIST)
        if hashlib.sha256(idx_bytes(arrays[key])).hexdigest() != checksum:
            raise UserError(f"{printable(paths[key])} is not MNIST's file (its checksum differs); {RESTORE_MNIST}.")
    return _checked_dataset(arrays, "MNIST")


def subset(labels: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """Choose `count` images at random, every class in proportion.

    Args:
        labels: (N,) integers.
        count: how many; None, or more than there are, for all.
        seed: integer; the same seed gives the same images.

    Returns:
        Their indices, int array in ascending order.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels))
    for digit in np.unique(labels):
        members = shuffled[labels[shuffled] == digit]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)  # the first tenth of each class is below 0.1
    return np.sort(shuffled[np.argsort(rank[shuffled], kind="stable")][:count])


def split(labels: np.ndarray, validation_size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices into training and validation, every class in proportion.

    Args:
        labels: (N,) integers.
        validation_size: number of validation images, at least one per class.
        seed: integer; the same seed gives the same split.

    Returns:
        (training indices, validation indices), int arrays in ascending order.

    Raises:
        UserError: the sizes leave a class without training or validation images.
    """
    from sklearn.model_selection import train_test_split

    try:
        train, validation = train_test_split(np.arange(len(labels)), test_size=validation_size, stratify=labels, random_state=seed)
    except ValueError as error:
        raise UserError(
            f"cannot hold {validation_size} of {len(labels)} training images out for validation with at least one "
            "of each digit on both sides; use more images, or another --validation-size."
        ) from error
    return np.sort(train), np.sort(validation)


def _idx_path(folder, name):
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.exists():
            return candidate
    raise UserError(
        f"{printable(folder)} holds neither {name} (or {name}.gz) nor sub-folders 0 to 9 of images; "
        "give a .npz, a folder of the four IDX files, or a folder with one sub-folder per digit."
    )


def _read_npz(path):
    """Return the four arrays of a .npz, without pickle and without unpacking more than MAX_ARRAY_BYTES."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_ARRAY_BYTES:
                raise UserError(f"{printable(path)} unpacks to more than {MAX_ARRAY_BYTES >> 30} GiB; give a smaller data set.")
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in MNIST_FILES if key not in archive.files]
            if missing:
                raise UserError(f"{printable(path)} lacks {', '.join(missing)}; it must hold {', '.join(MNIST_FILES)}.")
            return {key: archive[key] for key in MNIST_FILES}
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {reason(error)}.") from error
    except Exception as error:  # NumPy and zipfile fail on hostile files in as many ways as those have fields
        raise UserError(
            f"cannot read {printable(path)} ({printable(reason(error)).rstrip('.')}); save it again with numpy.savez_compressed."
        ) from error


def _class_folders(complete):
    """Return the label of each sub-folder of images, by its name."""
    return {str(digit): digit for digit in range(NUM_CLASSES)} | ({} if complete else {NO_DIGIT: NOT_A_DIGIT})


def _read_image_folders(folder, complete):
    """Return the four arrays of a folder with one sub-folder of images per class, each made 28x28 as by `predict.py --single`."""
    reader = DigitReader(_default_network())
    images, labels, test = [], [], []
    for class_name, label in _class_folders(complete).items():
        groups = find_images([str(folder / class_name)], recursive=True) if (folder / class_name).is_dir() else []
        paths = [pathlib.Path(parent, name) for parent, names, _ in groups for name in names]
        if complete and len(paths) < TEST_EVERY:
            raise UserError(
                f"{printable(folder / class_name)} holds {len(paths)} image{'s' * (len(paths) != 1)}; each digit needs "
                f"{TEST_EVERY} at least, of which one is for the test."
            )
        for number, path in enumerate(paths):
            if folder.resolve() not in path.resolve().parents:
                raise UserError(f"{printable(path)} links out of the data folder; copy the image into it instead.")
            with contextlib.closing(load_pages(path, least_side=LONG_SIDE)) as pages:
                page = next(pages)
            if page.image is None:
                raise UserError(page.error)
            if page.number:
                raise UserError(f"{printable(path)} has several pages; save each as an image of its own.")
            images.append(reader.read([page.image], single=True)[0]["images"][0])
            if not images[-1].any():
                raise UserError(f"{printable(path)} shows no ink; remove it from the data set.")
            labels.append(label)
            test.append(number % TEST_EVERY == TEST_EVERY - 1 and label != NOT_A_DIGIT)
    if not images:
        raise UserError(f"{printable(folder)} holds no images; put some of a digit into the sub-folder of its name.")
    x, y, held_out = np.stack(images), np.array(labels, np.uint8), np.array(test)
    return {"x_train": x[~held_out], "y_train": y[~held_out], "x_test": x[held_out], "y_test": y[held_out]}


def _default_network():
    """Return the default model, or, where there is none, a network that knows nothing: the ink alone decides then."""
    try:
        return load_network()
    except UserError:
        return lambda images: np.full((len(images), NUM_CLASSES), 1 / NUM_CLASSES)


def _download_mnist(paths):
    """Fetch MNIST through Keras and keep what is missing at `paths`, as the original IDX files."""
    folder = next(iter(paths.values())).parent
    print(f"MNIST is not complete in {printable(folder)}: downloading it ...", file=sys.stderr, flush=True)
    try:
        with native_output.silenced(), contextlib.redirect_stdout(io.StringIO()):
            import keras

            (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # a download fails in many ways; each means the same to the user
        raise UserError(
            f"MNIST is not complete in {printable(folder)} and could not be downloaded "
            f"({printable(reason(error))}); restore it with `git checkout -- data`."
        ) from error
    arrays = dict(zip(MNIST_FILES, (x_train, y_train, x_test, y_test)))
    for key, path in paths.items():
        content = idx_bytes(np.asarray(arrays[key], np.uint8))
        if hashlib.sha256(content).hexdigest() != MNIST_FILES[key][1]:
            raise UserError(
                f"what was downloaded in place of {printable(path)} is not MNIST (its checksum differs); restore "
                "it with `git checkout -- data`."
            )
        with atomic_write(path) as temporary:
            temporary.write_bytes(gzip.compress(content, mtime=0))


def _checked_dataset(arrays, source, complete=True):
    """Return a Dataset of `arrays` once every shape, type, range and class is as `Dataset` promises."""

    def refuse(fault):
        raise UserError(f"{printable(source)}: {fault}")

    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim == 4 and x.shape[-1] == 1:
            arrays[f"x_{part}"] = x = x[..., 0]
        if x.ndim != 3 or x.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
            refuse(f"x_{part} has shape {x.shape}; it must be (N, 28, 28).")
        if not len(x) and (complete or part == "train"):
            refuse(f"x_{part} holds no image.")
        if x.dtype != np.uint8:
            refuse(f"x_{part} is {x.dtype}; it must be uint8, 0 (paper) to 255 (ink).")
        if y.shape != (len(x),):
            refuse(f"y_{part} has shape {y.shape}; {len(x)} images need {len(x)} labels, one integer each.")
        if len(blank := np.flatnonzero(~x.any(axis=(1, 2)))):
            refuse(f"x_{part}[{blank[0]}] shows no ink; remove it, and its label.")
        if len(x) and x.max() < 32:
            refuse(f"x_{part} has no value above {x.max()}; it must be 0 (paper) to 255 (ink).")
        if len(x) and np.mean(x > 127) > 0.6:
            refuse(f"x_{part} is dark on light, with more ink than paper; give 255 - x_{part}: 0 is paper, 255 is ink.")
        if y.dtype.kind not in "iu":
            refuse(f"y_{part} is {y.dtype}; labels must be integers 0 to 9.")
        labels = [*range(NUM_CLASSES)] + [NOT_A_DIGIT] * (not complete and part == "train")
        if len(wrong := np.setdiff1d(y, labels)):
            refuse(f"y_{part} holds the label {wrong[-1]}; labels must be 0 to 9.")
        if not complete and part == "train" and np.all(y == NOT_A_DIGIT):
            refuse("there is no image of a digit to learn from; one is enough.")
        if complete and (empty := sorted(set(range(NUM_CLASSES)) - set(y.tolist()))):
            refuse(
                f"y_{part} has no image of the digit{'s' * (len(empty) > 1)} {', '.join(map(str, empty))}; each digit needs some."
            )
        arrays[f"y_{part}"] = y.astype(np.uint8)
    digest = hashlib.sha256()
    for key in MNIST_FILES:
        digest.update(np.ascontiguousarray(arrays[key]).data)
    return Dataset(**arrays, name=pathlib.Path(source).resolve().name, checksum=digest.hexdigest())
