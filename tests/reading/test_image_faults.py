"""What is no image becomes one sentence that names it, whatever the bytes; nothing hangs and nothing else runs."""

import io
import os
import random
import socket
import struct
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import documents
from digits.reading import image_arrays, image_loader, pdf_pages
from digits.reading.image_loader import load_image, load_pages
from digits.support.messages import UserError
from helpers import encoded, ordinary_user, png

pillow_heif.register_heif_opener()  # so that Pillow can write HEIC, too


IMAGE = encoded(Image.new("L", (30, 40), 200))


def whole(kind):
    return encoded(Image.effect_noise((64, 64), 80), kind)


def with_size(data, width, height):
    """Return a HEIC or AVIF file whose header promises another size."""
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", width, height) + data[place + 8 :]


FAULTS = {
    "empty.png": (b"", "empty"),
    "text.png": (b"hello, world\n" * 20, "not an image"),
    "paper.pdf": (b"%PDF-1.7\n", "no PDF document"),
    "short.pdf": (documents.HONEST[:500], "page|damaged"),
    "locked.pdf": (documents.LOCKED, "locked with a password"),
    "pages.pdf": (documents.MANY_PAGES, "1000000 pages, more than"),
    "logo.svg": (b'<?xml version="1.0"?><svg/>', "SVG"),
    "b.svg": (b"\n <svg/>", "SVG"),
    "page.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "pretends.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "head.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged"),
    "head.avif": (b"\0\0\0\x18ftypavif", "damaged"),
    "short.heic": (whole("HEIF")[:-800], "damaged"),
    "short.avif": (whole("AVIF")[:-800], "damaged"),
    "video.heic": (b"\0\0\0\x18ftypisom\0\0\0\0mif1heic", "not an image"),
    "bomb.heic": (with_size(whole("HEIF"), 30000, 30000), "million|damaged"),
    "bomb.avif": (with_size(whole("AVIF"), 30000, 30000), "million|damaged"),
    "short.png": (whole("PNG")[:-800], "damaged or inc"),
    "short.jpg": (whole("JPEG")[:-300], "damaged or inc"),
    "head.jpg": (whole("JPEG")[:30], "damaged"),
    "head.png": (whole("PNG")[:20], "damaged"),
    "short.gif": (whole("GIF")[:40], "damaged"),
    "short.tif": (whole("TIFF")[:100], "damaged"),
    "short.webp": (whole("WEBP")[:60], "damaged"),
    "bomb.png": (png(50000, 50000), "million"),
    "bomb2.png": (png(10000, 10000), "million"),
    "bomb3.png": (png(2**31 - 1, 2**31 - 1), "million|damaged"),
    "none.png": (png(0, 5), "damaged|no pixels"),
    "bomb.ppm": (b"P5 90000 90000 255\n", "million"),
    "icon.ico": (b"\0\0\1\0\1\0", "not an image"),
    "random.jpg": (bytes(range(256)), "not an image"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_files(tmp_path, name):
    data, fault = FAULTS[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError, match=fault) as caught:
        load_image(path)
    sentence = str(caught.value)
    assert str(path) in sentence and ";" in sentence and sentence.endswith(".") and "\n" not in sentence


def test_missing_folder_and_link(tmp_path):
    for name, fault in (("nothing.png", "does not exist"), (".", "folder"), ("bad\0name", "cannot open")):
        with pytest.raises(UserError, match=fault):
            load_image(os.path.join(tmp_path, name))
    (tmp_path / "link.png").symlink_to("gone.png")
    with pytest.raises(UserError, match="link to a file that does not exist"):
        load_image(tmp_path / "link.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.png"))
        for path in (tmp_path / "pipe.png", tmp_path / "s.png", "/dev/zero"):
            with pytest.raises(UserError, match="pipe, a socket or a device"):
                load_image(path)


def test_permission(tmp_path):
    (tmp_path / "mine.png").write_bytes(IMAGE)
    (tmp_path / "mine.png").chmod(0)
    with ordinary_user(), pytest.raises(UserError, match="permission denied"):
        load_image(tmp_path / "mine.png")


def test_names_cannot_steer_a_terminal(tmp_path):
    with pytest.raises(UserError) as caught:
        load_image(tmp_path / "\x1b[31mred\n.png")
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def test_streams_that_are_no_image():
    with pytest.raises(UserError, match="binary"):
        load_image(io.StringIO("text"))
    with pytest.raises(UserError, match="the image is empty"):
        load_image(b"")
    closed = io.BytesIO(b"")
    closed.close()
    with pytest.raises(UserError, match="cannot read"):
        load_image(closed)


def test_endless_stream_is_cut_off(monkeypatch):
    monkeypatch.setattr(image_loader, "MAX_STREAM_BYTES", 1 << 20)
    with pytest.raises(UserError, match="longer than"), open("/dev/zero", "rb") as endless:
        load_image(endless)


def test_limit_is_about_decoding(monkeypatch):
    """An image at the limit is read, one above it is refused before its pixels exist."""
    assert image_arrays.MAX_PIXELS >= 6000 * 4000
    monkeypatch.setattr(image_arrays, "MAX_PIXELS", 30 * 40)
    assert load_image(IMAGE).shape == (40, 30, 3)
    with pytest.raises(UserError, match="31 x 40 pixels"):
        load_image(png(31, 40))


@pytest.mark.slow
def test_endless_pages_are_given_up(monkeypatch, tmp_path):
    """Four kilobytes that would take years to draw cost MAX_SECONDS and a sentence; what came before them is read."""
    monkeypatch.setattr(pdf_pages, "MAX_SECONDS", 3)
    (tmp_path / "endless.pdf").write_bytes(documents.ENDLESS)
    first, second = load_pages(tmp_path / "endless.pdf")
    assert first.image is not None and second.image is None
    assert "page 2 of" in second.error and "nothing from there on was read" in second.error and second.error.endswith(".")


def test_more_pages_than_are_read(monkeypatch):
    monkeypatch.setattr(image_loader, "MAX_PAGES", 3)
    image = Image.new("L", (8, 8))
    (page,) = load_pages(encoded(image, "TIFF", save_all=True, append_images=[image] * 3), "fax.tif")
    assert "fax.tif has more than the 3 pages" in page.error


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError, match="pillow_heif is not installed; run `pip install -r requirements.txt`"):
        load_image(whole("HEIF"))


def test_mutated_files():
    """Every mutation is an image or one sentence. The long run is benchmarks/faults.py."""
    chance = random.Random(20)
    page = Image.effect_noise((24, 24), 60)
    seeds = [
        encoded(image, kind, **options)
        for image, kind, options in [
            (page, "PNG", {}),
            (page, "JPEG", {}),
            (page, "GIF", {}),
            (page, "BMP", {}),
            (page, "TIFF", {}),
            (page, "TIFF", {"compression": "tiff_lzw"}),
            (page, "TIFF", {"compression": "tiff_adobe_deflate"}),
            (page, "WEBP", {}),
            (page, "PPM", {}),
            (page.convert("P"), "PNG", {}),
            (page.convert("RGBA"), "PNG", {}),
            (page.convert("CMYK"), "JPEG", {}),
            (page, "GIF", {"save_all": True, "append_images": [page]}),
            (page, "AVIF", {}),
            (page, "HEIF", {}),
        ]
    ]
    images = 0
    for number in range(400):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice([1, 1, 2, 5, 20])):
            place = chance.randrange(2, len(data) if chance.random() < 0.5 else min(len(data), 120))
            data[place] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        try:
            image = load_image(bytes(data), f"mutation {number}")
            images += 1
            assert image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
        except UserError as error:
            assert f"mutation {number}" in str(error)
    assert 50 < images < 350  # the mutations are neither all harmless nor all fatal
