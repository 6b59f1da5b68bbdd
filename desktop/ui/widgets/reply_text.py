"""The text of a reply as it is written: prose and code in turn, and only the last block is ever drawn again."""

from typing import TypeVar

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.ui.widgets.code_block import CodeBlock
from desktop.ui.widgets.markdown import Block, MarkdownStream
from desktop.ui.widgets.rich_text import MessageText

Part = TypeVar("Part", MessageText, CodeBlock)


class ReplyText(QWidget):
    """Takes the whole text so far; draws what is new."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._text = ""
        self._reset()

    def text(self) -> str:
        """The text as it was given."""
        return self._text

    def set_text(self, text: str, *, final: bool = True) -> None:
        """Show `text`, which usually continues the one before; `final` when nothing will be added."""
        if not text.startswith(self._text):
            self._reset()
        self._text = text
        update = self._stream.update(text)
        for block in update.final:
            self._add_final(block)
        self._show_tail(update.tail, final=final)

    def visible_text(self) -> str:
        """What can be read, without marks, for tests and screen readers."""
        return "\n".join(part.code() if isinstance(part, CodeBlock) else part.toPlainText() for part in self._parts)

    def changeEvent(self, event: QEvent) -> None:
        """Draw everything again in the colours of another scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._text:
            text, self._text = self._text, ""
            self._reset()
            self.set_text(text)

    def _reset(self) -> None:
        for part in getattr(self, "_parts", ()):
            self._column.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._stream = MarkdownStream()
        self._parts: list[MessageText | CodeBlock] = []
        self._tail: MessageText | CodeBlock | None = None

    def _add_final(self, block: Block) -> None:
        if block.kind == "code":
            self._code_part().set_language(block.language)
            self._code_part().set_code(block.code, final=True)
            self._tail = None
        else:
            self._prose_part().append_blocks((block,), None)
            self._tail = None

    def _show_tail(self, block: Block | None, *, final: bool) -> None:
        if block is None:
            self._drop_tail()
        elif block.kind == "code":
            part = self._code_part()
            part.set_language(block.language)
            part.set_code(block.code, final=final)
            self._tail = part
        else:
            prose = self._prose_part()
            prose.append_blocks((), block)
            self._tail = prose

    def _prose_part(self) -> MessageText:
        """The part that prose goes into: the last one, unless that is finished code."""
        if isinstance(self._tail, CodeBlock):
            self._drop_tail()
        last = self._parts[-1] if self._parts else None
        return last if isinstance(last, MessageText) else self._add(MessageText(self.tr("Reply")))

    def _code_part(self) -> CodeBlock:
        """The part that code goes into: the code that is being written, or a new one."""
        if isinstance(self._tail, CodeBlock):
            return self._tail
        self._drop_tail()
        code = self._add(CodeBlock(""))
        self._tail = code
        return code

    def _drop_tail(self) -> None:
        """What looked like the last block turned out to be something else."""
        tail, self._tail = self._tail, None
        if isinstance(tail, MessageText):
            tail.append_blocks((), None)
        if tail is not None and (isinstance(tail, CodeBlock) or tail.is_blank()):
            self._parts.remove(tail)
            self._column.removeWidget(tail)
            tail.hide()
            tail.deleteLater()

    def _add(self, part: Part) -> Part:
        self._parts.append(part)
        self._column.addWidget(part)
        return part
