"""Measures the HTML report in Chromium: its size, how soon it can be used, how fast it filters and scrolls.

    PYTHONPATH=python:tests python benches/html_report.py [SCRIPTS …]

Prints a table and nothing else. Frame times are those of a page that scrolls by a hundred pixels each frame.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from browsing import Opened, chromium, opened
from gnomon.report.html import as_html
from made_reports import made_report

SIZES = (31, 1_000, 10_000)
REPEATS = 5

TYPED = """() => {
  const field = document.querySelector("input[type=search]"), times = [];
  for (const text of ["p", "pa", "pay", "payroll", "payroll x", "", "vat", "user00"]) {
    const before = performance.now();
    field.value = text;
    field.dispatchEvent(new Event("input"));
    document.body.offsetHeight;  // with its layout
    times.push(performance.now() - before);
  }
  return times;
}"""

SORTED = """() => [...document.querySelectorAll("thead button")].map((_, index) => {
  const before = performance.now();
  document.querySelectorAll("thead button")[index].click();
  document.body.offsetHeight;
  return performance.now() - before;
})"""

SCROLLED = """() => new Promise(done => {
  const times = [];
  let last = performance.now();
  const frame = (now) => {
    times.push(now - last);
    last = now;
    scrollBy(0, 100);
    times.length < 60 ? requestAnimationFrame(frame) : done(times.slice(2));
  };
  scrollTo(0, 0);
  requestAnimationFrame(frame);
})"""

READY = """() => [performance.getEntriesByName("gnomon-ready")[0].startTime,
  performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0]"""


@dataclass
class Measured:
    """One report's figures. Times are in milliseconds."""

    scripts: int
    megabytes: float
    rendered: float
    ready: float
    painted: float
    typed: float
    typed_worst: float
    sorted_worst: float
    passport: float
    frame: float
    frame_worst: float


def measured(browser: Any, scripts: int, folder: Path) -> Measured:
    report = made_report(scripts)
    before = time.perf_counter()
    text = as_html(report)
    rendered = 1000 * (time.perf_counter() - before)
    file = folder / f"{scripts}.html"
    file.write_text(text, encoding="utf-8")
    starts = [_started(browser, file) for _ in range(REPEATS)]
    with opened(browser, file) as page:
        page.go("#/scripts")
        typed, ordered = page.page.evaluate(TYPED), page.page.evaluate(SORTED)
        frames = page.page.evaluate(SCROLLED)
        passport = _followed(page)
    return Measured(
        scripts,
        len(text) / 1e6,
        rendered,
        median(ready for ready, _ in starts),
        median(painted for _, painted in starts),
        median(typed),
        max(typed),
        max(ordered),
        passport,
        median(frames),
        max(frames),
    )


def _started(browser: Any, file: Path) -> tuple[float, float]:
    with opened(browser, file) as page:
        page.until("performance.getEntriesByName('first-contentful-paint').length > 0")
        ready, painted = page.page.evaluate(READY)
        return float(ready), float(painted)


def _followed(page: Opened) -> float:
    """From a script's link to its passport."""
    page.go("#/scripts")
    begun = "() => { window.begun = performance.now(); document.querySelector('tbody a').click(); }"
    page.page.evaluate(begun)
    page.arrived("#/script/")
    return float(page.page.evaluate("() => performance.now() - window.begun"))


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    print(
        f"{'scripts':>8} {'size':>9} {'rendered':>10} {'usable':>9} {'painted':>9} {'typing (worst)':>18}"
        f" {'sorting (worst)':>16} {'passport':>10} {'frame (worst)':>18}"
    )
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for scripts in sizes:
            one = measured(browser, scripts, Path(folder))
            print(
                f"{one.scripts:>8,} {one.megabytes:>6.2f} MB {one.rendered:>7.0f} ms {one.ready:>6.0f} ms"
                f" {one.painted:>6.0f} ms {one.typed:>6.1f} ({one.typed_worst:>5.1f}) ms"
                f" {one.sorted_worst:>13.1f} ms {one.passport:>7.1f} ms"
                f" {one.frame:>6.1f} ({one.frame_worst:>5.1f}) ms"
            )


if __name__ == "__main__":
    main()
