"""digits/figures/network.py: what stands in the axes of each figure, and that nothing overlaps or is cut off."""

import numpy as np

from digits.figures import network, style
from layout import check_layout, images_in, texts


def test_filters():
    kernels = np.arange(3 * 3 * 16, dtype=float).reshape(3, 3, 1, 16) - 72
    figure = network.filters(kernels, "conv_1a")
    assert "16 kernels of 3x3: conv_1a" in texts(figure)
    mosaic = images_in(figure)[0]
    assert set(np.unique(mosaic[:24, :24])) == set(kernels[:, :, 0, 0].ravel())  # the first kernel, enlarged 8 times
    assert mosaic[0, 27] == kernels[0, 0, 0, 1] and np.isnan(mosaic[:, 24]).all()
    image = figure.axes[0].images[0]
    assert image.norm.vmin == -image.norm.vmax == -72  # zero is white
    check_layout(figure)


def test_feature_maps():
    maps = np.zeros((26, 26, 20))
    maps[5, 6, 1] = 3.0
    digit = np.full((28, 28), 200, np.uint8)
    figure = network.feature_maps(digit, [("relu_1a", maps), ("pool_1", maps[::2, ::2, :8] + 7)], label=7)
    words = texts(figure)
    assert "What the first layers see in this 7" in words
    assert "relu_1a: 10 of 20 maps, 26x26" in words and "pool_1: 8 of 8 maps, 13x13" in words
    digit, first, second = images_in(figure)
    assert (digit == 200).all()
    assert first.max() == 1 and (first == 1).sum() == 4 * 4  # one pixel, four times enlarged, on its own scale
    assert set(np.unique(second)) == {0, 0.25}  # flat maps are white, frames grey
    check_layout(figure)


def test_saliency():
    images = np.zeros((8, 28, 28), np.uint8)
    images[:, 5:20, 12:16] = 255
    evidence = np.random.default_rng(0).normal(size=images.shape)
    figure = network.saliency(images, evidence, np.arange(8), np.arange(8) + 1, np.array([0, 1, 2, 3, 4, 5, 6, 9]))
    assert {"0, not 1", "7, not 8"} <= set(texts(figure))
    drawn = images_in(figure)
    assert len(drawn) == 16 and (drawn[0] == images[0]).all() and (drawn[1] == evidence[0]).all()
    assert [axes.title.get_color() for axes in figure.axes[::2]] == ["black"] * 7 + [style.VERMILLION]
    shown = figure.axes[1].images[0]
    assert shown.norm.vmin == -shown.norm.vmax  # no influence is white
    check_layout(figure)


def test_architecture():
    stages = [
        ((28, 28, 1), ["scale to 0..1"], 0),
        ((24, 24, 32), ["convolution 5x5"], 832),
        ((12, 12, 32), ["max pooling 2x2", "batch norm", "ReLU"], 128),
        ((4608,), ["flatten"], 0),
        ((10,), ["dense", "softmax"], 46090),
    ]
    figure = network.architecture(stages)
    words = texts(figure)
    assert "The network: 47,050 parameters" in words
    assert {"28x28x1", "12x12x32", "4608", "10", "max pooling 2x2\nbatch norm\nReLU", "46,090"} <= set(words)
    assert len(figure.axes[0].patches) == 3 * len(stages)  # three faces of each block
    check_layout(figure)
