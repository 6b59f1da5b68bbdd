"""The table of choices on the models page: one row per (model, quantization), priced for this machine."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QLocale,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)

from desktop.errors import QT_TRANSLATE_NOOP
from desktop.fit.types import Choice
from desktop.ui.bridge import render
from desktop.ui.figures import speed as speed_figure
from desktop.ui.verdicts import verdict_in_short, verdict_kind, verdict_text
from desktop.ui.widgets.labels import plain_tooltip
from desktop.ui.widgets.table import SHORT_ROLE, VERDICT_ROLE

Index = QModelIndex | QPersistentModelIndex

CHOICE_ROLE = Qt.ItemDataRole.UserRole
SORT_ROLE = Qt.ItemDataRole.UserRole + 2
SOURCE_ROLE = Qt.ItemDataRole.UserRole + 3
"""Where a figure comes from, in a word: "exact" or "estimate"; "" for columns that do not say."""
DIGEST_ROLE = Qt.ItemDataRole.UserRole + 4
"""The SHA-256 of a row's file, "" where it is not known."""
COMING_ROLE = Qt.ItemDataRole.UserRole + 5
"""How far the download of a row's file is, in few letters; "" where it is not on its way."""
MODEL, QUANTIZATION, DOWNLOAD, MEMORY, SPEED, QUALITY, VERDICT, ACTION = range(8)

_HEADINGS = (
    QT_TRANSLATE_NOOP("ChoiceTable", "Model"),
    QT_TRANSLATE_NOOP("ChoiceTable", "Quantization"),
    QT_TRANSLATE_NOOP("ChoiceTable", "Download"),
    QT_TRANSLATE_NOOP("ChoiceTable", "Memory"),
    QT_TRANSLATE_NOOP("ChoiceTable", "tok/s"),
    QT_TRANSLATE_NOOP("ChoiceTable", "Quality"),
    QT_TRANSLATE_NOOP("ChoiceTable", "Verdict"),
    "",
)
_HEADING_HELP = {
    QUANTIZATION: QT_TRANSLATE_NOOP(
        "ChoiceTable",
        "How strongly the model is compressed. The figure in it is about the bits for each weight: fewer make the "
        "model smaller and faster, and lose some quality.",
    ),
    DOWNLOAD: QT_TRANSLATE_NOOP("ChoiceTable", "How large its file is."),
    MEMORY: QT_TRANSLATE_NOOP(
        "ChoiceTable", "What it takes while it is loaded, with a conversation as long as the context."
    ),
    SPEED: QT_TRANSLATE_NOOP(
        "ChoiceTable", "How fast it writes: tokens per second. A token is about three quarters of a word."
    ),
    QUALITY: QT_TRANSLATE_NOOP("ChoiceTable", "What the compression has left of the model's quality."),
    VERDICT: QT_TRANSLATE_NOOP("ChoiceTable", "Whether it can be used on this machine."),
}
_QUALITY_WORDS = {
    "lossless in practice": QT_TRANSLATE_NOOP("ChoiceTable", "lossless"),
    "near-lossless": QT_TRANSLATE_NOOP("ChoiceTable", "near-lossless"),
    "good": QT_TRANSLATE_NOOP("ChoiceTable", "good"),
    "acceptable": QT_TRANSLATE_NOOP("ChoiceTable", "acceptable"),
    "poor": QT_TRANSLATE_NOOP("ChoiceTable", "poor"),
}
_VERDICT_ORDER = {"fits": 0, "tight": 1, "partial": 2, "does_not_fit": 3}


class Row(NamedTuple):
    """A choice, and why the ranking left it out: "" where it did not, else "slow" or "unfit"."""

    choice: Choice
    left_out: str = ""


class ChoiceTable(QAbstractTableModel):
    """Rows of Choice. SORT_ROLE gives plain numbers, CHOICE_ROLE the value itself.

    of_files: all of them are files of one repository, and known by their names there.
    """

    RIGHT: ClassVar[frozenset[int]] = frozenset({DOWNLOAD, MEMORY, SPEED})

    def __init__(self, parent: QObject | None = None, *, of_files: bool = False) -> None:
        super().__init__(parent)
        self._headings = (QT_TRANSLATE_NOOP("ChoiceTable", "File") if of_files else _HEADINGS[MODEL], *_HEADINGS[1:])
        self._rows: tuple[Row, ...] = ()
        self._texts: dict[tuple[int, int], str] = {}
        self._digests: Mapping[str, str] = {}
        self._coming: Mapping[tuple[str, str], str] = {}
        self._locale = QLocale()

    def set_digests(self, digests: Mapping[str, str]) -> None:
        """Tell the SHA-256 of files, by their paths in their repository; those of the last call count no more."""
        self._digests = digests

    def set_coming(self, coming: Mapping[tuple[str, str], str]) -> None:
        """Tell which files are on their way, by repository and file, and how far each is ("42 %")."""
        self._coming = coming
        if self._rows:
            self.dataChanged.emit(self.index(0, ACTION), self.index(len(self._rows) - 1, ACTION))

    def set_choices(
        self,
        choices: Sequence[Choice],
        rejected: Sequence[Choice] = (),
        *,
        minimum_speed: float = 0.0,
        found_to_fit: Collection[tuple[str, str]] = (),
    ) -> None:
        """Replace every row: `choices` in their order, then what the ranking left out.

        A re-pricing that keeps the rows keeps selection and scroll position too. minimum_speed: tokens per second.
        found_to_fit: (model id, quantization) of what was rejected for its memory until the engine was asked.
        """
        rows = (
            *(Row(choice) for choice in choices),
            *(Row(choice, _left_out(choice, minimum_speed, found_to_fit)) for choice in rejected),
        )
        self._texts = {}
        if [_name(row) for row in rows] == [_name(row) for row in self._rows]:
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, ACTION))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Return the number of choices."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(_HEADINGS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's heading."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr(self._headings[section]) if self._headings[section] else ""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(right=section in self.RIGHT)
        if role == Qt.ItemDataRole.ToolTipRole and section in _HEADING_HELP:
            return plain_tooltip(column_help(section))
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one cell."""
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(index.row(), index.column())
        answer = _BY_ROLE.get(role)  # most questions are about fonts and colours: answered at once
        return None if answer is None else answer(self, self._rows[index.row()], index.column())

    def text(self, row: int, column: int) -> str:
        """The words of a cell; made once for every price, for a view asks for them again and again."""
        known = self._texts.get((row, column))
        if known is None:
            known = self._texts[row, column] = self._text(self._rows[row], column)
        return known

    def _text(self, row: Row, column: int) -> str:
        answer = _TEXTS.get(column)
        return "" if answer is None else answer(self, row)

    def _description(self, row: Row, column: int) -> str:
        """What the tooltip says beyond the cell."""
        choice = row.choice
        if column == MODEL:
            digest = self._digest(row)
            about = f"{choice.model_name}\n{choice.publisher} · {choice.licence}"
            return f"{about}\nSHA-256 {digest}" if digest else about
        if column == QUALITY:
            return quality_help(choice)
        if column == SPEED:
            measured = self.tr("By this machine's own measurements: {low} to {high} tokens per second")
            estimate = self.tr("Estimate: {low} to {high} tokens per second")
            return (measured if choice.speed.measured else estimate).format(
                low=self._number(choice.speed.decode_low), high=self._number(choice.speed.decode_high)
            )
        if column == MEMORY:
            return self._source_help(choice)
        if column == VERDICT:
            words = (self._text(row, column), self._source_help(choice), *map(render, choice.reasons))
            return "\n".join(words)
        return self._spoken(row, column)

    def _digest(self, row: Row) -> str:
        return self._digests.get(row.choice.file, "")

    def _how_far(self, row: Row) -> str:
        return self._coming.get((row.choice.repo, row.choice.file), "")

    def _spoken(self, row: Row, column: int) -> str:
        """A cell as a screen reader says it; the last column is what Enter does."""
        if column != ACTION:
            return ", ".join(filter(None, (self._text(row, column), self._source(row, column))))
        if coming := self._how_far(row):
            return self.tr("Downloading: {share}").format(share=coming)
        if not row.choice.can_run:
            return self.tr("Cannot run here")
        return self.tr("Start a chat") if row.choice.installed else self.tr("Download and chat")

    def _source(self, row: Row, column: int) -> str:
        if column != MEMORY or not row.choice.memory:
            return ""
        return self.tr("exact") if row.choice.exact else self.tr("estimate")

    def _source_help(self, choice: Choice) -> str:
        if choice.exact:
            return self.tr("Exact: the engine itself was asked what this file needs here.")
        return self.tr("An estimate, until the engine was asked about this file.")

    def _size(self, choice: Choice) -> str:
        size = self.tr("{size} GB").format(size=self._number(choice.download_size / 1e9))
        return f"≈ {size}" if choice.size_is_estimate else size

    def _memory(self, choice: Choice) -> str:
        if not choice.memory:  # nobody could say
            return "–"
        return self.tr("{size} GiB").format(size=self._number(choice.memory_total / 2**30))

    def _speed(self, choice: Choice) -> str:
        if not choice.can_run:
            return "–"
        spread = (choice.speed.decode_high - choice.speed.decode_low) / 2
        return f"{speed_figure(choice.speed.decode)} ± {self._number(spread)}"

    def _number(self, value: float) -> str:
        return self._locale.toString(value, "f", 0 if value >= 100 else 1)


_TEXTS: dict[int, Callable[[ChoiceTable, Row], str]] = {
    MODEL: lambda _table, row: row.choice.model_name,
    QUANTIZATION: lambda _table, row: row.choice.quantization,
    DOWNLOAD: lambda table, row: table._size(row.choice),
    MEMORY: lambda table, row: table._memory(row.choice),
    SPEED: lambda table, row: table._speed(row.choice),
    QUALITY: lambda _table, row: quality_word(row.choice),
    VERDICT: lambda _table, row: verdict_text(row.choice, row.left_out),
}
_BY_ROLE: dict[int, Callable[[ChoiceTable, Row, int], object]] = {
    Qt.ItemDataRole.TextAlignmentRole: lambda table, _row, column: _alignment(right=column in table.RIGHT),
    Qt.ItemDataRole.ToolTipRole: lambda table, row, column: plain_tooltip(table._description(row, column)),
    Qt.ItemDataRole.AccessibleTextRole: ChoiceTable._spoken,
    SOURCE_ROLE: ChoiceTable._source,
    CHOICE_ROLE: lambda _table, row, _column: row.choice,
    COMING_ROLE: lambda table, row, _column: table._how_far(row),
    DIGEST_ROLE: lambda table, row, _column: table._digest(row),
    SORT_ROLE: lambda _table, row, column: _sort_key(row, column),
    SHORT_ROLE: lambda _table, row, column: verdict_in_short(row.choice, row.left_out) if column == VERDICT else None,
    VERDICT_ROLE: lambda _table, row, _column: verdict_kind(row.choice, row.left_out),
}


class ChoiceFilter(QSortFilterProxyModel):
    """Sorts by the plain figures and keeps the rows whose model name contains the search text."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setSortRole(SORT_ROLE)
        self.setFilterKeyColumn(MODEL)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)


def column_help(column: int) -> str:
    """What the figures of a column are, for who has never heard of them."""
    return QCoreApplication.translate("ChoiceTable", _HEADING_HELP[column])


def quality_word(choice: Choice) -> str:
    """What its compression has left of a model, in a word."""
    return QCoreApplication.translate("ChoiceTable", _QUALITY_WORDS[choice.quality.word])


def quality_help(choice: Choice) -> str:
    """The figure behind the word."""
    text = QCoreApplication.translate(
        "ChoiceTable", "Loss by compression: {kld}, the mean KL divergence to the uncompressed model (f16)."
    )
    return text.format(kld=f"{choice.quality.kld:.4f}")


def _alignment(*, right: bool) -> int:
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def _left_out(choice: Choice, minimum_speed: float, found_to_fit: Collection[tuple[str, str]]) -> str:
    if choice.speed.decode < minimum_speed:
        return "slow"
    return "" if (choice.model_id, choice.quantization) in found_to_fit else "unfit"


def _name(row: Row) -> tuple[str, str]:
    return row.choice.model_id, row.choice.quantization


def _sort_key(row: Row, column: int) -> str | float:
    choice = row.choice
    keys: dict[int, str | float] = {
        MODEL: choice.model_name.casefold(),
        QUANTIZATION: choice.quantization,
        DOWNLOAD: choice.download_size,
        MEMORY: choice.memory_total,
        SPEED: choice.speed.decode,
        QUALITY: choice.quality.kld,
        VERDICT: _VERDICT_ORDER[verdict_kind(choice, row.left_out)] * 2**50 + choice.missing,
        ACTION: 0 if choice.installed else 1,
    }
    return keys[column]
