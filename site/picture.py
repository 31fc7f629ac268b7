"""README's picture of the playground: EWC in the third of three tasks.

python site/picture.py    # writes site/images/playground.png
"""

import shutil
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

SITE = Path(__file__).parent
ADDRESS = f"{(SITE / 'pages/playground/index.html').resolve().as_uri()}#method=ewc&tasks=3"


def main() -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1040, "height": 800})
        page.goto(ADDRESS)
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_text("Task 3:").wait_for()
        page.wait_for_timeout(700)
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(300)
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(128)
        picture.save(SITE / "images" / "playground.png", optimize=True)


if __name__ == "__main__":
    main()
