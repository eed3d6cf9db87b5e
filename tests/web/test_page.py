"""The page in a real browser, used as people use it: mouse, finger, keyboard, dropped files, the camera."""

import csv
import io
import shutil

import numpy as np
import pytest
from PIL import Image

import compose
from helpers import ROOT, run

EXAMPLES = ROOT / "images" / "examples"
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)  # a machine may be busy with much else
pytestmark = pytest.mark.slow


def curves(page, digit, x, y, height):
    """The strokes of a digit in pixels of the window; x, y and height are shares of the drawing surface's height."""
    canvas = page.locator("#canvas").bounding_box()
    unit = canvas["height"]
    for curve in compose.CURVES[digit]:
        yield [(canvas["x"] + (x + 0.7 * height * u) * unit, canvas["y"] + (y + height * v) * unit) for u, v in curve]


def draw(page, digit, x=0.35, y=0.2, height=0.6, lift=True):
    """Draw a digit with the mouse; `lift` is whether the button is let go at the end."""
    for curve in curves(page, digit, x, y, height):
        page.mouse.move(*curve[0])
        page.mouse.down()
        for place in curve[1:]:
            page.mouse.move(*place, steps=2)
        if lift:
            page.mouse.up()


def drop(page, *paths):
    """Drop files and folders on the page as a file manager would."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def idle(page):
    """Wait until no answer is under way."""
    expect(page.locator("body")).not_to_have_attribute("data-busy", "")


def reading(page):
    """What the page reads, once no answer is under way."""
    idle(page)
    return page.locator("#reading").text_content()


def saved(app, label):
    """The images that were saved under a label, as arrays."""
    return [np.asarray(Image.open(path)) for path in (app.folder / label).glob("*.png")]


def test_seven_is_read_before_the_pen_is_up(page):
    draw(page, 7, lift=False)
    expect(page.locator("#reading")).to_have_text("7")
    expect(page.locator(".card:visible")).to_have_count(1)
    page.mouse.up()
    assert reading(page) == "7"


def test_finger_draws(open_page):
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    session = page.context.new_cdp_session(page)
    for curve in curves(page, 2, 0.35, 0.2, 0.6):
        places = [{"x": x, "y": y} for x, y in curve]
        for kind, touches in [("touchStart", places[:1]), *(("touchMove", [place]) for place in places[1:]), ("touchEnd", [])]:
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    assert reading(page) == "2"
    assert page.evaluate("scrollY") == 0, "the page moved under the finger"


def test_one_request_is_under_way_and_the_last_is_of_the_whole_drawing(page):
    under_way, most = set(), []

    def count(request):
        under_way.add(request)
        most.append(len(under_way))

    page.on("request", count)
    page.on("requestfinished", lambda request: under_way.discard(request))
    for position, digit in enumerate([3, 0, 5]):
        draw(page, digit, 0.1 + 0.4 * position, 0.3, 0.4)
    assert reading(page) == "305"
    assert max(most) == 1 and len(most) > 3


def test_undo_and_clear(page):
    draw(page, 4)
    assert reading(page) == "4"
    page.keyboard.press("Control+z")
    assert reading(page) != "4"
    page.get_by_role("button", name="Clear").click()
    assert reading(page) == ""
    expect(page.locator("#undo")).to_be_disabled()


def test_digit_is_corrected_found_and_taken_back(page, app):
    draw(page, 4, 0.15)
    draw(page, 2, 0.7)
    assert reading(page) == "42"
    card = page.locator(".card").first
    card.get_by_role("button", name="Save this image as 9.").click()
    expect(card.locator(".saved")).to_have_text("saved as 9")
    expect(page.locator("#counts li[data-label='9'] span")).to_have_text("1")
    (image,) = saved(app, "9")
    seen = card.locator("canvas").evaluate("canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]")
    np.testing.assert_array_equal(image, np.reshape(seen, (28, 28, 4))[..., 0])
    card.get_by_role("button", name="Save this image as 4.").click()  # 9 was a slip
    expect(card.locator(".saved")).to_have_text("saved as 4")
    assert len(saved(app, "4")) == 1 and not saved(app, "9")
    card.get_by_role("button", name="Take back").click()
    expect(card.locator(".saved")).to_have_text("")
    expect(page.locator("#counts li[data-label='4'] span")).to_have_text("0")
    assert not saved(app, "4")


def test_what_is_no_digit_is_corrected_by_keyboard(page, app):
    draw(page, 3)
    idle(page)
    button = page.get_by_role("button", name="Save this image as no digit.")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert len(saved(app, "no_digit")) == 1
    page.keyboard.press("Tab")  # everything after it can be reached, too
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.get_by_role("button", name="Take back").press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_dropped_photo_is_read_and_explained(page, shipped_model):
    drop(page, EXAMPLES / "two_lines.jpg")
    expect(page.locator("#reading")).to_have_text("31415 92653")
    expect(page.locator("#image-boxes .box")).to_have_count(10)
    expect(page.locator(".card:visible")).to_have_count(10)
    bars = page.locator(".card").first.locator(".bar i").evaluate_all("bars => bars.map(bar => bar.clientHeight)")
    assert len(bars) == 10 and np.argmax(bars) == 3
    assert page.locator("#preview").evaluate("image => image.naturalWidth") > 500
    with page.expect_download() as download:
        page.get_by_role("button", name="Save annotated image").click()
    annotated = Image.open(download.value.path())
    assert download.value.suggested_filename == "two_lines-read.png" and annotated.width > 500


def test_drawing_goes_on_after_a_photo(page):
    drop(page, EXAMPLES / "seven.png")
    expect(page.locator("#image")).to_be_visible()
    assert reading(page) == "7"
    draw(page, 2)
    assert reading(page) == "2"
    expect(page.locator("#image")).to_be_hidden()


def test_clear_takes_a_photo_away(page):
    drop(page, EXAMPLES / "seven.png")
    expect(page.locator("#reading")).to_have_text("7")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#image")).to_be_hidden()
    assert reading(page) == ""


def hold(page):
    """Have requests for a reading wait in the list that is returned."""
    held = []
    page.route("**/inspect*", lambda route: held.append(route))
    return held


def wait_for_request(page, held):
    for _ in range(500):
        if held:
            return
        page.wait_for_timeout(20)
    raise AssertionError("nothing was asked")


def let_go(page, held):
    """Answer the requests that wait, and those that follow, until nothing more is asked."""
    while page.locator("body[data-busy]").count():
        while held:
            held.pop(0).continue_()
        page.wait_for_timeout(20)


def test_clear_takes_away_a_photo_that_is_being_read(page):
    held = hold(page)
    drop(page, EXAMPLES / "seven.png")
    wait_for_request(page, held)
    page.keyboard.press("Delete")
    let_go(page, held)
    expect(page.locator("#image")).to_be_hidden()
    assert reading(page) == "" and "appears here" in page.locator("#verdict").text_content()


@pytest.mark.parametrize("first", ["two_lines.jpg", "document"])
def test_the_newest_image_is_shown(first, page, tmp_path):
    """An answer to an earlier one, or to an earlier document of several pages, comes in between."""
    if first == "document":
        Image.open(EXAMPLES / "number.jpg").save(tmp_path / first, "TIFF", save_all=True, append_images=[Image.new("L", (50, 50))])
    held = hold(page)
    drop(page, tmp_path / first if first == "document" else EXAMPLES / first)
    wait_for_request(page, held)
    drop(page, EXAMPLES / "seven.png")
    page.wait_for_timeout(200)
    let_go(page, held)
    expect(page.locator("#reading")).to_have_text("7")
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator("#caption")).to_have_text("seven.png")


def test_a_drawing_that_was_begun_after_a_photo_was_given_is_shown(page):
    held = hold(page)
    draw(page, 2)
    wait_for_request(page, held)
    drop(page, EXAMPLES / "seven.png")
    page.wait_for_timeout(200)
    draw(page, 1, x=0.8)
    let_go(page, held)
    assert reading(page) == "21"
    expect(page.locator("#image")).to_be_hidden()
    assert page.locator("#drawing-boxes .box").count() == 2


def test_a_table_holds_the_images_that_were_given_last(page):
    held = hold(page)
    drop(page, EXAMPLES / "number.jpg", EXAMPLES / "two_lines.jpg", EXAMPLES / "blank.jpg")
    wait_for_request(page, held)
    drop(page, EXAMPLES / "seven.png", EXAMPLES / "blank.jpg")
    page.wait_for_timeout(200)
    let_go(page, held)
    assert page.locator("#rows th").all_text_contents() == ["blank.jpg", "seven.png"]
    assert page.locator("#summary").text_content() == "1 read, 1 without a digit"


def test_what_goes_wrong_is_said_to_screen_readers_and_a_cleared_reading_is_not(page, tmp_path):
    (tmp_path / "no.png").write_text("no image")
    drop(page, tmp_path / "no.png")
    expect(page.locator("#status")).to_contain_text("no.png")
    draw(page, 7)
    assert reading(page) == "7"
    page.keyboard.press("Delete")
    page.wait_for_timeout(800)
    assert page.locator("#status").text_content() == "The reading appears here while you draw."


def test_blank_image_has_no_digit(page):
    drop(page, EXAMPLES / "blank.jpg")
    expect(page.locator("#verdict")).to_contain_text("No digit found")
    assert reading(page) == ""


def test_scribble_shows_what_was_refused(page):
    canvas = page.locator("#canvas").bounding_box()
    page.mouse.move(canvas["x"] + 60, canvas["y"] + 60)
    page.mouse.down()
    for x, y in np.random.default_rng(1).uniform(60, 280, (14, 2)):
        page.mouse.move(canvas["x"] + x, canvas["y"] + y, steps=3)
    page.mouse.up()
    expect(page.locator("#verdict")).to_contain_text("No digit found")
    assert reading(page) == ""
    names = page.locator(".card:visible h3 strong").all_text_contents()
    assert names and all(name.endswith("?") for name in names)


@pytest.fixture
def folder(tmp_path):
    """A folder with images, one of them in a folder in it, a file that is no image and a hidden one."""
    for source, name in [("seven.png", "10.png"), ("number.jpg", "9.jpg"), ("blank.jpg", "in/=cmd, or not.jpg")]:
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / source, tmp_path / "scans" / name)
    (tmp_path / "scans" / "torn.png").write_bytes((EXAMPLES / "seven.png").read_bytes()[:300])
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    (tmp_path / "scans" / ".hidden.png").write_bytes(b"")
    return tmp_path / "scans"


def test_dropped_folder_becomes_a_table_and_the_csv_of_predict(page, folder):
    drop(page, folder)
    expect(page.locator("#rows tr")).to_have_count(4)
    idle(page)
    names = page.locator("#rows th").all_text_contents()
    assert names == ["scans/9.jpg", "scans/10.png", "scans/in/=cmd, or not.jpg", "scans/torn.png"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    written = list(csv.reader(io.StringIO(download.value.path().read_text())))
    done = run("predict.py", "scans", "--recursive", "--format", "csv", cwd=folder.parent)
    expected = list(csv.reader(io.StringIO(done.stdout)))
    assert sorted(written) == sorted(expected)
    page.get_by_role("button", name="scans/9.jpg").click()
    assert reading(page) == "20261"


def test_file_that_is_no_image_is_told_as_predict_tells_it(page, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    drop(page, tmp_path / "notes.txt")
    sentence = run("predict.py", "notes.txt", cwd=tmp_path).stderr.removeprefix("predict.py: ").strip()
    expect(page.locator("#verdict")).to_have_text(sentence)
    assert reading(page) == ""


def test_image_that_browsers_do_not_show_gets_a_preview(page, tmp_path):
    Image.open(EXAMPLES / "number.jpg").save(tmp_path / "scan.tif")
    page.locator("#files").set_input_files(tmp_path / "scan.tif")
    expect(page.locator("#reading")).to_have_text("20261")
    assert page.locator("#preview").evaluate("image => image.naturalWidth") == Image.open(EXAMPLES / "number.jpg").width


def test_every_page_of_a_pdf_is_read(page, tmp_path):
    first, second = (Image.open(EXAMPLES / name).convert("RGB") for name in ("number.jpg", "two_lines.jpg"))
    first.save(tmp_path / "scan.pdf", save_all=True, append_images=[second])
    drop(page, tmp_path / "scan.pdf")
    expect(page.locator("#rows th")).to_have_text(["scan.pdf#1", "scan.pdf#2"])
    page.get_by_role("button", name="scan.pdf#2").click()
    expect(page.locator("#reading")).to_have_text("31415 92653")
    expect(page.locator("#image-boxes .box")).to_have_count(10)
    first.save(tmp_path / "single.pdf")
    drop(page, tmp_path / "single.pdf")
    expect(page.locator("#reading")).to_have_text("20261")
    expect(page.locator("#results")).to_be_hidden()


def test_camera_takes_an_image(page):
    page.get_by_role("button", name="Camera").click()
    page.get_by_role("button", name="Take photo").click()
    expect(page.locator("#caption")).to_have_text("camera.jpg")
    expect(page.locator("#image")).to_be_visible()
    assert page.locator("#video").evaluate("video => video.srcObject") is None, "the camera is still on"


def test_pasted_image_is_read(open_page):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    image = list((EXAMPLES / "seven.png").read_bytes())
    page.evaluate(
        """bytes => navigator.clipboard.write([
            new ClipboardItem({"image/png": new Blob([new Uint8Array(bytes)], {type: "image/png"})})])""",
        image,
    )
    page.keyboard.press("Control+v")
    expect(page.locator("#reading")).to_have_text("7")


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_and_is_large_enough_to_touch(open_page, folder, width, scheme):
    page = open_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    drop(page, folder)
    expect(page.locator("#rows tr")).to_have_count(4)
    page.get_by_role("button", name="scans/9.jpg").click()
    assert reading(page) == "20261"
    page.locator(".card .bar").first.click()
    expect(page.locator(".saved").first).to_have_text("saved as 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for box in page.locator("button:visible").evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())"):
        assert box["left"] >= 0 and box["right"] <= width and min(box["width"], box["height"]) >= 24, box
    page.get_by_role("button", name="Take back").first.click()
    expect(page.locator(".saved").first).to_have_text("")


def test_everything_has_a_name_for_screen_readers(page):
    draw(page, 8)
    idle(page)
    names = page.locator("button, input, canvas, img:visible").evaluate_all(
        "all => all.map(one => one.ariaLabel || one.alt || one.textContent.trim())"
    )
    assert all(names), names
    expect(page.get_by_role("status")).to_contain_text("8 (")


def test_page_tells_the_command_that_learns_from_the_corrections(page, app):
    command = page.locator("#command")
    expect(command).to_have_text(f"python train.py --fine-tune --data {app.folder} --model models/mine.keras")


def test_page_says_when_the_server_is_gone(browser, app):
    page = browser.new_page()
    page.goto(app.address)
    page.route("**/inspect*", lambda route: route.abort())
    draw(page, 1)
    expect(page.locator("#verdict")).to_have_text("The server does not answer; start app.py again.")
    page.close()
