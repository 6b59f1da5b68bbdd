"""The chat templates that models really come with: each is rendered, and what it writes is understood again."""

import re
from pathlib import Path

import pytest

from desktop.engine.protocol import PromptMessage, Tool, ToolCall
from desktop.runtime.replies.reader import ReplyReader
from desktop.runtime.templates.template import ChatTemplate
from tests.support.characters import Characters

FOLDER = Path(__file__).parent / "chat_templates"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jinja"))
WEATHER = Tool(
    name="get_weather",
    description="Tell the weather",
    parameters='{"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}',
)
ASKED = PromptMessage(role="user", content="Weather in Paris?")
ARGUMENTS = '{"city": "Paris", "days": 2}'
CALL = PromptMessage(
    role="assistant",
    content="",
    reasoning="I look it up.",
    tool_calls=(ToolCall(name="get_weather", arguments=ARGUMENTS, call_id="call_1"),),
)
ANSWER = PromptMessage(role="tool", content="Rainy", tool_call_id="call_1")
_ENDS = re.compile(r"<\|(?:eot_id|eom_id|im_end|call|end_of_text)\|>|</s>")


def load(name: str) -> ChatTemplate:
    source = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
    return ChatTemplate(source, bos="<s>", eos="</s>", special_texts=())


def written(template: ChatTemplate, messages: list[PromptMessage], tools: tuple[Tool, ...] = ()) -> str:
    return "".join(stretch.text for stretch in template.render(messages, tools=tools))


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_is_written_whole(name: str) -> None:
    said = [("system", "Be kind."), ("user", "First"), ("assistant", "Second"), ("user", "Third")]
    text = written(load(name), [PromptMessage(role=role, content=content) for role, content in said])  # type: ignore[arg-type]
    assert all(content in text for _, content in said)


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_with_a_tool_is_written_whole(name: str) -> None:
    text = written(load(name), [ASKED, CALL, ANSWER], (WEATHER,))
    assert "Tell the weather" in text
    asked = text.rindex("Weather in Paris?")
    assert all(word in text[asked:] for word in ("get_weather", "city", "Rainy"))


@pytest.mark.parametrize("name", NAMES)
def test_a_call_as_the_template_writes_it_is_read_as_that_call(name: str) -> None:
    template = load(name)
    asked = written(template, [ASKED], (WEATHER,))
    whole = written(template, [ASKED, CALL, ANSWER], (WEATHER,))
    begin = next(place for place in range(len(whole)) if whole[: place + 1] != asked[: place + 1])
    if begin < len(asked) and "<" in whole[begin - 8 : begin]:  # not in the middle of a mark
        begin = whole.rindex("<", 0, begin)
    reply = _ENDS.split(whole[begin : whole.rindex("Rainy")])[0]
    opened = begin == len(asked) and template.reasoning_open(template.render([ASKED], tools=(WEATHER,)))
    reader = ReplyReader(
        Characters(reply),
        template.reply_format,
        stops=(),
        reasoning_open=opened,
        tools=True,
        signatures=(WEATHER,),
    )
    parts = [part for token in range(len(reply)) for part in reader.feed(token)] + reader.finish()
    names = [part.name for part in parts if part.name]
    arguments = "".join(part.text for part in parts if part.kind == "tool_call")
    assert (names, arguments) == (["get_weather"], ARGUMENTS), reply
    assert not any(part.withdrawn for part in parts)
