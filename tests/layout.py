"""What stands in a figure, and that nothing in it overlaps or is cut off."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def texts(figure):
    """All words in a figure."""
    return [text.get_text() for text in figure.findobj(lambda artist: isinstance(artist, Text)) if text.get_text()]


def images_in(figure):
    """All arrays drawn as images in a figure."""
    return [np.ma.filled(image.get_array().astype(float), np.nan) for axes in figure.axes for image in axes.images]


def words_of(axes):
    """The text artists of one axes that are drawn, labels of ticks out of view left out."""
    words = [*axes.texts, axes.title, axes._left_title]
    for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels())
        words += [axis.label, *(label for place, label in ticks if low <= place <= high)]
    return words


def check_layout(figure):
    """Every word lies inside the figure, and no two words of one axes (or of the heading) overlap."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for group in (figure.texts, *map(words_of, figure.axes)):
        words = [text for text in group if text.get_text().strip()]
        boxes = [text.get_window_extent(renderer) for text in words]
        for number, (word, box) in enumerate(zip(words, boxes)):
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, word
            for other, place in zip(words[:number], boxes[:number]):
                assert not box.padded(-0.5).overlaps(place.padded(-0.5)), (word.get_text(), other.get_text())
