"""Read handwritten digits in images.

    from digits import read_image, read_images
    record = read_image("photo.jpg")             # a path, a PIL image or a NumPy array
    record["text"], record["confidence"]         # "2026", 0.97
    for record in read_images(["a.png", "b.pdf"]): ...   # many, with several processes, and every page of a document

Imports go one way: support, inference, reading, then training or figures; web comes last. The scripts beside this folder use
them all; nothing in here imports a script.
"""

from digits.reading.many_images import read_images
from digits.reading.reader import read_image

__all__ = ["read_image", "read_images"]
