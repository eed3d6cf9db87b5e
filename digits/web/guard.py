"""Who may use the page: an ASGI middleware in front of everything that the server answers.

Other web sites run in the same browser as the page. They may send requests to 127.0.0.1, and a name of theirs may suddenly
stand for 127.0.0.1 (DNS rebinding). So the Host must be a name of this machine, and where the browser tells the Origin, it
must be the page's own. Where others on the network may come, they must know a random token: it is in the address that
app.py prints, and then in a cookie.
"""

import ipaddress
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets requests through to `app` and adds HEADERS to every answer.

    Args:
        app: the ASGI application.
        hosts: the names by which this machine may be called.
        token: what each request must know, or None where only this machine can connect.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOOPBACK, token: str | None = None) -> None:
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see the ASGI specification."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self.refusal(Request(scope)) or self.app
        return await answer(scope, receive, send_with_headers)

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that may not pass, or None."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if not self._is_known(host):
            return refuse(403, "this server does not go by that name; use the address that app.py prints.")
        if origin not in (None, f"http://{host}", f"https://{host}"):
            return refuse(403, "another site's page sent this request; use the page of this server.")
        if self.token is None:
            return None
        cookie = f"token_{request.scope['server'][1]}"  # the port: a cookie is sent to every port of a machine
        given = request.query_params.get("token", "")
        if self._is_token(given) and request.url.path == "/":
            answer = RedirectResponse("/", 303)  # the token leaves the address, and with it the browser's history
            answer.set_cookie(cookie, given, httponly=True, samesite="strict")
            return answer
        if self._is_token(given) or self._is_token(request.cookies.get(cookie, "")):
            return None
        return refuse(401, "the token is missing or wrong; use the address that app.py prints.")

    def _is_known(self, host):
        try:
            name = urlsplit(f"//{host}").hostname or ""
            # A rebound name is a name: with a token, any address of this machine will do.
            return name in self.hosts or (self.token is not None and bool(ipaddress.ip_address(name)))
        except ValueError:
            return False

    def _is_token(self, given):
        return self.token is not None and secrets.compare_digest(given.encode(), self.token.encode())


def refuse(status: int, sentence: str) -> Response:
    """Return an answer that says in one sentence why there is no other."""
    return JSONResponse({"error": sentence}, status)
