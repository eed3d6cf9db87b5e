"""What goes on inside a trained network: its features, and what in a picture speaks for an answer.

    model = load_model()                                   # of model.py
    maps = stage_outputs(model, data.x_test[0])            # what the convolutions make of one digit
    points = embed(last_features(model, data.x_test[:2000]))      # (2000, 2), to be drawn in the plane
    evidence, read, rivals = saliency(model, data.x_test[:10])

Works for any Keras model of 28x28 pixels to ten digits whose last layer is dense. digits/figures/network.py and
digits/figures/data.py draw what comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from digits.support.messages import UserError

if TYPE_CHECKING:
    import keras
    import numpy as np


def choose_digits(probabilities: np.ndarray, at_random: int = 30, unsure: int = 10, seed: int = 0) -> np.ndarray:
    """Return indices of digits drawn at random and then those of least confidence, the least sure last.

    Args:
        probabilities: (N, 10) float; with fewer than at_random + unsure images, all are returned.
        at_random, unsure: how many of each; at least one unsure.
        seed: integer.
    """
    import numpy as np

    by_confidence = np.argsort(-np.max(probabilities, axis=1), kind="stable")
    others, least_sure = by_confidence[:-unsure], by_confidence[-unsure:]
    return np.concatenate([np.random.default_rng(seed).permutation(others)[:at_random], least_sure])


def first_convolution(model: keras.Model) -> keras.layers.Conv2D:
    """Return the model's first Conv2D layer. Raises UserError when it has none."""
    from keras.layers import Conv2D

    for layer in model.layers:
        if isinstance(layer, Conv2D):
            return layer
    raise UserError("the model has no convolution to draw; give a model that train.py wrote.")


def stage_outputs(model: keras.Model, image: np.ndarray, stages: int = 4) -> list[tuple[str, np.ndarray]]:
    """Return [(layer name, maps)] of the first stages: each convolution's output, and what it comes to for the next.

    Args:
        model: keras.Model.
        image: (28, 28) uint8.
        stages: how many at most.

    Returns:
        list of (str, (height, width, channels) float32).
    """
    import keras
    import numpy as np

    following = (keras.layers.Conv2D, keras.layers.Flatten, keras.layers.GlobalAveragePooling2D)
    first = model.layers.index(first_convolution(model))
    ends = [
        layer
        for layer, successor in zip(model.layers[first:], model.layers[first + 1 :])
        if isinstance(layer, keras.layers.Conv2D) or isinstance(successor, following)
    ][:stages]
    until = keras.Model(model.inputs[0], [layer.output for layer in ends])
    outputs = until(image[np.newaxis, ..., np.newaxis].astype(np.float32))
    return [(layer.name, np.asarray(output)[0]) for layer, output in zip(ends, outputs)]


def last_features(model: keras.Model, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Return what the last layer decides on, (N, F) float32, for images (N, 28, 28) uint8. Raises UserError."""
    import keras

    features = keras.Model(model.inputs[0], _last_dense(model).input)
    return features.predict(images[..., None].astype("float32"), batch_size=batch_size, verbose=0)


def embed(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Place vectors in the plane so that neighbours stay neighbours: t-SNE on their 50 principal components.

    L. van der Maaten, G. Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008. Distances across the plane, and the
    sizes of clusters, mean nothing.

    Args:
        vectors: (N, F) numbers, N at least 5.
        seed: integer; the same seed on the same machine gives the same points.

    Returns:
        (N, 2) float32.
    """
    import numpy as np
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    vectors = np.asarray(vectors, np.float32)
    components = PCA(min(50, *vectors.shape), random_state=seed).fit_transform(vectors)
    perplexity = min(30, (len(vectors) - 1) / 3)  # 30 is what scikit-learn and most papers take
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)


def saliency(
    model: keras.Model, images: np.ndarray, copies: int = 32, noise: float = 0.15, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how more ink at each pixel would change the network's mind.

    The gradient of the difference between the logits of the digit that is read and of the next likely one: positive
    where ink speaks for what is read, negative where blank paper does. It is averaged over copies of the image with
    noise on them, because the gradient at a single point is ragged (D. Smilkov et al., "SmoothGrad", arXiv
    1706.03825; the gradient itself: K. Simonyan et al., arXiv 1312.6034).

    Args:
        model: keras.Model.
        images: (N, 28, 28) uint8.
        copies: how many noisy copies.
        noise: standard deviation of their noise, as a share of the grey levels.
        seed: integer, of the noise.

    Returns:
        (evidence (N, 28, 28) float32, in logits per grey level; read (N,) int, the digit that is read; rivals (N,) int,
        the second likeliest).
    """
    import keras
    import numpy as np
    import tensorflow as tf

    last = _last_dense(model)
    features = keras.Model(model.inputs[0], last.input)

    def logits(pictures):
        return tf.matmul(features(pictures, training=False), last.kernel) + (last.bias if last.use_bias else 0.0)

    order = np.argsort(-np.asarray(logits(images[..., None].astype(np.float32))), axis=1)
    read, rivals = order[:, 0], order[:, 1]
    random, evidence = np.random.default_rng(seed), np.zeros(images.shape, np.float32)
    for _ in range(copies):
        noisy = images + random.normal(0, 255 * noise, images.shape)
        pictures = tf.constant(noisy[..., None].astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            answer = logits(pictures)
            lead = tf.gather(answer, read, batch_dims=1) - tf.gather(answer, rivals, batch_dims=1)
        evidence += np.asarray(tape.gradient(lead, pictures))[..., 0] / copies
    return evidence, read, rivals


def _last_dense(model):
    """Return the model's last layer. Raises UserError when it is not dense."""
    from keras.layers import Dense

    if not isinstance(model.layers[-1], Dense):
        raise UserError("the model's last layer is not dense, so its features cannot be drawn; give a model that train.py wrote.")
    return model.layers[-1]


def stages(model: keras.Model) -> list[tuple[tuple[int, ...], list[str], int]]:
    """Return what a picture goes through in a model: each shape that it takes, what leads there, and the weights of that.

    Returns:
        list of (shape, steps in plain words, parameters), the input's first; layers that keep the shape join the stage before.
    """
    found: list[tuple[tuple[int, ...], list[str], int]] = []
    for layer in model.layers:
        shape, words, count = tuple(layer.output.shape[1:]), _in_words(layer), layer.count_params()
        if found and shape == found[-1][0]:
            found[-1] = shape, found[-1][1] + words, found[-1][2] + count
        else:
            found.append((shape, words, count))
    return found


def _in_words(layer):
    """What a Keras layer does, in the words of a drawing: a list of none, one or two steps."""
    kind, config = type(layer).__name__, layer.get_config()
    size = "x".join(map(str, config.get("kernel_size", config.get("pool_size", ()))))
    words = {
        "InputLayer": [],
        "Rescaling": ["scale to 0..1"],
        "Conv2D": [f"convolution {size}"],
        "MaxPooling2D": [f"max pooling {size}"],
        "BatchNormalization": ["batch norm"],
        "Dropout": [f"dropout {config.get('rate')}"],
    }.get(kind, [kind if kind == "ReLU" else kind.lower()])
    activation = config.get("activation", "linear")
    return words + ([activation] if activation != "linear" else [])
