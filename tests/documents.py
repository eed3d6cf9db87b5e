"""PDF documents written by hand: honest ones, and ones that no program would write."""

import zlib


def pdf(pages, others=(), trailer=b""):
    """Return a PDF document.

    Args:
        pages: list of (size of the page as PDF writes it, content stream).
        others: objects that the contents can name: the first is /X0, whose number is 3 + 2 * len(pages).
        trailer: more entries of the trailer.
    """
    first = 3 + 2 * len(pages)
    names = b"".join(b"/X%d %d 0 R" % (place, first + place) for place in range(len(others)))
    kids = b" ".join(b"%d 0 R" % (3 + 2 * place) for place in range(len(pages)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages))]
    for place, (size, content) in enumerate(pages):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s]/Contents %d 0 R/Resources<</XObject<<%s>>>>>>"
            % (size, 4 + 2 * place, names)
        )
        objects.append(stream(content))
    return assemble([*objects, *others], trailer)


def stream(content, entries=b""):
    """Return a stream object, compressed."""
    content = zlib.compress(content, 9)
    return b"<<%s/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (entries, len(content), content)


def assemble(objects, trailer=b""):
    """Return a PDF file of objects 1, 2, ..., of which the first is the catalogue."""
    content, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return content + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Root 1 0 R/Size %d%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        table,
        len(objects) + 1,
        trailer,
        len(content),
    )


A4 = b"595 842"
CROSS = b"20 w 100 100 m 500 700 l S 500 100 m 100 700 l S"  # two strokes of a thick pen

HONEST = pdf([(A4, CROSS), (b"300 200", b"")])
LOCKED = pdf([(A4, CROSS)], trailer=b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O(%s)/U(%s)>>/ID[(a)(a)]" % (b"o" * 32, b"u" * 32))
HUGE = pdf([(b"14400 14400", b"400 w 0 0 m 14400 14400 l S")])  # at 200 dots per inch 1,600 million pixels
MANY_PAGES = assemble(
    [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R 2 0 R]/Count 1000000>>", b"<</Type/Page/Parent 2 0 R>>"]
)
# Drawing X0 eight times, which draws X1 eight times, ...: 8 to the power of 30 marks in four kilobytes.
ENDLESS = pdf(
    [(b"300 200", b""), (A4, b"/X0 Do"), (A4, CROSS)],
    [
        stream(
            b"/X0 Do " * 8 if place < 29 else b"0 0 9 9 re f",
            b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X0 %d 0 R>>>>" % (10 + place),
        )
        for place in range(30)
    ],
)
