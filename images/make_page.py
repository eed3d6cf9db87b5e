"""Make the README's images of the page: draw a number with a mouse, correct a digit, and take screenshots.

    python images/make_page.py                   # writes images/page.png, page_dark.png and page_phone.png

It needs what the tests need (requirements-dev.txt) and a Chromium.
"""

import pathlib
import sys
import tempfile

import numpy as np
from playwright.sync_api import expect, sync_playwright
from scipy.interpolate import CubicSpline

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import compose
from served import browser_arguments, find_browser, start_app, stop_app

# A hasty 4 whose top is nearly closed, so that the network hesitates; the others as in the tests.
HASTY_FOUR = [
    [(0.54, 0.06), (0.42, 0.2), (0.24, 0.42), (0.3, 0.5), (0.55, 0.47), (0.74, 0.38)],
    [(0.78, 0.05), (0.74, 0.4), (0.68, 0.98)],
]
NUMBER = [compose.CURVES[2], HASTY_FOUR, compose.CURVES[6]]
WINDOWS = {
    "page": {"viewport": {"width": 1280, "height": 880}},
    "page_dark": {"viewport": {"width": 1280, "height": 880}, "color_scheme": "dark"},
    "page_phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True},
}


def draw(page, curves, x, y, height):
    """Draw strokes as a hand does, in smooth curves; x, y and height are shares of the drawing surface's height."""
    canvas = page.locator("#canvas").bounding_box()
    for curve in curves:
        points = np.array(curve) * (0.7, 1)
        length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        smooth = CubicSpline(length, points)(np.linspace(0, length[-1], 40))
        places = np.array([canvas["x"], canvas["y"]]) + (np.array([x, y]) + height * smooth) * canvas["height"]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def main():
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        app = start_app("my_digits", cwd=folder)
        browser = playwright.chromium.launch(executable_path=find_browser(), args=browser_arguments())
        for name, window in WINDOWS.items():
            page = browser.new_context(**window).new_page()
            page.goto(app.address)
            for position, curves in enumerate(NUMBER):
                draw(page, curves, 0.14 + 0.37 * position, 0.24, 0.5)
            expect(page.locator("body")).not_to_have_attribute("data-busy", "")
            print(name, page.locator("#reading").text_content(), page.locator("#verdict").text_content())
            page.locator(".card").nth(1).get_by_role("button", name="Save this image as 4.").click()
            expect(page.locator(".saved").nth(1)).to_have_text("saved as 4")
            page.mouse.move(0, 0)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=ROOT / "images" / f"{name}.png")
            page.context.close()
        browser.close()
        stop_app(app)


if __name__ == "__main__":
    main()
