"""Makes docs/pictures: the same wall profile of a small shop by worker, by route and by state, and
a CPU profile with root tags and native leaves.

usage: take.py [DIRECTORY]   (`make pictures`)

Everything is real: uWSGI with the profiler, requests, profiles, and the local endpoint's page in a
browser. What it starts has ended when it ends. The figures that the pictures show are printed.

SPDX-License-Identifier: MIT
"""

import contextlib
import signal
import socketserver
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from testenv.browser import Browser
from testenv.build import SOURCE
from testenv.uwsgi import running
from testenv.wait import wait_for

PICTURES = SOURCE / "docs" / "pictures"
HERE = Path(__file__).resolve().parent
SHOP = SOURCE / "examples" / "flask"
SECONDS = 15
# The graph's part of it is about as wide as a text's column, where the pictures stand.
WIDTH = 1460
WAREHOUSE_SECONDS = 0.04
PRODUCTS = "&".join(f"product={number}" for number in range(0, 400, 9))
# Pages, each asked for in turn by so many clients, which wait for the answer and ask again.
CLIENTS = [
    (["/search?q=red+lamp", "/report"], 1),
    (["/export", f"/cart?{PRODUCTS}"], 1),
    (["/stock"], 1),
    (["/checkout"], 3),
]
# What each picture must have, or it shows something else than the text says.
WANTED = {
    "worker": {"1", "2"},
    "route": {"/search", "/cart", "/report", "/export", "/stock", "/checkout"},
    "state": {"running", "gil", "recv", "sleep", "futex"},
}


class Warehouse(socketserver.ThreadingTCPServer):
    """The service that the shop asks: answers each connection after a while."""

    daemon_threads = True

    class RequestHandlerClass(socketserver.BaseRequestHandler):
        def handle(self):
            self.server.closing.wait(WAREHOUSE_SECONDS)
            self.request.sendall(b"7 pieces\n")

    def __init__(self):
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)


@contextlib.contextmanager
def warehouse_port():
    with Warehouse() as warehouse:
        thread = threading.Thread(target=warehouse.serve_forever)
        thread.start()
        try:
            yield warehouse.server_address[1]
        finally:
            warehouse.closing.set()
            warehouse.shutdown()
            thread.join()


@contextlib.contextmanager
def shop(port, **options):
    """The shop under uWSGI, with two workers of four threads; ends well or fails."""
    with running(
        "/health",
        env={"WAREHOUSE_PORT": str(port)},
        wsgi_file=HERE / "shop_that_waits.py",
        callable="app",
        pythonpath=[SHOP, HERE],
        threads=4,
        cloudprofiler_service="shop",
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_output_interval=600,
        **options,
    ) as server:
        yield server
        server.stop()


@contextlib.contextmanager
def clients(server):
    with contextlib.ExitStack() as all_loads:
        loads = [
            all_loads.enter_context(server.load(paths, threads=count)) for paths, count in CLIENTS
        ]
        for load in loads:
            load.wait_for_requests(2)
        yield
    failures = [failure for load in loads for failure in load.failures]
    assert not failures, failures[:3]


def take(page, server, kind):
    """Has the page take a profile of the shop under load, and opens it."""
    page.open(server.wait_for_log(r"(http://127\.0\.0\.1:\d+/\?token=\S+)")[0])
    page.wait_for_text("#slots", "worker 2")
    page.script(
        "document.querySelector('[name=seconds]').value = arguments[0];"
        "document.querySelector('[name=kind]').value = arguments[1]",
        SECONDS,
        kind,
    )
    name = "CPU" if kind == "cpu" else kind
    with clients(server):
        page.one("#take").click()
        # Not the profile of the schedule's first turn, which is shorter.
        page.wait_for_text("#title", f"{name} time in {SECONDS}.", SECONDS + 45)


def choose(page, selector, value):
    page.script(
        "const select = document.querySelector(arguments[0]); select.value = arguments[1];"
        "select.dispatchEvent(new Event('change', { bubbles: true }))",
        selector,
        value,
    )


def values_of(page, tag, kind="wall"):
    """The tag's values in the profile that is shown, with their times."""
    table, column = ("states", 1) if tag == "state" else ("tags", 1 if kind == "cpu" else 2)
    if table == "tags":
        choose(page, "#by", tag)

    def values():
        found = page.script(
            "return [...document.querySelectorAll(`#${arguments[0]} tr`)].map((row) =>"
            " [row.cells[0].innerText, row.cells[arguments[1]].innerText])",
            table,
            column,
        )
        return dict(found) if WANTED[tag] <= dict(found).keys() else None

    found = wait_for(values, f"samples with each {tag} of {WANTED[tag]}")
    return ", ".join(f"{value} ({time})" for value, time in found.items())


def is_shown(page, name):
    names = page.script(
        "return [...document.querySelectorAll('#flame g.frame')]"
        ".map((frame) => frame.getAttribute('name'))"
    )
    return any(name in one for one in names)


def photograph(page, path, *frames):
    """The graph, as soon as it has these frames."""
    page.whole_page(WIDTH)
    for frame in frames:
        wait_for(lambda frame=frame: is_shown(page, frame), f"{frame} in the graph")
    assert page.one("#graph").screenshot(str(path))
    print(f"{path.name}: {path.stat().st_size // 1024} KiB; {page.text('#title')}")


def wall_pictures(page, port, directory):
    with shop(port) as server:
        take(page, server, "wall")
        for tag, wanted in WANTED.items():
            figures = values_of(page, tag)
            choose(page, "#split", tag)
            frames = [f"{tag} {value}" for value in wanted]
            photograph(page, directory / f"wall-by-{tag}.png", *frames)
            print(f"  {tag}: {figures}")


def cpu_picture(page, port, directory):
    with shop(port, cloudprofiler_root_tag="route") as server:
        take(page, server, "cpu")
        photograph(page, directory / "cpu-root-tag.png", "route: /export", "[libz.so.1]")
        print(f"  route: {values_of(page, 'route', 'cpu')}")


def main():
    # Ends by an exception, so that nothing is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    directory.mkdir(parents=True, exist_ok=True)
    with warehouse_port() as port, Browser() as page:
        wall_pictures(page, port, directory)
        cpu_picture(page, port, directory)


if __name__ == "__main__":
    main()
