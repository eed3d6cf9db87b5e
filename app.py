"""Draw digits in the browser and watch them being read; or drop images, correct what was misread, and teach it.

    python app.py                                      # http://127.0.0.1:8000, in your browser
    python app.py --port 0 --no-browser                # on any free port; only the address is printed
    python app.py --model models/mine.keras            # with a model of your own
    python app.py --host 0.0.0.0                       # for others in your network: the address holds a token

    curl --data-binary @photo.jpg http://127.0.0.1:8000/read    # the JSON record of predict.py

Only this machine can connect, unless --host says otherwise. Corrections are saved as 28x28 images in my_digits/, one folder
for each digit; nothing is sent to another machine. The page shows the command that trains on them. Ctrl-C
ends it.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from typing import TYPE_CHECKING

from digits.support import command_line
from digits.support.command_line import Parser, number
from digits.support.messages import shown

if TYPE_CHECKING:
    from digits.reading.reader import ImageReader


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--port", type=number(int, 0, 65535), default=8000, help="0: any that is free (default: %(default)s)")
    address = "where to listen; 0.0.0.0: on all networks (default: %(default)s)"
    add("--host", default="127.0.0.1", metavar="ADDRESS", help=address)
    add("--no-browser", action="store_true", help="print the address and do not open it")
    add("--model", metavar="PATH", help="the trained model (default: models/mnist_cnn.keras)")
    add("--data", default="my_digits", metavar="DIR", help="the folder in which corrections are saved (default: %(default)s)")
    return parser.parse_args(argv)


def load_reader(model_path: str | None) -> ImageReader:
    """Return an ImageReader that runs the model by LiteRT, or by Keras, saying why, where that cannot be. Raises UserError."""
    from digits.reading.reader import ImageReader, Settings

    return ImageReader(Settings(model_path, top_k=10), warn=lambda sentence: print(f"app.py: {sentence}", file=sys.stderr))


def open_browser(address: str) -> None:
    """Open an address in the browser, in a thread, where there is a screen."""
    import webbrowser

    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()


def main(argv: list[str] | None = None) -> int:
    """Serve the page until Ctrl-C. Returns the exit status."""
    arguments = parse_arguments(argv)
    import secrets

    from digits.web.corrections import Corrections
    from digits.web.guard import LOOPBACK
    from digits.web.listening import address, listen, make_server
    from digits.web.server import create_app

    reader = load_reader(arguments.model)
    host = arguments.host.lower()  # as browsers send it
    token = None if host in LOOPBACK else secrets.token_urlsafe(16)
    words = ["python", "train.py", "--fine-tune", "--data", shown(arguments.data), "--model", "models/mine.keras"]
    command = command_line.quoted(words)
    app = create_app(reader, Corrections(arguments.data), command, LOOPBACK | {host}, token)
    with listen(arguments.host, arguments.port) as listener:
        where = address(listener) + (f"/?token={token}" if token else "")
        print(f"The page is at {where} (Ctrl-C ends it)", flush=True)
        if not arguments.no_browser:
            open_browser(where)
        try:
            make_server(app).run([listener])
        except KeyboardInterrupt:
            print("app.py: interrupted", file=sys.stderr, flush=True)
            os._exit(130)  # a reading under way would hold the process for seconds; nobody waits for its answer
    return 0


if __name__ == "__main__":
    command_line.run(main)
