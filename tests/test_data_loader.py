"""data_loader.py: MNIST as shipped, damaged and missing; every kind of data set; every refusal in one sentence."""

import gzip
import hashlib
import os
import pathlib
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

import data_loader
from data_loader import MNIST_FILES, MNIST_FOLDER, load_dataset, load_mnist, split, subset
from digits.support.idx import idx_bytes, read_idx
from digits.support.messages import UserError
from helpers import make_arrays, run


def refusal(path):
    """The sentence with which a data set is refused: it names the file and is one line."""
    with pytest.raises(UserError) as refused:
        load_dataset(path)
    assert "\n" not in str(refused.value) and pathlib.Path(path).name in str(refused.value)
    return str(refused.value)


@pytest.fixture
def arrays():
    return make_arrays(60)


@pytest.fixture
def mnist_copy(tmp_path):
    """A folder with MNIST's files, as links: to replace one is cheap."""
    for name, _ in MNIST_FILES.values():
        (tmp_path / f"{name}.gz").symlink_to(MNIST_FOLDER / f"{name}.gz")
    return tmp_path


def replace(folder, name, content):
    path = folder / f"{name}.gz"
    path.unlink()
    path.write_bytes(content)
    return path


# ---- MNIST ----


def test_mnist(mnist):
    assert mnist.x_train.shape == (60000, 28, 28) and mnist.x_test.shape == (10000, 28, 28)
    assert mnist.x_train.dtype == mnist.y_train.dtype == np.uint8
    assert np.bincount(mnist.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.x_train.max() == 255 and mnist.x_train[0, 0, 0] == 0 and mnist.name == "MNIST"


def test_files_are_the_original_ones():
    for name, checksum in MNIST_FILES.values():
        assert hashlib.sha256(gzip.decompress((MNIST_FOLDER / f"{name}.gz").read_bytes())).hexdigest() == checksum


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "altered", "other", "empty", "text", "folder", "pipe"])
def test_damaged_mnist_is_named_with_the_way_to_get_it_back(damage, mnist_copy):
    name = MNIST_FILES["y_test"][0]
    content = (MNIST_FOLDER / f"{name}.gz").read_bytes()
    labels = read_idx(MNIST_FOLDER / f"{name}.gz").copy()
    labels[0] ^= 1
    altered = bytearray(content)
    altered[len(altered) // 2] ^= 0xFF
    path = replace(
        mnist_copy,
        name,
        {
            "truncated": content[:3000],
            "altered": bytes(altered),
            "empty": b"",
            "text": b"404 not found",
            "other": gzip.compress(idx_bytes(labels)),
        }.get(damage, b""),
    )
    if damage in ("folder", "pipe"):
        path.unlink()
        path.mkdir() if damage == "folder" else os.mkfifo(path)
    with pytest.raises(UserError) as refused:
        load_mnist(mnist_copy)
    assert path.name in str(refused.value) and "git checkout -- data" in str(refused.value) and "\n" not in str(refused.value)


def stub_download(monkeypatch, answer):
    import keras

    calls = []

    def load_data():
        calls.append(1)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("present", [0, 3])
def test_missing_mnist_is_downloaded_once_and_kept(present, mnist, mnist_copy, monkeypatch):
    for name, _ in list(MNIST_FILES.values())[present:]:
        (mnist_copy / f"{name}.gz").unlink()
    monkeypatch.setattr(gzip, "compress", lambda content, mtime: zlib_fast(content))
    calls = stub_download(monkeypatch, ((mnist.x_train, mnist.y_train), (mnist.x_test, mnist.y_test)))
    for _ in range(2):
        assert load_mnist(mnist_copy).checksum == mnist.checksum
    assert len(calls) == 1
    assert sorted(os.listdir(mnist_copy)) == sorted(f"{name}.gz" for name, _ in MNIST_FILES.values())


def zlib_fast(content):
    """gzip at its quickest: the kept file is checked by its content."""
    import io

    with io.BytesIO() as buffer:
        with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as file:
            file.write(content)
        return buffer.getvalue()


def test_wrong_download_is_not_kept(mnist, tmp_path, monkeypatch):
    stub_download(monkeypatch, ((mnist.x_train[:10], mnist.y_train[:10]), (mnist.x_test, mnist.y_test)))
    with pytest.raises(UserError, match="not MNIST .its checksum differs"):
        load_mnist(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_failed_download_is_told(tmp_path, monkeypatch):
    stub_download(monkeypatch, Exception("URL fetch failure\x1b[2J"))
    with pytest.raises(UserError, match="could not be downloaded .URL fetch failure") as refused:
        load_mnist(tmp_path)
    assert "\x1b" not in str(refused.value) and "git checkout -- data" in str(refused.value)


# ---- data sets of one's own ----


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("channel", [False, True])
def test_npz(channel, arrays, tmp_path):
    given = {key: array[..., None] if channel and key[0] == "x" else array for key, array in arrays.items()}
    given["y_train"] = given["y_train"].astype(np.int64)
    data = load_dataset(str(write_npz(tmp_path / "mine.npz", **given)))
    assert np.array_equal(data.x_train, arrays["x_train"]) and np.array_equal(data.y_test, arrays["y_test"])
    assert data.y_train.dtype == np.uint8 and data.name == "mine.npz"


def test_checksum_covers_every_array(arrays, tmp_path):
    checksums = {load_dataset(write_npz(tmp_path / "0.npz", **arrays)).checksum}
    for key in arrays:
        changed = {**arrays, key: arrays[key].copy()}
        changed[key].flat[-1] = (changed[key].flat[-1] + 1) % 10
        checksums.add(load_dataset(write_npz(tmp_path / "1.npz", **changed)).checksum)
    assert len(checksums) == 5


@pytest.mark.parametrize("packed", [False, True])
def test_idx_folder(packed, arrays, tmp_path):
    for key, (name, _) in MNIST_FILES.items():
        content = idx_bytes(arrays[key])
        (tmp_path / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    data = load_dataset(tmp_path)
    assert all(np.array_equal(getattr(data, key), arrays[key]) for key in arrays)


@pytest.fixture
def image_folder(mnist, tmp_path):
    """0/ to 9/ with six images each: MNIST's test digits four times as large, black on white."""
    folder = tmp_path / "my digits"
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(mnist.y_test == digit)[:6]):
            Image.fromarray(255 - mnist.x_test[index]).resize((112, 112)).save(folder / str(digit) / f"{number}.png")
    return folder


def test_image_folder(image_folder, mnist):
    (image_folder / "3" / "more").mkdir()
    shutil.move(image_folder / "3" / "5.png", image_folder / "3" / "more" / "5.PNG")
    (image_folder / "3" / "notes.txt").write_text("not an image")
    (image_folder / "3" / "._0.png").write_text("what macOS leaves")
    data = load_dataset(image_folder)
    assert data.x_train.shape == (50, 28, 28) and np.bincount(data.y_train).tolist() == [5] * 10
    assert data.x_test.shape == (10, 28, 28) and data.y_test.tolist() == list(range(10))
    likeness = np.corrcoef(data.x_train[0].ravel(), mnist.x_test[np.flatnonzero(mnist.y_test == 0)[0]].ravel())[0, 1]
    assert likeness > 0.8
    assert data.x_train[:, 0, :].max() == 0  # ink on 0, whatever the images' colours


def test_image_folder_refusals(image_folder, tmp_path):
    Image.new("L", (50, 50), 255).save(image_folder / "4" / "blank.png")
    with pytest.raises(UserError, match="blank.png shows no ink"):
        load_dataset(image_folder)
    (image_folder / "4" / "blank.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(UserError, match="blank.png is damaged"):
        load_dataset(image_folder)
    (image_folder / "4" / "blank.png").unlink()
    os.mkfifo(image_folder / "4" / "blank.png")
    with pytest.raises(UserError, match="blank.png is a pipe"):
        load_dataset(image_folder)
    (image_folder / "4" / "blank.png").unlink()
    Image.new("L", (50, 50)).save(tmp_path / "outside.png")
    (image_folder / "4" / "blank.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(UserError, match="blank.png links out of the data folder"):
        load_dataset(image_folder)
    (image_folder / "4" / "blank.png").unlink()
    shutil.move(image_folder / "4", tmp_path / "elsewhere")
    with pytest.raises(UserError, match="4 holds 0 images; each digit needs 5 at least"):
        load_dataset(image_folder)
    (image_folder / "4").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="links out of the data folder"):
        load_dataset(image_folder)


def test_a_document_of_several_pages_is_refused(image_folder):
    pages = [Image.open(image_folder / "3" / name).convert("L") for name in ("0.png", "1.png")]
    pages[0].save(image_folder / "3" / "pages.tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(UserError, match="pages.tiff has several pages; save each as an image of its own"):
        load_dataset(image_folder)


def test_a_handful_of_images(mnist, tmp_path):
    """What the page saves: 28x28 images, which come back as they are, negatives among them; digits may be missing."""
    for name, index in (("2", 1), ("7", 0), ("no_digit", 2)):
        (tmp_path / name).mkdir()
        Image.fromarray(mnist.x_test[index]).save(tmp_path / name / "x.png")
    (tmp_path / "4").mkdir()  # its last image was taken back
    data = load_dataset(tmp_path, complete=False)
    assert data.y_train.tolist() == [2, 7, 255] and np.array_equal(data.x_train, mnist.x_test[[1, 0, 2]])
    assert data.x_test.shape == (0, 28, 28) and data.name == tmp_path.name
    assert "0 holds 0 images; each digit needs 5 at least, of which one is for the test" in refusal(tmp_path)


def test_negatives_alone_and_nothing_at_all(mnist, tmp_path):
    (tmp_path / "no_digit").mkdir()
    with pytest.raises(UserError, match="holds no images; put some of a digit into the sub-folder of its name"):
        load_dataset(tmp_path, complete=False)
    Image.fromarray(mnist.x_test[2]).save(tmp_path / "no_digit" / "x.png")
    with pytest.raises(UserError, match="there is no image of a digit to learn from; one is enough"):
        load_dataset(tmp_path, complete=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, words",
    [
        (lambda a: a.pop("y_test"), "lacks y_test"),
        (lambda a: a.update(x_train=a["x_train"] / 255), "x_train is float64; it must be uint8"),
        (lambda a: a.update(x_train=a["x_train"][:, :20]), r"x_train has shape (60, 20, 28)"),
        (lambda a: a.update(x_train=a["x_train"][:0]), "x_train holds no image"),
        (lambda a: a.update(x_test=255 - a["x_test"] // 4), "x_test is dark on light"),
        (lambda a: a.update(x_train=a["x_train"] // 255 + 1), "x_train has no value above 2"),
        (lambda a: a.update(x_train=np.uint8(3)), r"x_train has shape ()"),
        (lambda a: a["x_train"][7].fill(0), "x_train[7] shows no ink"),
        (lambda a: a.update(y_train=a["y_train"][:-1]), "60 images need 60 labels"),
        (lambda a: a.update(y_train=np.eye(10)[a["y_train"]]), "60 images need 60 labels"),
        (lambda a: a.update(y_train=a["y_train"].astype(float)), "y_train is float64; labels must be integers"),
        (lambda a: a.update(y_train=a["y_train"] + 1), "holds the label 10"),
        (lambda a: a.update(y_test=a["y_test"].astype(int) - 1), "holds the label -1"),
        (lambda a: a.update(y_train=a["y_train"] % 9), "no image of the digit 9"),
        (lambda a: a.update(y_train=a["y_train"] % 8), "no image of the digits 8, 9"),
        (lambda a: a.update(x_train=np.array([None] * 60)), "Object arrays cannot be loaded"),
        (lambda a: a.update(y_train=np.array(["1"] * 60)), "labels must be integers"),
    ],
)
def test_npz_refusals(change, words, arrays, tmp_path):
    change(arrays)
    assert words.lower() in refusal(write_npz(tmp_path / "mine.npz", **arrays)).lower()


def test_pickle_in_npz_is_not_opened(arrays, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    arrays["y_test"] = np.array([Bomb()], dtype=object)
    refusal(write_npz(tmp_path / "mine.npz", **arrays))
    assert not (tmp_path / "executed").exists()


def test_npz_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(data_loader, "MAX_ARRAY_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "bomb.npz", **{key: np.zeros(1 << 20, np.uint8) for key in MNIST_FILES})
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    assert "unpacks to more than" in refusal(tmp_path / "bomb.npz")


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("x.npz", b"no zip", "cannot read"),
        ("x.npz", b"", "cannot read"),
        ("x.npz", b"\x93NUMPY\1\0", "cannot read"),
        ("x.csv", b"1,2", "is not a data set"),
        ("x.npy", b"", "is not a data set"),
    ],
)
def test_other_files(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name)


def test_lying_npz_member(arrays, tmp_path):
    """An array whose header claims 2^50 bytes."""
    path = write_npz(tmp_path / "mine.npz", **arrays)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["x_train.npy"] = members["x_train.npy"].replace(b"(60, 28, 28), }" + b" " * 12, b"(1125899906842624,), }     ")
    assert b"1125899906842624" in members["x_train.npy"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert "cannot read" in refusal(path)


def test_missing_pipes_and_empty_folders(tmp_path):
    assert "there is no data set at" in refusal(tmp_path / "missing.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    assert "is not a data set" in refusal(tmp_path / "pipe.npz")
    (tmp_path / "empty").mkdir()
    assert "sub-folders 0 to 9" in refusal(tmp_path / "empty")


# ---- subset, split, names ----


@pytest.mark.parametrize("count", [10, 57, 1800, 59_999])
def test_subset_holds_every_class_in_proportion(count, mnist):
    part = subset(mnist.y_train, count, seed=0)
    assert len(part) == count and np.all(np.diff(part) > 0)
    expected = np.bincount(mnist.y_train) * count / 60000
    assert np.abs(np.bincount(mnist.y_train[part], minlength=10) - expected).max() < 1.01
    assert np.array_equal(subset(mnist.y_train, count, seed=0), part)
    if count < 2000:
        assert len(np.intersect1d(subset(mnist.y_train, count, seed=1), part)) < count / 2


def test_subset_of_images_that_are_sorted_by_class():
    labels = np.repeat(np.arange(10), 80)
    assert np.bincount(labels[subset(labels, 400, seed=3)]).tolist() == [40] * 10


@pytest.mark.parametrize("count", [None, 60_000, 70_000])
def test_subset_of_all(count, mnist):
    assert np.array_equal(subset(mnist.y_train, count, seed=0), np.arange(60000))


def test_split_is_stratified_seeded_and_complete(mnist):
    training, validation = split(mnist.y_train, 5000, seed=0)
    assert len(training) == 55000 and len(validation) == 5000
    assert np.array_equal(np.sort(np.concatenate([training, validation])), np.arange(60000))
    assert np.all(np.diff(training) > 0) and np.all(np.diff(validation) > 0)
    shares = np.bincount(mnist.y_train[validation]) / 5000 - np.bincount(mnist.y_train) / 60000
    assert np.abs(shares).max() < 0.0002
    assert np.array_equal(split(mnist.y_train, 5000, seed=0)[1], validation)
    assert not np.array_equal(split(mnist.y_train, 5000, seed=1)[1], validation)


@pytest.mark.parametrize("count, size", [(100, 5), (100, 95), (100, 100), (15, 10)])
def test_split_that_leaves_a_digit_out_is_refused(count, size):
    with pytest.raises(UserError, match=f"cannot hold {size} of {count} training images out"):
        split(np.arange(count) % 10, size, seed=0)


def test_names_of_data_sets_steer_no_terminal(arrays, tmp_path):
    path = tmp_path / "a\x1b[2J\n.npz"
    arrays["y_test"] += 3
    np.savez(path, **arrays)
    process = run("evaluate.py", "--data", path)
    assert process.returncode == 2 and "\x1b" not in process.stderr and process.stderr.count("\n") == 1
