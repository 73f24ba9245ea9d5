"""Opens a report in Debian's Chromium as a person would: from a file, and nobody answers a request."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """The installed browser; never a download."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page with a report in it, and all that must not happen: errors, violations, requests, dialogs."""

    page: Any
    file: Path
    wrongs: list[str] = field(default_factory=list)

    def go(self, route: str) -> None:
        """Follows a route as a link would."""
        self.page.evaluate("route => { location.hash = route }", route)
        self.arrived()

    def arrived(self, route: str = "#") -> None:
        """Waits until a screen whose address starts with `route` is shown."""
        self.until(
            f"location.hash.startsWith({json.dumps(route)})"
            " && document.querySelector('main').dataset.at === location.hash"
        )

    def until(self, condition: str) -> None:
        """Waits for a condition. Playwright's own waiting needs eval, which the page forbids."""
        late = f"Error('never so at ' + location.hash + ': ' + {json.dumps(condition)})"
        look = f"({condition}) ? done() : Date.now() > end ? fail({late}) : setTimeout(look, 5)"
        steps = f"const end = Date.now() + 9000, look = () => {look}; look();"
        self.page.evaluate(f"() => new Promise((done, fail) => {{ {steps} }})")

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def texts(self, selector: str) -> list[str]:
        return [str(text) for text in self.page.locator(selector).all_inner_texts()]

    def hash(self) -> str:
        return str(self.page.evaluate("location.hash"))


@contextmanager
def opened(browser: Any, file: Path, **options: Any) -> Iterator[Opened]:
    """`file` opened by its file:// address. At the end nothing may have gone wrong."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = context.new_page()
    report = Opened(page, file)
    page.on("console", lambda message: report.wrongs.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: report.wrongs.append(f"error: {error}"))
    page.on("request", lambda request: _only(file, request.url, report.wrongs))
    page.on("dialog", lambda dialog: _dismissed(dialog, report.wrongs))
    page.goto(file.as_uri())
    yield report
    context.close()
    assert report.wrongs == []


def _dismissed(dialog: Any, wrongs: list[str]) -> None:
    wrongs.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _only(file: Path, url: str, wrongs: list[str]) -> None:
    if url.split("#")[0] != file.as_uri() and not url.startswith("data:"):
        wrongs.append(f"request: {url}")
