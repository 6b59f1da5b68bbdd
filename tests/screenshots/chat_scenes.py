"""States of the chat page."""

import math
import time

from PySide6.QtCore import QLocale

from desktop.engine.protocol import Sampling
from desktop.ui.item_models.conversations import ConversationRow
from desktop.ui.pages.chat.header import ModelEntry
from desktop.ui.pages.chat.memory_panel import GaugeRow
from desktop.ui.pages.chat.shown import ShownMessage
from desktop.ui.pages.chat.view import ChatView

GIB = 1024**3
DAY = 86400.0

CODE = '''Here is a small function. It reads the first five characters of every line that looks like a time:

```python
def departures(lines: list[str]) -> list[time]:
    """Times found at the start of each line, in order."""
    return [time.fromisoformat(l[:5]) for l in lines if l[2:3] == ":"]
```

It ignores, on purpose:

- headings and blank lines, which have no colon in third place
- times later in a line, such as arrivals
- footnote marks after the time
'''
CODE_ZH = '''这是一个小函数，读取每行开头像时间的五个字符：

```python
def departures(lines: list[str]) -> list[time]:
    """按顺序返回每行开头的时间。"""
    return [time.fromisoformat(l[:5]) for l in lines if l[2:3] == ":"]
```

它有意忽略：

- 标题和空行，第三个字符不是冒号
- 一行中较后的时间，例如到达时间
- 时间后面的脚注标记
'''
FIGURES = (
    "42.1 tok/s · first word 0.21 s · 148 tokens · 61 of 80 guesses right",
    "42.1 tok/s · 首字 0.21 秒 · 148 个 token · 猜中 61/80",
)
LONG = """## A comparison

| Model | Layers | KV heads | Context | What it is good for |
|---|---:|---:|---:|---|
| Small | 30 | 3 | 8k | quick answers |
| Medium | 36 | 8 | 32k | everyday writing and code |
| Large | 64 | 8 | 128k | long documents |

> The best model is the one that fits **with room to spare**.

1. First, look at what is free.
2. Then look at what is needed:
   - weights
   - KV cache
   - compute buffers
3. Decide.

A very long address: https://example.org/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

```bash
llama-server --model /models/some-long-name-of-a-model-Q4_K_M.gguf --ctx-size 16384 --n-gpu-layers 99 --port 8080
```

And [a link](https://example.org) with `inline code` at the end.
"""


def chinese() -> bool:
    """Whether the pictures are taken in Chinese now."""
    return QLocale().language() == QLocale.Language.Chinese


def _say(english: str, chinese_text: str) -> str:
    return chinese_text if chinese() else english


def _frame(view: ChatView) -> None:
    now = time.time()
    rows = [
        ("a", _say("Ferry timetable parser", "渡轮时刻表解析"), 0.0),
        ("b", _say("A story by the sea", "海边的故事"), 60.0),
        ("c", _say("Tax letter, second draft", "税务信，第二稿"), DAY),
        ("d", _say("What is a KV cache?", "什么是 KV 缓存？"), DAY),
        ("e", _say("Names for the boat", "给船取名"), 3 * DAY),
        ("f", _say("Regex for invoices", "发票的正则表达式"), 9 * DAY),
    ]
    view.sidebar.set_conversations([ConversationRow(i, title, now - age) for i, title, age in rows])
    view.sidebar.set_chosen("a")
    view.header.set_title(rows[0][1], stored=True)
    view.header.set_models([ModelEntry("qwen3-8b:Q5_K_M", "Qwen3 8B", "Q5_K_M")])
    view.header.set_model("qwen3-8b:Q5_K_M", "Qwen3 8B", "Q5_K_M · 16k")
    view.inspector.set_longest_reply(4096)
    view.inspector.set_sampling(Sampling(temperature=0.7, top_p=0.95), defaults=Sampling(temperature=0.6))
    view.inspector.set_system_prompt(
        _say("You are a careful programmer. Answer briefly.", "你是一位细心的程序员。回答要简短。")
    )
    words = _say("5.1k of 16k context · next reply up to 1k", "上下文已用 5.1k / 16k · 下一条回复最多 1k")
    view.meter.set_values(used=5100, next_reply=1024, total=16384, words=words)
    view.focus_composer()
    _memory(view)


def _memory(view: ChatView) -> None:
    for second in range(60):
        used = 2.1 * GIB if second < 12 else (6.4 + 0.3 * math.sqrt(second / 60)) * GIB
        row = GaugeRow(
            name=_say("Main memory", "内存"),
            figure=f"{used / GIB:.2f} / 16.0 GiB" if chinese() else f"{used / GIB:.2f} of 16.0 GiB",
            total=16 * GIB,
            weights=int(max(0.0, used - 3.4 * GIB)),
            kv=int(0.9 * GIB),
            compute=int(0.3 * GIB),
            others=int(2.1 * GIB),
        )
        view.inspector.memory.set_rows([row])
    view.inspector.memory.set_note(_say("No GPU: the model runs in main memory", "没有 GPU：模型在内存中运行"))
    words = _say("predicted 6.91, used 6.93 GiB", "预计 6.91，实际 6.93 GiB")
    view.inspector.memory.set_comparison(words, _say("as predicted", "与预计相符"), "fits")


def conversation(view: ChatView) -> None:
    """A reply with code, and one that is being written."""
    _frame(view)
    view.set_messages(
        [
            ShownMessage(
                "1",
                True,
                _say(
                    "The timetable is plain text. Write a function that pulls out the departure times, and tell me "
                    "what it ignores.",
                    "时刻表是纯文本。写一个函数提取出发时间，并告诉我它忽略了什么。",
                ),
            ),
            ShownMessage(
                "2",
                False,
                CODE_ZH if chinese() else CODE,
                reasoning="The third character of a line that begins with a time is a colon.",
                thought_seconds=3,
                figures=_say(*FIGURES),
                version=2,
                versions=3,
            ),
            ShownMessage("3", True, _say("And if a time is malformed?", "如果时间格式不对呢？")),
            ShownMessage(
                "4",
                False,
                _say(
                    "Then **time.fromisoformat** raises a ValueError, so the caller learns which line is",
                    "那么 **time.fromisoformat** 会抛出 ValueError，调用者就知道是哪一行",
                ),
                streaming=True,
            ),
        ]
    )
    view.set_busy(True)


def empty(view: ChatView) -> None:
    """A new chat."""
    _frame(view)
    view.header.set_title(_say("New chat", "新对话"), stored=False)
    view.sidebar.set_chosen("")
    view.set_messages([])
    view.set_busy(False)


def interrupted(view: ChatView) -> None:
    """After a crash of the engine."""
    _frame(view)
    view.set_messages(
        [
            ShownMessage("1", True, _say("Tell me a story about the sea.", "给我讲一个关于海的故事。")),
            ShownMessage(
                "2",
                False,
                _say(
                    "On the far side of the harbour lived a keeper who had never seen the open water. Every evening",
                    "港口的另一边住着一位从未见过大海的守灯人。每天傍晚",
                ),
                mark=_say("Interrupted", "已中断"),
                mark_kind="bad",
                hint=_say(
                    "The engine was ended by the system. It is starting again.", "引擎被系统终止，正在重新启动。"
                ),
                can_continue=True,
            ),
        ]
    )
    view.set_busy(False)


def long_text(view: ChatView) -> None:
    """Tables, lists, long words, a long title and a long draft."""
    _frame(view)
    view.header.set_title("A conversation whose title is much longer than the room that there is for it", stored=True)
    view.header.set_model("x", "Some-Model-With-A-Very-Long-Name 30B A3B Instruct 2507", "IQ4_XS · 128k")
    view.set_messages(
        [
            ShownMessage("1", True, "word " * 60 + "\n\n" + "x" * 200),
            ShownMessage("2", False, LONG, figures="4.13 tok/s · first word 12 s · 1024 tokens"),
        ]
    )
    view.composer.set_draft("\n".join(f"line {number} of a long draft" for number in range(12)))
    view.set_busy(False)


def _card(name: str, total: int, parts: tuple[float, float, float, float]) -> GaugeRow:
    weights, kv, compute, others = (int(part * GIB) for part in parts)
    figure = f"{sum(parts):.2f}" + _say(" of ", " / ") + f"{total:.1f} GiB"
    return GaugeRow(name, figure, total * GIB, weights, kv, compute, others)


def two_cards(view: ChatView) -> None:
    """A model split over two GPUs, all samplers unfolded."""
    conversation(view)
    rows = [
        _card("RTX 4070", 12, (4.1, 1.5, 0.4, 0.8)),
        _card("RTX 3060", 8, (1.5, 0.6, 0.5, 0.3)),
        _card(_say("Main memory", "内存"), 32, (0.4, 0.0, 0.2, 6.6)),
    ]
    for _ in range(40):
        view.inspector.memory.set_rows(rows)
    view.inspector.memory.set_note("")
    view.inspector.memory.set_comparison(
        _say("predicted 9.71, used 9.70 GiB", "预计 9.71，实际 9.70 GiB"), _say("as predicted", "与预计相符"), "fits"
    )
