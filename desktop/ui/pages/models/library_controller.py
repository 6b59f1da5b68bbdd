"""What a person does with the models on the disk: add, check, show, remove; and the look for new ones."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog

from desktop.actions.library import (
    add_folder,
    find_duplicates,
    import_model,
    list_folders,
    list_models,
    place_to_reveal,
    remove_folder,
    remove_model,
    scan_library,
    verify_model,
)
from desktop.engine.state import EngineState
from desktop.errors import AppError
from desktop.library.trash import NoTrash
from desktop.library.types import InstalledModel
from desktop.services import Services
from desktop.ui.bridge import explain, render
from desktop.ui.figures import gb
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.reveal import reveal
from desktop.ui.shell import NoticeWish, Shell

if TYPE_CHECKING:
    from desktop.library.removal import RemovedModel

_MOST_NAMED = 5
"""Names, or failures, that one notice tells of many; the log has them all."""
_log = logging.getLogger(__name__)


class LibraryController(QObject):
    """Fills the card of what is installed; every long work is shown in the row that it concerns."""

    def __init__(self, *, view: ModelsView, services: Services, shell: Shell) -> None:
        super().__init__(view)
        self._view = view
        self._services = services
        self._shell = shell
        self._scanning: asyncio.Task[None] | None = None
        self._is_scan_wanted = False
        self._checking: dict[str, asyncio.Task[None]] = {}
        self._removing: set[str] = set()
        self._shown_in_use = ""
        card = view.installed
        card.verify_requested.connect(self._on_verify_requested)
        card.reveal_requested.connect(self._on_reveal_requested)
        card.remove_requested.connect(self._on_remove_requested)
        card.renew_requested.connect(shell.fetch.renew)
        card.file_wanted.connect(self._on_file_wanted)
        card.folder_wanted.connect(self._on_folder_wanted)
        card.look_requested.connect(self.look_for_new)
        card.menu_wanted.connect(lambda: self._start(self._show_menu(), "menu of the library"))
        card.duplicates_requested.connect(lambda: self._start(self._find_duplicates(), "find duplicates"))
        card.folder_unwanted.connect(lambda folder: self._start(self._forget_folder(folder), "forget a folder"))
        view.files_dropped.connect(self.add)
        self._unsubscribe = services.engine.subscribe(self._on_engine_state)

    def close(self) -> None:
        """Stop listening to the engine."""
        self._unsubscribe()

    async def show(self) -> None:
        """Show what is known to be here. Raises the errors of database."""
        models = await list_models(self._services)
        self._shown_in_use = self._path_in_use()
        in_use = next((model.id for model in models if model.path == self._shown_in_use), "")
        self._view.set_installed(models, in_use)

    def look_for_new(self) -> None:
        """Scan in the background, once more where a scan runs; the card is filled anew when something changed."""
        self._is_scan_wanted = True
        if self._scanning is None or self._scanning.done():
            self._scanning = self._start(self._scan_while_wanted(), "look for models")

    def add(self, paths: Sequence[str]) -> None:
        """Add files, and folders with all below them."""
        self._start(self._add([Path(path) for path in paths]), "add models")

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        return self._shell.tasks.start(work, name=name)

    async def _scan_while_wanted(self) -> None:
        while self._is_scan_wanted:
            self._is_scan_wanted = False
            await self._scan()

    async def _scan(self) -> None:
        self._view.installed.set_aside(self.tr("Looking for models …"))
        try:
            report = await scan_library(self._services)
        except AppError as error:
            self._shell.report(error)
            return
        finally:
            self._view.installed.set_aside("")
        if report.problems:
            self._tell_problems(list(map(render, report.problems)), key="scan")
        if report.new or report.changed or report.gone:
            self._shell.models_changed.emit()

    async def _show_menu(self) -> None:
        folders = await list_folders(self._services)
        self._view.installed.show_menu([str(folder) for folder in folders])

    async def _forget_folder(self, folder: str) -> None:
        await remove_folder(self._services, Path(folder))
        self._shell.models_changed.emit()

    async def _find_duplicates(self) -> None:
        def on_progress(done: int, total: int) -> None:
            share = round(100 * done / total) if total else 0
            self._view.installed.set_aside(self.tr("Comparing … {share} %").format(share=share))

        try:
            found, left_out = await find_duplicates(self._services, on_progress=on_progress)
        except AppError as error:
            self._shell.report(error)
            return
        finally:
            self._view.installed.set_aside("")
        lines = [f"{gb(each.size)}: {', '.join(model.path for model in each.models)}" for each in found]
        none = self.tr("No model is here twice.")
        text = self.tr("Models that are here more than once: {count}").format(count=len(found)) if found else none
        if found:
            lines.append(self.tr("To free the space, remove what you do not need; the other one stays."))
        self._shell.notify(NoticeWish(text=text, hint="\n".join(lines), key="duplicates"))
        if left_out:
            self._tell_problems(list(map(render, left_out)), key="not compared")

    async def _add(self, paths: Sequence[Path]) -> None:
        added, here, failures = list[str](), list[str](), list[AppError]()
        for number, path in enumerate(paths):
            if len(paths) > _MOST_NAMED:
                text = self.tr("Adding … {number} of {count}").format(number=number, count=len(paths))
                self._view.installed.set_aside(text)
            try:
                if await asyncio.to_thread(path.is_dir):
                    await add_folder(self._services, path)
                    self.look_for_new()
                    continue
                imported = await import_model(self._services, path)
            except AppError as error:
                failures.append(error)
                continue
            (here if imported.outcome == "already_there" else added).append(imported.model.name)
        self._view.installed.set_aside("")
        self._tell_failures(failures)
        if here:
            text = self.tr("{name} is here already.").format(name=_named(here))
            self._shell.notify(NoticeWish(text=text, seconds=8, key="here already"))
        if added:
            text = self.tr("Added: {names}").format(names=_named(added))
            self._shell.notify(NoticeWish(text=text, kind="info", seconds=8, key="added"))
            self._shell.models_changed.emit()

    def _tell_failures(self, failures: Sequence[AppError]) -> None:
        """A banner each for a few; of a folder full of other things dropped at once there is one."""
        if len(failures) <= _MOST_NAMED:
            for error in failures:
                self._shell.report(error)
            return
        for error in failures:
            _log.warning("not added: %s", error)
        self._tell_problems([explain(error).message for error in failures], key="not added")

    def _tell_problems(self, problems: Sequence[str], *, key: str) -> None:
        words = " ".join([*problems[:_MOST_NAMED], *(["…"] if len(problems) > _MOST_NAMED else [])])
        text = self.tr("Not everything could be looked at.")
        self._shell.notify(NoticeWish(text=text, hint=words, kind="warn", key=key))

    def _on_verify_requested(self, model: InstalledModel) -> None:
        running = self._checking.get(model.path)
        if (running is None or running.done()) and model.path not in self._removing:
            self._checking[model.path] = self._start(self._verify(model), f"verify {model.id}")

    async def _verify(self, model: InstalledModel) -> None:
        def on_progress(done: int, total: int) -> None:
            share = round(100 * done / total) if total else 0
            self._view.installed.set_progress(model.id, self.tr("Checking … {share} %").format(share=share))

        on_progress(0, 1)
        try:
            found = await verify_model(self._services, model, on_progress=on_progress)
        except AppError as error:
            self._shell.report(error)
        else:
            by_sum = self.tr("{name} is whole and unchanged: its checksum (SHA-256) is the one its publisher names.")
            by_shape = self.tr(
                "{name} seems whole: its size and its beginning are right. Nobody named a checksum to be sure by."
            )
            text = (by_sum if found.proof == "sha256" else by_shape).format(name=model.name)
            self._shell.notify(NoticeWish(text=text, kind="info", seconds=8, key=f"verified {model.id}"))
        finally:
            self._view.installed.set_progress(model.id, "")
        self._shell.models_changed.emit()

    def _on_reveal_requested(self, model: InstalledModel) -> None:
        self._start(self._reveal(model), "show a model in its folder")

    async def _reveal(self, model: InstalledModel) -> None:
        place = await asyncio.to_thread(place_to_reveal, model)
        if not await reveal(place):
            text = self.tr("No file manager could be started.")
            self._shell.notify(NoticeWish(text=text, hint=str(place), kind="warn", key="reveal"))

    def _on_remove_requested(self, model: InstalledModel, *, permanently: bool = False) -> None:
        if model.path not in self._removing:  # clicked twice
            self._removing.add(model.path)
            task = self._start(self._remove(model, permanently=permanently), "remove a model")
            task.add_done_callback(lambda _task: self._removing.discard(model.path))

    async def _remove(self, model: InstalledModel, *, permanently: bool) -> None:
        if model.path == self._path_in_use():
            text = self.tr("{name} is in use.").format(name=model.name)
            hint = self.tr("Load another model first; then this one can be removed.")
            self._shell.notify(NoticeWish(text=text, hint=hint, kind="warn", key=f"removed {model.id}"))
            return
        if (checking := self._checking.pop(model.path, None)) is not None:
            checking.cancel()  # what it would say is of a file that is gone
            await asyncio.wait([checking])  # it may still read the file, or write down what it found
        try:
            removed = await remove_model(self._services, model, permanently=permanently)
        except NoTrash as error:
            self._offer_deletion(model, error)
        except AppError as error:
            self._shell.report(error)
        else:
            self._tell_removed(removed)
        self._shell.models_changed.emit()  # also where only some files of a model are gone

    def _tell_removed(self, removed: "RemovedModel") -> None:
        texts = {
            "trashed": self.tr("{name} is in the trash now."),
            "deleted": self.tr("{name} was deleted."),
            "forgotten": self.tr("{name} is off the list; its file was gone."),
        }
        usual = self.tr("{name} is off the list. Its file stays where it is; add it again whenever you like.")
        text = texts.get(removed.outcome, usual).format(name=removed.model.name)
        self._shell.notify(NoticeWish(text=text, seconds=8, key=f"removed {removed.model.id}"))

    def _path_in_use(self) -> str:
        plan = self._services.engine.plan
        return plan.model_path if plan is not None else ""

    def _on_engine_state(self, _state: EngineState) -> None:
        """A model may have been loaded, or given up; a page that is not shown is filled when it is."""
        if self._view.isVisible() and self._path_in_use() != self._shown_in_use:
            self._start(self.show(), "model in use")

    def _offer_deletion(self, model: InstalledModel, error: NoTrash) -> None:
        words = explain(error)
        self._shell.notify(
            NoticeWish(
                text=words.message,
                hint=words.hint,
                kind="warn",
                action=self.tr("Delete for good"),
                on_action=partial(self._on_remove_requested, model, permanently=True),
                key=f"removed {model.id}",
            )
        )

    def _on_file_wanted(self) -> None:
        dialog = self._dialog(self.tr("Add model files"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilter(self.tr("Models (*.gguf)"))
        dialog.filesSelected.connect(self.add)
        dialog.open()

    def _on_folder_wanted(self) -> None:
        dialog = self._dialog(self.tr("Add a folder with models"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda path: self.add([path]))
        dialog.open()

    def _dialog(self, title: str) -> QFileDialog:
        # open(), not exec(): a nested event loop would stop the tasks of the window's own.
        dialog = QFileDialog(self._view, title)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog


def _named(names: Sequence[str]) -> str:
    return ", ".join([*names[:_MOST_NAMED], *(["…"] if len(names) > _MOST_NAMED else [])])
