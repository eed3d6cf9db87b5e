"""Files to measure the reading of: digits as PNGs, a photograph, a page of text, a document."""

import os

import cv2
import numpy as np
from PIL import Image, ImageDraw

import data_loader


def write_digits(folder, count):
    """Write `count` of MNIST's test digits as PNG files; from the second time round, as links to the same files."""
    images = data_loader.load_mnist().x_test
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number}.png"
        if number < len(images):
            Image.fromarray(images[number]).save(path)
        else:
            os.link(folder / f"{number % len(images)}.png", path)


def write_photo(path):
    """Write a photograph of 12 megapixels: noise, uneven light, and one digit in the middle."""
    y, x = np.mgrid[:3000, :4000]
    noise = np.random.default_rng(0).normal(0, 6, (3000, 4000, 1))
    light = np.stack([200 + 20 * np.sin(x / 300), 190 + 10 * np.cos(y / 200), 180 + x * 0], axis=-1)
    photo = Image.fromarray(np.clip(light + noise, 0, 255).astype(np.uint8))
    ImageDraw.Draw(photo).line([(1500, 800), (2200, 800), (1700, 2200)], fill=(30, 30, 60), width=60)
    photo.save(path, quality=90)


def write_text(path):
    """Write a page of text, A4 at 200 dots per inch: 30 lines in letters of strokes."""
    page = np.full((2339, 1654), 235, np.uint8)
    words = "the letter that was sent to the house by the river came back after a year and a day, "
    for line in range(30):
        text = (2 * words)[2 * line : 2 * line + 40]
        cv2.putText(page, text, (120, 180 + line * 70), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.4, 40, 3, cv2.LINE_AA)
    cv2.imwrite(str(path), page)


def write_document(path):
    """Write a PDF of ten pages, A4 at 200 dots per inch: on each page five numbers of MNIST's digits."""
    images = data_loader.load_mnist().x_test
    pages = [Image.new("L", (1654, 2339), 235) for _ in range(10)]
    for number, image in enumerate(images[:300]):
        page, line, place = number // 30, number // 6 % 5, number % 6
        digit = np.kron(235 - 0.8 * image, np.ones((3, 3)))
        pages[page].paste(Image.fromarray(digit.astype(np.uint8)), (200 + 100 * place, 300 + 300 * line))
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=200)
