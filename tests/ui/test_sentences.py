"""Sentences that stand beside each other, in languages with a space between them and without."""

import pytest

from desktop.ui.bridge import sentences


@pytest.mark.parametrize(
    ("parts", "together"),
    [
        (["It failed.", "Try again."], "It failed. Try again."),
        (["失败了。", "请重试。"], "失败了。请重试。"),
        (["真的吗？", "是的！", "好。"], "真的吗？是的！好。"),
        (["失败了（见日志）", "请重试。"], "失败了（见日志）请重试。"),
        (["没有回答。", "HTTP 500.", "请重试。"], "没有回答。HTTP 500. 请重试。"),
        (["It cannot be reached: timed out", "Try again."], "It cannot be reached: timed out. Try again."),
        (["无法连接：timed out", "请重试。"], "无法连接：timed out. 请重试。"),
        (["无法连接：超时", "请重试。"], "无法连接：超时。请重试。"),
        (["It cannot be reached: timed out", ""], "It cannot be reached: timed out"),
        (["Loading …", "Soon."], "Loading … Soon."),
        (["", "Try again."], "Try again."),
        (["It failed.", ""], "It failed."),
        ([], ""),
    ],
)
def test_a_space_stands_only_where_the_language_has_one(parts: list[str], together: str) -> None:
    assert sentences(parts) == together
    assert sentences(iter(parts)) == together
