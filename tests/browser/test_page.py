"""The page of the local endpoint, used by a real browser on a real server.

The page makes its figures in the browser, from the profile's file; they are compared with what the
reference proto reads in the same file. With CPROF_SCREENSHOTS=DIRECTORY it leaves pictures there.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import re
import urllib.parse
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
        cloudprofiler_service="shop",
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


def shown(browser):
    """The time and the kind of the profile in the viewer; None: it shows none."""
    return browser.script(
        """const viewer = document.getElementById('viewer');
        const kind = viewer.querySelector('#show-wall[aria-pressed=true]') ? 'wall' : 'cpu';
        return viewer.hidden ? null : `${document.getElementById('shown').value} ${kind}`;"""
    )


def take(browser, kind):
    """Takes a profile with the form, until the viewer shows it; returns its time, and the progress
    bar's values on the way."""
    before = shown(browser)
    seconds = browser.one("[name=seconds]")
    seconds.clear()
    seconds.send_keys(str(SECONDS))
    choose(browser, "[name=kind]", kind)
    browser.one("#take").click()
    values = []

    def finished():
        value = browser.script(
            "return document.getElementById('sampling').hidden"
            " ? null : document.getElementById('progress').value"
        )
        if value is not None:
            values.append(value)
        return shown(browser) not in (None, before) and value is None

    wait_for(finished, "the new profile in the viewer", 60)
    return shown(browser).split()[0], values


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
    browser.keys = {kind: key_of(browser, browser.busy, kind) for kind in ("cpu", "wall")}
    return browser


def key_of(page, at, kind):
    """What the gateway calls this profile."""
    follow(page, f"at={at}&kind={kind}")
    title = {"cpu": "CPU", "wall": "wall"}[kind]

    def key():
        return page.script(
            """return [...document.querySelectorAll('#profiles tr.chosen')]
              .filter((row) => row.cells[1].innerText === arguments[0])
              .map((row) => row.querySelector('button').dataset.key)[0]""",
            title,
        )

    return wait_for(key, "the profile in the list")


def follow(page, link):
    """Goes to a view by the part of its address behind "#", as a link does."""
    page.script("location.hash = ''; location.hash = arguments[0]", link)
    fields = dict(urllib.parse.parse_qsl(link))
    wait_for(lambda: shown(page) == f"{fields['at']} {fields['kind']}", link)
    wait_for(lambda: page.one("#changes").is_displayed() == ("since" in fields), "the changes")
    filters = sum(name.startswith(("tag.", "function")) for name in fields)
    wait_for(lambda: len(chips(page)) == filters, "the filters")
    page.script(
        "const split = document.getElementById('split');"
        "split.value = arguments[0]; split.dispatchEvent(new Event('change', { bubbles: true }))",
        fields.get("split", ""),
    )
    page.script("document.getElementById('reset').click()")
    search(page, "")


def chips(page):
    return page.script(
        "return [...document.querySelectorAll('#chips button')].map((chip) => chip.innerText)"
    )


def title(page):
    """The first line above the graph."""
    return page.text("#title")


def view(page, at, kind="wall", since=None):
    """Shows a profile with no filter, and what changed since another."""
    follow(page, f"at={at}&kind={kind}" + (f"&since={since}" if since else ""))


def ask(url, path):
    base, token = url.split("?token=")
    request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def status_of(url):
    return json.loads(ask(url, "status"))


def read_file(url, key, profile_reader, directory):
    """The profile as the reference proto reads it."""
    path = directory / "profile.pb.gz"
    path.write_bytes(ask(url, f"profiles/{key}"))
    return profile_reader.read(path)


@pytest.fixture
def busy_file(page, url, profile_reader, tmp_path):
    """The wall profile of the busy app."""
    return read_file(url, page.keys["wall"], profile_reader, tmp_path)


@pytest.fixture
def busy_cpu_file(page, url, profile_reader, tmp_path):
    """The CPU profile of the same window."""
    return read_file(url, page.keys["cpu"], profile_reader, tmp_path)


def itself_ns(profile, name):
    """Time of a function without the native code that it calls."""
    return profile.where(lambda sample: sample.leaf is None).ns_of(name, flat=True)


def spoken(ns):
    return f"{ns / 1e9:.2f} s" if ns >= 1e9 else f"{ns / 1e6:.0f} ms"


def rows(page, table):
    """The rows of a table of filters: name to the other cells."""
    found = page.script(
        "return [...document.querySelectorAll(`#${arguments[0]} tr`)]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))",
        table,
    )
    return {name: cells for name, *cells in found}


def click_row(page, table, name):
    page.script(
        """const rows = [...document.querySelectorAll(`#${arguments[0]} tr`)];
        rows.find((row) => row.cells[0].innerText === arguments[1]).cells[1].click();""",
        table,
        name,
    )


def sums_by(profile, tag):
    """Time by the tag's value; None stands for samples without it."""
    sums = {}
    for sample in profile.samples:
        value = sample.labels.get(tag)
        sums[value] = sums.get(value, 0) + sample.ns
    return sums


def frame_box(page, name):
    """Left and width of the widest frame of this name, px; None: it is not shown."""
    boxes = page.script(
        """return [...document.querySelectorAll('#flame g.frame')]
          .filter((frame) => frame.getAttribute('name') === arguments[0])
          .map((frame) => frame.querySelector('rect').getBoundingClientRect())
          .map((box) => [box.left, box.width]).sort((a, b) => b[1] - a[1])""",
        name,
    )
    return boxes[0] if boxes else None


def wait_for_share(page, name, share):
    def has_share():
        box, whole = frame_box(page, name), frame_box(page, "all")
        return box and box[1] / whole[1] == pytest.approx(share, abs=0.01)

    wait_for(has_share, f"{name} with {share:.3f} of the graph")


def click_frame(page, name):
    page.script(
        """const frames = [...document.querySelectorAll('#flame g.frame')]
          .filter((frame) => frame.getAttribute('name') === arguments[0]);
        frames[0].dispatchEvent(new MouseEvent('click', { bubbles: true }));""",
        name,
    )


def wait_until_it_fills(page, name):
    """Frames take their places a moment after the event."""

    def fills():
        whole = frame_box(page, "all")
        box = frame_box(page, name)
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
    browser.open(address_of(server))
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


def test_what_profiling_costs_is_said_in_sentences(page):
    """These servers have no ceiling: it would make the period longer on a busy machine."""
    cost = (
        r"(While it samples, the profiler takes [\d.]+ % of the CPU time"
        r" of the worker that pays most\."
        r"|What profiling costs is known after the first profile of a busy worker\.)"
    )
    rate = r"( All workers together had \d+ a second\.)?"

    assert re.fullmatch(cost + r" There is no limit\.", page.text("#cost"))
    assert re.fullmatch(r"A busy thread has a sample every 10 ms\." + rate, page.text("#rate"))


def test_when_the_next_profile_is_ready_is_said(page, url):
    next_ms = status_of(url)["next_profile_ms"]
    spoken_time = page.script(
        "return new Date(arguments[0]).toLocaleTimeString('en-GB')", next_ms // 1000 * 1000
    )

    assert page.text("#windows") == f"The next profile is ready at {spoken_time}."


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


def test_the_newest_profile_is_open_without_a_click(page, url):
    newest = max(each["start_ms"] for each in json.loads(ask(url, "profiles/"))["recent"])
    page.open("about:blank")
    page.open(url)

    wait_for(lambda: shown(page) == f"{newest} wall", "the newest profile")
    whole = wait_for(lambda: frame_box(page, "all"), "its graph")
    top = page.script("return document.getElementById('flame').getBoundingClientRect().top")
    assert whole[1] > WIDE[0] / 2 and top < WIDE[1] / 2
    assert len(rows(page, "tags")) and len(rows(page, "states")) and len(rows(page, "functions"))
    assert "#" not in page.address


def test_the_figures_are_those_of_the_file(page, busy_file, busy_cpu_file):
    view(page, page.busy)

    assert title(page).startswith(f"{spoken(busy_file.total_ns)} of wall time in {SECONDS}.")
    itself, share, with_callees = rows(page, "functions")["sales_report"]
    ns = itself_ns(busy_file, "sales_report")
    assert itself == spoken(ns)
    assert share == f"{100 * ns / busy_file.total_ns:.1f} %"
    assert with_callees == f"{100 * busy_file.share('sales_report'):.1f} %"
    wait_for_share(page, "report", busy_file.share("report"))
    by_wall, by_cpu = sums_by(busy_file, "route"), sums_by(busy_cpu_file, "route")
    for route in ("/report", "/search"):
        assert rows(page, "tags")[route] == [
            spoken(by_cpu[route]),
            spoken(by_wall[route]),
            f"{100 * by_wall[route] / busy_file.total_ns:.1f} %",
        ]
    for state, ns in busy_file.by_state().items():
        assert rows(page, "states")[state][0] == spoken(ns)


def test_a_click_zooms_into_a_function_and_escape_shows_all(page, busy_file):
    view(page, page.busy)
    wait_for_share(page, "report", busy_file.share("report"))

    click_frame(page, "report")
    wait_until_it_fills(page, "report")

    page.script("document.getElementById('flame').focus()")
    page.press(Keys.ESCAPE)
    wait_for_share(page, "report", busy_file.share("report"))


def test_the_graph_can_be_walked_by_keys(page):
    view(page, page.busy)
    page.script("document.getElementById('flame').focus()")

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
        "return [...document.querySelectorAll('#flame g[name=sales_report] rect')]"
        ".map((frame) => frame.getAttribute('fill'))"
    )
    assert fills and set(fills) == {"var(--frame-found)"}


def test_rows_of_the_tables_are_filters_that_combine(page, busy_file):
    view(page, page.busy)
    of_route = busy_file.where(lambda sample: sample.labels.get("route") == "/report")
    largest = max(of_route.by_state(), key=of_route.by_state().get)
    both = of_route.where(lambda sample: sample.labels["state"] == largest)

    click_row(page, "tags", "/report")
    wait_for(lambda: title(page).startswith(f"{spoken(of_route.total_ns)} of wall time "), "route")
    assert rows(page, "states")[largest][0] == spoken(of_route.by_state()[largest])
    assert "/search" in rows(page, "tags"), "another route is one click away"
    click_row(page, "states", largest)
    wait_for(lambda: title(page).startswith(f"{spoken(both.total_ns)} of wall time "), "state")
    click_row(page, "functions", "sales_report")
    wait_for(lambda: len(chips(page)) == 3, "three filters")

    assert chips(page) == [
        "route /report",
        f"state {largest}",
        "function sales_report (shop.py)",
    ]
    ns = both.where(lambda s: any(f.name == "sales_report" for f in s.frames)).total_ns
    assert title(page).startswith(f"{spoken(ns)} of wall time ")


def test_a_view_can_be_sent_to_somebody(page, url, busy_file):
    view(page, page.busy)
    click_row(page, "tags", "/report")
    wait_for(lambda: len(chips(page)) == 1, "the filter")
    words, link = title(page), page.address
    assert "token" not in link

    page.open("about:blank")
    page.open(url + "#" + link.partition("#")[2])

    wait_for(lambda: title(page) == words, words)
    assert chips(page) == ["route /report"]
    assert shown(page) == f"{page.busy} wall"


def test_a_filter_is_removed_by_its_chip_and_by_the_browsers_button(page):
    view(page, page.busy)
    click_row(page, "tags", "/report")
    wait_for(lambda: len(chips(page)) == 1, "the filter")

    page.one("#chips button").click()
    wait_for(lambda: not chips(page), "no filter")
    page.script("history.back()")
    wait_for(lambda: chips(page) == ["route /report"], "the filter again")
    page.one("#clear").click()
    wait_for(lambda: not chips(page), "no filter")


def test_filters_are_set_by_keys(page):
    view(page, page.busy)
    page.script("document.querySelector('#tags tr:first-child button').focus()")

    page.press(Keys.ENTER)

    wait_for(lambda: len(chips(page)) == 1, "the filter")
    assert page.script("return document.activeElement.getAttribute('aria-pressed')") == "true"
    page.press(Keys.ENTER)
    wait_for(lambda: not chips(page), "no filter")


def test_states_are_shown_beside_cpu_time_and_lead_to_wall_time(page, busy_file):
    view(page, page.busy, kind="cpu")
    assert rows(page, "states").keys() == busy_file.by_state().keys()

    click_row(page, "states", "running")

    wait_for(lambda: shown(page) == f"{page.busy} wall", "wall time")
    assert chips(page) == ["state running"]
    page.one("#show-cpu").click()
    wait_for(lambda: shown(page) == f"{page.busy} cpu", "CPU time")
    assert chips(page) == []


def test_the_first_table_is_of_any_tag(page, busy_file):
    view(page, page.busy)

    choose(page, "#by", "worker")

    wait_for(lambda: "1" in rows(page, "tags"), "workers")
    for worker, ns in sums_by(busy_file, "worker").items():
        assert rows(page, "tags")[worker][1] == spoken(ns)


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

    page.wait_for_text("#title", "CPU time")
    page.one("#show-wall").click()
    page.wait_for_text("#title", "wall time")


def spoken_rate(ns_per_s):
    return f"{ns_per_s / 1e9:.2f} s/s" if ns_per_s >= 1e9 else f"{ns_per_s / 1e6:.1f} ms/s"


def test_what_changed_since_an_earlier_profile_stands_above_the_graph(page, busy_file):
    view(page, page.calm)

    choose(page, "#since", page.busy)

    wait_for(lambda: page.one("#changes").is_displayed(), "the changes")
    seconds = busy_file.message.duration_nanos / 1e9
    rate = spoken_rate(itself_ns(busy_file, "sales_report") / seconds)
    assert rows(page, "less")["sales_report"] == [rate, "0", f"\u2212{rate}"]
    assert "sales_report" not in rows(page, "more") and rows(page, "more")
    assert f"It was {spoken(busy_file.total_ns / seconds)} then." in page.text("#changes-sum")
    assert frame_box(page, "cart") and not frame_box(page, "report")
    page.one("#draw-earlier").click()
    wait_for(lambda: frame_box(page, "report"), "the earlier graph")
    assert not frame_box(page, "cart")


def test_a_zoom_is_followed_between_the_two_profiles_of_a_comparison(page):
    view(page, page.calm, since=page.busy)
    click_frame(page, "Flask.wsgi_app")
    wait_until_it_fills(page, "Flask.wsgi_app")

    page.one("#draw-earlier").click()

    wait_for(lambda: frame_box(page, "report"), "the earlier graph")
    wait_until_it_fills(page, "Flask.wsgi_app")
    page.one("#reset").click()
    wait_for(lambda: not page.one("#reset").is_displayed(), "the whole graph")


def test_the_profile_before_is_offered_by_name(page):
    view(page, page.calm)

    texts = page.script(
        "return [...document.querySelectorAll('#since > option')].map((each) => each.text)"
    )

    assert texts[0] == "nothing" and texts[1].startswith("the one before: ")
    assert texts[2] == "an hour before: no profile"


def test_a_narrow_window_needs_no_sideways_scrolling(page):
    view(page, page.busy)

    page.resize(NARROW)

    def fits():
        return page.script(
            "return document.documentElement.scrollWidth <= innerWidth"
            " && document.querySelector('#flame svg').getBoundingClientRect().right"
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


def address_of(server, times=1):
    """The ready address that the log names, of the last so many starts."""
    return server.wait_for_log(r"(http://127\.0\.0\.1:\d+/\?token=\S+)", times)[-1]


def test_without_a_profile_the_page_says_when_the_next_is_ready_and_takes_one(browser, uwsgi):
    server = uwsgi(
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_output_interval=600,
        cloudprofiler_output_duration=600,
    )
    url = address_of(server)
    (window,) = wait_for(lambda: status_of(url)["windows"], "the schedule's window")
    browser.open(url)
    wait_for(lambda: browser.one("#none").is_displayed(), "the words for an empty page")
    end_ms = window["start_ms"] + 600_000
    end = browser.script("return new Date(arguments[0]).toLocaleTimeString('en-GB')", end_ms)

    assert browser.text("#none-next") == f"The next profile is ready at {end}."
    assert not browser.one("#viewer").is_displayed()
    browser.script("document.querySelector('[name=seconds]').value = 1")
    with server.some_work():
        browser.one("#none button").click()
        wait_for(lambda: shown(browser), "the profile", 60)
    wait_for(lambda: not browser.one("#none").is_displayed(), "the end of these words")
    browser.open("about:blank")


class Hand:
    """An operator's hand, which counts its clicks: one for a row or a button, two for a choice from
    a list."""

    def __init__(self, page):
        self.page = page
        self.clicks = 0

    def row(self, table, name):
        click_row(self.page, table, name)
        self.clicks += 1

    def choice(self, selector, value):
        choose(self.page, selector, value)
        self.clicks += 2


@pytest.fixture(scope="module")
def reloaded(make_uwsgi_for_module):
    """The shop, calm before a reload and busy after it, with profiles of both."""
    server = make_uwsgi_for_module(
        wsgi_file=SHOP / "app.py",
        callable="app",
        pythonpath=SHOP,
        threads=2,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_output_interval=3,
        cloudprofiler_output_duration=2,
    )
    server.start("/health")
    with server.load(CALM):
        server.wait_for_profiles(2)
        server.reload_by_signal()
    address = address_of(server, times=2)
    with server.load(BUSY, threads=4):
        server.wait_for_profiles(3)
        yield server, address


@pytest.fixture
def opened(browser, reloaded, profile_reader, tmp_path):
    """The page as it opens, an operator's hand, and the two profiles that it shows, as files."""
    server, url = reloaded
    browser.open(url)
    wait_for(lambda: shown(browser), "a profile")
    at = int(shown(browser).split()[0])
    files = {}
    for kind in ("cpu", "wall"):
        (key,) = [
            each["name"]
            for each in json.loads(ask(url, "profiles/"))["files"]
            if (each["kind"], each["start_ms"]) == (kind, at)
        ]
        files[kind] = read_file(url, key, profile_reader, tmp_path)
    yield browser, Hand(browser), files, server
    browser.open("about:blank")


def test_which_route_costs_most_cpu_is_seen_at_once(opened):
    page, hand, files, _server = opened

    sums = {route: ns for route, ns in sums_by(files["cpu"], "route").items() if route}
    most = max(sums, key=sums.get)
    assert rows(page, "tags")[most][0] == spoken(sums[most])
    assert hand.clicks == 0


def test_what_requests_of_a_route_wait_for_takes_one_click(opened):
    page, hand, files, _server = opened

    hand.row("tags", "/report")
    wait_for(lambda: chips(page) == ["route /report"], "the filter")

    of_route = files["wall"].where(lambda sample: sample.labels.get("route") == "/report")
    for state, ns in of_route.by_state().items():
        assert rows(page, "states")[state][0] == spoken(ns)
    assert hand.clicks == 1


def test_what_changed_since_the_reload_takes_one_choice(opened):
    page, hand, _files, server = opened

    def mark():
        return page.script(
            """return [...document.querySelectorAll('#since > option')]
              .filter((each) => each.text.startsWith('before the reload: '))
              .map((each) => each.value)[0]"""
        )

    hand.choice("#since", wait_for(mark, "a profile of before the reload"))
    wait_for(lambda: page.one("#changes").is_displayed(), "the changes")

    assert int(mark()) < status_of(address_of(server, times=2))["started_ms"]
    assert "sales_report" in rows(page, "more")
    assert hand.clicks == 2


def test_which_function_is_slow_is_seen_at_once(opened):
    page, hand, files, _server = opened

    first = next(iter(rows(page, "functions").values()))
    names = {sample.frames[0].name for sample in files["wall"].samples if sample.frames}
    assert first[0] in {spoken(itself_ns(files["wall"], name)) for name in names}
    assert hand.clicks == 0


def test_what_profiling_costs_and_where_profiles_go_is_seen_at_once(opened):
    page, hand, _files, server = opened

    assert "the profiler takes" in page.text("#cost")
    assert "The next profile is ready at" in page.text("#windows")
    assert f"In {server.profiles}" in page.text("#sinks")
    assert "works" in page.text("#sinks")
    assert hand.clicks == 0


def test_which_worker_is_different_takes_one_choice(opened):
    page, hand, files, _server = opened

    hand.choice("#by", "worker")
    wait_for(lambda: "1" in rows(page, "tags"), "workers")

    for kind, cell in (("cpu", 0), ("wall", 1)):
        for worker, ns in sums_by(files[kind], "worker").items():
            assert rows(page, "tags")[worker][cell] == spoken(ns)
    assert hand.clicks == 2


def test_it_looks_well(page, server, url, tmp_path):
    """For people to look at; here each picture is only made."""
    pictures = Path(os.environ.get("CPROF_SCREENSHOTS", tmp_path))
    page.open(url)
    wait_for(lambda: shown(page), "a profile")
    # So many clients that no core waits for one: the row of an idle worker names no request.
    with server.load(BUSY, threads=8) as load:
        load.wait_for_requests(20)
        at, _values = take(page, "both")
        page.wait_for_text("#slots", "GET /")
        for scheme in ("light", "dark"):
            page.resize(WIDE)
            view(page, at)
            page.prefer(scheme)
            page.whole_page(WIDE[0])
            page.screenshot(pictures / f"page-{scheme}.png")
    page.resize(WIDE)
    view(page, at, since=page.calm)
    page.whole_page(WIDE[0])
    page.screenshot(pictures / "page-compare-dark.png")
    page.prefer("light")
    page.resize(NARROW)
    view(page, at)
    page.whole_page(NARROW[0])
    page.screenshot(pictures / "page-narrow.png")
