"""The report as one HTML file: whole, with no need of a network, and what a program chose stays data."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from browsing import Opened, chromium, opened
from gnomon.report.html import as_html
from gnomon.report.html.data import safe_json
from gnomon.report.html.parts import ASSETS, SCRIPTS, STYLES
from gnomon.report.model import Report
from gnomon.text import bytes_in_words
from made_reports import empty_report, made_report
from weeks import golden

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "javascript:alert(3)",
    "\"'><svg onload=alert(4)>",
    "{{script}} {{data}}",
    "report\u202efdp.exe\x1b[31m\x00\n\u200b",
    "bytes\udcff\ud800",
    "&lt;b&gt; &amp;",
    "__proto__",
    "constructor",
]


def hostile_report() -> Report:
    """Every script, user, host and path is something that would like to be more than a name."""
    report = made_report(len(HOSTILE))
    scripts = [_hostile_script(page, name) for page, name in zip(report.scripts, HOSTILE)]
    findings = [
        replace(
            finding,
            sentence=f"{name} did it.",
            remedy=name,
            subject=name,
            finding=name + str(number),
            script_name=name,
        )
        for number, (finding, name) in enumerate(zip(report.findings * 9, HOSTILE))
    ]
    return replace(
        report,
        title=HOSTILE[0],
        headlines=[f"{name} is a name." for name in HOSTILE],
        scripts=scripts,
        findings=findings,
        hosts=[replace(host, host=name, category=name) for host, name in zip(report.hosts * 2, HOSTILE)],
        libraries=[
            replace(row, distribution=name, advisories=[name])
            for row, name in zip(report.libraries * 2, HOSTILE)
        ],
        data=[
            replace(row, folder=name, examples=[name], label=name)
            for row, name in zip(report.data * 9, HOSTILE)
        ],
        flows=[
            replace(row, script_name=name, host=name, label=name, is_ai=True)
            for row, name in zip(report.flows * 99, HOSTILE)
        ],
        gaps=[replace(row, sentence=name, scripts=[name]) for row, name in zip(report.gaps * 9, HOSTILE)],
        spools=HOSTILE,
        gnomon=HOSTILE[0],
    )


def _hostile_script(page: Any, name: str) -> Any:
    return replace(
        page,
        script=name,
        name=name,
        paths=[f"/tmp/{name}"],
        users=[name],
        machines=[name],
        owner=name,
        schedule=name,
        ai_services=[name],
        changes=[name],
        runs_by_day={name: 1, "2026-06-02": 2},
        hosts=[{"host": name, name: name, "urls": [name]}],
        files=[{"path": name}],
        libraries=[{"distribution": name}],
    )


def data_of(text: str, name: str = "report") -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


# Without a browser.


@pytest.fixture(scope="module")
def text() -> str:
    return as_html(made_report())


def test_the_policy_allows_the_pages_own_script_and_style_by_their_hashes_alone(text: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy[1]
    for rule, element in (("script-src", "script"), ("style-src", "style")):
        [body] = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        assert rules[rule] == f"'sha256-{b64encode(sha256(body.encode()).digest()).decode()}'"
    assert text.index("Content-Security-Policy") < text.index("<style>") < text.index("<script>")


def test_the_file_names_no_address_outside_itself(text: str) -> None:
    markup = re.sub(r"<(script|style|template)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert "http:" not in markup.replace('http-equiv="', "")
    assert "https:" not in markup
    assert re.findall(r'(?:src|href)="(?!#|data:,)[^"]*"', markup) == []
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert set(re.findall(r"https?://[\w./]+", script)) == {"http://www.w3.org/2000/svg"}


def test_the_pages_scripts_have_no_door_for_markup_or_code() -> None:
    for name in SCRIPTS:
        source = (ASSETS / name).read_text()
        for door in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "</script",
            "<!--",
        ):
            assert door not in source, f"{name} has {door}"


def test_every_asset_is_part_of_the_page() -> None:
    named = {*SCRIPTS, *STYLES, "template.html", "VENDORED.txt", "d3.LICENSE.txt"}
    assert {str(path.relative_to(ASSETS)) for path in ASSETS.rglob("*") if path.is_file()} == named


def test_the_chart_library_is_the_one_that_is_written_down_and_brings_its_licences(text: str) -> None:
    written = (ASSETS / "VENDORED.txt").read_text()
    assert sha256((ASSETS / "d3.min.js").read_bytes()).hexdigest() in written
    assert text.count("Copyright") >= 2
    assert "Mike Bostock" in text


def test_the_file_is_ascii_and_small(text: str) -> None:
    assert text.isascii()
    assert len(text) < 1_000_000


def test_json_in_the_page_ends_no_element_and_is_what_was_said() -> None:
    said = {"name": [*HOSTILE, "<!--", "]]>", "\u2028"]}
    written = safe_json(said)
    assert not set(written) & set("<>&\u2028")
    assert json.loads(written) == said


def test_hostile_names_make_no_element_and_no_attribute() -> None:
    html5lib = pytest.importorskip("html5lib", reason="html5lib is not installed")
    plain, hostile = (
        html5lib.parse(as_html(report), namespaceHTMLElements=False)
        for report in (made_report(len(HOSTILE)), hostile_report())
    )
    kinds = {element.tag for element in plain.iter() if isinstance(element.tag, str)}
    assert {element.tag for element in hostile.iter() if isinstance(element.tag, str)} <= kinds
    assert not [name for element in hostile.iter() for name in element.attrib if name.startswith("on")]
    assert len(hostile.findall(".//script")) == len(plain.findall(".//script"))


def test_hostile_names_arrive_in_the_data_unchanged() -> None:
    text = as_html(hostile_report())
    report = data_of(text)
    columns = report["scripts"]["columns"]
    names = [row[columns.index("name")] for row in report["scripts"]["rows"]]
    assert names == HOSTILE
    assert [page["name"] for page in data_of(text, "pages-0")] == HOSTILE


def test_what_stands_before_the_scripts_run_is_a_summary(text: str) -> None:
    before = text[text.index("<main") : text.index("</main>")]
    report = made_report()
    assert "<noscript>" in before
    for sentence in report.headlines:
        assert sentence in before
    assert report.scripts[0].name in before
    assert f"{report.summary.runs:,}" in before


def test_passports_come_in_blocks_and_all_of_them_come() -> None:
    report = made_report(250)
    text = as_html(report)
    blocks = [data_of(text, f"pages-{number}") for number in range(3)]
    assert [len(block) for block in blocks] == [100, 100, 50]
    assert [page["script"] for block in blocks for page in block] == [page.script for page in report.scripts]


def test_the_same_report_makes_the_same_file(text: str) -> None:
    assert as_html(made_report()) == text


# In a browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(tmp_path_factory, made_report(120))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(tmp_path_factory, hostile_report())


def _written(folders: pytest.TempPathFactory, report: Report) -> Path:
    path = folders.mktemp("report") / "risk.html"
    path.write_text(as_html(report), encoding="utf-8")
    return path


@pytest.fixture
def report(browser: Any, file: Path) -> Iterator[Opened]:
    with opened(browser, file) as page:
        yield page


SCREENS = ["#/", "#/scripts", "#/findings", "#/ai", "#/data", "#/hosts", "#/libraries", "#/gaps", "#/about"]


def test_every_screen_opens_with_its_heading_and_its_pictures(report: Opened) -> None:
    for route in SCREENS:
        report.go(route)
        assert report.count("main h1") == 1
        assert report.count("nav [aria-current=page]") == 1
    report.go("#/")
    assert report.count("main svg[role=img][aria-label]") >= 4
    assert "ben.okafor" in report.texts(".headlines li")[0]


def test_a_search_finds_and_says_how_many(report: Opened) -> None:
    report.go("#/scripts")
    report.page.keyboard.press("/")
    report.page.keyboard.type("churn")
    rows = report.texts("tbody tr")
    assert rows
    assert all("churn" in row for row in rows)
    assert report.text(".counted") == f"{len(rows)} of 120 scripts"
    report.until("document.getElementById('status').textContent.includes('of 120')")
    assert "q=churn" in report.hash()
    report.page.keyboard.press("Escape")
    assert report.text(".counted") == "120 scripts"


def test_columns_sort_both_ways_and_say_so(report: Opened) -> None:
    report.go("#/scripts")
    header = report.page.get_by_role("columnheader", name="Runs")
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    runs = _numbers(report, "Runs")
    assert runs == sorted(runs, reverse=True)
    report.page.keyboard.press("Enter")  # the focus stayed on the button
    assert report.page.get_by_role("columnheader", name="Runs").get_attribute("aria-sort") == "ascending"
    assert _numbers(report, "Runs") == sorted(_numbers(report, "Runs"))


def _numbers(report: Opened, label: str) -> list[int]:
    return [int(text.replace(",", "")) for text in report.texts(f"tbody td[data-label='{label}']")]


@pytest.mark.parametrize("width", [390, 700, 1280, 1600])
def test_no_table_is_cut_at_the_right(report: Opened, width: int) -> None:
    report.page.set_viewport_size({"width": width, "height": 800})
    report.go("#/scripts")
    passport = report.page.locator("tbody a").first.get_attribute("href")
    for route in [*SCREENS, passport]:
        report.go(route)
        report.until(
            "[...document.querySelectorAll('main .frame')].every(one => one.scrollWidth <= one.clientWidth)"
        )


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_name_makes_a_page_wider_than_its_window(browser: Any, unbroken: Path, width: int) -> None:
    with opened(browser, unbroken, viewport={"width": width, "height": 800}) as report:
        report.go("#/scripts")
        passport = report.page.locator("tbody a").first.get_attribute("href")
        report.go("#/findings")
        finding = report.page.locator("tbody a").first.get_attribute("href")
        for route in [*SCREENS, passport, finding]:
            report.go(route)
            report.until("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(tmp_path_factory, named_report("x" * 240))


def named_report(name: str) -> Report:
    """Whatever a program or an organisation can name has this name."""
    report = made_report(3)
    scripts = [
        replace(_hostile_script(page, name), runs_by_day=page.runs_by_day, points=page.points)
        for page in report.scripts
    ]
    said = f"{name} read {name}."
    people: Any = {"users": [name]}
    machines: Any = {"machines": [name]}
    return replace(
        report,
        title=name,
        headlines=[said],
        scripts=scripts,
        findings=[
            replace(one, sentence=said, remedy=said, subject=name, script_name=name, **people, **machines)
            for one in report.findings
        ],
        hosts=[replace(one, host=name, category=name, service=name, **people) for one in report.hosts],
        libraries=[
            replace(one, distribution=name, version=name, advisories=[name], fixed=name, **machines)
            for one in report.libraries
        ],
        ai=[replace(one, name=name, hosts=[name], data_before=[name], **people) for one in report.ai],
        data=[replace(one, folder=f"/{name}", label=name, **people) for one in report.data],
        flows=[replace(one, script_name=name, host=name, label=name, **people) for one in report.flows],
        gaps=[replace(one, kind=name, reason=name, sentence=said, **machines) for one in report.gaps],
        spools=[f"/{name}"],
    )


def test_filters_narrow_and_the_address_remembers_them(report: Opened) -> None:
    report.go("#/scripts")
    report.page.get_by_label("Severity").select_option("high")
    report.page.get_by_label("User").select_option("anna.weber")
    rows = report.texts("tbody tr")
    assert rows
    assert all("High" in row and "anna.weber" in row for row in rows)
    assert report.hash() == "#/scripts?severity=high&users=anna.weber"
    report.page.reload()
    assert report.texts("tbody tr") == rows


def test_what_matches_nothing_says_so(report: Opened) -> None:
    report.go("#/scripts?q=nothing-is-called-so")
    assert report.page.get_by_text("Nothing matches").is_visible()


def test_pages_turn(report: Opened) -> None:
    report.go("#/scripts")
    first = report.texts("tbody th")
    report.page.get_by_role("button", name="Next").click()
    assert not set(report.texts("tbody th")) & set(first)
    assert report.text(".turning span") == "51 to 100 of 120"


def test_a_script_is_followed_and_the_way_back_is_where_one_was(report: Opened) -> None:
    report.go("#/scripts?q=payroll&sort=runs.down")
    rows = report.texts("tbody tr")
    report.page.locator("tbody a").nth(1).click()
    report.arrived("#/script/")
    headings = report.texts("main h2")
    assert headings[:3] == ["Risk, line by line", "Findings", "Passport"]
    report.page.go_back()
    report.arrived("#/scripts")
    assert report.texts("tbody tr") == rows
    assert report.page.get_by_role("searchbox").input_value() == "payroll"


def test_the_lines_of_a_risk_add_up_and_lead_to_findings(report: Opened) -> None:
    report.go("#/scripts")
    report.page.locator("tbody a").first.click()
    report.arrived("#/script/")
    points = sum(int(text.replace("−", "-")) for text in report.texts(".points tbody td.end"))
    assert report.text(".sum") == f"Together: {points} of 100"
    report.page.locator(".points a").first.click()
    report.arrived("#/finding/")
    assert report.count("table tbody tr") >= 1


def test_light_and_dark_follow_the_system_and_the_reader(browser: Any, file: Path) -> None:
    with opened(browser, file, color_scheme="dark") as report:
        dark = _background(report)
        report.page.get_by_role("button", name="Show light").click()
        light = _background(report)
        assert light != dark
        report.page.emulate_media(color_scheme="light")
        report.page.get_by_role("button", name="Show dark").click()
        assert _background(report) == dark


def _background(report: Opened) -> str:
    return str(report.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_keyboard_alone_is_enough(report: Opened) -> None:
    keys = report.page.keyboard
    keys.press("Tab")
    assert report.page.evaluate("document.activeElement.id") == "skip"
    keys.press("Enter")
    assert report.page.evaluate("document.activeElement.id") == "main"
    keys.press("/")
    report.until("document.activeElement.type === 'search'")
    assert report.hash() == "#/scripts"
    report.page.locator("tbody a").first.focus()
    keys.press("ArrowDown")
    second = report.page.evaluate("document.activeElement.textContent")
    assert second == report.texts("tbody a")[1]
    keys.press("Enter")
    report.arrived("#/script/")
    assert report.text("h1") == second
    assert report.page.evaluate("document.activeElement.tagName") == "H1"


def test_a_chart_turns_into_a_table(report: Opened) -> None:
    figure = report.page.locator("figure.timeline")
    figure.get_by_role("button", name="Show as table").click()
    assert figure.locator("tbody tr").count() == 7
    assert not figure.locator("svg").first.is_visible()


def test_it_prints_whole_and_a_passport_alone(report: Opened, tmp_path: Path) -> None:
    whole = report.page.pdf(path=tmp_path / "whole.pdf")
    assert whole.count(b"/Type /Page\n") > 10
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert report.texts("#paper h2")[:3] == ["Pictures", "Findings", "Accepted risks"]
    assert report.count("#paper .page") == 25
    report.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert report.count("#paper *") == 0
    report.go("#/scripts")
    report.page.locator("tbody a").first.click()
    report.arrived("#/script/")
    alone = report.page.pdf()
    assert alone.count(b"/Type /Page\n") < 6


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_no_screen_is_wider_than_its_window(browser: Any, file: Path, width: int) -> None:
    with opened(browser, file, viewport={"width": width, "height": 800}) as report:
        for route in (*SCREENS, f"#/script/{data_of(file.read_text())['scripts']['rows'][0][0]}"):
            report.go(route)
            assert report.page.evaluate("document.documentElement.scrollWidth") <= width, route


def test_hostile_names_are_shown_as_they_are_and_do_nothing(browser: Any, hostile: Path) -> None:
    with opened(browser, hostile) as report:
        for route in SCREENS:
            report.go(route)
            assert report.count("main img, main iframe, main object, main [onerror], main [onload]") == 0
            assert report.page.evaluate(
                "[...document.links].every(a => a.getAttribute('href').startsWith('#'))"
            )
        report.go("#/scripts")
        shown = report.texts("tbody th a")
        assert set(shown) >= {*HOSTILE[:6], *HOSTILE[8:]}
        assert "report\\u202efdp.exe\\x1b[31m\\x00\\n\\u200b" in shown
        assert "bytes\\xff\\ud800" in shown
        for number in range(len(HOSTILE)):
            report.go("#/scripts")
            report.page.locator("tbody th a").nth(number).click()
            report.arrived("#/script/")
            assert report.text("main h1") == shown[number] or "\\" in shown[number]
        report.page.pdf()


def test_a_report_of_nothing_says_so(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "nothing.html"
    path.write_text(as_html(empty_report()))
    with opened(browser, path) as report:
        assert "Nothing was recorded" in report.text("main")
        assert "Nothing was found" not in report.text("main")
        report.go("#/ai")
        assert report.text(".empty") == "No AI service was contacted in this period."
        for route in SCREENS:
            report.go(route)
        report.page.pdf()


def test_sizes_are_said_as_in_every_other_form(browser: Any, tmp_path: Path) -> None:
    sizes = [0, 1, 999, 1_000, 1_249, 1_250, 1_349, 13_350, 999_949, 999_950, 5 * 10**9, 7 * 10**15]
    said = [bytes_in_words(size) for size in sizes]
    assert said[5:8] == ["1.3 kB", "1.3 kB", "13.4 kB"]
    report = made_report()
    hosts = [replace(report.hosts[0], host=f"h{at}.example", bytes_out=size) for at, size in enumerate(sizes)]
    path = tmp_path / "sizes.html"
    path.write_text(as_html(replace(report, hosts=hosts)))
    with opened(browser, path) as page:
        page.go("#/hosts?sort=host.up")
        shown = dict(zip(page.texts("tbody th bdi"), page.texts("td[data-label=Sent]")))
    assert [shown[f"h{at}.example"] for at in range(len(sizes))] == said


def test_a_passport_tells_would_deny_from_deny_and_gives_each_day_its_place(
    browser: Any, tmp_path: Path
) -> None:
    said = {"verdict": "deny", "rule": "r", "kind": "open", "target": "/t", "count": 2, "is_observed": True}
    report = made_report(1)
    page = replace(
        report.scripts[0],
        verdicts=[said, {**said, "is_observed": False}],
        runs_by_day={"2026-06-01": 1, "2026-06-04": 2},
    )
    path = tmp_path / "passport.html"
    path.write_text(as_html(replace(report, scripts=[page])))
    with opened(browser, path) as opening:
        opening.go(f"#/script/{page.script}")
        assert opening.texts("td[data-label=Verdict]") == ["would deny", "deny"]
        assert opening.texts("td[data-label=Verdict] .warned") == ["deny"]
        figure = opening.page.locator("figure", has_text="Runs by day")
        assert figure.locator("svg .axis").all_text_contents()[-4:] == ["1 Jun", "2 Jun", "3 Jun", "4 Jun"]
        assert figure.locator("svg rect").count() == 2


def test_a_gap_says_its_reason_once(browser: Any, tmp_path: Path) -> None:
    report = made_report(1)
    reason = "it was left by `os._exit`"
    gaps = [
        replace(report.gaps[0], reason=reason, sentence=said)
        for said in ("One has no end.", f"No: {reason}.")
    ]
    path = tmp_path / "gaps.html"
    path.write_text(as_html(replace(report, gaps=gaps)))
    with opened(browser, path) as page:
        page.go("#/gaps")
        assert page.texts("tbody .under") == ["it was left by os._exit"]


def test_libraries_that_nobody_checked_are_not_said_to_be_free_of_vulnerabilities(
    browser: Any, tmp_path: Path
) -> None:
    path = tmp_path / "unchecked.html"
    path.write_text(as_html(made_report(3, vulnerability_database=None)))
    assert re.search(r"known vulnerability</th><td[^>]*>not checked", path.read_text())
    with opened(browser, path) as report:
        [screen] = [text for text in report.texts(".figures li") if "Vulnerable" in text]
        report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        figures = report.page.locator("#paper .figures li").all_text_contents()
        [paper] = [text for text in figures if "Vulnerable" in text]
    assert screen.startswith("–")
    assert paper.startswith("–")


def test_an_address_that_leads_nowhere_says_so(report: Opened) -> None:
    for route in ("#/script/unknown", "#/finding/unknown", "#/script/%ff", "#/nowhere", "#/constructor/x"):
        report.go(route)
        assert report.count("main h1") == 1


def test_without_scripts_the_summary_stands(browser: Any, file: Path) -> None:
    with opened(browser, file, java_script_enabled=False) as report:
        assert "api.openai.com" in report.text(".headlines")
        assert "This viewer runs no scripts" in report.text("main")
        assert "Scripts of most risk" in report.text("main")


def test_an_accessibility_checker_finds_nothing(
    browser: Any, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")
    made = made_report(12)
    file = tmp_path / "risk.html"
    file.write_text(as_html(made))
    routes = (*SCREENS, f"#/script/{made.scripts[0].script}", f"#/finding/{made.findings[0].finding}")
    some = routes if pytestconfig.option.long else ("#/", "#/scripts", *routes[-2:])
    # The checker adds elements of its own, which the page's policy forbids.
    with opened(browser, file, bypass_csp=True) as report:
        report.page.evaluate(axe.AXE_SCRIPT)
        assert [(route, found) for route in some if (found := _violations(report, route))] == []
        report.page.emulate_media(color_scheme="dark")
        rules = {"runOnly": ["color-contrast"]}
        assert [(route, found) for route in some if (found := _violations(report, route, rules))] == []


def _violations(report: Opened, route: str, options: dict[str, Any] | None = None) -> list[str]:
    report.go(route)
    found = report.page.evaluate("options => axe.run(document, options)", options or {})["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def test_the_demonstrations_week_names_what_matters(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="duckdb is not installed")
    week = golden(tmp_path)
    file = tmp_path / "risk.html"
    command = [sys.executable, "-m", "gnomon", "report", str(week.spool), "--html", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    assert file.stat().st_size < 2_000_000
    with opened(browser, file) as report:
        assert "enrich_customers.py" in report.text(".headlines")
        assert "api.openai.com" in report.text(".headlines")
        for route in SCREENS:
            report.go(route)
        for script in [row[0] for row in data_of(file.read_text())["scripts"]["rows"]]:
            report.go(f"#/script/{script}")
            assert report.count("main h1") == 1


def test_the_browser_refuses_markup_scripts_and_requests(browser: Any, file: Path) -> None:
    with opened(browser, file) as report:
        blocked: list[str] = []
        report.page.on("requestfailed", lambda request: blocked.append(request.failure))
        for attempt in (
            "document.body.innerHTML = '<b>bold</b>'",
            "const one = document.createElement('script'); one.append('ran = 1'); document.body.append(one)",
            "new Image().src = 'https://127.0.0.1:9/pixel'",
        ):
            report.page.evaluate(
                f"() => {{ try {{ {attempt} }} catch (error) {{ console.error('refused') }} }}"
            )
        report.page.evaluate("() => fetch('https://127.0.0.1:9/').catch(() => console.error('refused'))")
        assert report.page.evaluate("window.ran") is None
        report.until("true")
        refused, report.wrongs = report.wrongs, []
        assert len([wrong for wrong in refused if not wrong.startswith("request")]) >= 4
        assert blocked == ["csp"]  # the picture; the fetch was not even tried
