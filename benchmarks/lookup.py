"""What speculation by prompt lookup gains: `python -m benchmarks.lookup`.

Two engines with the same model, one with speculation "auto" and one with "off", take turns. An editing task, in which
the reply repeats a text of the prompt, must be faster for the quantization that gains most (what a row of a step costs
differs between them) and slower for none; a plain chat must not be slower. Where "auto" decided against it, nothing is
judged, but it must be on for one of the quantizations at least.
"""

import sys
from pathlib import Path

from benchmarks import decode
from benchmarks.command import Options, Report, run
from benchmarks.sides import Turn, ask, engine, plan_for
from benchmarks.statistics import Bound, Measure, Ratio, interleaved, paired_ratio
from desktop.engine.client import EngineClient
from desktop.engine.protocol import Sampling

EDITING, PLAIN = Bound(least=1.3), Bound(least=0.97)
N_CTX, OUTPUTS = 2048, 16
TOKENS_OF_AN_EDIT, TOKENS_OF_A_CHAT = 96, 80
WINDOW = 20  # characters that are looked for in the text
TEXT = (
    "The harbour of Lindholm wakes before the sun does. At four in the morning the first boats come in, and the men "
    "who row them have been awake all night. They carry their nets over wet stones, and the gulls follow every step, "
    "because a net that is carried ashore always loses a few small fish. By five the women of the market have opened "
    "their stalls. They sort the herring by size, wash the mussels in cold water, and write the prices with chalk on "
    "black boards. Nobody speaks much at this hour. A kettle boils somewhere, a dog shakes the rain out of its coat, "
    "and the old lighthouse goes dark until the next evening. When the bell of the church rings six, the bakers bring "
    "warm bread down to the quay, and for a short while everybody stops working. They stand together with bread in "
    "their hands and look at the water. Then the ferry from the islands appears behind the long grey wall of the "
    "harbour, the market fills with people, and the quiet of the morning is gone until tomorrow. Those who have lived "
    "here all their lives say that they could tell the hour by the sounds alone, and that a day which begins without "
    "the bell is not a day at all."
)
BEGINNING = TEXT[: TEXT.index(" They carry")]
# The second revision of a text, its first two sentences given: so small a model copies only what it saw copied.
EDIT: tuple[Turn, ...] = (
    ("system", "You edit texts. You answer with the whole edited text and nothing else."),
    ("user", f"Correct the spelling of this text:\n\n{TEXT}"),
    ("assistant", TEXT),
    ("user", "Now replace the word kettle with the word pot, and leave everything else as it is."),
    ("assistant", BEGINNING),
)


class Task:
    """One kind of request; `replies` are the last ones by engine."""

    def __init__(self, turns: tuple[Turn, ...], sampling: Sampling, *, continue_last: bool = False) -> None:
        self._turns, self._sampling, self._continue_last = turns, sampling, continue_last
        self.replies: dict[EngineClient, str] = {}
        self.drafted = self.accepted = 0

    def on(self, client: EngineClient) -> Measure:
        """Measures tokens per second from the request to Done."""

        async def measure() -> float:
            reply = await ask(client, self._turns, self._sampling, continue_last=self._continue_last)
            self.replies[client] = reply.text
            self.drafted += reply.stats.drafted
            self.accepted += reply.stats.accepted
            return reply.stats.completion_tokens / reply.seconds

        return measure


def repeats(text: str) -> bool:
    """Whether an edit is made of the text's own sentences, rather than of a few words over and over."""
    windows = [text[place : place + WINDOW] for place in range(len(text) - WINDOW)]
    return sum(window in TEXT for window in windows) > 0.8 * len(windows) and len(set(windows)) > 0.9 * len(windows)


class Lookup:
    """Measures each quantization; knows afterwards whether speculation was on for any."""

    def __init__(self) -> None:
        self.on: list[str] = []
        self.gains: list[Ratio] = []

    async def compare(self, path: Path, options: Options, report: Report) -> None:
        """Measure one model file."""
        plain = plan_for(path, n_ctx=N_CTX, threads=options.threads)
        guessing = plan_for(path, n_ctx=N_CTX, threads=options.threads, speculation="auto", n_outputs_max=OUTPUTS)
        async with engine(guessing) as with_it, engine(plain) as without:
            assert with_it.loaded is not None
            report.note(f"{path.stem}: {with_it.loaded.speculation} ({with_it.loaded.speculation_reason})")
            if with_it.loaded.speculation == "off":
                return
            self.on.append(path.stem)
            greedy = Sampling(temperature=0.0, max_length=TOKENS_OF_AN_EDIT)
            edit = Task(EDIT, greedy, continue_last=True)
            title = f"editing, auto / off, {path.stem}"
            self.gains.append(await self._judge(title, edit, (with_it, without), options, report, PLAIN))
            assert all(map(repeats, edit.replies.values())), f"the model does not edit: {edit.replies}"
            chat = Task(decode.TURNS, Sampling(max_length=TOKENS_OF_A_CHAT, seed=decode.SEED))
            await self._judge(f"plain chat, auto / off, {path.stem}", chat, (with_it, without), options, report, PLAIN)

    async def _judge(
        self,
        title: str,
        task: Task,
        sides: tuple[EngineClient, EngineClient],
        options: Options,
        report: Report,
        bound: Bound,
    ) -> Ratio:
        measures = [task.on(client) for client in sides]
        await interleaved(measures, 1)  # warm
        pairs = await interleaved(measures, options.pairs)
        report.ratio(title, pairs, bound, unit="tokens/s")
        report.note(f"  accepted {task.accepted} of {task.drafted} proposed tokens")
        return paired_ratio(pairs)


def main() -> int:
    """Measure, print, and judge."""
    lookup = Lookup()
    code = run(__doc__, lookup.compare, types=("Q4_0", "Q4_1", "Q8_0"))
    if not lookup.on:
        print("speculation is off for every quantization: MISSED")
        return 1
    best = max(lookup.gains, key=lambda gain: gain.low)
    kept = best.low >= EDITING.least
    print(f"most gained by an edit: {best.centre:.3f}, lower end {best.low:.3f}; wanted {EDITING.least}: {_word(kept)}")
    return code if kept else 1


def _word(kept: bool) -> str:
    return "kept" if kept else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
