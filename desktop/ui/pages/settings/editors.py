"""One editor per kind of setting, made from the setting's declaration."""

from typing import Any, get_args

from PySide6.QtCore import QCoreApplication, QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QHBoxLayout, QLineEdit, QSpinBox, QWidget

from desktop.settings import Setting
from desktop.ui.bridge import translate_core


class Editor(QWidget):
    """Base: shows a value, says when the person chose another."""

    value_chosen = Signal(object)

    def __init__(self, setting: Setting[Any], field: QWidget) -> None:
        super().__init__()
        self.field = field
        field.setAccessibleName(translate_core(setting.title))
        field.setAccessibleDescription(translate_core(setting.help))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(field)
        self.setFocusProxy(field)

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
        self._box.setKeyboardTracking(False)
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
        self._box.setKeyboardTracking(False)
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


def make_editor(setting: Setting[Any]) -> Editor:
    """Return the editor that suits the declaration."""
    if setting.choices:
        return ChoiceEditor(setting)
    kinds = get_args(setting.type) or (setting.type,)
    if bool in kinds:
        return SwitchEditor(setting)
    if setting.key == "memory.margin":
        return SizeEditor(setting)
    return NumberEditor(setting) if int in kinds or float in kinds else TextEditor(setting)
