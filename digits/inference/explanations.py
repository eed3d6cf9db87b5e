"""Look inside a trained network: its features, and which pixels speak for an answer.

    model = load_model()                                      # digits/inference/keras_model.py
    maps = stage_outputs(model, data.x_test[0])               # the feature maps of one digit
    features = last_features(model, data.x_test[:2000])       # (2000, F), what the last layer decides on
    evidence, read, rivals = saliency(model, data.x_test[:10])

Works for any Keras model of 28x28 pixels to ten digits whose last layer is dense. digits/figures/network.py draws
the results.
"""

from digits.inference.keras_model import predict  # first: it imports Keras without TensorFlow's start-up notes

# isort: split
import keras
import numpy as np
import tensorflow as tf

from digits.support.messages import UserError


def choose_digits(probabilities: np.ndarray, at_random: int = 30, unsure: int = 10, seed: int = 0) -> np.ndarray:
    """Return indices of digits drawn at random and then those of least confidence, the least sure last.

    Args:
        probabilities: (N, 10) float; with fewer than at_random + unsure images, all are returned.
        at_random, unsure: how many of each; at least one unsure.
        seed: integer.
    """
    by_confidence = np.argsort(-np.max(probabilities, axis=1), kind="stable")
    others, least_sure = by_confidence[:-unsure], by_confidence[-unsure:]
    return np.concatenate([np.random.default_rng(seed).permutation(others)[:at_random], least_sure])


def first_convolution(model: keras.Model) -> keras.layers.Conv2D:
    """Return the model's first Conv2D layer. Raises UserError when it has none."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            return layer
    raise UserError("the model has no convolution to draw; give a model that train.py wrote.")


def stage_outputs(model: keras.Model, image: np.ndarray, stages: int = 4) -> list[tuple[str, np.ndarray]]:
    """Return the maps of the first stages of a network: the output of each convolution, and the input of the next one.

    Args:
        model: keras.Model.
        image: (28, 28) uint8.
        stages: how many at most.

    Returns:
        list of (layer name, maps), maps (height, width, channels) float32.
    """
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


def last_features(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the last layer's input, (N, F) float32, for images (N, 28, 28) uint8. Raises UserError."""
    return predict(keras.Model(model.inputs[0], _last_dense(model).input), images)


def saliency(
    model: keras.Model, images: np.ndarray, copies: int = 32, noise: float = 0.15, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how more ink at each pixel would change the network's answer.

    This is the gradient of the difference between two logits, that of the digit that is read and that of the second
    likeliest: positive where ink speaks for the digit that is read, negative where ink speaks against it (K. Simonyan et
    al., arXiv 1312.6034). It is the mean over noisy copies of the image, because a single gradient is noisy itself
    (D. Smilkov et al., "SmoothGrad", arXiv 1706.03825).

    Args:
        model: keras.Model.
        images: (N, 28, 28) uint8.
        copies: number of noisy copies.
        noise: standard deviation of their noise, as a share of the grey levels.
        seed: integer, for the noise.

    Returns:
        (evidence (N, 28, 28) float32, in logits per grey level; read (N,) int, the digit that is read; rivals (N,) int,
        the second likeliest).
    """
    last = _last_dense(model)
    features = keras.Model(model.inputs[0], last.input)

    def logits(pixels):
        return tf.matmul(features(pixels, training=False), last.kernel) + (last.bias if last.use_bias else 0.0)

    order = np.argsort(-np.asarray(logits(images[..., None].astype(np.float32))), axis=1)
    read, rivals = order[:, 0], order[:, 1]
    random, evidence = np.random.default_rng(seed), np.zeros(images.shape, np.float32)
    for _ in range(copies):
        noisy = images + random.normal(0, 255 * noise, images.shape)
        pixels = tf.constant(noisy[..., None].astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            answer = logits(pixels)
            lead = tf.gather(answer, read, batch_dims=1) - tf.gather(answer, rivals, batch_dims=1)
        evidence += np.asarray(tape.gradient(lead, pixels))[..., 0] / copies
    return evidence, read, rivals


def _last_dense(model):
    """Return the model's last layer. Raises UserError when it is not dense."""
    if not isinstance(model.layers[-1], keras.layers.Dense):
        raise UserError("the model's last layer is not dense, so its features cannot be drawn; give a model that train.py wrote.")
    return model.layers[-1]


def stages(model: keras.Model) -> list[tuple[tuple[int, ...], list[str], int]]:
    """Return the stages of a model, from its input on. A layer that keeps the shape belongs to the stage before it.

    Returns:
        list of (shape after the stage, its layers in plain words, number of its parameters).
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
    """Return what a Keras layer does, in plain words: a list of none, one or two steps."""
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
