"""Keep the translations in step with the source: `make check` looks, `make translations` (--update) brings them up.

Looks for texts that the translation lacks or still has though the source dropped them, for unfinished ones, and for
fields such as {model} or %n that a translation lost.
"""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[1]
TRANSLATIONS = CHECKOUT / "resources" / "translations"
REQUIRED = ("zh_CN",)
"""Languages that must be complete."""

FIELD = re.compile(r"\{[^{}]*\}|%n|%L?\d")


class Message(NamedTuple):
    """One text: where it belongs, the source, and its translations (several for plural forms)."""

    context: str
    source: str
    comment: str
    translations: tuple[str, ...]
    finished: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes a message the same one in two files."""
        return self.context, self.source, self.comment


def read_messages(file: Path) -> Iterator[Message]:
    """Every message of a .ts file that is still in use."""
    for context in ET.parse(file).getroot().iter("context"):  # noqa: S314 - our own file
        name = context.findtext("name", "")
        for message in context.iter("message"):
            translation = message.find("translation")
            kind = translation.get("type") if translation is not None else "unfinished"
            if kind in {"vanished", "obsolete"}:
                continue
            forms = _forms(translation)
            texts = message.findtext("source", ""), message.findtext("comment", "")
            yield Message(name, *texts, forms, kind != "unfinished" and all(forms) and bool(forms))


def _forms(translation: "ET.Element | None") -> tuple[str, ...]:
    if translation is None:
        return ()
    plural = [form.text or "" for form in translation.iter("numerusform")]
    return tuple(plural) or (translation.text or "",)


def faults(translated: list[Message], collected: list[Message]) -> list[str]:
    """Sentences about what is wrong with `translated`, given what was collected from the source now."""
    have, want = {m.key for m in translated}, {m.key for m in collected}
    lines = [f"not in the translation yet: [{context}] {source}" for context, source, _ in sorted(want - have)]
    lines += [f"no longer in the source: [{context}] {source}" for context, source, _ in sorted(have - want)]
    lines += [f"unfinished: [{m.context}] {m.source}" for m in translated if not m.finished]
    lines += [
        f"fields differ: [{m.context}] {m.source} -> {text}"
        for m in translated
        for text in m.translations
        if m.finished and not _same_fields(m.source, text)
    ]
    return lines


def _same_fields(source: str, translation: str) -> bool:
    return set(FIELD.findall(source)) == set(FIELD.findall(translation))


def collect(target: Path) -> None:
    """Let Qt's lupdate write every marked text of desktop/ into the .ts file `target`. Raises CalledProcessError."""
    sources = [str(file) for file in sorted((CHECKOUT / "desktop").rglob("*.py"))]
    program = str(Path(sys.executable).parent / "pyside6-lupdate")
    options = ["-silent", "-no-obsolete", "-locations", "none", "-source-language", "en_US"]
    subprocess.run([program, *options, *sources, "-ts", str(target)], cwd=CHECKOUT, check=True)


def release(file: Path) -> None:
    """Let Qt's lrelease write the .qm file that the window loads. Raises CalledProcessError."""
    program = str(Path(sys.executable).parent / "pyside6-lrelease")
    subprocess.run([program, "-silent", str(file), "-qm", str(file.with_suffix(".qm"))], cwd=CHECKOUT, check=True)


def main(arguments: list[str]) -> int:
    """Check every language, or bring its file up to date with `--update`."""
    files = {language: TRANSLATIONS / f"snug_{language}.ts" for language in REQUIRED}
    if "--update" in arguments:
        TRANSLATIONS.mkdir(parents=True, exist_ok=True)
        for file in files.values():
            collect(file)
            release(file)
    lines = [f"{file.name}: {line}" for file in files.values() for line in _check(file)]
    print("\n".join(lines) if lines else f"{len(files)} translation(s) complete")
    return 1 if lines else 0


def _check(file: Path) -> list[str]:
    if not file.exists():
        return ["the file is missing; `make translations` writes it"]
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.ts"
        collect(fresh)
        return faults(list(read_messages(file)), list(read_messages(fresh)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
