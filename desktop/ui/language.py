"""The language of the window: our translation and Qt's own, for the buttons and menus that Qt makes."""

import logging

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from desktop.paths import resources_folder

log = logging.getLogger(__name__)

SHIPPED = ("zh_CN",)
"""Translations beside the English source."""


def wanted_language(choice: str) -> str:
    """The language to use for the setting `choice` ("system", "en", "zh_CN")."""
    if choice != "system":
        return choice
    for name in QLocale.system().uiLanguages():
        language = name.replace("-", "_")
        if language.startswith("en"):
            return "en"
        if language.startswith("zh") and not any(part in language for part in ("TW", "HK", "MO", "Hant")):
            return "zh_CN"
    return "en"


def install_language(application: QCoreApplication, choice: str) -> tuple[QTranslator, ...]:
    """Translate `application`; the caller keeps the translators for as long as it lives."""
    language = wanted_language(choice)
    QLocale.setDefault(QLocale("zh_CN") if language == "zh_CN" else QLocale("en"))
    if language not in SHIPPED:
        return ()
    folders = (
        (f"qtbase_{language}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)),
        (f"snug_{language}", str(resources_folder() / "translations")),
    )
    translators = []
    for name, folder in folders:
        translator = QTranslator(application)
        if translator.load(name, folder) and application.installTranslator(translator):
            translators.append(translator)
        else:
            log.warning("the translation %s is missing in %s", name, folder)
    return tuple(translators)
