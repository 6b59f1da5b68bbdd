"""Text that runs goes on while a large prompt is prepared, and the request that it belongs to can be stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.json_child import run_child
from tests.support.models.decoders import write_dense
from tests.support.models.vocabulary import CHATML

pytestmark = pytest.mark.timeout(300)
SLOW_TEMPLATE = (
    "{% if messages[0]['content']|length > 100 %}"
    "{% for i in range(8000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}{% endif %}" + CHATML
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("models"), kind="f32", layers=2, template=SLOW_TEMPLATE)


@pytest.fixture
def run(model: Path) -> Callable[[str], Any]:
    """Runs a case of the child, and returns what it tells."""
    return lambda case: run_child("preparation_child", model, case)


def test_a_reply_goes_on_while_a_large_conversation_is_counted(run: Any) -> None:
    told = run("counted")
    assert told["meanwhile"] > 20
    assert told["tokens"] > 200_000


def test_a_reply_goes_on_while_a_slow_template_works_once_it_is_known_to_be_slow(run: Any) -> None:
    first, second = run("slow_template")
    assert first < second
    assert second > 20


def test_what_cannot_fit_is_refused_before_it_is_tokenized(run: Any) -> None:
    for kind, arguments in run("refused"):
        assert kind == "context_full"
        assert arguments["available"] == "1024"
        assert int(arguments["needed"].removeprefix("≥ ")) > 1024


def test_a_cancel_is_answered_while_the_thread_works_on(run: Any) -> None:
    assert run("cancelled") == {"still": True, "reasons": ["cancelled", "cancelled"], "switches": True}


def test_a_small_request_behind_a_large_one_does_not_wait_for_it(run: Any) -> None:
    told = run("overtaken")
    assert told["order"] == ["small", "large"]
    assert "large" not in told["told"]


def test_a_model_is_freed_only_after_the_thread_has_ended(run: Any) -> None:
    assert run("unloaded") == {"prepares": False, "ends": ["cancelled", "cancelled"]}


def test_what_is_prepared_elsewhere_is_answered_the_same(run: Any) -> None:
    texts = run("same")
    assert texts[:2] == texts[2:]
    assert all(text for _, text in texts)
