"""Writes prose blocks into a QTextDocument piece by piece, so that no HTML is ever made or read."""

from urllib.parse import urlsplit

from markdown_it.token import Token
from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFrameFormat,
    QTextLength,
    QTextList,
    QTextListFormat,
    QTextTable,
    QTextTableFormat,
)

from desktop.ui.theme import MESSAGE_SIZE, Colours
from desktop.ui.widgets.markdown import Block

INDENT = 22
LINE_HEIGHT = 132
"""Per cent of the font's own height."""
OPENABLE = ("http", "https")
"""Schemes of links that can be clicked; anything else is plain text."""
_LINE = "\u2028"
_HEADINGS = {"h1": 21, "h2": 18, "h3": 16}


def is_openable(address: str) -> bool:
    """Whether a click on `address` may leave the app."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme.lower() in OPENABLE and bool(parts.netloc)


def fixed_font(size: int = 13) -> QFont:
    """The system's fixed-width font in pixels."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPixelSize(size)
    return font


class DocumentWriter:
    """Appends blocks at the end of the document that `cursor` belongs to."""

    def __init__(self, cursor: QTextCursor, colours: Colours) -> None:
        self._cursor = cursor
        self._colours = colours
        self._lists: list[QTextList | None] = []
        self._list_formats: list[QTextListFormat] = []
        self._item_begins = False
        self._quotes = 0
        self._heading = ""
        self._table: QTextTable | None = None
        self._cell = (0, 0)
        self._strong_cell = False

    def write(self, block: Block) -> None:
        """Append one block of prose."""
        self._cursor.movePosition(QTextCursor.MoveOperation.End)
        table_sizes = _table_sizes(block.tokens)
        for token in block.tokens:
            if token.type == "table_open":
                self._begin_table(*table_sizes.pop(0))
            else:
                self._handle(token)

    def _handle(self, token: Token) -> None:
        handler = getattr(self, f"_on_{token.type}", None)
        if handler is not None:
            handler(token)

    # --- blocks

    def _new_block(self, *, top: int = 0, bottom: int = 10) -> None:
        form = QTextBlockFormat()
        form.setTopMargin(top)
        form.setBottomMargin(bottom)
        form.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        form.setLeftMargin(16 * self._quotes)
        if self._lists and not self._item_begins:
            form.setIndent(len(self._lists))
        if self._cursor.block().length() > 1:
            self._cursor.insertBlock(form, self._base())
        else:
            self._cursor.setBlockFormat(form)
            self._cursor.setBlockCharFormat(self._base())
        if self._item_begins:
            self._join_list()

    def _join_list(self) -> None:
        self._item_begins = False
        current = self._lists[-1]
        if current is None:
            self._lists[-1] = self._cursor.createList(self._list_formats[-1])
        else:
            current.add(self._cursor.block())

    def _on_paragraph_open(self, token: Token) -> None:
        self._new_block(bottom=4 if self._lists else 10)

    def _on_heading_open(self, token: Token) -> None:
        self._heading = token.tag
        self._new_block(top=8, bottom=6)

    def _on_heading_close(self, token: Token) -> None:
        self._heading = ""

    def _on_blockquote_open(self, token: Token) -> None:
        self._quotes += 1

    def _on_blockquote_close(self, token: Token) -> None:
        self._quotes -= 1

    def _on_bullet_list_open(self, token: Token) -> None:
        styles = (QTextListFormat.Style.ListDisc, QTextListFormat.Style.ListCircle)
        self._begin_list(styles[len(self._lists) % 2], 1)

    def _on_ordered_list_open(self, token: Token) -> None:
        self._begin_list(QTextListFormat.Style.ListDecimal, int(token.attrGet("start") or 1))

    def _begin_list(self, style: QTextListFormat.Style, start: int) -> None:
        form = QTextListFormat()
        form.setStyle(style)
        form.setIndent(len(self._lists) + 1)
        form.setStart(start)
        self._list_formats.append(form)
        self._lists.append(None)

    def _end_list(self, token: Token) -> None:
        self._lists.pop()
        self._list_formats.pop()
        self._item_begins = False

    _on_bullet_list_close = _end_list
    _on_ordered_list_close = _end_list

    def _on_list_item_open(self, token: Token) -> None:
        self._item_begins = True

    def _on_list_item_close(self, token: Token) -> None:
        if self._item_begins:  # an item without words still has its mark
            self._new_block(bottom=4)

    def _on_hr(self, token: Token) -> None:
        self._new_block(bottom=10)
        form = self._cursor.blockFormat()
        form.setProperty(
            QTextBlockFormat.Property.BlockTrailingHorizontalRulerWidth,
            QTextLength(QTextLength.Type.PercentageLength, 100),
        )
        form.setProperty(QTextBlockFormat.Property.BackgroundBrush, QColor(self._colours.line))
        self._cursor.setBlockFormat(form)
        self._cursor.insertText(" ", self._base())

    def _on_fence(self, token: Token) -> None:
        """Code inside a list or a quotation; top-level code has a widget of its own."""
        self._new_block(bottom=8)
        self._cursor.insertText(token.content.rstrip("\n").replace("\n", _LINE), self._code_format())

    _on_code_block = _on_fence

    # --- tables

    def _begin_table(self, rows: int, columns: int) -> None:
        form = QTextTableFormat()
        form.setBorder(1)
        form.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        form.setBorderBrush(QColor(self._colours.line))
        form.setBorderCollapse(True)
        form.setCellPadding(6)
        form.setTopMargin(2)
        form.setBottomMargin(8)
        self._table = self._cursor.insertTable(rows, columns, form)
        self._cell = (-1, 0)

    def _on_tr_open(self, token: Token) -> None:
        self._cell = (self._cell[0] + 1, -1)

    def _begin_cell(self, token: Token) -> None:
        self._cell = (self._cell[0], self._cell[1] + 1)
        self._strong_cell = token.type == "th_open"
        if self._table is not None:
            self._cursor.setPosition(self._table.cellAt(*self._cell).firstPosition())
            self._align(str(token.attrGet("style") or ""))

    def _align(self, style: str) -> None:
        """`style` is what the parser writes for a column: "text-align:right"."""
        sides = {"right": Qt.AlignmentFlag.AlignRight, "center": Qt.AlignmentFlag.AlignHCenter}
        form = self._cursor.blockFormat()
        form.setAlignment(sides.get(style.removeprefix("text-align:"), Qt.AlignmentFlag.AlignLeft))
        self._cursor.setBlockFormat(form)

    _on_th_open = _begin_cell
    _on_td_open = _begin_cell

    def _on_table_close(self, token: Token) -> None:
        self._table = None
        self._strong_cell = False
        self._cursor.movePosition(QTextCursor.MoveOperation.End)

    # --- inline

    def _on_inline(self, token: Token) -> None:
        form = self._base()
        stack: list[QTextCharFormat] = []
        for child in token.children or ():
            if child.nesting == 1:
                stack.append(QTextCharFormat(form))
                self._begin_span(form, child)
            elif child.nesting == -1 and stack:
                form = stack.pop()
            else:
                self._insert(child, form)

    def _begin_span(self, form: QTextCharFormat, token: Token) -> None:
        if token.type == "strong_open":
            form.setFontWeight(QFont.Weight.DemiBold)
        elif token.type == "em_open":
            form.setFontItalic(True)
        elif token.type == "s_open":
            form.setFontStrikeOut(True)
        elif token.type == "link_open":
            self._link(form, str(token.attrGet("href") or ""))

    def _link(self, form: QTextCharFormat, address: str) -> None:
        if not is_openable(address):
            return
        form.setAnchor(True)
        form.setAnchorHref(address)
        form.setForeground(QColor(self._colours.accent))
        form.setFontUnderline(True)
        form.setToolTip("")

    def _insert(self, token: Token, form: QTextCharFormat) -> None:
        if token.type == "code_inline":
            self._cursor.insertText(token.content, self._code_format())
        elif token.type in ("softbreak", "hardbreak"):
            self._cursor.insertText(_LINE, form)
        elif token.type == "image":
            self._insert_image(token, form)
        else:
            self._cursor.insertText(token.content, form)

    def _insert_image(self, token: Token, form: QTextCharFormat) -> None:
        """A picture in a reply is never fetched: its address would tell others what was said. It becomes a link."""
        linked = QTextCharFormat(form)
        address = str(token.attrGet("src") or "")
        self._link(linked, address)
        self._cursor.insertText(f"[{token.content or address}]", linked)

    # --- formats

    def _base(self) -> QTextCharFormat:
        form = QTextCharFormat()
        colour = self._colours.muted if self._quotes else self._colours.text
        form.setForeground(QColor(colour))
        size = _HEADINGS.get(self._heading, MESSAGE_SIZE)
        form.setProperty(QTextCharFormat.Property.FontPixelSize, size)
        if self._heading or self._strong_cell:
            form.setFontWeight(QFont.Weight.DemiBold)
        return form

    def _code_format(self) -> QTextCharFormat:
        form = QTextCharFormat()
        form.setFont(fixed_font())
        form.setForeground(QColor(self._colours.text))
        form.setBackground(QColor(self._colours.bubble))
        return form


def _table_sizes(tokens: tuple[Token, ...]) -> list[tuple[int, int]]:
    """Rows and columns of each table, in order."""
    sizes: list[tuple[int, int]] = []
    rows = columns = 0
    for token in tokens:
        if token.type == "table_open":
            rows = columns = 0
        elif token.type == "tr_open":
            rows += 1
        elif token.type == "th_open":
            columns += 1
        elif token.type == "table_close":
            sizes.append((rows, max(1, columns)))
    return sizes
