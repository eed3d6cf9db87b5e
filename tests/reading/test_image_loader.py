"""Every kind of image becomes the same array."""

import io
import threading
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import documents
from digits.reading.image_arrays import to_uint8
from digits.reading.image_loader import load_image, load_pages
from digits.support.messages import UserError
from helpers import encoded, png

pillow_heif.register_heif_opener()  # so that Pillow can write HEIC, too

PAPER, INK = 240, 20


def drawing():
    """Return (40, 30) uint8: an L on paper, told apart in all eight orientations."""
    image = np.full((40, 30), PAPER, np.uint8)
    image[5:35, 6:10] = INK
    image[31:35, 6:24] = INK
    return image


def assert_shows_drawing(image, tolerance=0):
    assert image.shape == (40, 30, 3) and image.dtype == np.uint8
    difference = np.abs(image.astype(int) - drawing()[..., None])
    assert difference.max() <= tolerance, f"differs by {difference.max()}"


# --- kinds of images -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, options, tolerance",
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("GIF", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("PPM", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95}, 12),
        ("JPEG", {"progressive": True}, 40),
        ("AVIF", {"quality": 100}, 3),
        ("HEIF", {"quality": -1}, 3),
    ],
)
def test_formats(kind, options, tolerance):
    assert_shows_drawing(load_image(encoded(Image.fromarray(drawing()), kind, **options)), tolerance)


@pytest.mark.parametrize(
    "mode, kind, tolerance",
    [
        ("L", "PNG", 0),
        ("RGB", "PNG", 0),
        ("P", "PNG", 0),
        ("LA", "PNG", 0),
        ("RGBA", "PNG", 0),
        ("CMYK", "JPEG", 12),
        ("CMYK", "TIFF", 0),
        ("P", "GIF", 0),
        ("RGBA", "WEBP", 1),
        ("RGBA", "TIFF", 0),
    ],
)
def test_modes(mode, kind, tolerance):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    image = Image.fromarray(drawing()).convert("RGB").convert(mode, palette=Image.Palette.ADAPTIVE)
    assert_shows_drawing(load_image(encoded(image, kind, **options)), tolerance)


def test_one_bit():
    image = load_image(encoded(Image.fromarray(drawing() > 128)))
    assert (image == np.where(drawing() > 128, 255, 0)[..., None]).all()


@pytest.mark.parametrize(
    "values",
    [
        drawing().astype(np.uint16) * 257,  # 16-bit grey
        drawing().astype(np.int32) * 257,  # as Pillow opens 16-bit PGM
        drawing().astype(np.float32) / 255,
        drawing().astype(np.float32),
    ],
)
def test_deep_images_keep_their_greys(values):
    kinds = ["TIFF"] if values.dtype != np.uint16 else ["TIFF", "PNG"]
    for kind in kinds:
        assert_shows_drawing(load_image(encoded(Image.fromarray(values), kind)), 1)


def test_16_bit_colour_png():
    """Pillow writes none, so the chunks are put together here."""
    rows = b"".join(b"\0" + (np.repeat(row[:, None], 3, 1).astype(">u2") * 257).tobytes() for row in drawing())
    assert_shows_drawing(load_image(png(30, 40, 16, 2, zlib.compress(rows))))


def test_big_endian_16_bit_tiff():
    values = Image.frombytes("I;16B", (30, 40), (drawing().astype(">u2") * 257).tobytes())
    assert_shows_drawing(load_image(values), 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_orientation(kind, orientation):
    """The image is stored turned, the way back is in EXIF."""
    upright = Image.fromarray(drawing())
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}, "HEIF": {"quality": -1}}.get(kind, {})
    data = encoded(upright if stored is None else upright.transpose(stored), kind, exif=exif.tobytes(), **options)
    assert_shows_drawing(load_image(data), {"JPEG": 12, "AVIF": 3, "HEIF": 3}.get(kind, 0))


def test_damaged_exif_does_not_cost_the_image():
    assert_shows_drawing(load_image(encoded(Image.fromarray(drawing()), "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff")))


def test_transparency_is_white():
    image = np.zeros((40, 30, 4), np.uint8)  # black ink, transparent black paper
    image[drawing() == INK] = [0, 0, 0, 255]
    for source in (image, Image.fromarray(image), encoded(Image.fromarray(image))):
        assert (load_image(source) == np.where(drawing() == INK, 0, 255)[..., None]).all()


def test_half_transparent_ink_is_grey():
    image = Image.new("LA", (30, 40), (0, 128))
    assert np.abs(load_image(image).astype(int) - 127).max() <= 1


def test_palette_and_grey_transparency():
    for mode in ("P", "L"):
        image = Image.fromarray(drawing()).convert(mode, palette=Image.Palette.ADAPTIVE)
        paper = image.getpixel((0, 0))
        assert (load_image(encoded(image, transparency=paper))[0, 0] == 255).all()


def test_white_ink_on_nothing_stays_visible():
    image = np.full((40, 30, 4), 255, np.uint8)
    image[..., 3] = np.where(drawing() == INK, 255, 0)
    assert (load_image(image) == np.where(drawing() == INK, 255, 0)[..., None]).all()


@pytest.mark.parametrize(
    "kind, expected",
    [("GIF", "frames"), ("WEBP", "frames"), ("PNG", "frames"), ("AVIF", "frames"), ("HEIF", "images"), ("TIFF", "pages")],
)
def test_several_images_in_one_file(kind, expected):
    first, second = Image.fromarray(drawing()), Image.new("L", (30, 40), 0)
    notes = []
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}, "HEIF": {"quality": -1}}.get(kind, {})
    data = encoded(first, kind, save_all=True, append_images=[second], **options)
    assert_shows_drawing(load_image(data, "both.x", notes), 3)
    assert notes == [f"both.x has several {expected}; the first was read."]


def test_one_image_has_no_note():
    notes = []
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        load_image(encoded(Image.fromarray(drawing()), kind), notes=notes)
    assert notes == []


# --- pages -------------------------------------------------------------------------------------------------


def numbers_and_sizes(source):
    return [(page.number, page.image.shape[:2]) for page in load_pages(source)]


def test_pages_of_a_pdf_are_drawn_at_200_dots_per_inch(tmp_path):
    (tmp_path / "scan.x").write_bytes(documents.HONEST)
    for source in (tmp_path / "scan.x", documents.HONEST, io.BytesIO(b"\r\n" + documents.HONEST)):
        assert numbers_and_sizes(source) == [(1, (2339, 1653)), (2, (556, 834))]
    first, second = (page.image for page in load_pages(documents.HONEST))
    assert first[1000, 100].tolist() == [255] * 3 and first[1228, 833].max() < 10  # paper; where the strokes cross
    assert (second == 255).all()
    assert numbers_and_sizes(documents.pdf([(b"72 72", b"")])) == [(None, (200, 200))]


def test_a_huge_page_of_a_pdf_is_drawn_smaller():
    (page,) = load_pages(documents.HUGE)
    assert page.image.shape[0] == page.image.shape[1] and 30e6 < page.image.shape[0] ** 2 < 33e6


def test_scanned_page_of_a_pdf():
    """The image that a scanner puts on a page is seen as it is."""
    (page,) = load_pages(encoded(Image.fromarray(drawing()).resize((300, 400), 0), "PDF", resolution=200, quality=95))
    assert page.image.shape == (400, 300, 3)
    assert_shows_drawing(page.image[5::10, 5::10], 12)


def test_pages_of_a_tiff():
    second = Image.new("L", (30, 20), 0)
    preview = Image.new("L", (3, 4), 0)
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    data = encoded(Image.fromarray(drawing()), "TIFF", save_all=True, append_images=[preview, second])
    assert numbers_and_sizes(data) == [(1, (40, 30)), (2, (20, 30))]
    assert numbers_and_sizes(encoded(second, "TIFF")) == [(None, (20, 30))]


def test_a_damaged_page_does_not_cost_the_others():
    noise = Image.effect_noise((64, 64), 80)
    whole = encoded(noise, "TIFF", save_all=True, append_images=[noise] * 2, compression="tiff_lzw")
    damaged = bytearray(whole)
    damaged[whole.find(whole[8:40], 40) : whole.find(whole[8:40], 40) + 2000] = b"\xff" * 2000  # the second page's pixels
    pages = list(load_pages(bytes(damaged), "scan.tif"))
    assert [page.image is None for page in pages] == [False, True, False]
    assert "page 2 of scan.tif is damaged" in pages[1].error
    cut = list(load_pages(whole[: len(whole) * 2 // 3], "scan.tif"))
    assert cut[0].image is not None and "of scan.tif is damaged" in cut[-1].error


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(orientation):
    """The boxes of what is found in it are multiplied by `full_size`: it is that of the upright image."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.new("RGB", (2002, 1205), "white"), "JPEG", exif=exif)
    ((image, number, full_size, error),) = load_pages(data, least_side=500)
    upright = (1205, 2002) if orientation == 6 else (2002, 1205)
    assert full_size == upright and number is None and error is None
    assert image.shape[1::-1] == tuple(-(-side // 4) for side in upright)
    assert load_image(data).shape[1::-1] == upright
    ((image, _, full_size, _),) = load_pages(data, least_side=1002)
    assert image.shape[1::-1] == upright and full_size in (None, upright)


@pytest.mark.parametrize("size", [(1, 1), (60000, 1), (1, 60000)])
def test_extreme_shapes(size):
    assert load_image(encoded(Image.new("L", size, 7))).shape == (size[1], size[0], 3)


def test_content_counts_and_not_the_name(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encoded(Image.fromarray(drawing())))
    assert_shows_drawing(load_image(tmp_path / "photo.jpg"))
    assert_shows_drawing(load_image(str(tmp_path / "photo.jpg")))


@pytest.mark.parametrize("name", ["with space.png", "new\nline.png", "😀.png", "-dash.png", "[1].png", "a'b\".png"])
def test_strange_names(tmp_path, name):
    (tmp_path / name).write_bytes(encoded(Image.fromarray(drawing())))
    assert_shows_drawing(load_image(tmp_path / name))


def test_streams_and_pil_images():
    data = encoded(Image.fromarray(drawing()))
    for source in (io.BytesIO(data), data, bytearray(data), Image.open(io.BytesIO(data)), Image.fromarray(drawing())):
        assert_shows_drawing(load_image(source))


# --- arrays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        drawing(),
        drawing()[..., None],
        np.repeat(drawing()[..., None], 3, 2),
        drawing().astype(np.uint16) * 257,
        drawing() / 255,
        (drawing() / 255).astype(np.float16),
        drawing().astype(float),
        drawing().astype(np.int64),
        drawing().tolist(),
        np.dstack([drawing()] * 3 + [np.full((40, 30), 255)]),
    ],
    ids=lambda a: getattr(a, "dtype", "list"),
)
def test_arrays(array):
    assert_shows_drawing(load_image(array), 1)


def test_scaling_rule():
    assert to_uint8(np.array([False, True])).tolist() == [0, 255]
    assert to_uint8(np.array([0, 1], np.uint8)).tolist() == [0, 1]  # bytes are what they are
    assert to_uint8(np.array([0, 128 * 257, 65535], np.uint16)).tolist() == [0, 128, 255]
    assert to_uint8(np.array([0.0, 0.5, 1.0])).tolist() == [0, 128, 255]
    assert to_uint8(np.array([0.0, 128.0, 255.0])).tolist() == [0, 128, 255]
    assert to_uint8(np.array([0, 1])).tolist() == [0, 1]
    assert to_uint8(np.array([0, 65535])).tolist() == [0, 255]
    assert to_uint8(np.array([-1.0, 0.0, 1.0])).tolist() == [0, 128, 255]
    assert to_uint8(np.array([0.0, 1e300])).tolist() == [0, 255]
    assert to_uint8(np.array([0.2, 0.2, np.nan, np.inf, 1.0])).tolist() == [51, 51, 51, 51, 255]


@pytest.mark.parametrize(
    "array, fault",
    [
        (np.zeros((3, 4, 5)), "3 x 4 x 5"),
        (np.zeros(7), "shape 7"),
        (np.zeros((0, 5)), "no pixels"),
        (np.float64(3), "single"),
        (np.full((4, 4), np.nan), "finite"),
        (np.zeros((4, 4), complex), "neither"),
        (None, "neither"),
        ({"a": 1}, "neither"),
        (np.broadcast_to(np.uint8(0), (10000, 10000)), "million"),
        (np.array([["a"]]), "neither"),
    ],
)
def test_arrays_that_are_no_image(array, fault):
    with pytest.raises(UserError, match=fault):
        load_image(array)


def test_threads_do_not_disturb_each_other():
    data, results = encoded(Image.fromarray(drawing())), []
    threads = [threading.Thread(target=lambda: results.append(load_image(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert_shows_drawing(result)
    assert len(results) == 8
