"""docs/settings.md, made from the declarations: `python -m tests.support.settings_document` writes it."""

from pathlib import Path

import msgspec

from desktop.setting import Setting
from desktop.settings import ALL_SETTINGS, SECTIONS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "settings.md"

_HEAD = """# Settings

Made from desktop/settings.py by `python -m tests.support.settings_document`; do not edit.

The file is `settings.json` in the configuration folder: one JSON object, one entry per setting that differs from its
default. Entries that this version does not know are kept. A file that is no JSON object is renamed to
`settings.json.bad-<time>`, defaults are used, and the app says so; a single bad value falls back to its default.
"""


def settings_document() -> str:
    """The whole document, as Markdown."""
    parts = [_HEAD]
    for section in SECTIONS:
        rows = [_row(setting) for setting in ALL_SETTINGS if setting.section == section and not setting.hidden]
        head = "| setting | can be | default | since | what it does |\n|---|---|---|---|---|\n"
        parts.append(f"## {section}\n\n{head}" + "\n".join(rows) + "\n")
    hidden = ", ".join(f"`{setting.key}`" for setting in ALL_SETTINGS if setting.hidden)
    parts.append(f"## Kept by the window\n\nNot on the settings page: {hidden}.\n")
    return "\n".join(parts)


def _row(setting: Setting[object]) -> str:
    default = msgspec.json.encode(setting.default).decode()
    text = f"{setting.title}. {setting.help}"
    if setting.environment:
        text += f" The environment variable {setting.environment} wins."
    return f"| `{setting.key}` | {_range(setting)} | `{default}` | {setting.since} | {text} |"


def _range(setting: Setting[object]) -> str:
    if setting.choices:
        return ", ".join(f"`{choice.value}`" for choice in setting.choices)
    name = {bool: "true or false", str: "text"}.get(setting.type, "a number")
    if setting.type == str | None:
        name = "text"
    if setting.minimum is None or setting.maximum is None:
        return name
    return f"{setting.minimum:,} to {setting.maximum:,}"


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(settings_document(), encoding="utf-8")
