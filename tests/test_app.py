"""`python app.py`: how it starts, whom it lets in, and how it ends."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from helpers import ROOT, run
from served import start_app, stop_app


def test_starts_prints_its_address_and_ends_by_ctrl_c(tmp_path):
    app = start_app(tmp_path / "my_digits")
    assert app.address == f"http://127.0.0.1:{app.port}"
    status, page, headers = app.request("GET", "/")
    assert status == 200 and b'id="canvas"' in page and headers["content-type"].startswith("text/html")
    status, errors = stop_app(app)
    assert (status, errors) == (130, "app.py: interrupted\n")
    assert not (tmp_path / "my_digits").exists(), "nothing was corrected"


@pytest.mark.slow
def test_ctrl_c_ends_a_reading_under_way(tmp_path):
    """A page of noise takes seconds; nobody waits for it any more."""
    from io import BytesIO

    import numpy as np
    from PIL import Image

    app = start_app(tmp_path)
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), np.uint8)).save(file, "JPEG")
    clients = [threading.Thread(target=ask, args=(app, file.getvalue())) for _ in range(5)]
    for client in clients:
        client.start()
    time.sleep(1)
    start = time.monotonic()
    status, errors = stop_app(app)
    assert (status, errors) == (130, "app.py: interrupted\n")
    assert time.monotonic() - start < 5
    for client in clients:
        client.join()


def ask(app, body):
    """Ask for a reading whose answer may not come."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        app.request("POST", "/read", body)


def test_tensorflow_is_never_imported(tmp_path):
    """Asked of the process itself: what it has mapped."""
    app = start_app(tmp_path)
    assert app.json("POST", "/read", (ROOT / "images" / "examples" / "seven.png").read_bytes())[0] == 200
    maps = f"/proc/{app.process.pid}/maps"
    try:
        with open(maps) as file:
            libraries = file.read()
    except OSError:
        pytest.skip("only Linux tells which libraries another process uses")
    finally:
        stop_app(app)
    assert "ai_edge_litert" in libraries and "/tensorflow/" not in libraries


def test_this_machine_by_a_name_in_capitals_needs_no_token(tmp_path):
    app = start_app(tmp_path, "--host", "LOCALHOST")
    try:
        assert "token" not in app.address
        assert app.request("GET", "/", Host=f"localhost:{app.port}")[0] == 200
    finally:
        stop_app(app)


def test_others_need_the_token(tmp_path):
    app = start_app(tmp_path, "--host", "0.0.0.0")
    try:
        address, _, token = app.address.partition("/?token=")
        assert len(token) >= 20 and not address.startswith("http://0.0.0.0")
        assert [app.request("GET", path)[0] for path in ("/", "/page.js", "/corrections", "/?token=", "/?token=guess")] == [401] * 5
        assert app.request("POST", "/read", b"", Cookie=f"token_{app.port}=guess")[0] == 401
        status, _, headers = app.request("GET", f"/?token={token}")
        assert (status, headers["location"]) == (303, "/")
        assert "HttpOnly" in headers["set-cookie"] and "SameSite=strict" in headers["set-cookie"]
        cookie = headers["set-cookie"].split(";")[0]
        assert app.request("GET", "/", Cookie=cookie)[0] == 200
        assert app.request("GET", "/", Cookie=cookie, Host="evil.example")[0] == 403
        assert app.request("GET", "/", Cookie=cookie, Host=f"192.168.1.5:{app.port}")[0] == 200
        assert app.request("POST", f"/read?token={token}", b"no image")[0] == 400
    finally:
        stop_app(app)


@pytest.mark.parametrize(
    "options, words",
    [
        (["--model", "missing.keras"], ["missing.keras", "train.py"]),
        (["--port", "70000"], ["70000"]),
        (["--host", "203.0.113.1"], ["203.0.113.1"]),
        (["--host", "no.such.name.invalid"], ["no.such.name.invalid"]),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(options, words, tmp_path):
    done = run("app.py", "--no-browser", "--port", "0", *options, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and all(word in done.stderr for word in words), done.stderr


def test_taken_port_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("app.py", "--no-browser", "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"app.py: error: port {port} is taken by another program; choose another with --port, or --port 0.\n"


@pytest.mark.slow
def test_model_alone_is_run_by_keras(tmp_path, shipped_model):
    (tmp_path / "mine.keras").write_bytes((ROOT / "models" / "mnist_cnn.keras").read_bytes())
    app = start_app(tmp_path, "--model", tmp_path / "mine.keras")
    try:
        status, record = app.json("POST", "/read", (ROOT / "images" / "examples" / "seven.png").read_bytes())
        assert (status, record["text"]) == (200, "7")
    finally:
        _, errors = stop_app(app)
    assert errors.startswith(f"app.py: there is no {tmp_path / 'mine.tflite'}; using Keras instead")
