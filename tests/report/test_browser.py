"""The report in a real browser, opened as a file: nothing is asked for, and all works by mouse and by keyboard."""

import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install 'pixda[dev]')")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        own = driver.chromium.executable_path
        found = own if Path(own).is_file() else shutil.which("chromium") or shutil.which("google-chrome")
        if found is None:
            pytest.skip("no Chromium here: install your system's (apt install chromium), or run playwright install")
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=found, args=quiet)
        yield browser
        browser.close()


class Opened:
    """A page, and what it said and asked for since it was opened."""

    def __init__(self, browser, path, **how):
        self.tab = browser.new_page(**{"viewport": {"width": 1200, "height": 900}} | how)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(path.as_uri())

    def canvases(self):
        return self.tab.locator(".pic canvas").count()


@pytest.fixture
def opened(browser, page):
    one = Opened(browser, page)
    yield one
    assert one.said == []
    one.tab.close()


@pytest.mark.parametrize("how", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}])
def test_it_opens_quietly_in_light_dark_and_on_a_phone(browser, page, how):
    one = Opened(browser, page, **how)
    one.tab.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert one.said == []
    assert [url for url in one.asked if not url.startswith("data:")] == [page.as_uri()]
    wide = one.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0, "a reader would have to scroll sideways"
    paper = one.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(21, 23, 26)") == (how.get("color_scheme") == "dark")
    one.tab.close()


def test_the_slider_moves_by_mouse_and_by_keyboard(opened):
    slide = opened.tab.locator("#slide")
    slide.scroll_into_view_if_needed()
    box = slide.bounding_box()
    opened.tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.tab.mouse.down()
    opened.tab.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 3, steps=4)
    opened.tab.mouse.up()
    at = int(slide.input_value())
    assert 20 <= at <= 30
    slide.press("ArrowRight")
    assert int(slide.input_value()) == at + 1
    assert opened.tab.evaluate("document.getElementById('slider').style.getPropertyValue('--at')") == f"{at + 1}%"
    assert slide.get_attribute("aria-valuetext") == f"{at + 1} % source only, first stage, then PixDA"


def test_frame_and_methods_of_the_slider_can_be_chosen(opened):
    opened.tab.locator("#slide-frame").select_option(index=1)
    opened.tab.locator("#slide-left").select_option("truth")
    source = "(id) => document.getElementById(id).src"
    assert opened.tab.evaluate(source, "slide-over") == opened.tab.evaluate(source, "frame-1-1")
    assert opened.tab.evaluate(source, "slide-under") == opened.tab.evaluate(source, "frame-1-2")


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_chosen_class_stands_out_everywhere_until_it_is_let_go(opened, by):
    tab = opened.tab
    chip = tab.locator('.bars [data-pick="2"]')
    masks = tab.locator("img.mask").count()
    assert masks >= 10
    if by == "mouse":
        chip.click()
    else:
        chip.focus()
        tab.keyboard.press("Enter")
    tab.wait_for_function("(count) => document.querySelectorAll('.pic canvas').length === count", arg=masks)
    assert tab.locator('[data-pick="2"][aria-pressed="true"]').count() == tab.locator('[data-pick="2"]').count()
    assert tab.locator("tr.lit").all_inner_texts()[0].strip().startswith("car")
    assert "Only car" in tab.locator("#picked").inner_text()
    # The truth of the first frame: a car's pixel keeps its colour, every other one is pale.
    colours = tab.evaluate("""() => {
      const canvas = document.getElementById("frame-0-1").parentElement.querySelector("canvas");
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join());
      return [...seen];
    }""")
    assert "0,0,142" in colours
    assert all(min(map(int, one.split(","))) > 200 for one in colours if one != "0,0,142")
    if by == "mouse":
        tab.get_by_role("button", name="Show all").click()
    else:
        tab.keyboard.press("Escape")
    assert opened.canvases() == 0
    assert tab.locator('[aria-pressed="true"]').count() == 0


def test_a_class_with_markup_in_its_name_is_read_as_it_is_written(opened):
    chip = opened.tab.locator('.bars [data-pick="0"]')
    assert chip.inner_text().startswith('<script>alert("road")</script>')
    chip.click()
    assert opened.tab.locator("#picked").inner_text().startswith('Only <script>alert("road")</script>')
