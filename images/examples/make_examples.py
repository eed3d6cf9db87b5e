"""Draw the example images of the README: synthetic paper and light, digits from MNIST's test set and synthetic ones.

python images/examples/make_examples.py        # writes seven.png, number.jpg, two_lines.jpg and blank.jpg beside itself
"""

import pathlib
import sys

import cv2
import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1]))
from data_loader import load_dataset
from digits.support import command_line, files
from digits.training.synthetic import draw_digits

INK = np.array([62, 48, 38])  # how much darker than the paper, per channel at full strength: blue ink
RULE = np.array([40, 18, 4])


def paper(height, width, rng, rule=0):
    """Return (height, width, 3) float32 of paper under a lamp, with grain and a shadow, and lines `rule` pixels apart."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 205 - 70 * ((x / width - 0.25) ** 2 + (y / height - 0.2) ** 2)
    light -= 45 / (1 + np.exp(-(x + 0.4 * y - 0.95 * width) / (0.03 * width)))  # the edge of a hand's shadow
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.2)
    image = (light + 6 * grain)[..., None] * np.array([1.0, 0.985, 0.94], np.float32)
    for row in range(rule, height, rule) if rule else ():
        image[row : row + 2] -= RULE
    return image


def write(image, digit, x, y, size):
    """Write a (28, 28) uint8 digit of about `size` pixels on the paper, in place, with its centre at x, y."""
    turn = cv2.getRotationMatrix2D((13.5, 13.5), 0, size / 20)
    turn[:, 2] += (x - 13.5, y - 13.5)
    strength = cv2.warpAffine(digit.astype(np.float32), turn, image.shape[1::-1], flags=cv2.INTER_CUBIC) / 255
    strength = 1 / (1 + np.exp(-14 * (strength - 0.45)))  # enlarged grey edges become the edges of a pen
    image -= (2.1 * strength)[..., None] * INK


def save(image, name, **options):
    """Write a float image as an 8-bit image file."""
    with files.atomic_write(FOLDER / name) as temporary:
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(temporary, **options)


def main():
    rng = np.random.default_rng(11)
    data = load_dataset()
    synthetic, synthetic_labels = draw_digits(400, seed=3)

    def mnist(digit):
        return data.x_test[rng.choice(np.flatnonzero(data.y_test == digit))]

    def drawn(digit):
        return synthetic[rng.choice(np.flatnonzero(synthetic_labels == digit))]

    Image.fromarray(255 - data.x_test[0]).resize((140, 140), Image.Resampling.BICUBIC).save(FOLDER / "seven.png")
    number = paper(420, 1000, rng)
    for position, digit in enumerate("20261"):
        write(
            number,
            (drawn if digit == "1" else mnist)(int(digit)),
            150 + 172 * position,
            215 + rng.normal(0, 14),
            rng.uniform(135, 165),
        )
    save(number, "number.jpg", quality=88)
    lines = paper(720, 1000, rng, rule=120)
    for row, text in enumerate(("31415", "92653")):
        for position, digit in enumerate(text):
            write(lines, mnist(int(digit)), 170 + 160 * position, 190 + 240 * row + rng.normal(0, 8), rng.uniform(110, 135))
    save(lines, "two_lines.jpg", quality=88)
    save(paper(360, 480, rng, rule=90), "blank.jpg", quality=88)
    return 0


if __name__ == "__main__":
    command_line.run(main)
