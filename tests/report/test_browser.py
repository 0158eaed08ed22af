"""The pages in a real browser: they respond, fit a phone, and ask no network for anything."""

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from browser import CHROMIUM, Page, browser

from msaf_bench.report.outcome import render
from msaf_bench.sweep.workspace import Workspace

REFERENCE = Path(__file__).parents[2] / "reports" / "reference"
NAMES = ("table3", "table1")
SCREENS = {"table3": 5, "table1": 8}  #: of 900 px, at most
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: install Debian's `chromium`"),
]
TABLE = "document.querySelector('table.live')"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of two reference runs, as they are rendered now."""
    folder = tmp_path_factory.mktemp("runs")
    for name in NAMES:
        shutil.copytree(REFERENCE / f"{name}-street-quick", folder / name)
        render(Workspace(folder / name), None)
    return {name: folder / name / f"{name}.html" for name in NAMES}


@pytest.fixture(scope="module")
def tab() -> Generator[Page]:
    with browser() as page:
        yield page


@pytest.fixture
def page(tab: Page) -> Generator[Page]:
    """A wide, light tab; nothing that a test does makes an error, a warning or a request."""
    tab.look(1440)
    yield tab
    assert tab.complaints() == []


def sort_by(page: Page, head: str) -> None:
    """Click the head of the main table's column that begins so."""
    page.run(
        f"[...{TABLE}.querySelectorAll('button.sort')]"
        f".find(button => button.innerText.startsWith({head!r})).click()"
    )


def refer_to(page: Page, label: str) -> None:
    """Choose the reference row."""
    page.run(
        "(() => { const select = document.querySelector('.tools select');"
        f"select.value = {label!r}; select.dispatchEvent(new Event('change')); }})()"
    )


def differences(page: Page) -> dict[str, str]:
    """The differences by row, as they are shown."""
    return page.run(
        f"Object.fromEntries([...{TABLE}.querySelectorAll('td.difference')]"
        ".map(cell => [cell.parentElement.dataset.row, cell.innerText.trim()]))"
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_the_answer_is_on_the_first_screen(
    page: Page, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    page.look(width, 900, dark=dark)
    page.open(pages[name])
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.run("document.querySelector('.answers .badge').getBoundingClientRect().top < 900")
    ink, paper = page.run(
        "['color', 'backgroundColor'].map(k => getComputedStyle(document.body)[k]"
        ".match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0))"
    )
    assert (ink > paper) is dark


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_short_and_light(page: Page, pages: dict[str, Path], name: str) -> None:
    page.open(pages[name])
    assert page.run("document.documentElement.scrollHeight") <= 900 * SCREENS[name]
    assert pages[name].stat().st_size < 1e6
    last = page.run(
        "[...document.querySelectorAll('.answers .lines tr')].at(-1).getBoundingClientRect().bottom"
    )
    assert last < 900


@pytest.mark.parametrize("name", NAMES)
def test_on_a_phone_every_row_shows_its_number_without_scrolling(
    page: Page, pages: dict[str, Path], name: str
) -> None:
    page.look(390, 844)
    page.open(pages[name])
    right = page.run(
        f"Math.max(...[...{TABLE}.querySelectorAll('td.miou b')]"
        ".map(cell => cell.getBoundingClientRect().right))"
    )
    assert 0 < right <= 390


@pytest.mark.parametrize("name", NAMES)
def test_a_click_on_a_head_sorts_and_a_second_one_turns_it_round(
    page: Page, pages: dict[str, Path], name: str
) -> None:
    page.open(pages[name])
    order = (
        f"[...{TABLE}.querySelectorAll('tbody')].map(body => [...body.querySelectorAll('td.miou')]"
        ".filter(cell => cell.dataset.v).map(cell => Number(cell.dataset.v)))"
    )
    sort_by(page, "mIoU")
    assert all(values == sorted(values, reverse=True) for values in page.run(order))
    sort_by(page, "mIoU")
    assert all(values == sorted(values) for values in page.run(order))


def test_another_reference_row_gives_the_differences_of_the_seeds(
    page: Page, pages: dict[str, Path]
) -> None:
    page.open(pages["table3"])
    run = page.run("JSON.parse(document.getElementById('run').textContent)")
    refer_to(page, "Baseline")
    own, other = (run["rows"][label]["seeds"] for label in ("Motion only", "Baseline"))
    gaps = [own[seed] - other[seed] for seed in own]
    mean = sum(gaps) / len(gaps)
    sd = (sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1)) ** 0.5
    half = run["quantiles"][str(len(gaps))] * sd / len(gaps) ** 0.5
    said = f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})".replace("-", "−")
    assert differences(page)["Motion only"] == said
    assert page.run("document.querySelector('.reference-name').innerText") == "Baseline"


@pytest.mark.parametrize("name", NAMES)
def test_the_script_agrees_with_the_report_about_the_first_reference(
    page: Page, pages: dict[str, Path], name: str
) -> None:
    page.open(pages[name])
    before = differences(page)
    reference = page.run(f"{TABLE}.dataset.reference")
    refer_to(page, next(label for label in before if label != reference))
    assert differences(page) != before
    refer_to(page, reference)
    assert differences(page) == before


@pytest.mark.parametrize(
    ("form", "begins", "holds"),
    [
        ("CSV", "Row,", "Motion only,"),
        ("Markdown", "| Row |", "|---|--:|"),
        ("LaTeX", "\\begin{tabular}", "\\midrule"),
    ],
)
def test_the_table_is_copied(
    page: Page, pages: dict[str, Path], form: str, begins: str, holds: str
) -> None:
    page.open(pages["table3"])
    page.run(
        "window.copied = null; navigator.clipboard.writeText = async text => { copied = text; };"
        f"document.querySelector('button[aria-label=\"Copy as {form}\"]').click()"
    )
    copied = page.run("copied")
    assert copied.startswith(begins)
    assert holds in copied
    assert len(copied.splitlines()) >= 14  # a head, nine rows, four controls


def test_rows_are_found_and_columns_hidden(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["table3"])
    page.run(
        "(() => { const box = document.querySelector('.tools input[type=search]');"
        "box.value = 'motion'; box.dispatchEvent(new Event('input')); })()"
    )
    left = page.run(
        f"[...{TABLE}.querySelectorAll('tr[data-row]:not(.missed)')].map(row => row.dataset.row)"
    )
    assert left == ["Motion only", "w/o Motion"]
    hidden = f"{TABLE}.querySelector('[data-row=MSAF]').cells[7].hidden"
    assert not page.run(hidden)
    page.run(
        "[...document.querySelectorAll('.menu label')]"
        ".find(label => label.textContent.trim() === 'Past frames').firstChild.click()"
    )
    assert page.run(hidden)


def test_a_link_opens_the_part_that_it_leads_to(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["table3"])
    assert not page.run("document.getElementById('power').open")
    page.run("location.hash = '#power'; new Promise(done => setTimeout(done, 50))")
    assert page.run("document.getElementById('power').open")


def test_a_definition_is_shown_on_focus(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["table3"])
    page.run("document.querySelector('th[data-note]').dispatchEvent(new Event('focusin'))")
    assert not page.run("document.getElementById('tip').hidden")
    assert len(page.run("document.getElementById('tip').innerText")) > 10


def test_a_row_and_its_point_light_each_other(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["table1"])
    enter = "dispatchEvent(new MouseEvent('mouseenter'))"
    page.run(f"{TABLE}.querySelector('[data-row=\"PSPNet18\"]').{enter}")
    assert page.run("document.querySelectorAll('svg .lit[data-row=\"PSPNet18\"]').length") > 0


def test_the_slider_uncovers_the_prediction_of_the_chosen_row(
    page: Page, pages: dict[str, Path]
) -> None:
    page.open(pages["table3"])
    page.run(
        "(() => { const pick = document.querySelector('select.of'); pick.value = 'MSAF';"
        "pick.dispatchEvent(new Event('change'));"
        "const slide = document.querySelector('.viewer input[type=range]'); slide.value = 80;"
        "slide.dispatchEvent(new Event('input')); })()"
    )
    seen = "[...document.querySelectorAll('.viewer [data-of]')].filter(l => l.offsetParent)"
    assert set(page.run(f"{seen}.map(layer => layer.dataset.of)")) == {"MSAF"}
    clip = page.run(f"getComputedStyle({seen}[0].querySelector('img')).clipPath")
    assert clip.replace(" ", "") in ("inset(020%00)", "inset(0px20%0px0px)")


def test_without_scripts_everything_is_there(page: Page, pages: dict[str, Path]) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(pages["table3"])
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert page.run("document.querySelectorAll('button').length") == 0
    shown = "[...document.querySelectorAll('.viewer [data-of] img')].every(i => i.offsetParent)"
    assert page.run(shown)
    assert page.run("[...document.querySelectorAll('[hidden]')].every(e => e.matches('.pick'))")
