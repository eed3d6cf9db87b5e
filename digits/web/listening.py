"""Where the page's server listens: a socket, the address that people type, and the server for it.

listener = listen("127.0.0.1", 8000)
address(listener)                            # "http://127.0.0.1:8000"
make_server(app).run([listener])             # until Ctrl-C
"""

import errno
import socket

import uvicorn
from starlette.types import ASGIApp

from digits.support.messages import UserError, printable, reason

EVERYWHERE = ("0.0.0.0", "::")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a port, 0 for any that is free. Raises UserError."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is taken by another program; choose another with --port, or --port 0.") from error
        why = reason(error).partition(" (while")[0]  # Python adds the address, which is in the sentence
        raise UserError(f"cannot listen on {printable(host)}, port {port}: {why}; choose another.") from error
    # Its connections inherit this: without it the second half of each answer waits 40 ms for the browser's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address(listener: socket.socket) -> str:
    """Return the address under which a listening socket is reached, from other machines where it listens everywhere."""
    host, port = listener.getsockname()[:2]
    if host in EVERYWHERE:
        host = _own_address(listener.family)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server whose `run([listener])` answers until Ctrl-C, and then drops the answers under way."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            access_log=False,  # it would write the token
            log_config=None,
            log_level="critical",
            timeout_graceful_shutdown=0,
        )
    )


def _own_address(family):
    """Return this machine's address in its network; the way there is looked up, nothing is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9) if family == socket.AF_INET else ("2001:db8::1", 9))  # for documentation: nobody's
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
