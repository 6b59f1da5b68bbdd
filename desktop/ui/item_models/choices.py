"""The table of choices on the models page: one row per (model, quantization), priced for this machine."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

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
from desktop.ui.widgets.labels import plain_tooltip
from desktop.ui.widgets.table import VERDICT_ROLE

Index = QModelIndex | QPersistentModelIndex

CHOICE_ROLE = Qt.ItemDataRole.UserRole
SORT_ROLE = Qt.ItemDataRole.UserRole + 2
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
_QUALITY_WORDS = {
    "lossless in practice": QT_TRANSLATE_NOOP("ChoiceTable", "lossless in practice"),
    "near-lossless": QT_TRANSLATE_NOOP("ChoiceTable", "near-lossless"),
    "good": QT_TRANSLATE_NOOP("ChoiceTable", "good"),
    "acceptable": QT_TRANSLATE_NOOP("ChoiceTable", "acceptable"),
    "poor": QT_TRANSLATE_NOOP("ChoiceTable", "poor"),
}
_VERDICT_ORDER = {"fits": 0, "tight": 1, "partial": 2, "does_not_fit": 3}


class ChoiceTable(QAbstractTableModel):
    """Rows of Choice. SORT_ROLE gives plain numbers, CHOICE_ROLE the value itself."""

    RIGHT: ClassVar[frozenset[int]] = frozenset({DOWNLOAD, MEMORY, SPEED})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._choices: tuple[Choice, ...] = ()
        self._locale = QLocale()

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Replace every row; a re-pricing of the same rows keeps selection and scroll position."""
        same_rows = [(c.model_id, c.quantization) for c in choices] == [
            (c.model_id, c.quantization) for c in self._choices
        ]
        if same_rows:
            self._choices = tuple(choices)
            if choices:
                self.dataChanged.emit(self.index(0, 0), self.index(len(choices) - 1, ACTION))
            return
        self.beginResetModel()
        self._choices = tuple(choices)
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Return the number of choices."""
        return 0 if parent is not None and parent.isValid() else len(self._choices)

    def columnCount(self, parent: Index | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(_HEADINGS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's heading."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr(_HEADINGS[section]) if _HEADINGS[section] else ""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(right=section in self.RIGHT)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one cell."""
        choice, column = self._choices[index.row()], index.column()
        by_role: dict[int, Callable[[], object]] = {
            Qt.ItemDataRole.DisplayRole: lambda: self._text(choice, column),
            Qt.ItemDataRole.TextAlignmentRole: lambda: _alignment(right=column in self.RIGHT),
            Qt.ItemDataRole.ToolTipRole: lambda: plain_tooltip(self._description(choice, column)),
            Qt.ItemDataRole.AccessibleTextRole: lambda: self._description(choice, column),
            CHOICE_ROLE: lambda: choice,
            SORT_ROLE: lambda: _sort_key(choice, column),
            VERDICT_ROLE: lambda: choice.verdict,
        }
        value = by_role.get(role)
        return value() if value else None

    def _text(self, choice: Choice, column: int) -> str:
        texts = {
            MODEL: choice.model_name,
            QUANTIZATION: choice.quantization,
            DOWNLOAD: self._size(choice),
            MEMORY: self.tr("{size} GiB").format(size=self._number(choice.memory_total / 2**30)),
            SPEED: self._speed(choice),
            QUALITY: self.tr(_QUALITY_WORDS[choice.quality.word]),
            VERDICT: verdict_text(choice),
        }
        return texts.get(column, "")

    def _description(self, choice: Choice, column: int) -> str:
        if column == ACTION:
            return self.tr("Start a chat") if choice.installed else self.tr("Download and chat")
        if column == QUALITY:
            return self.tr("Mean KL divergence to f16: {kld}").format(kld=f"{choice.quality.kld:.4f}")
        if column == SPEED:
            return self.tr("Estimate: {low} to {high} tokens per second").format(
                low=self._number(choice.speed.decode_low), high=self._number(choice.speed.decode_high)
            )
        return self._text(choice, column)

    def _size(self, choice: Choice) -> str:
        size = self.tr("{size} GB").format(size=self._number(choice.download_size / 1e9))
        return f"≈ {size}" if choice.size_is_estimate else size

    def _speed(self, choice: Choice) -> str:
        if choice.verdict == "does_not_fit":
            return "–"
        spread = (choice.speed.decode_high - choice.speed.decode_low) / 2
        return f"{self._number(choice.speed.decode)} ± {self._number(spread)}"

    def _number(self, value: float) -> str:
        return self._locale.toString(value, "f", 0 if value >= 100 else 1)


class ChoiceFilter(QSortFilterProxyModel):
    """Sorts by the plain figures and keeps the rows whose model name contains the search text."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setSortRole(SORT_ROLE)
        self.setFilterKeyColumn(MODEL)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)


def verdict_text(choice: Choice) -> str:
    """Return the verdict in words: "Fits", "Fits with 9 layers on the CPU" ..."""
    on_cpu = choice.n_layer + 1 - choice.n_gpu_layers
    texts = {
        "fits": QCoreApplication.translate("Verdict", "Fits"),
        "tight": QCoreApplication.translate("Verdict", "Fits, with little to spare"),
        "partial": QCoreApplication.translate("Verdict", "Fits with {layers} layers on the CPU"),
        "does_not_fit": QCoreApplication.translate("Verdict", "Does not fit: {size} GiB more needed"),
    }
    size = QLocale().toString(choice.missing / 2**30, "f", 1)
    return texts[choice.verdict].format(layers=on_cpu, size=size)


def _alignment(*, right: bool) -> int:
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def _sort_key(choice: Choice, column: int) -> str | float:
    keys: dict[int, str | float] = {
        MODEL: choice.model_name.casefold(),
        QUANTIZATION: choice.quantization,
        DOWNLOAD: choice.download_size,
        MEMORY: choice.memory_total,
        SPEED: choice.speed.decode,
        QUALITY: choice.quality.kld,
        VERDICT: _VERDICT_ORDER[choice.verdict] * 2**50 + choice.missing,
        ACTION: 0 if choice.installed else 1,
    }
    return keys[column]
