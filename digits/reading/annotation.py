"""Draw a reading: boxes, digits and confidences on the image, and below it what the network saw.

    drawing = draw_reading(page, record, digits, images)   # PIL image; see `reader.ImageReader`
    write_reading("reading.png", drawing)

A wrong reading should explain itself: a box around the wrong strokes is the finder's fault, a clean digit with the wrong
name the network's. Labels stand where no ink is, and no label covers another.
"""

import functools
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from digits.reading.image_formats import Page
from digits.reading.label_places import place_labels
from digits.support import files
from digits.support.messages import UserError, percent, printable

LONG_SIDE = 560, 1600  # the image is drawn at least and at most this long
LEAST_WIDTH = 560  # of the whole drawing, so that the title has room
TILES = 5, 4, 3, 2, 1  # how often the 28x28 images are enlarged, and twice at least: as often as the grid has room
TITLE_LINES, NOTE_LINES = 3, 4
GAP = 18
SURE, UNSURE, REFUSED = (0, 114, 178), (213, 94, 0), (150, 60, 120)  # after Okabe & Ito 2008, "Color Universal Design"
SURE_FROM = 0.9
INK, GREY, PAPER, FRAME = (30, 30, 30), (110, 110, 110), (255, 255, 255), (200, 200, 200)
MARK = "Comment", "a reading drawn by predict.py --annotate"  # in the PNG: such a file may be replaced


def write_reading(path: str | os.PathLike, drawing: Image.Image) -> None:
    """Write a drawn reading as a PNG, whole or not at all.

    Raises:
        UserError: it cannot be written, or would take the place of a file that is no drawn reading.
    """
    if os.path.lexists(path) and not _is_drawn_reading(path):
        raise UserError(f"{printable(path)} exists and is no annotated copy; choose another folder for --annotate.")
    info = PngInfo()
    info.add_text(*MARK)
    with files.atomic_write(path) as temporary:
        drawing.save(temporary, "PNG", pnginfo=info)


def _is_drawn_reading(path):
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(MARK[0]) == MARK[1]
    except (OSError, ValueError, SyntaxError):
        return False


def draw_reading(page: Page, record: dict, digits: list[dict], images: np.ndarray, reason: str = "") -> Image.Image:
    """Draw one reading.

    Args:
        page: the image, with its pixels.
        record: what was read; see `reader.read_image`.
        digits: what to draw a box around: the record's "digits", or what was refused (see `refusal_reasons.refused_digits`).
        images: (len(digits), 28, 28) uint8, what the network saw of each, ink 255 on 0.
        reason: a sentence below the title: why nothing was read.

    Returns:
        PIL.Image, RGB: a title, the image with a box around each digit, and the 28x28 images enlarged, in a grid.
    """
    assert page.image is not None
    height, width = page.image.shape[:2]
    scale = min(max(LONG_SIDE[0], min(LONG_SIDE[1], max(width, height))) / max(width, height), 64)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Small bitmaps keep their pixels visible; photographs are made smaller without artefacts.
    photo = Image.fromarray(page.image).resize(
        size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    )
    unit = max(1, round(max(photo.size) / 800, 1))  # letters and tiles grow with the image
    labelled = _draw_boxes(photo, page, digits, refused=not record["digits"], unit=unit)
    inner = max(labelled.width, LEAST_WIDTH)
    heading = _draw_heading(record, reason, inner, unit)
    grid = _draw_grid(digits, images, inner, max(labelled.height, inner), unit, refused=not record["digits"])
    parts = [part for part in (heading, labelled, grid) if part is not None]
    drawing = Image.new("RGB", (inner + 2 * GAP, sum(part.height + GAP for part in parts) + GAP), PAPER)
    y = GAP
    for part in parts:
        drawing.paste(part, (GAP, y))
        y += part.height + GAP
    return drawing


def _draw_heading(record, reason, width, unit):
    """Return the title, the reason and the notes, in lines of at most `width` pixels."""
    name = printable(os.path.basename(record["file"] or "image"))
    text = f"unsure: {record['text']}?" if record["unsure"] else record["text"]
    title = f"{text}  ({percent(record['confidence'])})" if record["digits"] else "no digit found"
    lines = [(line, _font(26 * unit), INK) for line in _wrap(title, _font(26 * unit), width, TITLE_LINES)]
    for note in (name, reason, *map(printable, record["notes"])):
        lines += [(line, _font(15 * unit), GREY) for line in _wrap(note, _font(15 * unit), width, NOTE_LINES)]
    heights = [round(1.25 * font.size) for _, font, _ in lines]
    heading = Image.new("RGB", (width, sum(heights)), PAPER)
    draw = ImageDraw.Draw(heading)
    for place, (line, font, colour) in enumerate(lines):
        draw.text((0, sum(heights[:place])), line, colour, font)
    return heading


def _wrap(text, font, width, most):
    """Break a text into at most `most` lines of `width` pixels; the last ends in "..." where it does not fit."""
    lines = []
    while text:
        end = len(text)
        while end > 1 and font.getlength(text[:end] + "...") > width:
            end -= max(1, end // 20)
        if end < len(text) and " " in text[1:end]:
            end = text.rindex(" ", 1, end)
        lines.append(text[:end])
        text = text[end:].lstrip()
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + "..."]


def _draw_boxes(photo, page, digits, refused, unit):
    """Return the photo with a margin, a box around each digit, and labels where there is room for them."""
    from digits.reading.ink import find_ink  # what must not be covered

    margin = round(30 * unit) if digits else 1
    canvas = Image.new("RGB", (photo.width + 2 * margin, photo.height + 2 * margin), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((margin - 1, margin - 1, margin + photo.width, margin + photo.height), outline=FRAME)
    canvas.paste(photo, (margin, margin))
    if not digits:
        return canvas
    full_width, full_height = page.full_size or page.image.shape[1::-1]
    factors = np.array([photo.width / full_width, photo.height / full_height] * 2)
    boxes = np.array([digit["box"] for digit in digits]) * factors + margin
    line = int(np.clip(np.median(boxes[:, 3] - boxes[:, 1]) / 30, 1, 4))
    boxes = (boxes + np.array([-line, -line, line, line])).round()
    taken = np.zeros((canvas.height, canvas.width), bool)
    ink = find_ink(page.image)
    for part in filter(None, (ink, ink.thin)):  # small writing beside a shadow is in the second alone
        mask = Image.fromarray(part.mask).resize(photo.size)
        taken[margin : margin + photo.height, margin : margin + photo.width] |= np.asarray(mask)
    for x0, y0, x1, y1 in boxes.astype(int).clip(0):
        taken[y0:y1, x0:x1] = True
    large = float(np.clip(0.3 * np.median(boxes[:, 3] - boxes[:, 1]), 11 * unit, 26 * unit))
    names = [f"{digit['digit']}{'?' * refused}" for digit in digits]
    texts = [(f"{name}  {percent(digit['confidence']).replace(' ', '')}", name) for name, digit in zip(names, digits)]
    places = place_labels(boxes.astype(int), texts, taken, [_font(large), _font(max(11, 0.7 * large))])
    for digit, box, found in zip(digits, boxes, places):
        colour = _colour(digit["confidence"], refused)
        draw.rectangle(tuple(box - [0, 0, 1, 1]), outline=colour, width=line)
        if found:
            draw.rounded_rectangle(found.area, 3, fill=colour)
            x0, y0, x1, y1 = found.area
            draw.text(((x0 + x1) / 2, (y0 + y1) / 2), found.text, PAPER, found.font, anchor="mm")
    return canvas


def _draw_grid(digits, images, width, height, unit, refused):
    """Return the 28x28 images in a grid of at most `width` x `height` pixels, or None where there are none."""
    if not digits:
        return None
    for times in TILES:
        side = 28 * max(2, round(times * unit))
        gap = max(8, side // 8)
        tile_width, tile_height = side + gap, side + _caption_height(side) + gap
        columns = max(1, (width + gap) // tile_width)
        rows = -(-len(digits) // columns)
        if rows * tile_height <= height:
            break
    rows = min(rows, max(1, height // tile_height))
    shown = min(len(digits), rows * columns)
    more = f"and {len(digits) - shown} more" if shown < len(digits) else ""
    grid = Image.new("RGB", (width, rows * tile_height + (round(20 * unit) if more else 0)), PAPER)
    for place, (digit, image) in enumerate(zip(digits[:shown], images)):
        tile = _draw_tile(image, digit, side, _colour(digit["confidence"], refused))
        grid.paste(tile, (place % columns * tile_width, place // columns * tile_height))
    ImageDraw.Draw(grid).text((0, rows * tile_height), more, GREY, _font(15 * unit))
    return grid


def _caption_height(side):
    return round(0.4 * side) if side >= 112 else max(13, round(0.25 * side))


def _draw_tile(image, digit, side, colour):
    """Return a 28x28 image enlarged to `side` pixels, with its digit and confidence below, and where there is room a runner-up."""
    tile = Image.new("RGB", (side, side + _caption_height(side)), PAPER)
    tile.paste(Image.fromarray(np.asarray(image)).resize((side, side), Image.Resampling.NEAREST))
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, side - 1, side - 1), outline=colour, width=max(1, side // 47))
    if side < 112:
        text = f"{digit['digit']}  {percent(digit['confidence']).replace(' ', '')}"
        draw.text((side / 2, side + 1), text, colour, _font(max(10, 0.19 * side)), anchor="ma")
        return tile
    draw.text((0.02 * side, side + 0.01 * side), str(digit["digit"]), colour, _font(0.26 * side))
    draw.text((0.24 * side, side + 0.05 * side), percent(digit["confidence"]), INK, _font(0.13 * side))
    if len(digit["top"]) > 1 and (second := digit["top"][1])[1] >= 0.0005:  # less is shown as 0.0 %
        draw.text((0.24 * side, side + 0.22 * side), f"or {second[0]}: {percent(second[1])}", GREY, _font(0.11 * side))
    return tile


def _colour(confidence, refused):
    return REFUSED if refused else SURE if confidence >= SURE_FROM else UNSURE


@functools.lru_cache(maxsize=32)
def _font(size):
    return ImageFont.load_default(round(size))
