"""From an image to its ink: working size, paper, channel mix, polarity, threshold.

    ink = find_ink(image)              # (H, W, 3) uint8 photograph, scan or drawing
    ink.mask                           # (h, w) bool: pen strokes at the working size
    ink.scale                          # working pixels per pixel of `image`

Pure functions from array to array; NumPy and OpenCV only. `ruled_paper.py` and `frames.py`
take printed lines and frames away, `candidates.py` goes on from the strokes.
"""

from typing import NamedTuple

import cv2
import numpy as np

from digits.reading.borders import touched_sides
from digits.reading.hairlines import find_broken_lines
from digits.reading.image_statistics import border_share, halve, hysteresis, measure_clutter, noise_level, otsu, quantile
from digits.reading.objects import count_strokes, without_objects
from digits.reading.paper import MIN_CONTRAST, background, background_of_small, reduce
from digits.reading.sheet import paint_over_desk
from digits.reading.strokes import label_strokes, stroke_width

LONG_SIDE = 1000  # px; bigger photographs are reduced to this: a digit needs about 30 px, not 1000
FINE_SIDE = 2000  # ... or to this, where the writing is small: a page
RULED, RULE_LENGTH = 0.15, 0.1  # of the ink's strength, and of the image's shorter side: ruled lines are no clutter
STRONGER = 2.0, 3.0  # times as strong as most of the ink is the pen, where most of it is printed lines
MOST_SMALLER = 10.0  # times as high as the lowest small writing is the highest
SMALL_WRITING = 40  # px high in a photograph reduced to LONG_SIDE: what is lower is looked at in the larger copy
SHORT_SIDE = 112  # px; smaller bitmaps are enlarged to this, so that outlines can be cut between pixels
BOLD = 6.0  # px; strokes are reduced to no less than this: wider ones show nothing more, and take longer
SMALLEST_REDUCED = 240  # px, the long side of an image that is reduced for its bold strokes
SOFT = 0.33  # of the ink's strength is the step within three pixels at the edge of a shadow, at most
SHADE = 30.0  # grey levels added to the paper's before dividing by it: the deepest shade has noise alone
NOISE_FACTOR = 5.0  # the threshold must lie above the paper's grain by this many standard deviations
SURELY_INK = 3.0  # times as strong as the lowest threshold is the strongest ink, where the other ink is as faint as that
LOW = 0.65  # ink this faint, against the threshold, belongs to a stroke that is stronger elsewhere
LOW_ENLARGED = 0.8  # ... in an enlarged bitmap, where the rim of each stroke is as faint as this
PLAIN_BORDER = 0.15  # of the image's border is ink: less is a stroke or two that run out of the image
PLAIN_PAPER = 0.2  # clutter; with more the image is hardly paper with something on it
MOST_CLUTTER = 0.3  # ... and with more than this it is a photograph
MOST_TEXTURE = 2  # times as many strokes as before: with more, what was thick has a texture, and is no shadow on writing
TWO_TONES = 0.06  # an image whose two halves are as even as this is a drawing or a clean scan
COLOURED = 0.02  # apart are the shares of the channels in the ink, at least, where the image has colour


class Ink(NamedTuple):
    """What is written in an image, at the working size.

    Attributes:
        mask: (h, w) bool, the pen strokes.
        scale: working pixels per pixel of the original image.
        strength: (h, w) float32, how far each pixel differs from its paper towards the ink, in grey levels.
        difference: (h, w, 3) float32, image minus paper, in grey levels.
        covered: (h, w) bool, where something may lie on the paper (roughly).
        clutter: how much there is beside the ink, against the ink: around writing there is paper (below 0.2),
            around what looks like writing in a photograph there is the rest of the photograph (above 0.3).
        dark: (h, w) bool, the dark half of the image, where it is not plain which half is ink; else None.
        thin: the ink without what is much thicker than the strokes, such as a shadow's corner, or small writing beside what is
            large, at a scale of its own; None where nothing is.
        brightest: (h, w) float32, by how many grey levels the brightest of the three channels is darker than the paper's; None
            where the image has no colour. What a highlighter covers stays bright in one channel.
    """

    mask: np.ndarray
    scale: float
    strength: np.ndarray
    difference: np.ndarray
    covered: np.ndarray
    clutter: float
    dark: np.ndarray | None
    thin: "Ink | None" = None
    brightest: np.ndarray | None = None


def working_size(image: np.ndarray, long_side: int = LONG_SIDE) -> tuple[np.ndarray, float]:
    """Reduce a big photograph, enlarge a small bitmap.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        long_side: of the result, at most.

    Returns:
        (image of (h, w, 3) uint8, scale in working pixels per original pixel).
    """
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        scale = max(1.0, min(scale, SHORT_SIDE / min(height, width)))
    if scale == 1:
        return image, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), scale


def ink_colour(difference: np.ndarray) -> np.ndarray:
    """Return the unit vector along which the ink differs from the paper most: the channel mix to look at.

    It is the principal direction of the strongest differences, so blue ink, red ink and yellow chalk each
    choose their own mix and grey pencil the plain mean.

    Args:
        difference: (h, w, 3) float32, image minus paper.

    Returns:
        (3,) float32 of length 1; its sign is that of dark ink (its sum is not positive).
    """
    pixels = difference.reshape(-1, 3)[:: max(1, difference[..., 0].size // 40000)]
    squares = np.einsum("pc,pc->p", pixels, pixels)
    strong = pixels[squares >= max(quantile(squares, 0.99) * 0.25, 1.0)]
    if len(strong) == 0:
        return np.full(3, -1 / np.sqrt(3), np.float32)
    vector = np.linalg.eigh(strong.T @ strong)[1][:, -1]
    return (-vector if vector.sum() > 0 else vector).astype(np.float32)


def is_light_on_dark(strength: np.ndarray, invert: str = "auto") -> bool:
    """Decide whether the ink is lighter than its paper.

    The paper is what lies around the ink, so it fills the border; and ink covers less than paper does, so
    the differences from the paper lean towards the ink.

    Args:
        strength: (h, w) float32, positive where the image is darker than its paper.
        invert: "auto"; or "yes": dark ink, to be inverted to look like MNIST; or "no": light ink, like MNIST.

    Returns:
        bool.
    """
    if invert != "auto":
        return invert == "no"
    sample = strength.ravel()[:: max(1, strength.size // 100000)].astype(np.float64)
    squares = sample * sample
    return float((squares * squares * sample).sum()) < 0  # a high power: strokes are stronger than the edge of a wide shadow


def threshold(strength: np.ndarray, covered: np.ndarray) -> float:
    """Return the strength that divides ink from paper, or 0.0 where nothing stands out.

    Otsu's method needs both classes in fair numbers: it looks only at the surroundings of what is strong.

    Args:
        strength: (h, w) float32, grey levels.
        covered: (h, w) bool, where something may lie on the paper.
    """
    step = max(1, strength.size // 100000)
    sample, paper = strength.ravel()[::step], ~covered.ravel()[::step]
    grain = 0.0
    if paper.mean() > 0.05:  # grain is distributed normally, but the darker half may be ruled lines
        plain = sample[paper][::4]
        grain = min(1.4826 * quantile(np.abs(plain), 0.5), (quantile(plain, 0.25) - quantile(plain, 0.05)) / 0.97)
    least = max(MIN_CONTRAST, NOISE_FACTOR * max(grain, noise_level(strength)))
    seeds = strength > max(least, 0.4 * quantile(sample, 0.999))
    near = strength[cv2.dilate(seeds.astype(np.uint8), np.ones((9, 9))) > 0]
    if len(near) == 0:
        return 0.0
    level = otsu(np.clip(near, 0, quantile(near[:: max(1, len(near) // 50000)], 0.98)))
    surely = level >= least or (grain > 0 and quantile(sample, 0.9999) > SURELY_INK * least)
    return max(level, least) if surely else 0.0


def cut_out(strength: np.ndarray, covered: np.ndarray, low: float = LOW) -> np.ndarray:
    """Return the (h, w) bool mask of the ink in `strength` (h, w) float32; empty when nothing stands out."""
    level = threshold(strength, covered)
    return hysteresis(strength > low * level, strength > level) if level else np.zeros(strength.shape, bool)


def find_ink(image: np.ndarray, invert: str = "auto") -> Ink:
    """Separate the pen strokes of an image from its paper.

    Args:
        image: (H, W) or (H, W, 3) uint8, upright.
        invert: "auto", "yes" (dark ink on light paper) or "no" (light ink on dark).

    Returns:
        Ink.
    """
    small, scale = working_size(image)
    ink = _find_large_ink(paint_over_desk(small), scale, invert)
    if scale >= 1:
        return ink
    # Small writing is found by itself; or beside the edge of a shadow, which is all that is seen with a wide estimate of the paper.
    is_small = writing_height(ink.thin or ink) < SMALL_WRITING * ink.scale / scale
    if not is_small and _find_small_ink(reduce(small, 2), scale / 2, invert, SMALL_WRITING / 2) is None:
        return ink
    small, scale = working_size(image, FINE_SIDE)
    written = _find_small_ink(small, scale, invert, 2 * SMALL_WRITING)
    if written is None:
        return _find_ink(paint_over_desk(small), scale, invert) if is_small else ink
    return written if is_small else ink._replace(thin=written, clutter=written.clutter)


def _find_large_ink(small: np.ndarray, scale: float, invert: str) -> Ink:
    """Find ink as `_find_ink`, in a smaller copy where the strokes are bold."""
    half = reduce(small, 2)
    guess = 2 * stroke_width(halve(half)[0])  # roughly: what is dark may be a shadow
    for factor in (4, 2):
        if guess >= BOLD * factor and max(small.shape) >= SMALLEST_REDUCED * factor:
            ink = _find_ink(half if factor == 2 else reduce(half, 2), scale / factor, invert)
            if stroke_width((ink.thin or ink).mask) >= BOLD:
                return ink
    return _find_ink(small, scale, invert)


def _find_small_ink(image: np.ndarray, scale: float, invert: str, highest: float) -> Ink | None:
    """Look for writing, half of it at most `highest` pixels high, in a large photograph; None where there is none.

    What lies around a sheet is no desk where there is such writing, too: `paint_over_desk` cannot see it.
    """
    painted = paint_over_desk(image)
    if painted is not image and (ink := _small_ink(image, scale, invert, highest)) is not None:
        usual = writing_height(ink.thin or ink)
        heights = label_strokes((ink.thin or ink).mask & (painted != image).any(axis=2)).boxes[:, 3]
        if np.count_nonzero((heights > 0.5 * usual) & (heights < 2 * usual)) >= 2:
            return ink
    return _small_ink(painted, scale, invert, highest)


def _small_ink(image, scale, invert, highest):
    """Return the ink as `_find_small_ink` does, without a desk."""
    ink = _find_ink(image, scale, invert, background_of_small(image, highest))
    plain = ink.clutter < PLAIN_PAPER and highest / MOST_SMALLER < writing_height(ink.thin or ink) < highest
    return ink if plain else None


def is_soft(ink: Ink) -> bool:
    """Tell whether the ink of a reduced photograph may be a shadow: from pixel to pixel its edges change little."""
    if ink.scale >= 1 or not ink.mask.any():
        return False
    edge = ink.mask & (cv2.erode(ink.mask.astype(np.uint8), np.ones((3, 3)), borderValue=1) == 0)
    strength = np.maximum(ink.strength, 0)
    steps = (cv2.dilate(strength, np.ones((3, 3))) - cv2.erode(strength, np.ones((3, 3))))[edge]
    return bool(edge.any() and quantile(steps, 0.5) < SOFT * quantile(strength[ink.mask], 0.5))


def writing_height(ink: Ink) -> float:
    """Return the height that half of the writing is lower than, in pixels (0.0: no ink); of the strong ink on squared paper."""
    strokes = label_strokes(ink.mask)
    if (touched_sides(strokes.boxes, ink.mask.shape).sum(axis=0) >= 3).any():
        strokes = label_strokes(ink.mask & (ink.strength > STRONGER[0] * quantile(ink.strength[ink.mask], 0.5)))
    heights = strokes.boxes[:, 3]
    return quantile(np.repeat(heights, heights), 0.5) if len(heights) else 0.0


def _find_ink(
    small: np.ndarray, scale: float, invert: str, known: tuple[np.ndarray, np.ndarray] | None = None, toned: bool = False
) -> Ink:
    """Separate strokes from paper at the working size: `small` (h, w, 3) uint8 has `scale` pixels per pixel of the image.

    The paper may be `known`, as `background` returns it. Where it is not, the image has but two tones, and what was taken for the
    paper does not part them, as under bold strokes that fill a crop, it is the tone of most of image and border (`toned`).
    """
    paper, covered = known or background(small, scale)
    difference: np.ndarray = cv2.subtract(small, paper, dtype=cv2.CV_32F)
    if max(small.shape) > 300:  # the grain of paper and sensor
        difference = cv2.GaussianBlur(difference, (0, 0), 0.8)
    mix = ink_colour(difference) / np.sqrt(3).astype(np.float32)
    strength = difference @ mix
    level = None
    if is_light_on_dark(strength, invert):
        strength = -strength
    else:
        # Light multiplies: in the shade, dark ink differs less from its paper by the share that the paper is darker.
        light = cv2.transform(paper, np.full((1, 3), 1 / 3)) + SHADE
        level = quantile(light, 0.5)
        gain = level / light
        strength *= gain
        difference *= gain[..., None]
    low = LOW_ENLARGED if scale > 1 else LOW
    mask = cut_out(strength, covered, low)
    clutter, (dark, uneven) = measure_clutter(difference, mask, scale), halve(small)
    if clutter > PLAIN_PAPER and known and not toned:
        lines = find_broken_lines(strength > RULED * quantile(strength[mask], 0.5), max(5, int(RULE_LENGTH * min(mask.shape))))
        clutter = measure_clutter(difference, mask, scale, lines)
    filled = border_share(mask) > PLAIN_BORDER  # perhaps by a digit: paper is nowhere plain, but two tones are
    two_tones = mask.any() and uneven < TWO_TONES
    if filled or two_tones:
        clutter = min(clutter, uneven)
    torn = two_tones and min((mask ^ dark).sum(), (mask ^ ~dark).sum()) > 0.1 * mask.sum()
    if torn and known is None:
        half = dark if border_share(dark) + dark.mean() < 1 else ~dark
        tone = np.median(small[~half], axis=0).astype(np.float32)
        return _find_ink(small, scale, invert, (np.broadcast_to(tone, small.shape), half), toned=True)
    brightest = None
    if np.ptp(mix) > COLOURED:
        brightest = cv2.max(cv2.max(*cv2.split(paper)[:2]), paper[..., 2])
        brightest -= cv2.max(cv2.max(*cv2.split(small)[:2]), small[..., 2])
    ink = Ink(mask, scale, strength, difference, covered, clutter, dark if filled or toned else None, brightest=brightest)
    if clutter < PLAIN_PAPER and (found := without_objects(strength, mask, level)) is not None:
        thin, bare = found
        rest = cut_out(thin, covered, low) & ~bare
        if count_strokes(rest) <= MOST_TEXTURE * (1 + count_strokes(mask)):
            ink = ink._replace(thin=ink._replace(mask=rest, strength=thin))
    return ink
