"""The page's server under requests that no page of ours sends, and under many at once."""

import base64
import concurrent.futures
import json
import pathlib
import socket
import threading
import time

import numpy as np
import pytest

from data_loader import load_dataset
from digits.reading.reader import ImageReader, Settings
from digits.support.messages import UserError
from digits.web import listening
from digits.web.corrections import Corrections
from digits.web.server import create_app
from helpers import ROOT, run

EXAMPLES = ROOT / "images" / "examples"
SEVEN = (EXAMPLES / "seven.png").read_bytes()
MANY = 200


def raw(app, text, wait=30):
    """Send bytes as they are. Returns what comes back until the server closes the connection or `wait` seconds passed."""
    with socket.create_connection(("127.0.0.1", app.port), timeout=wait) as connection:
        connection.sendall(text)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def chunked(app, size):
    """POST zeros of `size` bytes to /read without stating their length. Returns the status."""
    lines = f"POST /read HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    with socket.create_connection(("127.0.0.1", app.port), timeout=30) as connection:
        connection.sendall(lines.encode())
        try:
            for _ in range(size >> 16):
                connection.sendall(chunk)
            connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):  # refused before the end
            pass
        return int(connection.recv(100).split()[1])


def correction(image, label):
    """The body of a correction."""
    return json.dumps({"image": base64.b64encode(np.asarray(image, np.uint8).tobytes()).decode(), "label": label})


def resident(app):
    """The memory that the server's process holds, in MiB."""
    status = pathlib.Path(f"/proc/{app.process.pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells how much memory another process holds")
    return int(status.read_text().partition("VmRSS:")[2].split()[0]) / 1024


def test_read_answers_as_predict_prints(app, shipped_model):
    names = ["number.jpg", "blank.jpg", "two_lines.jpg"]
    printed = run("predict.py", *names, "--format", "jsonl", cwd=EXAMPLES).stdout.splitlines()
    for name, line in zip(names, printed):
        status, record, headers = app.request("POST", f"/read?name={name}", (EXAMPLES / name).read_bytes())
        assert (status, record.decode(), headers["content-type"]) == (200, line, "application/json")


@pytest.mark.parametrize("content", [b"", b"no image", SEVEN[:300], b"\x89PNG"], ids=["empty", "text", "torn", "head"])
def test_bad_image_is_told_as_predict_tells_it(app, tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    sentence = run("predict.py", "bad.png", cwd=tmp_path).stderr.removeprefix("predict.py: ").strip()
    status, record = app.json("POST", "/read?name=bad.png", content)
    assert (status, record["error"], record["text"]) == (400, sentence, "")
    assert app.json("POST", "/annotate?name=bad.png", content) == (400, {"error": sentence})


@pytest.mark.parametrize("method, path", [("GET", "/"), ("GET", "/corrections"), ("POST", "/read"), ("POST", "/corrections")])
def test_other_names_and_other_sites_are_refused(app, method, path):
    for headers in (
        {"Host": f"evil.example:{app.port}"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},  # another program's page on this machine
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": f"http://127.0.0.1:{app.port}.evil.example"},
    ):
        assert app.request(method, path, SEVEN, **headers)[0] == 403, headers


def test_the_page_and_its_own_requests_pass(app):
    for host in (f"127.0.0.1:{app.port}", f"localhost:{app.port}", f"[::1]:{app.port}"):
        status, record = app.json("POST", "/read", SEVEN, Host=host, Origin=f"http://{host}")
        assert (status, record["text"]) == (200, "7")


def test_answers_allow_nothing_to_other_sites(app):
    for method, path, status in [("GET", "/", 200), ("POST", "/read", 200), ("GET", "/nothing", 404), ("PUT", "/read", 405)]:
        answer, _, headers = app.request(method, path, SEVEN)
        assert answer == status
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/../app.py", "/page/../../server.py", "/..%2f..%2fserver.py", "/%2e%2e/server.py", "//etc/passwd", "/server.py", "/."]
)
def test_no_path_leads_out_of_the_page(app, path):
    answer = raw(app, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404")


def test_long_bodies_are_refused(app):
    head = f"POST /read HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\nConnection: close\r\n"
    for length, status in [(21 << 20, 413), (10**15, 413), (10**30, 400), (-1, 400), ("many", 400)]:
        assert raw(app, f"{head}Content-Length: {length}\r\n\r\n".encode()).split()[1] == str(status).encode(), length
    assert chunked(app, 21 << 20) == 413
    assert app.request("POST", "/corrections", b" " * 5000)[0] == 413


def test_body_without_a_length_is_read(app):
    assert chunked(app, 1 << 20) == 400  # zeros are no image
    answer = raw(
        app,
        f"POST /read HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        f"{len(SEVEN):x}\r\n".encode()
        + SEVEN
        + b"\r\n0\r\n\r\n",
    )
    assert b'"text": "7"' in answer


def test_a_page_that_is_not_there_is_told(app):
    assert app.request("POST", "/annotate?page=1", SEVEN)[0] == 200
    assert app.json("POST", "/annotate?page=7", SEVEN) == (400, {"error": "there is no page 7; the last is page 1."})


@pytest.fixture
def hasty(tmp_path):
    """A server that waits half a second for a body."""
    listener = listening.listen("127.0.0.1", 0)
    app = create_app(ImageReader(Settings(top_k=10)), Corrections(tmp_path), body_seconds=0.5)
    server = listening.make_server(app)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.mark.slow
def test_slow_bodies_are_given_up_and_others_served(hasty):
    slow = [socket.create_connection(("127.0.0.1", hasty), timeout=30) for _ in range(20)]
    for connection in slow:
        connection.sendall(f"POST /read HTTP/1.1\r\nHost: 127.0.0.1:{hasty}\r\nContent-Length: 1000\r\n\r\nGIF".encode())
    for connection in slow:
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        connection.close()
    with socket.create_connection(("127.0.0.1", hasty), timeout=30) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{hasty}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 4000,
        b'{"image": "AAAA", "label": "4"}',
        b'{"image": 4, "label": "4"}',
        correction(np.zeros((28, 28)), "../../etc"),
        correction(np.zeros((28, 28)), "10"),
        correction(np.zeros((28, 28)), 4),
        correction(np.zeros((28, 28)), ["4"]),
        correction(np.zeros((27, 28)), "4"),
        correction(np.zeros((28, 28)), "4"),  # no ink
    ],
    ids=str,
)
def test_what_is_no_correction_saves_nothing(app, body):
    before = app.json("GET", "/corrections")
    assert app.json("POST", "/corrections", body)[0] == 400
    assert app.json("GET", "/corrections") == before


def test_corrections_come_back_identical_from_the_data_loader(app, mnist, tmp_path):
    """What the network saw is what a training sees, whatever digit it is of."""
    folder, seen = Corrections(tmp_path), set()
    for digit in range(10):
        for image in mnist.x_train[mnist.y_train == digit][:5]:
            folder.put(image, str(digit))
            seen.add((digit, image.tobytes()))
    data = load_dataset(tmp_path)
    loaded = zip([*data.y_train, *data.y_test], [*data.x_train, *data.x_test])
    assert {(int(label), image.tobytes()) for label, image in loaded} == seen


def test_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "4").write_text("a file where a folder should be")
    with pytest.raises(UserError, match="is a file, not a folder"):
        Corrections(tmp_path).put(np.zeros((28, 28), np.uint8), "4")
    with pytest.raises(UserError, match="is no folder"):
        Corrections(tmp_path / "4")


@pytest.mark.slow
def test_many_at_once_get_the_answers_of_one_after_another(app):
    images = [(EXAMPLES / name).read_bytes() for name in ("seven.png", "number.jpg")] + [b"no image", SEVEN[:300]]
    expected = [app.json("POST", "/read", image) for image in images]
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(lambda number: app.json("POST", "/read", images[number % len(images)]), range(MANY)))
    assert answers == [expected[number % len(images)] for number in range(MANY)]


@pytest.mark.slow
def test_flood_of_long_bodies_takes_no_memory(app):
    app.json("POST", "/read", SEVEN)
    before = resident(app)
    most = 0
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        under_way = [pool.submit(app.json, "POST", "/read", bytes(19 << 20)) for _ in range(40)]
        while not all(one.done() for one in under_way):
            most = max(most, resident(app))
            time.sleep(0.02)
    assert {one.result()[0] for one in under_way} == {400}
    assert most - before < 300, "40 bodies of 19 MiB are 760 MiB"


def test_a_form_in_place_of_an_image_is_explained(app):
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + SEVEN + b"\r\n--x--\r\n"
    status, answer = app.json("POST", "/read", form, **{"Content-Type": "multipart/form-data; boundary=x"})
    assert status == 400 and "--data-binary" in answer["error"]


def test_answers_do_not_wait_for_acknowledgements():
    with listening.listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
