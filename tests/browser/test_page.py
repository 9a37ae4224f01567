"""The page of the local endpoint, used by a real browser on a real server.

The page makes its figures in the browser, from the profile's file; they are compared with what the
reference proto reads in the same file. With CPROF_SCREENSHOTS=DIRECTORY it leaves pictures there.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import re
import urllib.request
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from testenv.browser import NARROW, WIDE
from testenv.build import SOURCE, WEB
from testenv.wait import wait_for

SHOP = SOURCE / "examples" / "flask"
# What the app does while the first and while the second profile is taken.
BUSY = ["/report", "/search?q=red+lamp"]
CALM = ["/cart?product=1&product=3"]
SECONDS = 3
LOCAL = re.compile(r"^(http://127\.0\.0\.1:\d+/|data:|blob:|about:blank)")


@pytest.fixture(scope="module")
def server(make_uwsgi_for_module, plugin_dir):
    assert (plugin_dir / WEB / "index.html").is_file(), "the page is not built: make web"
    server = make_uwsgi_for_module(
        wsgi_file=SHOP / "app.py",
        callable="app",
        pythonpath=SHOP,
        threads=2,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_output_interval=600,
    )
    server.start("/health")
    return server


@pytest.fixture(scope="module")
def url(server):
    """The ready address that the log names."""
    return server.wait_for_log(r"(http://127\.0\.0\.1:\d+/\?token=\S+)")[0]


@contextlib.contextmanager
def clean(browser):
    """No error in the console, and no address but the endpoint's."""
    yield
    assert browser.take_errors() == []
    elsewhere = [address for address in browser.addresses() if not LOCAL.match(address)]
    assert not elsewhere, elsewhere


@pytest.fixture(autouse=True)
def nothing_wrong(browser):
    browser.resize(WIDE)
    with clean(browser):
        yield


def chosen(browser):
    """The key of the profile in the viewer, or None."""
    return browser.script(
        "return document.querySelector('[data-verb=view][aria-pressed=true]')?.dataset.key"
    )


def take(browser, kind):
    """Takes a profile with the form, until the viewer shows it; returns its key, and the progress
    bar's values on the way."""
    before = chosen(browser)
    seconds = browser.one("[name=seconds]")
    seconds.clear()
    seconds.send_keys(str(SECONDS))
    browser.one(f"[name=kind][value={kind}]").click()
    browser.one("#take").click()
    values = []

    def finished():
        value = browser.script(
            "return document.getElementById('sampling').hidden"
            " ? null : document.getElementById('progress').value"
        )
        if value is not None:
            values.append(value)
        return chosen(browser) != before

    wait_for(finished, "the new profile in the viewer", 60)
    return chosen(browser), values


@pytest.fixture(scope="module")
def page(browser, server, url):
    """The page with two wall profiles, the second of another load."""
    browser.open(url)
    browser.wait_for_text("#slots", "worker 2")
    with server.load(BUSY) as load:
        load.wait_for_requests(20)
        browser.busy, browser.progress = take(browser, "both")
    with server.load(CALM) as load:
        load.wait_for_requests(20)
        browser.calm, _values = take(browser, "wall")
    return browser


def view(page, key, *others):
    """Chooses a profile, and one to compare with, and takes back what was set before."""
    right = page.one("#graph-right")
    page.one(f"[data-verb=view][data-key='{key}']").click()
    wait_for(lambda: chosen(page) == key and not right.is_displayed(), f"{key} alone")
    page.script(
        """for (const select of document.querySelectorAll('#filters select, #split')) {
          select.value = ''; select.dispatchEvent(new Event('change', { bubbles: true }));
        }"""
    )
    search(page, "")
    for other in others:
        page.one(f"[data-verb=compare][data-key='{other}']").click()
        wait_for(right.is_displayed, "the second graph")


def read_file(url, key, profile_reader, directory):
    """The profile as the reference proto reads it."""
    base, token = url.split("?token=")
    request = urllib.request.Request(
        f"{base}profiles/{key}", headers={"Authorization": f"Bearer {token}"}
    )
    path = directory / "profile.pb.gz"
    with urllib.request.urlopen(request, timeout=30) as answer:
        path.write_bytes(answer.read())
    return profile_reader.read(path)


@pytest.fixture
def busy_file(page, url, profile_reader, tmp_path):
    return read_file(url, page.busy, profile_reader, tmp_path)


def itself_ns(profile, name):
    """Time of a function without the native code that it calls."""
    return profile.where(lambda sample: sample.leaf is None).ns_of(name, flat=True)


def spoken(ns):
    return f"{ns / 1e9:.2f} s" if ns >= 1e9 else f"{ns / 1e6:.0f} ms"


def functions(page):
    """The table of functions: name to the other cells."""
    rows = page.script(
        "return [...document.querySelectorAll('#functions tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    return {name: cells for name, *cells in rows}


def frame_box(page, name, side="left"):
    """Left and width of the widest frame of this name, px; None: it is not shown."""
    boxes = page.script(
        """return [...document.querySelectorAll(`#flame-${arguments[1]} g.frame`)]
          .filter((frame) => frame.getAttribute('name') === arguments[0])
          .map((frame) => frame.querySelector('rect').getBoundingClientRect())
          .map((box) => [box.left, box.width]).sort((a, b) => b[1] - a[1])""",
        name,
        side,
    )
    return boxes[0] if boxes else None


def wait_for_share(page, name, share):
    def has_share():
        box, whole = frame_box(page, name), frame_box(page, "all")
        return box and box[1] / whole[1] == pytest.approx(share, abs=0.01)

    wait_for(has_share, f"{name} with {share:.3f} of the graph")


def click_frame(page, name):
    page.script(
        """const frames = [...document.querySelectorAll('#flame-left g.frame')]
          .filter((frame) => frame.getAttribute('name') === arguments[0]);
        frames[0].dispatchEvent(new MouseEvent('click', { bubbles: true }));""",
        name,
    )


def wait_until_it_fills(page, name, side="left"):
    """Frames take their places a moment after the event."""

    def fills():
        whole = frame_box(page, "all", side)
        box = frame_box(page, name, side)
        return box and abs(box[1] - whole[1]) < 1

    wait_for(fills, f"{name} as wide as the graph")


def search(page, text):
    field = page.one("#search")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text or Keys.BACKSPACE)
    page.script("arguments[0].blur()", field)


def choose(page, selector, value):
    page.script(
        """const select = document.querySelector(arguments[0]); select.value = arguments[1];
        select.dispatchEvent(new Event('change', { bubbles: true }));""",
        selector,
        value,
    )


def states(browser):
    cells = "[...document.querySelectorAll('td.state')]"
    return sorted(browser.script(f"return {cells}.map((cell) => cell.innerText)"))


def test_the_state_of_a_worker_names_its_request(browser, uwsgi):
    server = uwsgi(
        app="stuck",
        processes=2,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_output_interval=600,
    )
    browser.open(server.wait_for_log(r"(http://127\.0\.0\.1:\d+/\?token=\S+)")[0])
    wait_for(lambda: states(browser) == ["idle", "idle"], "two idle workers", 60)

    def is_named():
        named, *others = states(browser)
        return re.fullmatch(r"GET /nap/100 for [\d.]+ s", named) and others == ["idle"]

    with server.load("/nap/100?token=secret", threads=1, count=1):
        wait_for(is_named, "a worker's request by name, and an idle worker", 60)
        browser.open("about:blank")  # which does not miss the server
        server.kill()


def test_the_page_shows_processes_and_places_for_profiles(page, server):
    rows = page.text("#slots")

    for number, pid in server.workers().items():
        assert re.search(rf"worker {number}\s+{pid}\b", rows), rows
    assert "Files" in page.text("#sinks") and "Cloud Profiler" in page.text("#sinks")


def test_the_token_does_not_stay_in_the_address_bar(page):
    assert "token" not in page.address


def test_what_profiling_costs_is_told(page):
    """These servers have no ceiling: it would make the period longer on a busy machine."""
    cost = r"(Costs [\d.]+ % of the workers' CPU time|Cost not measured yet)"
    rate = r"(; \d+ samples a second)?"

    assert re.fullmatch(
        cost + ", no ceiling" + rate + "; a sample every 10 ms.", page.text("#cost")
    )


def test_the_progress_bar_moves_while_the_profile_is_taken(page):
    assert page.progress[0] < page.progress[-1]
    assert any(0 < value < 1 for value in page.progress), page.progress
    assert page.progress == sorted(page.progress)


def test_a_refusal_is_told_with_its_reason(page):
    page.one("#setting-on").click()
    wait_for(lambda: page.all("#setting-on[aria-pressed=false]"), "profiling off")

    page.one("#take").click()

    wait_for(lambda: page.text("#refused"), "the gateway's reason")
    assert page.one("#take").is_enabled()
    page.one("#setting-on").click()
    wait_for(lambda: page.all("#setting-on[aria-pressed=true]"), "profiling on")
    assert all("409" in error for error in page.take_errors())


def test_the_figures_are_those_of_the_file(page, busy_file):
    view(page, page.busy)

    assert page.text("#title-left").endswith(": " + spoken(busy_file.total_ns))
    itself, share, with_callees = functions(page)["sales_report"]
    ns = itself_ns(busy_file, "sales_report")
    assert itself == spoken(ns)
    assert share == f"{100 * ns / busy_file.total_ns:.1f} %"
    assert with_callees == f"{100 * busy_file.share('sales_report'):.1f} %"
    wait_for_share(page, "report", busy_file.share("report"))


def test_a_click_zooms_into_a_function_and_escape_shows_all(page, busy_file):
    view(page, page.busy)
    wait_for_share(page, "report", busy_file.share("report"))

    click_frame(page, "report")
    wait_until_it_fills(page, "report")

    page.script("document.getElementById('flame-left').focus()")
    page.press(Keys.ESCAPE)
    wait_for_share(page, "report", busy_file.share("report"))


def test_the_graph_can_be_walked_by_keys(page):
    view(page, page.busy)
    page.script("document.getElementById('flame-left').focus()")

    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    name = page.text("#details").split(" · ")[0]
    assert name not in ("", "all")
    page.press(Keys.ENTER)
    wait_until_it_fills(page, name)
    page.press(Keys.ARROW_UP)
    assert page.text("#details").split(" · ")[0] != name


def test_a_search_marks_frames_and_says_their_share(page, busy_file):
    view(page, page.busy)

    search(page, "SALES_rep")

    assert page.text("#found") == f"found in {100 * busy_file.share('sales_report'):.1f} %"
    fills = page.script(
        "return [...document.querySelectorAll('#flame-left g[name=sales_report] rect')]"
        ".map((frame) => frame.getAttribute('fill'))"
    )
    assert fills and set(fills) == {"var(--frame-found)"}


def test_a_filter_keeps_one_worker(page, busy_file):
    view(page, page.busy)

    choose(page, "[data-tag=worker]", "1")

    ns = busy_file.where(lambda sample: sample.labels["worker"] == "1").total_ns
    assert 0 < ns < busy_file.total_ns
    assert page.text("#title-left").endswith(": " + spoken(ns))


def test_a_split_makes_a_tag_the_first_level(page, busy_file):
    view(page, page.busy)

    choose(page, "#split", "state")

    shares = {f"state {state}": ns for state, ns in busy_file.by_state().items()}
    largest = max(shares, key=shares.get)
    wait_for_share(page, largest, shares[largest] / busy_file.total_ns)


def test_the_same_profile_by_each_of_its_tags(page, busy_file):
    for tag in ("worker", "route", "state"):
        view(page, page.busy)
        choose(page, "#split", tag)
        sums = {}
        for sample in busy_file.samples:
            value = sample.labels.get(tag)
            sums[value] = sums.get(value, 0) + sample.ns
        largest = max((value for value in sums if value), key=sums.get)
        wait_for_share(page, f"{tag} {largest}", sums[largest] / busy_file.total_ns)


def test_the_other_kind_of_the_same_window_is_one_click_away(page):
    view(page, page.busy)

    page.one("#show-cpu").click()

    page.wait_for_text("#title-left", "CPU time")
    page.one("#show-wall").click()
    page.wait_for_text("#title-left", "wall time")


def test_two_profiles_are_compared_side_by_side(page, busy_file):
    view(page, page.calm, page.busy)

    assert frame_box(page, "report") and not frame_box(page, "report", "right")
    left, right, change = functions(page)["sales_report"]
    share = f"{100 * itself_ns(busy_file, 'sales_report') / busy_file.total_ns:.1f}"
    assert (left, right, change) == (f"{share} %", "0.0 %", f"\u2212{share}")


def test_a_zoom_on_one_side_is_followed_by_the_other(page):
    view(page, page.calm, page.busy)

    click_frame(page, "Flask.wsgi_app")

    wait_until_it_fills(page, "Flask.wsgi_app")
    wait_until_it_fills(page, "Flask.wsgi_app", "right")


def test_a_narrow_window_needs_no_sideways_scrolling(page):
    view(page, page.busy)

    page.resize(NARROW)

    def fits():
        return page.script(
            "return document.documentElement.scrollWidth <= innerWidth"
            " && document.querySelector('#flame-left svg').getBoundingClientRect().right"
            " <= innerWidth"
        )

    wait_for(fits, "a page as wide as its window")


def test_a_wrong_token_is_told_in_words(page, url):
    page.open(url.split("?")[0] + "?token=wrong")
    page.wait_for_text("#trouble", "does not know this page's token")

    assert all("401" in error for error in page.take_errors())

    page.open(url)
    page.wait_for_text("#slots", "worker 2")
    wait_for(lambda: page.text("#trouble") == "", "no trouble any more")


def test_it_looks_well(page, server, tmp_path):
    """For people to look at; here each picture is only made."""
    pictures = Path(os.environ.get("CPROF_SCREENSHOTS", tmp_path))
    row = f"#profiles [data-key='{page.busy}']"
    wait_for(lambda: page.all(row), "the list of profiles")
    view(page, page.busy)
    # So many clients that no core waits for one: the row of an idle worker names no request.
    with server.load(BUSY, threads=8):
        page.wait_for_text("#slots", "GET /")
        for scheme in ("light", "dark"):
            page.prefer(scheme)
            page.whole_page(WIDE[0])
            page.screenshot(pictures / f"page-{scheme}.png")
    view(page, page.calm, page.busy)
    page.whole_page(WIDE[0])
    page.screenshot(pictures / "page-compare-dark.png")
    page.prefer("light")
    view(page, page.busy)
    page.whole_page(NARROW[0])
    page.screenshot(pictures / "page-narrow.png")
