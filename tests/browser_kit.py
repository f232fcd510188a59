"""A real Chromium, and pages of it that must not complain, nor ask anybody but this machine."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
PATIENCE_MS = 20_000
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
# What axe-core is asked: the rules of WCAG 2.2 A and AA, and its own of good practice.
CONTRAST = ["color-contrast"]
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def chromium():
    """Run a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def visits(browser, forgiven=()):
    """Yield what opens a page; afterwards nothing was complained of but what is forgiven, and nobody else asked."""
    contexts, complaints, hosts = [], [], set()

    def open_page(url, **how):
        context = browser.new_context(**how)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else 0)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == [text for text in complaints if not any(word in text for word in forgiven)]
    assert hosts <= {"127.0.0.1", None}


def faults(page, rules=AXE_TAGS):
    """Return what axe-core finds wrong with a page by rules or tags of rules: rule and where."""
    page.evaluate(f"() => {{ if (!window.axe) {{ {AXE} }} }}")
    found = page.evaluate("rules => axe.run(document, { runOnly: rules, resultTypes: ['violations'] })", rules)
    return [
        (fault["id"], node["target"], node["failureSummary"])
        for fault in found["violations"]
        for node in fault["nodes"][:3]
    ]
