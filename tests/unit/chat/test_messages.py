import pytest

from desktop.chat.messages import Message, make_title, prompt_of
from desktop.engine.protocol import Role


def message(role: Role, text: str) -> Message:
    return Message(id="m", conversation_id="c", role=role, text=text, created=0.0)


def shown(system: str, *messages: Message) -> list[tuple[str, str]]:
    return [(part.role, part.content) for part in prompt_of(system, messages)]


def test_the_model_sees_the_system_prompt_first_and_then_every_turn() -> None:
    turns = message("user", "Hello"), message("assistant", "Hi."), message("user", "Bye")
    assert shown("Be kind.", *turns) == [
        ("system", "Be kind."),
        ("user", "Hello"),
        ("assistant", "Hi."),
        ("user", "Bye"),
    ]


def test_without_a_system_prompt_there_is_no_system_turn() -> None:
    assert shown("  \n", message("user", "Hello")) == [("user", "Hello")]


def test_a_reply_without_a_word_costs_neither_of_the_questions_around_it() -> None:
    turns = message("user", "First?"), message("assistant", ""), message("user", "Second?")
    assert shown("", *turns) == [("user", "First?\n\nSecond?")]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("\n\n  Write a\tsea  story \nwith whales", "Write a sea story"),
        ("", ""),
        (" \n ", ""),
        (
            "Explain how a transformer model computes attention over long sequences of text",
            "Explain how a transformer model computes attention over…",
        ),
        ("x" * 61, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
        ("请" * 30, "请" * 30),
        ("请" * 31, "请" * 29 + "…"),
        ("用 Python 写一个程序,把一个文件夹里的所有图片转换成灰度图像并保存到另一个文件夹", None),
    ],
)
def test_a_title_is_the_first_line_cut_at_a_word(text: str, title: str | None) -> None:
    made = make_title(text)
    if title is not None:
        assert made == title
    else:
        assert made.endswith("…")
        assert text.startswith(made[:-1])
        assert 25 < len(made) < 60


def test_a_title_never_cuts_an_accent_or_a_joined_emoji_off_its_base() -> None:
    family = "👨\u200d👩\u200d👧"
    for padding in range(50, 62):
        made = make_title("x" * padding + "e\u0301" * 5 + family * 3).removesuffix("…")
        rest = ("x" * padding + "e\u0301" * 5 + family * 3)[len(made) :]
        assert not rest.startswith(("\u0301", "\u200d"))
        assert not made.endswith("\u200d")
