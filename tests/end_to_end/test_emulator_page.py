"""The emulator's page in a real browser: what it shows, what it sets, and how it looks."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from caxton_async import CaxtonClient, OutcomeUnknown
from caxton_async.emulator import Emulator

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or ""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]
pytestmark = [pytest.mark.long, pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")]

WIDTHS = [1280, 480]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator with money in it, some of it moved."""
    async with Emulator(seed=7) as emulator:
        main = emulator.ledger.accounts.main
        emulator.ledger.fund(main, "GBP", 1000)
        emulator.ledger.create_pot(main, "GBP", "RENT", "Rent")
        yield emulator


@pytest.fixture(params=WIDTHS, ids=str)
async def page(request: pytest.FixtureRequest, emulator: Emulator) -> AsyncIterator["playwright.Page"]:
    """The page in a browser, at each width; an error of its script fails the test."""
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": request.param, "height": 900})
        page.set_default_timeout(10_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(emulator.base_url.replace("/api/", "/_emulator/"))
        await playwright.expect(page.locator("#connection")).to_have_text("live")
        yield page
        await browser.close()
    assert errors == []


async def shoot(page: "playwright.Page", name: str) -> None:
    """Keep a picture where `CAXTON_TEST_PICTURES` says, and see that nothing is wider than the window."""
    width = page.viewport_size["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    if folder := os.environ.get("CAXTON_TEST_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)


async def test_a_fault_is_set_on_the_page_and_what_the_client_does_is_seen(page, emulator: Emulator) -> None:
    """A person chooses a fault, a payment meets it, and the page shows both; then it is cleared."""
    expect = playwright.expect
    await page.get_by_role("combobox", name="Kind", exact=True).select_option("reset_after_work")
    await page.get_by_role("combobox", name="Call", exact=True).select_option("move_funds")
    await expect(page.locator("#seen")).to_have_text("The client sees: a reset in place of the answer.")
    await page.get_by_role("button", name="Set fault").click()
    await expect(page.locator("#faults li")).to_contain_text("0 of 1")

    async with CaxtonClient(emulator.credentials, emulator.settings) as caxton:
        with pytest.raises(OutcomeUnknown):
            await caxton.balances.move_funds(from_currency="GBP", to_currency="RENT-GBP", amount=Decimal("12.50"))
        await caxton.balances.move_funds(from_currency="GBP", to_currency="RENT-GBP", amount=Decimal(30))

    rows = page.locator("#requests tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(0)).to_contain_text("HTTP 200")
    await expect(rows.nth(1)).to_contain_text("no answer")
    await expect(rows.nth(1)).to_contain_text("reset_after_work")
    await expect(page.locator("#moves tbody tr").first).to_contain_text("30.00")
    await expect(page.locator("#balances")).to_contain_text("957.50")
    await expect(page.locator("#faults li")).to_contain_text("used up")
    await shoot(page, "faults")
    await page.get_by_role("button", name="Clear reset_after_work number 1").click()
    await expect(page.locator("#no-faults")).to_be_visible()
    assert not emulator.faults


async def test_conditions_and_mistakes_are_told(page, emulator: Emulator) -> None:
    """A condition is switched on and off by its box; a value that cannot be used is named, and nothing is set."""
    box = page.get_by_label("Maintenance page")
    await box.check()
    await playwright.expect(box).to_be_checked()
    held = emulator.conditions.active
    await box.uncheck()
    await page.get_by_label("Times").fill("0")
    await page.get_by_role("button", name="Set fault").click()
    await playwright.expect(page.locator("#said")).to_have_text("times is a whole number from 1, or None")

    assert held == {"maintenance_page": None}
    assert not emulator.conditions
    assert not emulator.faults


async def test_the_keyboard_is_enough(page, emulator: Emulator) -> None:
    """Kind, call and button are reached by Tab, and work by keys; what has the focus is seen."""
    await page.get_by_role("combobox", name="Kind", exact=True).focus()
    await page.keyboard.type("unauthorised")
    await page.keyboard.press("Tab")
    await page.keyboard.type("create_wallet")
    await page.keyboard.press("Tab")
    await page.keyboard.type("html")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Set fault").focus()
    await page.keyboard.press("Space")
    await playwright.expect(page.locator("#faults li")).to_contain_text("unauthorised (html)")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    await page.get_by_role("button", name="Clear all").focus()
    await page.keyboard.press("Enter")
    await playwright.expect(page.locator("#no-faults")).to_be_visible()

    assert outline == "solid"
    assert not emulator.faults


async def test_a_held_call_is_shown_and_released(page, emulator: Emulator) -> None:
    """What is in hand says so until a person lets it go."""
    await page.get_by_role("combobox", name="Call", exact=True).select_option("create_wallet")
    await page.get_by_label("Hold the answer").check()
    await page.get_by_role("button", name="Set fault").click()
    await playwright.expect(page.locator("#faults li")).to_contain_text("latency")
    async with CaxtonClient(emulator.credentials, emulator.settings) as caxton:
        creating = asyncio.ensure_future(caxton.wallets.create("Travel"))
        await playwright.expect(page.locator("#requests tbody tr").first).to_contain_text("in hand")
        await page.emulate_media(color_scheme="dark")
        await shoot(page, "held-dark")
        await page.get_by_role("button", name="Release latency number 1").click()

        assert (await creating).name == "Travel"


async def test_the_page_says_when_the_emulator_is_gone(page, emulator: Emulator) -> None:
    """What it shows is then old, and that is told."""
    await emulator.__aexit__(None, None, None)

    await playwright.expect(page.locator("#connection")).to_have_text("no connection to the emulator")

    await emulator.__aenter__()
