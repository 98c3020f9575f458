"""Check the built pages: every link within them leads somewhere, none loads from afar.

    python docs/check_links.py OUTPUT

Prints a line for each fault and ends with 1 if there are any. Links to other sites are
not followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {"img": "src", "link": "href", "script": "src", "source": "src"}
LINKS = {"a": "href", **LOADING}


class Page(HTMLParser):
    """Links of a page as (tag, target), and the places in it that links may name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.places: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if LINKS.get(tag) in values:
            self.links.append((tag, values[LINKS[tag]]))


def find_faults(folder: Path) -> list[str]:
    """Return a line for each link that is broken or loads something from afar."""
    # What the theme keeps in _static are no pages, but templates.
    paths = [p for p in sorted(folder.rglob("*.html")) if "_static" not in p.parts]
    pages = {path.resolve(): Page(path) for path in paths}
    faults = [] if pages else [f"{folder} holds no pages"]
    for path, page in pages.items():
        for tag, link in page.links:
            problem = _problem(path, tag, link, pages)
            if problem:
                faults.append(f"{path.relative_to(folder.resolve())}: {link} {problem}")
    return faults


def _problem(path: Path, tag: str, link: str, pages: dict[Path, Page]) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        afar = tag in LOADING and parts.scheme != "data"
        return "is loaded from elsewhere" if afar else ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return "is not there"
    place = unquote(parts.fragment)
    if place and target in pages and place not in pages[target].places:
        return "names a place that is not there"
    return ""


def main() -> int:
    """Check the folder that the command line names."""
    faults = find_faults(Path(sys.argv[1]))
    print("\n".join(faults) or "no broken link")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
