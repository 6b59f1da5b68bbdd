"""A slider with its name, a number field, help, and a reset that shows while it differs from its default."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from desktop.ui.widgets.buttons import IconButton
from desktop.ui.widgets.labels import PlainLabel, plain_tooltip


class _Slider(QSlider):
    """Scrolling the panel must not change a value under the pointer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _Field(QDoubleSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class LabelledSlider(QWidget):
    """A number between `minimum` and `maximum` in steps of `step`."""

    value_changed = Signal(float)

    def __init__(
        self,
        *,
        name: str,
        minimum: float,
        maximum: float,
        step: float,
        decimals: int = 2,
        help_text: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._step = step
        self._minimum = minimum
        self._default = minimum
        self._field = _Field()
        self._slider = _Slider(Qt.Orientation.Horizontal)
        self._reset = IconButton("reset", self.tr("Set {name} back to its default").format(name=name), size=20)
        self._set_up_field(minimum, maximum, decimals)
        self._slider.setRange(0, round((maximum - minimum) / step))
        self._slider.setPageStep(max(1, self._slider.maximum() // 10))
        for widget in (self._field, self._slider):
            widget.setAccessibleName(name)
            widget.setAccessibleDescription(help_text)
            widget.setToolTip(plain_tooltip(help_text))
        self._lay_out(name, help_text)
        self._slider.valueChanged.connect(self._on_slider_moved)
        self._field.valueChanged.connect(self._on_field_edited)
        self._reset.clicked.connect(lambda: self._field.setValue(self._default))

    def value(self) -> float:
        """The number now."""
        return self._field.value()

    def set_value(self, value: float) -> None:
        """Show `value` without telling anyone."""
        with QSignalBlocker(self._field), QSignalBlocker(self._slider):
            self._field.setValue(value)
            self._slider.setValue(self._position(self._field.value()))
        self._show_reset()

    def set_default(self, default: float) -> None:
        """The value that the reset goes back to."""
        self._default = default
        self._show_reset()

    def set_maximum(self, maximum: float) -> None:
        """Change the upper end."""
        with QSignalBlocker(self._field), QSignalBlocker(self._slider):
            self._field.setMaximum(maximum)
            self._slider.setRange(0, round((maximum - self._minimum) / self._step))
            self._slider.setValue(self._position(self._field.value()))

    def set_special_text(self, text: str) -> None:
        """Show `text` instead of the number at the lower end."""
        self._field.setSpecialValueText(text)

    def _set_up_field(self, minimum: float, maximum: float, decimals: int) -> None:
        self._field.setProperty("kind", "figure")
        self._field.setRange(minimum, maximum)
        self._field.setDecimals(decimals)
        self._field.setSingleStep(self._step)
        self._field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._field.setFixedWidth(68)
        self._field.lineEdit().setTextMargins(0, 0, 8, 2)
        self._field.setKeyboardTracking(False)

    def _lay_out(self, name: str, help_text: str) -> None:
        label = PlainLabel(name)
        label.setToolTip(plain_tooltip(help_text))
        label.setBuddy(self._field)
        policy = self._reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._reset.setSizePolicy(policy)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(label)
        row.addWidget(self._reset)
        row.addStretch(1)
        row.addWidget(self._field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self._slider)
        self._show_reset()

    def _position(self, value: float) -> int:
        return round((value - self._minimum) / self._step)

    def _on_slider_moved(self, position: int) -> None:
        with QSignalBlocker(self._field):
            self._field.setValue(self._minimum + position * self._step)
        self._announce()

    def _on_field_edited(self, value: float) -> None:
        with QSignalBlocker(self._slider):
            self._slider.setValue(self._position(value))
        self._announce()

    def _announce(self) -> None:
        self._show_reset()
        self.value_changed.emit(self.value())

    def _show_reset(self) -> None:
        self._reset.setVisible(abs(self.value() - self._default) > self._step / 100)
