"""What happens on the chat page. The only part of it that knows the services; it has no widgets of its own."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, QTimer

from desktop.chat.forgetting import forget_deleted
from desktop.chat.messages import Conversation, Message
from desktop.chat.session import ReplyStarted
from desktop.chat.store import ChatStore
from desktop.engine.protocol import LoadedModel
from desktop.errors import AppError
from desktop.settings import SEND_WITH_ENTER, SYSTEM_PROMPT, WINDOW_STATE
from desktop.ui import figures
from desktop.ui.item_models.conversations import ConversationRow
from desktop.ui.pages.chat.inspector_controller import InspectorController
from desktop.ui.pages.chat.model_picker import ModelPicker
from desktop.ui.pages.chat.presenting import foot_line, messages_with_versions, shown
from desktop.ui.pages.chat.replies import Begin, Replies
from desktop.ui.shell import NoticeWish, Shell

if TYPE_CHECKING:
    from desktop.services import Services
    from desktop.ui.pages.chat.view import ChatView

_DRAFT_PAUSE = 500
"""Milliseconds without typing before a draft is saved."""


class ChatController(QObject):
    """Joins the chat's view with the store, the engine and the settings."""

    def __init__(self, *, view: "ChatView", services: "Services", shell: Shell) -> None:
        super().__init__(shell)
        self._view = view
        self._services = services
        self._shell = shell
        self._open: Conversation | None = None
        self._last: Message | None = None
        self._store_opened: asyncio.Task[ChatStore] | None = None
        self._creating = asyncio.Lock()
        self._draft_timer = QTimer(self)
        self._draft_timer.setSingleShot(True)
        self._draft_timer.setInterval(_DRAFT_PAUSE)
        self._draft_timer.timeout.connect(lambda: self._start(self._save_draft()))
        self._replies = Replies(services=services, tasks=shell.tasks, parent=self)
        self._panel = InspectorController(view=view.inspector, services=services, shell=shell, parent=self)
        self._picker = ModelPicker(view=view.header, services=services, shell=shell, parent=self)
        self._connect_view()
        self._connect_rest()
        self._show_settings()
        self._start(self._begin())

    def activate(self) -> None:
        """The page is shown: have a model ready before the first word is typed."""
        self._view.focus_composer()
        if self._shell.loader.is_needed() and not self._services.engine.state.breaker_open:
            self._shell.loader.load()

    async def close(self) -> None:
        """Stop what runs, and save what was typed."""
        await self._replies.close()
        if self._draft_timer.isActive():
            self._draft_timer.stop()
            await self._save_draft()
        if self._view.inspector.has_unsaved_prompt():
            await self._save_prompt(self._view.inspector.system_prompt.toPlainText())
        await self._panel.close()

    # --- Beginning

    def _connect_view(self) -> None:
        view = self._view
        view.message_sent.connect(lambda text: self._start(self._send(text)))
        view.stop_requested.connect(self._on_stop)
        view.regenerate_requested.connect(self._on_regenerate)
        view.continue_requested.connect(self._on_continue)
        view.messages.version_wanted.connect(lambda i, number: self._start(self._show_version(i, number)))
        view.new_chat_requested.connect(lambda: self._start(self._show(None)))
        view.composer.draft_changed.connect(lambda _text: self._draft_timer.start())
        view.sidebar.conversation_chosen.connect(lambda i: self._start(self._choose(i)))
        view.sidebar.search_changed.connect(lambda _text: self._start(self._list()))
        view.sidebar.rename_requested.connect(lambda i: self._start(self._ask_for_title(i)))
        view.sidebar.delete_requested.connect(lambda i: self._start(self._delete(i)))
        view.header.rename_requested.connect(lambda: self._start(self._ask_for_title(self._open_id())))
        view.header.delete_requested.connect(lambda: self._start(self._delete(self._open_id())))
        view.renamed.connect(lambda i, title: self._start(self._rename(i, title)))
        view.inspector.system_prompt_changed.connect(lambda text: self._start(self._save_prompt(text)))
        view.folds_changed.connect(lambda left, right: self._start(self._save_folds(left, right)))

    def _connect_rest(self) -> None:
        self._replies.started.connect(self._on_reply_started)
        self._replies.streamed.connect(self._on_reply_streamed)
        self._replies.ended.connect(self._on_reply_ended)
        self._replies.refused.connect(self._on_reply_refused)
        self._panel.sampling_changed.connect(self._show_meter)
        self._shell.loader.loaded.connect(self._on_model_loaded)

    def _start(self, coroutine: Any) -> None:
        self._shell.tasks.start(coroutine)

    async def _begin(self) -> None:
        try:
            rows = await self._list()
            last = await asyncio.to_thread((await self._store()).conversation, rows[0].id) if rows else None
        except AppError:
            await self._show(None)  # a message can be written, and goes out once the cause is gone
            raise
        if self._open is None and not self._view.is_busy():  # else the person was faster
            await self._show(None if self._view.composer.text() else last)

    async def _store(self) -> ChatStore:
        """The store, opened once and not in the window's thread. Raises what opening raised; each call tries again."""
        opened = self._store_opened
        if opened is None or (opened.done() and opened.exception() is not None):
            opened = self._store_opened = asyncio.ensure_future(asyncio.to_thread(lambda: self._services.store))
        return await asyncio.shield(opened)

    def _show_settings(self) -> None:
        settings = self._services.settings
        self._view.composer.set_send_with_enter(settings.get(SEND_WITH_ENTER))
        state = settings.get(WINDOW_STATE)
        self._view.set_folds(sidebar=state.sidebar_folded, inspector=state.inspector_folded)

    async def _save_folds(self, sidebar: bool, inspector: bool) -> None:
        settings = self._services.settings
        state = msgspec.structs.replace(settings.get(WINDOW_STATE), sidebar_folded=sidebar, inspector_folded=inspector)
        await asyncio.to_thread(settings.set, WINDOW_STATE, state)

    # --- Conversations

    def _open_id(self) -> str:
        return self._open.id if self._open else ""

    async def _list(self) -> list[ConversationRow]:
        store = await self._store()
        found = await asyncio.to_thread(store.conversations, self._view.sidebar.search.text())
        rows = [ConversationRow(each.id, each.title, each.updated) for each in found]
        self._view.sidebar.set_conversations(rows)
        self._view.sidebar.set_chosen(self._open_id())
        return rows

    async def _choose(self, conversation_id: str) -> None:
        store = await self._store()
        await self._show(await asyncio.to_thread(store.conversation, conversation_id))

    async def _show(self, conversation: Conversation | None) -> None:
        """Show a conversation, or a new one for None; what was typed in the one before is kept with it."""
        if conversation is not None or self._open is not None:
            await self._keep_typed()
            self._open = conversation
            self._view.composer.set_draft(conversation.draft if conversation else "")
        messages = await self._read(conversation)
        if self._open is not conversation:
            return  # the person went on to another one meanwhile
        self._last = messages[-1][0] if messages else None
        self._view.set_messages([shown(message, versions=versions) for message, versions in messages])
        default_prompt = self._services.settings.get(SYSTEM_PROMPT) or ""
        self._panel.prompt_was_shown(conversation.system_prompt if conversation else default_prompt)
        self._show_title()
        self._view.sidebar.set_chosen(self._open_id())
        self._view.set_busy(self._replies.live(self._open_id()) is not None)
        self._on_reply_streamed(self._open_id())
        self._show_meter()
        self._view.focus_composer()

    async def _read(self, conversation: Conversation | None) -> list[tuple[Message, int]]:
        """The messages of a conversation, each with how many versions stand beside it."""
        if conversation is None:
            return []
        return await asyncio.to_thread(messages_with_versions, await self._store(), conversation.id)

    async def _keep_typed(self) -> None:
        while self._draft_timer.isActive():  # again where somebody types during the save
            self._draft_timer.stop()
            await self._save_draft()
        if self._view.inspector.has_unsaved_prompt():
            self._view.inspector.flush()

    async def _save_draft(self) -> None:
        text = self._view.composer.text()
        if self._open is None and not text.strip():
            return
        conversation = await self._ensure_conversation()
        await asyncio.to_thread((await self._store()).save_draft, conversation.id, text)
        if self._open is not None and self._open.id == conversation.id:
            self._open = msgspec.structs.replace(self._open, draft=text)

    async def _ensure_conversation(self) -> Conversation:
        async with self._creating:  # a draft and a message may both want the first conversation
            if self._open is not None:
                return self._open
            store = await self._store()
            prompt = self._view.inspector.system_prompt.toPlainText()
            self._open = created = await asyncio.to_thread(partial(store.create_conversation, system_prompt=prompt))
        await self._list()
        self._show_title()
        return created

    async def _save_prompt(self, text: str) -> None:
        if self._open is None:
            return  # it goes into the conversation when that begins
        self._open = msgspec.structs.replace(self._open, system_prompt=text)
        await asyncio.to_thread((await self._store()).set_system_prompt, self._open.id, text)

    async def _ask_for_title(self, conversation_id: str) -> None:
        store = await self._store()
        conversation = await asyncio.to_thread(store.conversation, conversation_id)
        self._view.ask_for_title(conversation_id, conversation.title)

    async def _rename(self, conversation_id: str, title: str) -> None:
        await asyncio.to_thread((await self._store()).rename, conversation_id, title)
        if conversation_id == self._open_id() and self._open is not None:
            self._open = msgspec.structs.replace(self._open, title=title)
            self._show_title()
        await self._list()

    async def _delete(self, conversation_id: str) -> None:
        """Into the trash, with a banner that brings it back."""
        store = await self._store()
        conversation = await asyncio.to_thread(store.conversation, conversation_id)
        self._replies.stop(conversation_id)
        await asyncio.to_thread(store.delete, conversation_id)
        if conversation_id == self._open_id():
            self._draft_timer.stop()
            await self._show(None)
        await self._list()
        self._start(self._forget_deleted())
        self._shell.notify(
            NoticeWish(
                text=self.tr("“{title}” was deleted.").format(title=conversation.title or self.tr("New chat")),
                action=self.tr("Undo"),
                on_action=lambda: self._start(self._restore(conversation_id)),
                seconds=15.0,
                key="deleted",
            )
        )

    async def _restore(self, conversation_id: str) -> None:
        await asyncio.to_thread((await self._store()).restore, conversation_id)
        await self._list()
        await self._choose(conversation_id)

    def _show_title(self) -> None:
        title = self._open.title if self._open else ""
        self._view.header.set_title(title or self.tr("New chat"), stored=self._open is not None)

    # --- Replies

    async def _send(self, text: str) -> None:
        if self._view.is_busy():
            return
        self._view.set_busy(True)
        try:
            self._draft_timer.stop()
            conversation = await self._ensure_conversation()
            await self._save_draft()  # nothing is lost while the model loads
        except BaseException:
            self._view.set_busy(False)
            raise
        self._begin_reply(conversation.id, lambda session: session.send(text=text, sampling=self._panel.sampling()))

    def _begin_reply(self, conversation_id: str, begin: Begin) -> None:
        if conversation_id == self._open_id():
            self._view.set_busy(True)
        self._replies.begin(conversation_id, ready=self._ready, begin=begin)

    async def _ready(self) -> ChatStore:
        await self._shell.loader.ensure()
        return await self._store()

    def _on_regenerate(self, message_id: str) -> None:
        self._answer_again(lambda session: session.regenerate(message_id=message_id, sampling=self._panel.sampling()))

    def _on_continue(self, message_id: str) -> None:
        self._answer_again(
            lambda session: session.continue_reply(message_id=message_id, sampling=self._panel.sampling())
        )

    def _answer_again(self, begin: Begin) -> None:
        if self._open is not None and not self._view.is_busy():
            self._begin_reply(self._open.id, begin)

    def _on_stop(self) -> None:
        self._replies.stop(self._open_id())

    async def _show_version(self, message_id: str, number: int) -> None:
        store = await self._store()
        versions = await asyncio.to_thread(store.versions, message_id)
        wanted = next((version for version in versions if version.version == number), None)
        if wanted is not None:
            await asyncio.to_thread(store.choose, wanted.id)
            await self._show(self._open)

    def _on_reply_started(self, conversation_id: str, event: ReplyStarted) -> None:
        if conversation_id != self._open_id():
            return
        if event.asked is not None:
            self._clear_sent(event.asked.text)
            self._view.add_message(shown(event.asked))
            self._view.add_message(shown(event.reply))
            self._start(self._list())
            self._start(self._refresh_title())
        else:
            self._start(self._show(self._open))

    def _clear_sent(self, text: str) -> None:
        """Empty the composer, but for what was typed while the model was loading."""
        typed = self._view.composer.text()
        if typed == text:
            self._view.composer.set_draft("")
            return
        self._view.composer.set_draft(typed.removeprefix(text).lstrip())
        self._draft_timer.start()  # the store forgot the draft when the message was sent

    async def _refresh_title(self) -> None:
        if self._open is not None:
            self._open = await asyncio.to_thread((await self._store()).conversation, self._open.id)
            self._show_title()

    def _on_reply_streamed(self, conversation_id: str) -> None:
        live = self._replies.live(conversation_id)
        if live is None or live.message is None or conversation_id != self._open_id():
            return
        if not live.text and not live.reasoning and live.prefill[1]:
            self._view.messages.set_waiting(self._reading_words(*live.prefill))
        self._view.messages.stream("".join(live.text), "".join(live.reasoning), live.thought_seconds())

    def _reading_words(self, done: int, total: int) -> str:
        percent = round(100 * done / total)
        return self.tr("Reading {tokens} tokens: {percent} %").format(tokens=total, percent=percent)

    def _on_reply_ended(self, conversation_id: str, message: Message) -> None:
        if message.stats is not None:
            self._shell.figures_changed.emit(foot_line(message.stats))
        if conversation_id == self._open_id():
            self._last = message
            self._view.set_busy(False)
            self._view.messages.replace_message(shown(message, versions=message.version))
            self._show_meter()

    def _on_reply_refused(self, conversation_id: str, error: BaseException) -> None:
        if conversation_id == self._open_id():
            self._view.set_busy(False)
        if not isinstance(error, asyncio.CancelledError):
            self._shell.report(error)

    # --- The context

    def _on_model_loaded(self, _model: LoadedModel) -> None:
        self._show_meter()
        self._start(self._forget_deleted())

    async def _forget_deleted(self) -> None:
        await forget_deleted(await self._store(), self._services.engine)

    def _show_meter(self) -> None:
        model = self._services.engine.loaded
        total = model.n_ctx if model else 0
        stats = self._last.stats if self._last else None
        used = stats.context_used if stats else 0
        limit = self._panel.sampling().max_length or total
        following = max(0, min(limit, total - used))
        words = self.tr("{used} of {total} context · next reply up to {next}").format(
            used=figures.tokens(used), total=figures.tokens(total), next=figures.tokens(following)
        )
        self._view.meter.set_values(used=used, next_reply=following, total=total, words=words)
