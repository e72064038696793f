"""MkDocs hook: links from the pages to files outside docs/.

On a code host such a link opens the file. The built site has no such file, so README, CONTRIBUTING, CHANGELOG and the
guides of the client become pages of the site, and a link to any other file becomes its name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# File of the repository -> page of the site.
INCLUDED = {
    "README.md": "repository/README.md",
    "CONTRIBUTING.md": "repository/CONTRIBUTING.md",
    "CHANGELOG.md": "repository/CHANGELOG.md",
    "client/README.md": "repository/client/README.md",
    "client/WRITE_A_WORKER.md": "repository/client/WRITE_A_WORKER.md",
}
PLACES = {page: file for file, page in INCLUDED.items()}
LINK = re.compile(r"\[([^\]]*)\]\((?!https?://|#)([^)#\s]+)(#[^)]*)?\)")
PICTURE = re.compile(r"<picture>.*?</picture>\n", flags=re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the included files as pages without an entry in the navigation."""
    for file, page in INCLUDED.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / file), inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point each link to a page of the site; leave the name of a file that is none."""
    source = page.file.src_uri
    origin = PLACES.get(source, f"docs/{source}")

    def pointed(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        place = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        if not (ROOT / place).exists():
            return found[0]  # MkDocs warns about it
        uri = place.removeprefix("docs/") if place.startswith("docs/") else INCLUDED.get(place)
        if uri is None:
            return text if text.startswith("`") else f"`{text}`"
        return f"[{text}]({posixpath.relpath(uri, posixpath.dirname(source) or '.')}{anchor})"

    return LINK.sub(pointed, PICTURE.sub("", markdown) if source in PLACES else markdown)
