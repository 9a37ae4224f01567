"""A real browser, headless, which can reach this machine alone.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from .wait import wait_for
from .workspace import workspace

DRIVER = "/usr/bin/chromedriver"
ARGUMENTS = [
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # Names lead nowhere: what the page would fetch from elsewhere fails, and is an error.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
WIDE = (1280, 900)
NARROW = (360, 780)


class Browser:
    """One window of Chromium, as a context manager. Every address that was asked for and every
    error of the console is kept."""

    def __init__(self):
        options = Options()
        for argument in ARGUMENTS:
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # which root cannot have
        logs = {"browser": "ALL", "performance": "ALL"}
        options.set_capability("goog:loggingPrefs", logs)
        self._ending = contextlib.ExitStack()
        # Chromium leaves what it puts into the directory of temporary files.
        directory = self._ending.enter_context(workspace())
        service = Service(DRIVER, env={**os.environ, "TMPDIR": str(directory)})
        self._driver = webdriver.Chrome(service=service, options=options)
        self._ending.callback(self._driver.quit)
        self._errors = []
        self._addresses = set()
        self.resize(WIDE)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._ending.close()

    # Looks

    def resize(self, size):
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme):
        """The user's preference: "light" or "dark"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def whole_page(self, width):
        """Makes the window as high as the page at this width."""
        self.resize((width, WIDE[1]))
        self.resize((width, self.script("return document.documentElement.scrollHeight")))

    def screenshot(self, path):
        assert self._driver.save_screenshot(str(path))

    # The page

    def open(self, address):
        self._driver.get(address)

    @property
    def address(self):
        return self._driver.current_url

    def script(self, text, *arguments):
        return self._driver.execute_script(text, *arguments)

    def all(self, selector):
        return self._driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """What a user reads there, "" where it is hidden. In one look: the page may draw itself
        anew between two."""
        return self.script("return document.querySelector(arguments[0]).innerText", selector)

    def wait_for_text(self, selector, part, seconds=30.0):
        wait_for(lambda: part in self.text(selector), f"{part!r} in {selector}", seconds)

    def press(self, *keys):
        """Keys, for whatever has the focus."""
        webdriver.ActionChains(self._driver).send_keys(*keys).perform()

    # What happened

    def _read_logs(self):
        for entry in self._driver.get_log("browser"):
            if entry["level"] == "SEVERE":
                self._errors.append(entry["message"])
        for entry in self._driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._addresses.add(message["params"]["request"]["url"])

    def take_errors(self):
        """Errors of the console since the last call."""
        self._read_logs()
        errors, self._errors = self._errors, []
        return errors

    def addresses(self):
        """Everything that was asked for since the browser's start."""
        self._read_logs()
        return set(self._addresses)
