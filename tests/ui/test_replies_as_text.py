"""What a reply looks like, and what it must never do."""

import random
import socket
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QTextDocument
from PySide6.QtWidgets import QApplication

from desktop.ui.theme import DARK, apply_colours
from desktop.ui.widgets.code_block import CodeBlock
from desktop.ui.widgets.reply_text import ReplyText
from desktop.ui.widgets.rich_text import MessageText, open_link

SAMPLE = """Here is a **function** with `code`, _words_ and ~~more~~.

# A heading

1. one
2. two
   - nested
   - again

> quoted

```python
def f(x):
    return x  # 海
```

| a | b |
|---|---|
| 1 | 2 |

After the table.

---

    indented code

The end <b>not bold</b> &amp; done.
"""


def shown(qtbot: object, text: str) -> ReplyText:
    reply = ReplyText()
    qtbot.addWidget(reply)  # type: ignore[attr-defined]
    reply.resize(700, 400)
    reply.set_text(text)
    reply.show()
    QApplication.processEvents()
    return reply


def test_markdown_is_read_and_raw_html_is_shown_as_it_is_written(qtbot: object) -> None:
    text = shown(qtbot, SAMPLE).visible_text()
    assert "Here is a function with code, words and more." in text
    assert "**" not in text
    assert "The end <b>not bold</b> & done." in text
    assert "def f(x):\n    return x  # 海" in text
    assert "| a |" not in text


def test_code_has_its_language_and_copy_takes_exactly_the_code(qtbot: object) -> None:
    reply = shown(qtbot, SAMPLE)
    code = reply.findChildren(CodeBlock)[0]
    assert code._label.text() == "python"
    code._copy.click()
    assert QApplication.clipboard().text() == "def f(x):\n    return x  # 海"


@pytest.mark.parametrize("seed", range(6))
def test_a_streamed_reply_ends_as_if_it_had_come_at_once(qtbot: object, seed: int) -> None:
    chance = random.Random(seed)
    streamed = ReplyText()
    qtbot.addWidget(streamed)  # type: ignore[attr-defined]
    streamed.resize(700, 400)
    end = 0
    while end < len(SAMPLE):
        end = min(len(SAMPLE), end + chance.randint(1, 9))
        streamed.set_text(SAMPLE[:end], final=False)
    streamed.set_text(SAMPLE)
    whole = shown(qtbot, SAMPLE)
    assert streamed.visible_text() == whole.visible_text()
    assert [type(part) for part in streamed._parts] == [type(part) for part in whole._parts]


def test_only_the_last_block_is_drawn_again(qtbot: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from desktop.ui.widgets import markdown

    parsed: list[int] = []
    parse = markdown._PARSER.parse

    def watched(text: str) -> object:
        parsed.append(len(text))
        return parse(text)

    monkeypatch.setattr(markdown._PARSER, "parse", watched)
    reply = ReplyText()
    qtbot.addWidget(reply)  # type: ignore[attr-defined]
    text = "".join(f"Paragraph {number} with some words in it.\n\n" for number in range(100))
    for end in range(0, len(text), 20):
        reply.set_text(text[:end], final=False)
    assert max(parsed) < 120


CARRIERS = (
    "![x](http://127.0.0.1:{port}/a.png)",
    "![x](file:///{file})",
    "![x]({file})",
    '<img src="http://127.0.0.1:{port}/a.png">',
    '<img src="file:///{file}">',
    "![x][r]\n\n[r]: http://127.0.0.1:{port}/a.png",
    '<style>@import url("http://127.0.0.1:{port}/a.css")</style>',
    "![x](\\\\127.0.0.1\\share\\a.png)",
    "![x](qrc:/a.png) ![y](data:image/png;base64,AAAA)",
    '<table background="http://127.0.0.1:{port}/a.png"><tr><td>x</td></tr></table>',
    "[![x](http://127.0.0.1:{port}/a.png)](http://127.0.0.1:{port}/b)",
)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_no_reply_loads_anything(qtbot: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, carrier: str) -> None:
    asked: list[object] = []
    load = MessageText.loadResource

    def watched(self: MessageText, kind: int, name: QUrl | str) -> object:
        asked.append(name)
        return load(self, kind, name)

    monkeypatch.setattr(MessageText, "loadResource", watched)
    picture = tmp_path / "a.png"
    picture.write_bytes(b"not a picture")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        reply = shown(qtbot, carrier.format(port=server.getsockname()[1], file=picture))
        for part in reply.findChildren(MessageText):
            part.document().toHtml()
        with pytest.raises(TimeoutError):
            server.accept()
    assert asked == []


def test_what_asks_for_a_resource_all_the_same_gets_nothing(qtbot: object) -> None:
    text = MessageText("x")
    qtbot.addWidget(text)  # type: ignore[attr-defined]
    kind = QTextDocument.ResourceType.ImageResource.value
    assert text.loadResource(kind, QUrl("file:///etc/hostname")) is None


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "javascript:alert(1)", "smb://host/share", "data:text/html,x", "mailto:a@b.c"]
)
def test_a_click_opens_nothing_but_web_addresses(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    open_link(QUrl(address))
    assert opened == []
    open_link(QUrl("https://example.org/a"))
    assert opened == [QUrl("https://example.org/a")]


def test_a_change_of_colours_reaches_what_was_written_before(qtbot: object, styled: QApplication) -> None:
    reply = shown(qtbot, "plain words")
    before = _first_colour(reply)
    apply_colours(styled, DARK)
    QApplication.processEvents()
    assert _first_colour(reply) != before
    assert _first_colour(reply) == DARK.text
    assert reply.visible_text() == "plain words"


def _first_colour(reply: ReplyText) -> str:
    from PySide6.QtGui import QTextCursor

    cursor = QTextCursor(reply.findChildren(MessageText)[0].document())
    cursor.movePosition(QTextCursor.MoveOperation.NextCharacter)
    return cursor.charFormat().foreground().color().name()


def test_a_hostile_reply_is_drawn_without_an_error(qtbot: object) -> None:
    nasty = ["*" * 500, "[" * 300, "> " * 60 + "x", "- " * 40 + "y", "`" * 99, "\x00\u202e\u2028x"]
    nasty.append("|" * 200 + "\n" + "|-" * 100)
    for text in nasty:
        assert isinstance(shown(qtbot, text).visible_text(), str)
