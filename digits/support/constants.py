"""Numbers and paths that many modules need."""

import pathlib

IMAGE_SIZE = 28  # pixels, of MNIST's images and the network's
INPUT_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 1)
NUM_CLASSES = 10
NO_DIGIT = "no_digit"  # the folder of a data set that holds negatives: images of no digit
NOT_A_DIGIT = 255  # their label

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT_MODEL = PROJECT / "models" / "mnist_cnn.keras"  # the default model
EXAMPLE_PHOTO = PROJECT / "images" / "examples" / "two_lines.jpg"
