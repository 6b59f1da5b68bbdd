"""One editor per kind of setting, made from the setting's declaration."""

from collections.abc import Callable, Sequence
from typing import Any, get_args

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from desktop.setting import Setting
from desktop.settings import CACHE_DISK, CACHE_RAM, DEFAULT_MODEL, MEMORY_MARGIN, MODELS_FOLDER
from desktop.ui.bridge import translate_core
from desktop.ui.widgets.buttons import IconButton


class Editor(QWidget):
    """Base: shows a value, says when the person chose another."""

    value_chosen = Signal(object)

    def __init__(self, setting: Setting[Any], field: QWidget) -> None:
        super().__init__()
        self.field = field
        field.setAccessibleName(translate_core(setting.title))
        field.setAccessibleDescription(translate_core(setting.help))
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(self)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(4)
        self.row.addWidget(field, 1)
        self.setFocusProxy(field)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Scrolling the page must not change a value under the pointer."""
        if event.type() == QEvent.Type.Wheel and not self.field.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def show_value(self, value: Any) -> None:
        """Show `value` without saying that it was chosen."""
        with QSignalBlocker(self.field):
            self._fill(value)

    def _fill(self, value: Any) -> None:
        raise NotImplementedError


class SwitchEditor(Editor):
    """On or off."""

    def __init__(self, setting: Setting[bool]) -> None:
        self._box = QCheckBox(QCoreApplication.translate("Editor", "On"))
        super().__init__(setting, self._box)
        self._box.toggled.connect(self.value_chosen.emit)

    def _fill(self, value: bool) -> None:
        self._box.setChecked(value)


class ChoiceEditor(Editor):
    """One of a few named values."""

    def __init__(self, setting: Setting[str]) -> None:
        self._combo = QComboBox()
        for choice in setting.choices:
            self._combo.addItem(translate_core(choice.title), choice.value)
        super().__init__(setting, self._combo)
        self._combo.currentIndexChanged.connect(lambda index: self.value_chosen.emit(self._combo.itemData(index)))

    def _fill(self, value: str) -> None:
        self._combo.setCurrentIndex(self._combo.findData(value))


class ModelEditor(ChoiceEditor):
    """One of the installed models, or none in particular."""

    def __init__(self, setting: Setting[str]) -> None:
        super().__init__(setting)
        self.offer(())

    def offer(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer `models` as (id, name); the value in force stays, also when it is none of them."""
        chosen = self._combo.currentData() or ""
        with QSignalBlocker(self._combo):
            self._combo.clear()
            self._combo.addItem(QCoreApplication.translate("Editor", "The one used last"), "")
            for model_id, name in models:
                self._combo.addItem(name, model_id)
            self._fill(chosen)

    def _fill(self, value: str) -> None:
        if self._combo.findData(value) < 0:
            self._combo.addItem(value, value)
        super()._fill(value)


class NumberEditor(Editor):
    """A number; the step below the smallest one means "not chosen" where the setting allows None."""

    def __init__(self, setting: Setting[Any]) -> None:
        whole = int in (get_args(setting.type) or (setting.type,))
        self._optional = type(None) in get_args(setting.type)
        self._step = 1.0 if whole else 0.05
        self._box: QSpinBox | QDoubleSpinBox = QSpinBox() if whole else QDoubleSpinBox()
        low, high = setting.minimum or 0, setting.maximum if setting.maximum is not None else 2**31 - 1
        self._lowest = low - self._step if self._optional else low
        if isinstance(self._box, QSpinBox):
            self._box.setRange(int(self._lowest), min(int(high), 2**31 - 1))
        else:
            self._box.setDecimals(2)
            self._box.setSingleStep(self._step)
            self._box.setRange(self._lowest, high)
        if self._optional:
            self._box.setSpecialValueText(QCoreApplication.translate("Editor", "As the model suggests"))
        _set_up(self._box)
        super().__init__(setting, self._box)
        self._box.valueChanged.connect(self._choose)

    def _choose(self, value: float) -> None:
        self.value_chosen.emit(None if self._optional and value <= self._lowest else value)

    def _fill(self, value: float | None) -> None:
        number = self._lowest if value is None else value
        if isinstance(self._box, QSpinBox):
            self._box.setValue(int(number))
        else:
            self._box.setValue(number)


class SizeEditor(Editor):
    """Bytes, shown as MiB."""

    UNIT = 2**20

    def __init__(self, setting: Setting[int]) -> None:
        self._box = QSpinBox()
        self._box.setRange(int(setting.minimum or 0) // self.UNIT, int(setting.maximum or 2**40) // self.UNIT)
        self._box.setSingleStep(64)
        self._box.setSuffix(" MiB")
        _set_up(self._box)
        super().__init__(setting, self._box)
        self._box.valueChanged.connect(lambda value: self.value_chosen.emit(value * self.UNIT))

    def _fill(self, value: int) -> None:
        self._box.setValue(value // self.UNIT)


class TextEditor(Editor):
    """A line of text; empty means not chosen where the setting allows None."""

    def __init__(self, setting: Setting[Any]) -> None:
        self._optional = type(None) in get_args(setting.type)
        self._line = QLineEdit()
        self._line.setPlaceholderText(QCoreApplication.translate("Editor", "Not set"))
        super().__init__(setting, self._line)
        self._line.editingFinished.connect(self._choose)

    def _choose(self) -> None:
        if self._line.isModified():
            self._line.setModified(False)
            self.value_chosen.emit(self._line.text() or (None if self._optional else ""))

    def _fill(self, value: str | None) -> None:
        self._line.setText(value or "")


class FolderEditor(TextEditor):
    """A folder: its path, and a button that lets the person look for it."""

    def __init__(self, setting: Setting[Any]) -> None:
        super().__init__(setting)
        self._line.setPlaceholderText(QCoreApplication.translate("Editor", "Snug's own folder"))
        browse = IconButton("folder", QCoreApplication.translate("Editor", "Choose a folder"), size=30)
        browse.clicked.connect(self._on_browse_clicked)
        self.row.addWidget(browse)

    def _on_browse_clicked(self) -> None:
        # open(), not exec(): a nested event loop would stop the tasks of the window's own.
        dialog = QFileDialog(self, QCoreApplication.translate("Editor", "Models folder"), self._line.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.value_chosen)
        dialog.open()


def _set_up(box: QAbstractSpinBox) -> None:
    box.setProperty("kind", "setting")  # snug.qss hides the arrows: NoButtons would hide the number as well
    box.lineEdit().setTextMargins(8, 0, 8, 0)  # the stylesheet's padding does not reach the number
    box.setGroupSeparatorShown(True)
    box.setKeyboardTracking(False)


def make_editor(setting: Setting[Any]) -> Editor:
    """Return the editor that suits the declaration."""
    if setting.choices:
        return ChoiceEditor(setting)
    special: dict[str, Callable[[Setting[Any]], Editor]] = {
        DEFAULT_MODEL.key: ModelEditor,
        MODELS_FOLDER.key: FolderEditor,
        MEMORY_MARGIN.key: SizeEditor,
        CACHE_RAM.key: SizeEditor,
        CACHE_DISK.key: SizeEditor,
    }
    if setting.key in special:
        return special[setting.key](setting)
    kinds = get_args(setting.type) or (setting.type,)
    if bool in kinds:
        return SwitchEditor(setting)
    return NumberEditor(setting) if int in kinds or float in kinds else TextEditor(setting)
