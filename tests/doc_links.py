#!/usr/bin/env python3
"""Every file that a page of the docs names is there: the targets of links, and paths of sources in `code`.

Usage: doc_links.py PROJECT_FOLDER; prints each page and what it names in vain, and fails when there is any.
"""
import pathlib
import re
import sys

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SOURCE = re.compile(r"`([A-Za-z_\-]+/[\w\-/.]+\.(?:h|cpp|c|py|sh|md))`")
INCLUDES = ("", "sdk", "sdk/cpp", "plugin-api", "plugins")  # what a path in code may be relative to, besides its page
SKIPPED = ("build", "subprojects", ".git")


def pages(project):
    for page in sorted(project.rglob("*.md")):
        if page.relative_to(project).parts[0] not in SKIPPED:
            yield page


def missing(project, page):
    text = page.read_text()
    for target in LINK.findall(text):
        if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists():
            yield target
    for path in SOURCE.findall(text):
        if not any((root / path).exists() for root in [page.parent, *(project / place for place in INCLUDES)]):
            yield path


def main():
    project = pathlib.Path(sys.argv[1])
    found = [(page, target) for page in pages(project) for target in missing(project, page)]
    for page, target in found:
        print(f"{page.relative_to(project)} names {target}, which isn't there", file=sys.stderr)
    count = len(list(pages(project)))
    assert count > 5, f"only {count} pages in {project}"
    print("--- " + ("FAIL" if found else "PASS") + f": the files that {count} pages name are there")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
