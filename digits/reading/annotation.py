"""Draw a reading: boxes, digits and confidences on the picture, and beside it what the network saw.

    picture = draw_reading(image, record, pictures)      # PIL image; record and pictures from ImageReader
    picture.save("reading.png")

A wrong reading should explain itself: a box around the wrong strokes is the finder's fault, a clean digit
with the wrong name the network's. Nothing here reads or writes files.
"""

import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from digits.support import files
from digits.support.messages import UserError, percent, printable

LONG_SIDE = 560, 1600  # the picture is drawn at least and at most this long
TILE = 140  # a 28x28 picture, five times enlarged
GAP = 18
SURE, UNSURE = (0, 114, 178), (213, 94, 0)  # told apart by all eyes: Okabe & Ito 2008, "Color Universal Design"
SURE_FROM = 0.9
MARK = "Comment", "a reading drawn by predict.py --annotate"  # in the PNG: such a file may be replaced
INK, GREY, PAPER = (30, 30, 30), (110, 110, 110), (255, 255, 255)


def write_reading(path: str | os.PathLike, image: np.ndarray, record: dict, pictures: np.ndarray) -> None:
    """Write a drawn reading as a PNG, whole or not at all. The arguments are those of `draw_reading`.

    Raises:
        UserError: it cannot be written, or would take the place of a file that is no drawn reading.
    """
    if os.path.lexists(path) and not _is_drawn_reading(path):
        raise UserError(f"{printable(path)} exists and is no annotated copy; choose another folder for --annotate.")
    info = PngInfo()
    info.add_text(*MARK)
    with files.atomic_write(path) as temporary:
        draw_reading(image, record, pictures).save(temporary, "PNG", pnginfo=info)


def _is_drawn_reading(path):
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(MARK[0]) == MARK[1]
    except (OSError, ValueError, SyntaxError):
        return False


def draw_reading(image: np.ndarray, record: dict, pictures: np.ndarray) -> Image.Image:
    """Draw one reading.

    Args:
        image: (H, W, 3) uint8, the upright picture.
        record: what was read; see `reader.read_image`.
        pictures: (D, 28, 28) uint8, what the network saw of each digit, ink 255 on 0.

    Returns:
        PIL.Image, RGB: a title, the picture with a box around each digit, and the D pictures enlarged.
    """
    height, width = image.shape[:2]
    scale = min(max(LONG_SIDE[0], min(LONG_SIDE[1], max(width, height))) / max(width, height), 64)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Small bitmaps keep their pixels visible; photographs are made smaller without artefacts.
    photo = Image.fromarray(image).resize(
        size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    )
    unit = max(1, round(max(photo.size) / 800, 1))  # letters and tiles grow with the picture
    tiles = [draw_tile(picture, digit, unit) for picture, digit in zip(pictures, record["digits"])]
    title, small = _font(26 * unit), _font(15 * unit)
    name = printable(os.path.basename(record["file"] or "image"))
    read = f"{record['text']}  ({percent(record['confidence'])})" if record["digits"] else "no digit found"
    caption = f"{name}: what was found, and what the network saw of it" if tiles else name
    title_width = max(title.getlength(read), small.getlength(caption))
    top = GAP + round(60 * unit)

    grid, (photo_x, tiles_x, tiles_y) = [], (GAP, GAP, top)
    if tiles:
        step_x, step_y = tiles[0].width + GAP, tiles[0].height + GAP
        beside = photo.height > 0.75 * photo.width  # else below the picture
        columns = -(-len(tiles) // max(1, (photo.height + GAP) // step_y)) if beside else max(1, (photo.width + GAP) // step_x)
        grid = [(i % columns * step_x, i // columns * step_y) for i in range(len(tiles))]
        tiles_x, tiles_y = (photo.width + 2 * GAP, top) if beside else (GAP, top + photo.height + GAP)
    right = max([photo_x + photo.width, GAP + int(title_width) + 1] + [tiles_x + x + tiles[0].width for x, _ in grid])
    bottom = max([top + photo.height] + [tiles_y + y + tiles[0].height for _, y in grid])

    canvas = Image.new("RGB", (right + GAP, bottom + GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((GAP, GAP - 4), read, INK, title)
    draw.text((GAP, GAP + 32 * unit), caption, GREY, small)
    draw_boxes(photo, record["digits"], scale)
    canvas.paste(photo, (photo_x, top))
    draw.rectangle((photo_x - 1, top - 1, photo_x + photo.width, top + photo.height), outline=(200, 200, 200))
    for tile, (x, y) in zip(tiles, grid):
        canvas.paste(tile, (tiles_x + x, tiles_y + y))
    return canvas


def draw_tile(picture: np.ndarray, digit: dict, unit: float = 1) -> Image.Image:
    """Return one enlarged 28x28 picture with its digit, confidence and runner-up below.

    Args:
        picture: (28, 28) uint8. digit: an entry of the record's "digits". unit: 1 is legible on a page.
    """
    side = 28 * round(TILE / 28 * unit)
    tile = Image.new("RGB", (side, side + round(56 * unit)), PAPER)
    tile.paste(Image.fromarray(np.asarray(picture)).resize((side, side), Image.Resampling.NEAREST))
    draw = ImageDraw.Draw(tile)
    colour = colour_of(digit["confidence"])
    draw.rectangle((0, 0, side - 1, side - 1), outline=colour, width=round(3 * unit))
    draw.text((2 * unit, side + 2 * unit), str(digit["digit"]), colour, _font(36 * unit))
    draw.text((34 * unit, side + 7 * unit), percent(digit["confidence"]), INK, _font(18 * unit))
    if len(digit["top"]) > 1 and (second := digit["top"][1])[1] >= 0.0005:  # less is shown as 0.0 %
        other, probability = second
        draw.text((34 * unit, side + 31 * unit), f"or {other}: {percent(probability)}", GREY, _font(15 * unit))
    return tile


def draw_boxes(photo: Image.Image, digits: list[dict], scale: float) -> None:
    """Draw a box around each digit, with a tag that names it, onto `photo` (PIL image, changed).

    Args:
        digits: the record's "digits", boxes in pixels of the picture. scale: pixels of `photo` per pixel of it.
    """
    if not digits:
        return
    draw = ImageDraw.Draw(photo)
    boxes = np.array([digit["box"] for digit in digits]) * scale
    # Tags of neighbours should not meet: as wide as the digits are apart, within what can be read.
    centres = (boxes[:, 0] + boxes[:, 2]) / 2
    apart = np.abs(np.diff(centres))
    room = float(np.quantile(apart, 0.1)) if len(apart) else float(boxes[0, 2] - boxes[0, 0])
    large = int(np.clip(room / 1.7, 12, 44))
    digit_font, percent_font = _font(large), _font(max(9, round(0.5 * large)))
    line = max(2, round(max(photo.size) / 400))
    for digit, (x0, y0, x1, y1), centre in zip(digits, boxes, centres):
        colour = colour_of(digit["confidence"])
        edge = [max(0, x0 - line), max(0, y0 - line), min(photo.width, x1 + line) - 1, min(photo.height, y1 + line) - 1]
        draw.rectangle((edge[0], edge[1], max(edge[0], edge[2]), max(edge[1], edge[3])), outline=colour, width=line)
        name, share = str(digit["digit"]), percent(digit["confidence"]).replace(" ", "")
        width = max(digit_font.getlength(name), percent_font.getlength(share)) + 8
        height = round(1.62 * large) + 4
        x = min(max(0, centre - width / 2), max(0, photo.width - width))
        y = edge[1] - height if edge[1] >= height else min(edge[3] + 1, photo.height - height)
        draw.rounded_rectangle((x, y, x + width, y + height), max(3, large // 6), fill=colour)
        draw.text((x + width / 2, y + 2), name, PAPER, digit_font, anchor="ma")
        draw.text((x + width / 2, y + height - 4), share, PAPER, percent_font, anchor="md")


def colour_of(confidence: float) -> tuple[int, int, int]:
    """Return the colour (R, G, B) that says whether a confidence is high."""
    return SURE if confidence >= SURE_FROM else UNSURE


def _font(size):
    return ImageFont.load_default(size)
