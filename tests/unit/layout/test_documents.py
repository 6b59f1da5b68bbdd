"""Documents and lock files: nothing in them ties Snug to one machine or one package index."""

import re
from pathlib import Path

import pytest

from tests.support.sources import ROOT, text_files

# Put together here, so that this file does not name them itself.
REGISTRY_HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "proxy." + "golang",
    "crates" + ".io",
    "conda." + "anaconda",
    "deb." + "debian",
)
INDEX_OPTION = re.compile(r"^\s*(--index-url|-i\b|--extra-index-url|--find-links|-f\b|--trusted-host)", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PINNED = re.compile(r"^[A-Za-z0-9._-]+==\S+", re.MULTILINE)

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
DOCUMENTS = [file for file in text_files() if file.suffix == ".md"]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    named = [
        f"{file.relative_to(ROOT)}: {host}"
        for file in text_files()
        for host in REGISTRY_HOSTS
        if host in file.read_text(encoding="utf-8", errors="replace")
    ]
    assert named == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_every_package_with_hashes_and_no_index(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
    assert entries
    assert INDEX_OPTION.search(text) is None
    assert [entry for entry in entries if not (PINNED.match(entry) and "--hash=sha256:" in entry)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    links = [link.partition("#")[0] for link in LINK.findall(document.read_text(encoding="utf-8"))]
    local = [link for link in links if link and "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (document.parent / link).exists()] == []
