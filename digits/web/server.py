"""What the page's server answers: a few routes around one ImageReader.

    app = create_app(ImageReader(Settings(top_k=10)), Corrections("my_digits"))

    GET  /                                       the page, and its style sheet, scripts and icon
    POST /read         an image                  the record of predict.py, in JSON
    POST /inspect      an image                  the records of its pages with all that explains them; see inspection.py
    POST /annotate     an image                  the annotated copy of a page, a PNG
    GET  /corrections                            how many images were saved for each label, and how to learn from them
    POST /corrections  {"image", "label"}        save a 28x28 image under its label; null takes it back

No path comes from the network: the files of the page are listed when the server starts, and a correction is named after
its pixels. One image is read at a time, and at most MAX_BODIES are held in memory. Other requests wait before their body
is read, so a flood costs time and no memory.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import pathlib
import re
from collections.abc import Callable

import anyio
import anyio.to_thread
import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from digits.reading.reader import ImageReader
from digits.reading.record_json import json_text
from digits.support.constants import IMAGE_SIZE
from digits.support.messages import UserError
from digits.web import inspection
from digits.web.corrections import LABELS, Corrections
from digits.web.guard import LOOPBACK, Guard, refuse

PAGE = pathlib.Path(__file__).with_name("page")
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MAX_IMAGE_BYTES = 20 << 20
MAX_JSON_BYTES = 4 << 10
MAX_BODIES = 4
MAX_PREVIEW = 2000  # pixels
MAX_NAME = 1000  # characters
BODY_SECONDS = 30  # in which a body must have arrived


def create_app(
    reader: ImageReader,
    corrections: Corrections,
    command: str = "",
    hosts: frozenset[str] = LOOPBACK,
    token: str | None = None,
    body_seconds: float = BODY_SECONDS,
) -> Starlette:
    """Return the server as an ASGI application.

    Args:
        reader: reads with `top_k=10`.
        corrections: where corrections go.
        command: what trains on them, for the page to show.
        hosts, token: see `guard.Guard`.
        body_seconds: in which a request's body must have arrived.
    """
    images, saved = ImageRoutes(reader, body_seconds), CorrectionRoutes(corrections, command, body_seconds)
    return Starlette(
        routes=[
            *page_routes(),
            Route("/read", images.read, methods=["POST"]),
            Route("/inspect", images.inspect, methods=["POST"]),
            Route("/annotate", images.annotate, methods=["POST"]),
            Route("/corrections", saved.get, methods=["GET"]),
            Route("/corrections", saved.post, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, hosts=hosts, token=token)],
        exception_handlers={HTTPException: lambda _, error: refuse(error.status_code, error.detail)},
    )


def page_routes() -> list[Route]:
    """Return a route for each file of the page, read now."""

    def route(path: str, file: pathlib.Path) -> Route:
        content, media_type = file.read_bytes(), MEDIA_TYPES[file.suffix]

        async def answer(_: Request) -> Response:
            return Response(content, media_type=media_type)

        return Route(path, answer, methods=["GET"])

    index = PAGE / "index.html"
    return [route("/", index), *(route(f"/{file.name}", file) for file in sorted(PAGE.iterdir()) if file != index)]


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """Return a request's body.

    Raises:
        HTTPException: it is longer than `limit` bytes (413), did not arrive within `seconds` (408), not at all, or is a form (400).
    """
    too_long = HTTPException(413, f"that is more than {limit / (1 << 20):.3g} MiB; save it as a smaller image.")
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise HTTPException(400, "the request is a form; send the image itself as its body (curl --data-binary @photo.jpg).")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit:
        raise too_long
    body = bytearray()
    try:
        with anyio.fail_after(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:  # what states no length can still be too long
                    raise too_long
    except TimeoutError:
        raise HTTPException(408, f"the request did not arrive within {seconds:g} s; send it again.") from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection ended before the request did.") from None
    return bytes(body)


def number_of(request: Request, parameter: str, most: int) -> int | None:
    """Return a parameter of a request, a number from 1 to `most`; None where it is missing. Raises HTTPException (400)."""
    text = request.query_params.get(parameter)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= most:
        raise HTTPException(400, f"{parameter} must be a number from 1 to {most}.")
    return int(text)


class ImageRoutes:
    """The routes that take an image as their body, and its name, for messages, as the parameter "name"."""

    def __init__(self, reader: ImageReader, body_seconds: float) -> None:
        self._reader, self._body_seconds = reader, body_seconds
        self._bodies = asyncio.Semaphore(MAX_BODIES)
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def read(self, request: Request) -> Response:
        """Answer with the record of predict.py; of a document of several pages with a list of records."""

        def answer(data, name):
            records = inspection.read(self._reader, data, name)
            lines = [json_text(record) for record in records]
            text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
            status = 400 if all(record["error"] for record in records) else 200
            return Response(text, status, media_type="application/json")

        return await self._with_image(request, answer)

    async def inspect(self, request: Request) -> Response:
        """Answer with the list of `inspection.inspect`, whose arguments "preview" and "page" are the request's.

        For the page only: an image that cannot be read is no fault of the request (a browser would log it as one).
        """
        preview, page = number_of(request, "preview", MAX_PREVIEW) or 0, number_of(request, "page", inspection.MAX_PAGES)
        return await self._with_image(
            request, lambda data, name: JSONResponse(inspection.inspect(self._reader, data, name, preview, page))
        )

    async def annotate(self, request: Request) -> Response:
        """Answer with the annotated copy of one page."""
        page = number_of(request, "page", inspection.MAX_PAGES)
        return await self._with_image(
            request, lambda data, name: Response(inspection.annotate(self._reader, data, name, page), media_type="image/png")
        )

    async def _with_image(self, request: Request, answer: Callable[[bytes, str | None], Response]) -> Response:
        """Return `answer(data, name)`, called in a thread."""
        name = request.query_params.get("name", "")[:MAX_NAME] or None  # never opened: only for messages
        async with self._bodies:
            data = await read_body(request, MAX_IMAGE_BYTES, self._body_seconds)
            try:
                # Abandoned where the server ends: nobody waits for the answer any more.
                return await anyio.to_thread.run_sync(answer, data, name, abandon_on_cancel=True, limiter=self._one_at_a_time)
            except UserError as error:
                return refuse(400, str(error))


class CorrectionRoutes:
    """The routes of the corrections."""

    def __init__(self, corrections: Corrections, command: str, body_seconds: float) -> None:
        self._corrections, self._command, self._body_seconds = corrections, command, body_seconds

    async def get(self, _: Request) -> Response:
        """Answer with the number of images of each label."""
        return self._answer()

    async def post(self, request: Request) -> Response:
        """Save an image under a label, or take it back."""
        image, label = parse_correction(await read_body(request, MAX_JSON_BYTES, self._body_seconds))
        return self._answer(lambda: self._corrections.put(image, label))

    def _answer(self, change: Callable[[], object] = lambda: None) -> Response:
        try:
            change()
            return JSONResponse({"counts": self._corrections.counts(), "command": self._command})
        except UserError as error:  # the disk is full, or the folder belongs to somebody else
            return refuse(500, str(error))


def parse_correction(body: bytes) -> tuple[np.ndarray, str | None]:
    """Return (image, label) of a correction: (28, 28) uint8, and one of LABELS or None. Raises HTTPException (400)."""
    try:
        correction = json.loads(body)
        image = np.frombuffer(base64.b64decode(correction["image"], validate=True), np.uint8).reshape(IMAGE_SIZE, IMAGE_SIZE)
        label = correction["label"]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise HTTPException(400, 'a correction is {"image": 28x28 bytes in base64, "label": the digit}.') from None
    if label not in (*LABELS, None):
        raise HTTPException(400, f"the label must be one of {', '.join(LABELS)}, or null.")
    if not image.any():
        raise HTTPException(400, "the image shows no ink; send what the network saw.")
    return image, label
