"""One headless Chromium for all browser tests: started, watched and ended."""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64decode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--lang=en-GB",
    # No name but the machine's own leads anywhere: what a page asks of others is seen, and goes nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_WATCH = """
for (const name of ["alert", "confirm", "prompt", "print"])
  window[name] = (text) => { window.__mm_hacked = `${name}: ${text}`; return null; };
"""


class Chromium:
    """A browser that remembers what its pages asked for and complained of."""

    def __init__(self, driver: Any, screenshots: Path) -> None:
        self.driver = driver
        self.screenshots = screenshots

    def cdp(self, command: str, **options: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, options)

    @contextmanager
    def tab(self, url: str, *, scripts: bool = True) -> Iterator[Chromium]:
        """Look at another page, with or without its JavaScript, and come back."""
        before = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        try:
            self.cdp("Emulation.setScriptExecutionDisabled", value=not scripts)
            self.driver.get(url)
            yield self
        finally:
            self.driver.close()
            self.driver.switch_to.window(before)

    def size(self, width: int, height: int) -> None:
        """Give the page's window a size in CSS pixels; narrower than a desktop's window can be, too."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def emulate(self, media: str = "", scheme: str = "") -> None:
        """Show the page as printed (``print``), or as on a system with a ``light`` or ``dark`` scheme."""
        features = [{"name": "prefers-color-scheme", "value": scheme}] if scheme else []
        self.cdp("Emulation.setEmulatedMedia", media=media, features=features)

    def screenshot(self, name: str) -> Path:
        """Keep the window as a picture among the artefacts."""
        path = self.screenshots / f"{name}.png"
        path.write_bytes(b64decode(self.cdp("Page.captureScreenshot", format="png")["data"]))
        return path

    def pdf(self, name: str) -> Path:
        """Keep the page as it would be printed."""
        path = self.screenshots / f"{name}.pdf"
        path.write_bytes(b64decode(self.cdp("Page.printToPDF", printBackground=True, paperWidth=8.27)["data"]))
        return path

    def complaints(self) -> list[str]:
        """Errors on the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call, ``data:`` and ``blob:`` left out."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = (
            m["params"] for m in messages if m["method"] in {"Network.requestWillBeSent", "Network.webSocketCreated"}
        )
        urls = (params["request"]["url"] if "request" in params else params["url"] for params in sent)
        return [url for url in urls if not url.startswith(("data:", "blob:"))]


@contextmanager
def started(screenshots: Path) -> Iterator[Chromium]:
    """Start a browser, and end it whatever happens; the test is skipped where there is none."""
    selenium = pytest.importorskip("selenium", reason="browser tests need selenium: pip install selenium")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    binary = next(filter(None, map(shutil.which, _NAMES)), None)
    controller = shutil.which("chromedriver")
    if binary is None or controller is None:
        pytest.skip("browser tests need chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = binary
    for flag in _FLAGS:
        options.add_argument(flag)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # it refuses to work for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    try:
        driver = Chrome(options=options, service=ChromeService(controller))
    except selenium.common.exceptions.WebDriverException as error:
        pytest.skip(f"chromium does not start: {str(error).splitlines()[0]}")
    try:
        driver.set_script_timeout(120)
        browser = Chromium(driver, screenshots)
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        browser.size(1200, 1000)
        yield browser
    finally:
        driver.quit()
