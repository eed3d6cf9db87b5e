"""How each picture looks: arrays in, a matplotlib Figure out.

    import figures
    figures.sample_digits(data.x_train, data.y_train)                        # shows itself in a notebook
    figures.confusion_matrix(matrix).savefig("confusion_matrix.png", dpi=figures.DPI)

The figures are plain `matplotlib.figure.Figure` objects without pyplot behind them: they need no display,
keep no state and are freed like any other object. Every title says what there is to see. Blue and vermillion
are those of M. Okabe and K. Ito, "Color Universal Design" (2008), told apart with every kind of colour vision.
Images are (N, 28, 28) uint8, ink 255 on 0; they are drawn dark on white, like ink on paper.
"""
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

BLUE, VERMILLION, GREY, PALE = "#0072B2", "#D55E00", "#595959", "#EDEDED"
DPI, DIGITS = 150, range(10)
ERROR_COLOURS = LinearSegmentedColormap.from_list("errors", ["white", VERMILLION])


def confusion_matrix(matrix):
    """Draw a confusion matrix whose few errors show although the diagonal is a thousand times larger.

    Errors are coloured by a logarithmic scale of their own; the diagonal is plain and zeros are blank.

    Args:
        matrix: (10, 10) counts, row = label, column = prediction (as of sklearn.metrics.confusion_matrix).
    """
    matrix = np.asarray(matrix)
    total, right = matrix.sum(), np.trace(matrix)
    errors = matrix - np.diag(np.diag(matrix))
    figure = _figure(8, 7.7, f"{total - right:,} of {total:,} digits misread", _worst_pairs(errors))
    axes = _axes(figure, 0.8, 0.1, 7.05, 6.3)
    # The scale starts below 1 and ends at 10 or above, so that a single error shows and two do not shout.
    axes.imshow(np.ma.masked_equal(errors, 0), cmap=ERROR_COLOURS, norm=LogNorm(0.6, max(10, errors.max())))
    for (row, column), count in np.ndenumerate(matrix):
        if row == column:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=PALE, lw=0))
        if count:
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=11 if row == column else 13,
                      fontweight="normal" if row == column else "bold")
    margin = {"ha": "center", "va": "center", "fontsize": 10, "color": GREY}
    for digit in DIGITS:  # how much of each row and each column is right
        for x, y, whole in ((10.05, digit, matrix[digit].sum()), (digit, 9.85, matrix[:, digit].sum())):
            axes.text(x, y, _percent(matrix[digit, digit] / whole) if whole else "none", **margin)
    axes.text(10.05, -0.8, "recall", **margin)
    axes.text(-1.1, 9.85, "precision", **margin)
    axes.set(xticks=DIGITS, yticks=DIGITS, xlim=(-0.5, 10.5), ylim=(10.2, -0.5))
    for lines in (axes.vlines, axes.hlines):
        lines(np.arange(11) - 0.5, -0.5, 9.5, color="#DDDDDD", lw=1)
    axes.tick_params(length=0, labelsize=13, labeltop=True, labelbottom=False)
    axes.text(4.5, -1.3, "prediction", ha="center", va="center", fontsize=12)
    axes.text(-1.2, 4.5, "label", ha="center", va="center", fontsize=12, rotation=90)
    axes.spines[:].set_visible(False)
    return figure


def misclassified_gallery(images, misclassified, limit=60):
    """Draw the digits that were misread, the most confident first, with label, prediction and confidence.

    Args:
        images: (N, 28, 28) uint8, all images that were scored.
        misclassified: list of dicts with index, label, prediction, confidence (0 to 1) and
            label_known_wrong (bool), in the order in which to draw (`evaluate.misclassified`).
        limit: draw at most this many; the title says so.
    """
    shown = misclassified[:limit]
    title = f"{len(misclassified):,} of {len(images):,} digits misread"
    if len(shown) < len(misclassified):
        title += f", the {len(shown):,} most confident shown"
    note = "label → prediction, confidence, number of the image; most confident first" if shown else "nothing to show"
    if known := sum(record["label_known_wrong"] for record in misclassified):
        note += f". In blue frames: labels known to be wrong ({known} of the {len(misclassified):,})"
    captions = [f"{record['label']} → {record['prediction']}  {_percent(record['confidence'])}\n#{record['index']}"
                for record in shown]
    colours = [BLUE if record["label_known_wrong"] else "black" for record in shown]
    return _gallery([images[record["index"]] for record in shown], captions, colours, title, note)


def predictions(images, labels, probabilities, note=""):
    """Draw digits with what the network reads in them and how sure it is; misread ones are marked.

    Args:
        images: (N, 28, 28) uint8, drawn in this order.
        labels: (N,) integers.
        probabilities: (N, 10), each row adding up to 1.
        note: a second line below the title, such as how the digits were chosen.
    """
    read, confidence = np.argmax(probabilities, axis=1), np.max(probabilities, axis=1)
    wrong = read != np.asarray(labels)
    captions = [f"{digit}  {_percent(share)}" + (f"\nlabel {label}" if miss else "")
                for digit, share, label, miss in zip(read, confidence, labels, wrong)]
    title = f"{np.sum(~wrong):,} of these {len(images):,} digits read correctly"
    return _gallery(images, captions, np.where(wrong, VERMILLION, "black"), title, note)


def sample_digits(images, labels, per_class=12, seed=0):
    """Draw `per_class` random images of each digit, one row per digit, with the number of images beside it.

    Args:
        images: (N, 28, 28) uint8.
        labels: (N,) integers 0 to 9; a digit that is absent keeps an empty row.
    """
    labels, random = np.asarray(labels), np.random.default_rng(seed)
    counts = np.bincount(labels, minlength=10)
    tiles = np.zeros((10, per_class, 28, 28), np.uint8)
    for digit in DIGITS:
        chosen = random.permutation(np.flatnonzero(labels == digit))[:per_class]
        tiles[digit, :len(chosen)] = images[chosen]
    figure = _figure(max(7, 0.6 * per_class + 1.3), 6.95,
                     f"{len(labels):,} handwritten digits, {per_class} of each drawn at random",
                     "beside each row: the digit and how many images of it there are")
    axes = _axes(figure, 1.2, 0.05, 0.6 * per_class, 6)
    axes.imshow(_mosaic(tiles.reshape(-1, 28, 28), per_class), cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=np.arange(10) * 32 + 13.5)
    axes.set_yticklabels([f"{digit}   {f'{count:,}' if count else 'none':>6}" for digit, count in enumerate(counts)])
    axes.tick_params(length=0, labelsize=12)
    axes.spines[:].set_visible(False)
    return figure


def training_curves(history):
    """Draw error rate, loss and learning rate over the epochs; the epoch that is kept is ringed.

    Args:
        history: dict of equally long lists: epoch (from 1), accuracy, loss, val_accuracy, val_loss (fractions
            and nats) and learning_rate.
    """
    epochs = np.asarray(history["epoch"], int)
    best = max(range(len(epochs)), key=lambda i: (history["val_accuracy"][i], i))
    figure = _figure(11, 4.5, f"{100 * history['val_accuracy'][best]:.2f} % of the validation digits read correctly "
                     f"after epoch {epochs[best]} of {epochs[-1]}",
                     "not to be compared directly: training digits are distorted and their targets smoothed")
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.13, top=0.74, wspace=0.3)
    lines = [(0, "accuracy", "training", GREY), (0, "val_accuracy", "validation", BLUE),
             (1, "loss", "training", GREY), (1, "val_loss", "validation", BLUE), (2, "learning_rate", None, GREY)]
    for panel, column, name, colour in lines:
        values = np.asarray(history[column], float)
        values = 1 - values if panel == 0 else values
        panels[panel].plot(epochs, values, color=colour, lw=2, marker="o", markersize=4, label=name)
        if name == "validation":
            panels[panel].plot(epochs[best], values[best], "o", color=colour, markersize=11, mfc="none", mew=2)
    for axes, title in zip(panels, ("misread digits", "loss (cross-entropy)", "learning rate")):
        axes.set_title(title, loc="left", fontsize=12)
        axes.set(xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5), ylim=(0, 1.08 * axes.get_ylim()[1]))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(axis="y", color=PALE)
        axes.spines[["top", "right"]].set_visible(False)
    # Logarithmic down to 0.1 %, then linear: a small validation set may have no error at all.
    panels[0].set_yscale("symlog", linthresh=1e-3, linscale=0.3)
    panels[0].yaxis.set_major_locator(FixedLocator([0, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1]))
    panels[0].yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper right", ncols=2, frameon=False, fontsize=11)
    return figure


def reliability_diagram(bins, expected_calibration_error):
    """Draw how often the network is right against how sure it says it is.

    Args:
        bins: list of dicts with lower and upper edge, images, confidence (mean), accuracy and
            accuracy_interval (95 %), bins without images left out (`evaluate.calibration_bins`).
        expected_calibration_error: 0 to 1 (Guo et al. 2017, arXiv 1706.04599).
    """
    total = sum(group["images"] for group in bins)
    figure = _figure(6.6, 7.2, f"Confidence is off by {100 * expected_calibration_error:.2f} points on average",
                     f"expected calibration error over {total:,} digits; bars show 95 % intervals")
    upper, lower = _axes(figure, 0.85, 2.6, 5.4, 3.6), _axes(figure, 0.85, 0.6, 5.4, 1.4)
    upper.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
    upper.text(0.02, 0.04, "perfectly calibrated", rotation=45, rotation_mode="anchor", transform_rotates_text=True,
               color=GREY, fontsize=10)
    for group in bins:
        (low, high), accuracy = group["accuracy_interval"], group["accuracy"]
        upper.errorbar(group["confidence"], accuracy, [[accuracy - low], [high - accuracy]], fmt="o", color=BLUE,
                       markersize=7, lw=1.5, capsize=3, clip_on=False)
        left, right, count = group["lower"], group["upper"], group["images"]
        lower.bar(left, count, right - left, align="edge", color=BLUE, edgecolor="white")
        lower.text((left + right) / 2, count * 1.2, f"{count:,}", ha="center", fontsize=8)
    upper.set(xlim=(0, 1.02), ylim=(0, 1.02), ylabel="read correctly")
    lower.set(xlim=(0, 1.02), ylim=(0.7, 6 * total), yscale="log", xlabel="confidence", ylabel="digits")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    upper.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return figure


def filters(kernels, name="first layer"):
    """Draw convolution kernels side by side on one scale: red is positive, blue negative, white zero.

    Args:
        kernels: (height, width, inputs, outputs) float weights.
        name: the layer's name, for the title.
    """
    height, width, inputs, outputs = kernels.shape
    tiles = np.moveaxis(kernels, (2, 3), (0, 1)).reshape(inputs * outputs, height, width)
    limit, columns = float(np.abs(tiles).max()) or 1.0, min(len(tiles), 8)
    rows = -(-len(tiles) // columns)
    figure = _figure(max(6.5, 0.8 * columns + 1.2), 0.8 * rows + 1.1,
                     f"{len(tiles)} kernels of {height}x{width}: {name}", "how a pixel counts: red for, blue against")
    axes = _axes(figure, 0.2, 0.15, 0.8 * columns, 0.8 * rows)
    axes.imshow(_mosaic(tiles, columns, gap=3, repeat=8, fill=np.nan), cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.axis("off")
    bar = figure.colorbar(axes.images[0], cax=_axes(figure, figure.get_figwidth() - 0.8, 0.15, 0.15, 0.8 * rows))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=10, length=0)
    return figure


def feature_maps(image, layers, label=None, limit=12):
    """Draw what the first layers make of one digit, one row of maps for each layer.

    Args:
        image: (28, 28) uint8.
        layers: list of (name, maps), maps (height, width, channels) float.
        label: what the digit is, for the title.
        limit: draw at most this many maps of each layer.
    """
    height, digit = 1.15 * len(layers) + 0.95, "digit" if label is None else label
    figure = _figure(0.85 * limit + 1.6, height, f"What the first layers see in this {digit}",
                     "each map from its weakest (white) to its strongest response (black)")
    axes = _axes(figure, 0.15, height - 2.05, 1.05, 0.85)
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    axes.axis("off")
    axes.set_title("the digit", loc="left", fontsize=10)
    for number, (name, maps) in enumerate(layers):
        tiles = np.moveaxis(maps, -1, 0)[:limit]
        lowest, highest = tiles.min(axis=(1, 2), keepdims=True), tiles.max(axis=(1, 2), keepdims=True)
        tiles = (tiles - lowest) / np.where(highest > lowest, highest - lowest, 1)
        axes = _axes(figure, 1.45, height - 2.05 - 1.15 * number, 0.85 * len(tiles), 0.85)
        row = _mosaic(tiles, len(tiles), gap=3, repeat=112 // maps.shape[0] or 1, fill=0.25)
        axes.imshow(np.pad(row, 3, constant_values=0.25), cmap="gray_r", vmin=0, vmax=1)
        axes.axis("off")
        axes.set_anchor("W")
        axes.set_title(f"{name}: {len(tiles)} of {maps.shape[-1]} maps, {maps.shape[0]}x{maps.shape[1]}", loc="left",
                       fontsize=10)
    return figure


def _figure(width, height, title, note=""):
    """Return a Figure of so many inches with a title and, below it, a note at its top left."""
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.text(0.16 / width, 1 - 0.16 / height, title, fontsize=15, fontweight="bold", va="top")
    figure.text(0.16 / width, 1 - 0.5 / height, note, fontsize=10.5, color=GREY, va="top")
    return figure


def _axes(figure, left, bottom, width, height):
    """Return new axes of a figure, placed in inches from its lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _gallery(images, captions, colours, title, note, columns=10):
    """Return a Figure of images in rows with captions; those whose colour is not black are framed in it."""
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    inch, cell_width, cell_height = 1 / 32, 42, 34 + 8 * lines  # in pixels of the images
    rows = -(-len(images) // columns)
    width, head = columns * cell_width * inch + 0.2, 0.85 if note else 0.55
    height = max(0.1, rows * cell_height * inch) + head
    figure = _figure(width, height, title, note)
    axes = _axes(figure, 0.1, 0, width - 0.2, height - head)
    for number, (image, caption, colour) in enumerate(zip(images, captions, colours)):
        row, column = divmod(number, columns)
        x, y = column * cell_width + 7, row * cell_height
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=(x, x + 28, y + 28, y))
        frame = {"ec": "#C8C8C8", "lw": 0.8} if colour == "black" else {"ec": colour, "lw": 2.5}
        axes.add_patch(Rectangle((x, y), 28, 28, fill=False, **frame))
        axes.text(x + 14, y + 30, caption, color=colour, ha="center", va="top", fontsize=9.5, linespacing=1.25)
    axes.set(xlim=(0, columns * cell_width), ylim=(max(1, rows * cell_height), -1))
    axes.axis("off")
    return figure


def _mosaic(tiles, columns, gap=4, repeat=1, fill=0):
    """Return one array of all `tiles` (N, H, W) in rows of `columns`, with gaps of `fill` between them.

    `repeat` enlarges each pixel first, so that the gap can be thinner than a pixel of a tiny tile.
    """
    tiles = tiles.repeat(repeat, axis=1).repeat(repeat, axis=2)
    tiles = np.pad(tiles, ((0, -len(tiles) % columns), (0, gap), (0, gap)), constant_values=fill)
    rows, (height, width) = len(tiles) // columns, tiles.shape[1:]
    mosaic = tiles.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    return mosaic[:-gap, :-gap]


def _worst_pairs(errors):
    """Return the two commonest confusions in words: "most often: 4 read as 9 (6)"."""
    worst = (divmod(int(cell), 10) for cell in np.argsort(-errors, axis=None, kind="stable")[:2])
    words = [f"{label} read as {read} ({errors[label, read]})" for label, read in worst if errors[label, read]]
    return "most often: " + ", ".join(words) if words else ""


def _percent(share):
    """Return a share of 1 as percent; only 1 itself is 100 %."""
    return "100 %" if share == 1 else f"{min(99.9, 100 * share):.1f} %"
