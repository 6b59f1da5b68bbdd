"""How fast this machine reads and decodes with the loaded model, learnt from its own steps.

The pace decides how many tokens of a prompt are read in one step (so that a cancel is heard and running replies do not
stand still), and whether several tokens at once are worth checking (speculation).
"""

LARGEST_CHUNK, SMALLEST_CHUNK = 512, 32
"""Tokens of one step's prefill. Fewer would lose the speed of matrix multiplication."""
CHUNK_SECONDS = 1.0
"""The longest step while nothing else runs: a cancel waits for one step."""
GAP_SECONDS = 0.15
"""The longest step while others decode: that long their text stands still."""
_LARGE_MODEL = 2_000_000_000  # parameters; a machine of unknown speed starts with a small chunk from here on
_RECENT = 0.3  # weight of the latest step


class Pace:
    """Seconds per step by rows, and tokens per second of prefill; 0 where nothing was seen."""

    def __init__(self, n_params: int, n_batch: int) -> None:
        self._limit = min(LARGEST_CHUNK, n_batch)
        self._large = n_params >= _LARGE_MODEL
        self.prefill_speed = 0.0
        self._steps: dict[int, float] = {}

    def chunk(self, *, decoding: int) -> int:
        """Tokens of prompts to read in the next step, beside `decoding` rows of running replies."""
        smallest = min(SMALLEST_CHUNK, self._limit)
        if not self.prefill_speed:
            return min(2 * smallest, self._limit) if self._large or decoding else self._limit
        seconds = max(GAP_SECONDS - self.step_seconds(decoding), 0.0) if decoding else CHUNK_SECONDS
        return max(smallest, min(int(self.prefill_speed * seconds), self._limit))

    def learn_prefill(self, tokens: int, seconds: float, *, decoding: int) -> None:
        """Take the time of a step that read `tokens` of prompts into account."""
        seconds = max(seconds - self.step_seconds(decoding), seconds * 0.1, 1e-6)
        if tokens >= min(SMALLEST_CHUNK, self._limit):
            seen = tokens / seconds
            self.prefill_speed += (seen - self.prefill_speed) * (_RECENT if self.prefill_speed else 1.0)

    def learn_decode(self, rows: int, seconds: float) -> None:
        """Take the time of a step without prefill into account."""
        before = self._steps.get(rows)
        self._steps[rows] = seconds if before is None else before + (seconds - before) * _RECENT

    def knows(self, rows: int) -> bool:
        """Whether a step of this many rows was seen."""
        return rows in self._steps

    def step_seconds(self, rows: int) -> float:
        """Seconds of a step that decodes `rows`; estimated from other steps where it was not seen, 0 without any."""
        if rows <= 0:
            return 0.0
        if rows in self._steps:
            return self._steps[rows]
        if not self._steps:
            return 0.0
        nearest = min(self._steps, key=lambda seen: abs(seen - rows))
        # T(B) ~ T(1) + (B - 1) / prompt speed, as measured on CPUs.
        per_row = 1 / self.prefill_speed if self.prefill_speed else self._steps[nearest] / nearest
        return max(self._steps[nearest] + (rows - nearest) * per_row, self._steps[nearest] * 0.2)

    def forget(self) -> None:
        """The number of threads changed: what was learnt holds no more."""
        self._steps.clear()
        self.prefill_speed = 0.0
