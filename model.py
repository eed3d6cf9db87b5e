"""The network: a small convolutional classifier of 28x28 handwritten digits.

python model.py          # print its layers

model = build_model()                             # a fresh network
model = load_model("models/mnist_cnn.keras")      # a trained one, of digits/inference/keras_model.py
probabilities = model.predict(images[..., None])  # (N, 10); images: (N, 28, 28), 0 = paper to 255 = ink
"""

from collections.abc import Sequence

from digits.inference.keras_model import load_model  # first: it imports Keras without TensorFlow's start-up notes
from digits.support.command_line import Parser, run
from digits.support.constants import INPUT_SHAPE, NUM_CLASSES

# isort: split
import keras
from keras import Input, layers

__all__ = ["build_model", "load_model"]


def build_model(blocks: Sequence[Sequence[int]] = ((32,), (64, 128), (192,)), dropout: float = 0.3) -> keras.Model:
    """Build the CNN: blocks of convolutions with max pooling between them, then one dense softmax layer.

    The first convolution is 5x5, the others are 3x3: at full size one 5x5 convolution costs less than two of 3x3. None is
    padded: a digit lies inside a margin of four pixels, and smaller maps save time. Every convolution is followed by batch
    normalisation (Ioffe & Szegedy 2015, arXiv 1502.03167) and ReLU; at the end of a block they come after the pooling, on
    a quarter of the values.

    Args:
        blocks: for each block, the number of filters of its convolutions.
        dropout: share of the last features hidden during training (Srivastava et al. 2014, JMLR 15), 0 to 1.

    Returns:
        Uncompiled keras.Model: (N, 28, 28, 1) float32 pixels, 0 to 255, to (N, 10) float32 probabilities.
    """
    x = images = Input(INPUT_SHAPE, name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(x)
    for number, block in enumerate(blocks, 1):
        for letter, filters in zip("abcdefgh", block):
            kernel_size = 5 if (number, letter) == (1, "a") else 3
            x = layers.Conv2D(filters, kernel_size, use_bias=False, name=f"conv_{number}{letter}")(x)
            if letter == "abcdefgh"[len(block) - 1] and number < len(blocks):
                x = layers.MaxPooling2D(name=f"pool_{number}")(x)
            x = layers.BatchNormalization(momentum=0.9, name=f"norm_{number}{letter}")(x)
            x = layers.ReLU(name=f"relu_{number}{letter}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(images, layers.Dense(NUM_CLASSES, activation="softmax", name="digits")(x), name="mnist_cnn")


def main(argv: list[str] | None = None) -> int:
    """Print the default network."""
    Parser(__doc__).parse_args(argv)
    build_model().summary()
    return 0


if __name__ == "__main__":
    run(main)
