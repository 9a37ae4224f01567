"""The page of `cloudprofiler-gateway --html`, opened from disk by a real browser.

SPDX-License-Identifier: MIT
"""

import gzip
import re
import subprocess

import pytest
from testenv.browser import WIDE
from testenv.build import GATEWAY, WEB
from testenv.profiles import load_proto, wall_file_of
from testenv.uwsgi import QUICK
from testenv.wait import wait_for

HOSTILE = "</script><script>document.title='ran'</script><img src=x onerror=document.title='ran'>"


@pytest.fixture(scope="module")
def files(make_uwsgi_for_module):
    """A CPU and a wall profile of one window of two busy workers, and an earlier CPU profile."""
    server = make_uwsgi_for_module(processes=2, **QUICK)
    server.start()
    with server.load("/nested?ms=20", threads=4):
        server.wait_for_workers(2)
        earlier, cpu = server.wait_for_profiles(2)[-2:]
        return [cpu, wall_file_of(cpu), earlier]


def make_report(directory, paths):
    return subprocess.run(
        [directory / GATEWAY, "--html", *map(str, paths)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def open_report(plugin_dir, workspace, browser):
    """Opens the page of these profiles from disk. Nothing may be asked for but the file itself, and
    nothing be refused."""
    path = workspace / "report.html"
    before = browser.addresses()

    def open_report(*paths):
        made = make_report(plugin_dir, paths)
        assert made.returncode == 0, made.stderr
        path.write_text(made.stdout)
        browser.resize(WIDE)
        browser.open(path.as_uri())
        browser.wait_for_text("#title", " s")
        return browser

    yield open_report
    assert browser.take_errors() == []
    assert browser.addresses() - before <= {path.as_uri()}


def frames(browser):
    """The names that the flame graph shows."""
    return browser.script(
        "return [...document.querySelectorAll('g.frame')].map(e => e.textContent)"
    )


def total_ms(browser):
    """The time that the graph is of: "2.10 s of CPU time, 25.1 % of 8.37 s"."""
    number, unit = re.match(r"([\d.]+) (m?s) of ", browser.text("#title")).groups()
    return float(number) * (1 if unit == "ms" else 1000)


def choose(browser, selector, text):
    """Picks the choice that begins so, as a user does."""
    browser.script(
        """const select = document.querySelector(arguments[0]);
        select.value = [...select.options].find(e => e.text.startsWith(arguments[1])).value;
        select.dispatchEvent(new Event("change", { bubbles: true }));""",
        selector,
        text,
    )


def test_the_file_shows_the_profile_that_was_written(open_report, profile_reader, files):
    browser = open_report(files[0])
    profile = profile_reader.read(files[0])

    assert total_ms(browser) == pytest.approx(profile.total_ns / 1e6, abs=10)
    assert any("burn" in name for name in frames(browser))


def test_search_zoom_and_a_filter_by_worker_work(open_report, profile_reader, files):
    browser = open_report(files[0])
    profile = profile_reader.read(files[0])

    browser.one("#search").send_keys("burn")
    assert re.fullmatch(r"found in [\d.]+ %", browser.text("#found"))
    browser.script("document.querySelector('#flame').focus()")
    browser.press("\ue015", "\ue007")  # down, enter
    assert browser.text("#details").strip()
    browser.one("#reset").click()

    choose(browser, "#by", "worker")
    rows = "[...document.querySelectorAll('#tags tr')]"
    second_row = f"{rows}.find((row) => row.cells[0].innerText === '2')"
    wait_for(lambda: browser.script(f"return {second_row}"), "a row for each worker")
    browser.script(f"{second_row}.cells[1].click()")
    second = sum(s.ns for s in profile.samples if s.labels["worker"] == "2") / 1e6
    wait_for(lambda: total_ms(browser) == pytest.approx(second, abs=10), "one worker's time")


def test_both_kinds_of_a_window_and_an_earlier_one_are_shown(open_report, files):
    browser = open_report(*files)

    browser.one("#show-cpu").click()
    browser.wait_for_text("#title", "CPU time")
    choose(browser, "#since", "the one before")
    wait_for(lambda: browser.one("#changes").is_displayed(), "what changed")
    browser.one("#show-wall").click()
    browser.wait_for_text("#title", "wall time")
    assert not browser.one("#changes").is_displayed(), "there is no earlier wall time"


def test_a_file_that_no_browser_reads_is_named(open_report, workspace, files):
    joined = workspace / "joined.pb.gz"
    joined.write_bytes(files[0].read_bytes() + b"junk")
    browser = open_report(files[0], joined)

    choose(browser, "#shown", joined.name)
    browser.wait_for_text("#trouble", joined.name)
    assert not browser.one("#answer").is_displayed()


def test_a_profile_of_hostile_names_runs_nothing(open_report, workspace, files):
    proto = load_proto(workspace)
    message = proto.Profile.FromString(gzip.decompress(files[0].read_bytes()))
    for place, text in enumerate(message.string_table):
        if "burn" in text or text.endswith(".py"):
            message.string_table[place] = text + HOSTILE
    path = workspace / f"cpu-{HOSTILE.replace('/', '')}.pb.gz"
    path.write_bytes(gzip.compress(message.SerializeToString()))

    browser = open_report(path)

    assert browser.script("return document.title") == "uWSGI Cloud Profiler"
    assert any(HOSTILE[:9] in name for name in frames(browser))
    assert not browser.all("img")


def test_what_is_no_profile_is_refused_by_name(plugin_dir, workspace, files):
    nonsense = workspace / "nonsense.pb.gz"
    nonsense.write_text("no gzip")

    refused = make_report(plugin_dir, [files[0], nonsense])

    assert refused.returncode == 1 and refused.stdout == ""
    assert str(nonsense) in refused.stderr


def test_a_page_that_is_not_installed_is_named(plugin_dir, workspace, files):
    alone = workspace / "alone"
    alone.mkdir()
    (alone / GATEWAY).write_bytes((plugin_dir / GATEWAY).read_bytes())
    (alone / GATEWAY).chmod(0o755)

    refused = make_report(alone, files)

    assert refused.returncode == 1 and refused.stdout == ""
    assert f"{alone / WEB / 'report.html'}" in refused.stderr
    assert "make web" in refused.stderr
