"""Has the engine check the rows once the sliders rest, and keeps its answers until the next price."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

import msgspec
from PySide6.QtCore import QCoreApplication

from desktop.errors import AppError
from desktop.fit.types import Choice, Recommendation
from desktop.services import Services, Survey
from desktop.ui.bridge import Coalescer, explain, sentences
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.shell import NoticeWish, Shell

REST = 0.3
"""Seconds without a new price after which the engine is asked."""
_TOGETHER = 120
"""Milliseconds in which answers are shown together: rows change in place, and not one by one."""
_LEFT = "rows left"


class ExactRows:
    """Newest wins: a new price gives up what was being asked about the one before."""

    def __init__(self, *, view: ModelsView, services: Services, shell: Shell, on_answers: Callable[[], None]) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._asking: asyncio.Task[None] | None = None
        self._is_rest_wanted = False  # the person asked for the rest, and has it not yet
        self._found: Survey | None = None
        self._rows: tuple[Choice, ...] = ()
        self._answers: dict[tuple[str, str], Choice] = {}
        self._show = Coalescer(on_answers, view, milliseconds=_TOGETHER)

    @property
    def is_asking(self) -> bool:
        """Whether the engine is being asked, or will be in a moment; while new prices come, if the rest is wanted."""
        return self._is_rest_wanted or (self._asking is not None and not self._asking.done())

    @property
    def are_left(self) -> bool:
        """Whether there are rows that are not exact."""
        return any(not self._answers.get(_key(row), row).exact for row in self._rows)

    async def restart(self, found: Survey, advice: Recommendation) -> None:
        """There are new prices: take what was asked before at once, and ask about what is known without a network.

        About the rest too, if the person asked for that and it had not ended.
        """
        from desktop.actions.exact import remembered_choices

        self._give_up()
        self._found = found
        self._rows = (*advice.choices, *advice.rejected)
        remembered = await remembered_choices(self._services, found, self._rows)
        self._answers = {_key(row): row for row in remembered if row.exact}
        self._is_rest_wanted = self._is_rest_wanted and self.are_left
        if self.are_left:
            self._ask(fetch=self._is_rest_wanted, after=REST)

    def ask_rest(self) -> None:
        """Ask about the rest too, with what the Hub says of their files."""
        self._is_rest_wanted = True
        self._ask(fetch=True, after=0)

    def stop(self) -> None:
        """Ask no more; what was answered stays."""
        self._is_rest_wanted = False
        self._give_up()
        self._show.request()

    def merged(self, advice: Recommendation) -> Recommendation:
        """The same rows in the same order, as far as the engine answered with its figures."""
        return msgspec.structs.replace(
            advice, choices=self._with_answers(advice.choices), rejected=self._with_answers(advice.rejected)
        )

    def found_to_fit(self, advice: Recommendation) -> frozenset[tuple[str, str]]:
        """What was rejected for its memory, and fits by the engine's figures."""
        return frozenset(
            _key(row) for row in advice.rejected if not row.fits and self._answers.get(_key(row), row).fits
        )

    def _with_answers(self, rows: Sequence[Choice]) -> tuple[Choice, ...]:
        return tuple(self._answers.get(_key(row), row) for row in rows)

    def _give_up(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _ask(self, *, fetch: bool, after: float) -> None:
        self._give_up()
        if self._found is not None and self._rows:
            work = self._follow(self._found, fetch=fetch, after=after)
            self._asking = self._shell.tasks.start(work, name="exact rows")

    async def _follow(self, found: Survey, *, fetch: bool, after: float) -> None:
        from desktop.actions.exact import verify_choices

        await asyncio.sleep(after)
        rows = [row for row in self._rows if not self._answers.get(_key(row), row).exact]
        failures: list[AppError] = []
        asked = verify_choices(self._services, found, rows, fetch=fetch, on_failure=failures.append)
        try:
            async with aclosing(asked) as answers:
                async for answer in answers:
                    self._answers[_key(answer)] = answer
                    self._show.request()
                    if not self._view.isVisible():
                        return  # nobody looks: the page asks again when it is shown
            if fetch:
                self._is_rest_wanted = False
                left = sum(not self._answers.get(_key(row), row).exact for row in self._rows)
                tell_rows_left(self._shell, left, failures, self.ask_rest)
        except AppError as error:
            self._is_rest_wanted = False
            self._shell.report(error)
        finally:
            self._show.request()


def tell_rows_left(shell: Shell, count: int, failures: Sequence[AppError], again: Callable[[], None]) -> None:
    """Say how many rows stay estimates though the Hub was asked, and what kept the engine from them."""
    if not count:
        shell.notice_unwanted.emit(_LEFT)
        return
    one = QCoreApplication.translate("ExactRows", "One row could not be checked; its memory stays an estimate.")
    several = QCoreApplication.translate(
        "ExactRows", "{count} rows could not be checked; their memory stays an estimate."
    )
    reasons = list(dict.fromkeys(explain(error) for error in failures))
    hint = sentences(reasons[0]) if reasons else ""
    if len(reasons) > 1:
        others = QCoreApplication.translate("ExactRows", "The log has the other reasons.")
        hint = sentences((reasons[0].message, others))
    action = QCoreApplication.translate("ExactRows", "Try again")
    text = one if count == 1 else several.format(count=count)
    shell.notify(NoticeWish(text=text, hint=hint, kind="warn", action=action, on_action=again, key=_LEFT))


def _key(row: Choice) -> tuple[str, str]:
    return row.model_id, row.quantization
