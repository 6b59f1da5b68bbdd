"""Sharing layers out over devices."""

import random

from desktop.fit.memory.placement import CPU, Costs, Request, Span
from desktop.fit.memory.shape import LayerCache, ModelShape
from desktop.fit.memory.split import best_spans, headroom, memory_for
from desktop.fit.types import DeviceBudget

MIB = 1 << 20


def _shape(generator: random.Random) -> ModelShape:
    layers = tuple(
        LayerCache(generator.randrange(0, 4096, 64), 512, generator.random() < 0.3)
        for _ in range(generator.randint(2, 90))
    )
    return ModelShape(
        layer_weights=tuple(generator.randint(10, 400) * MIB for _ in layers),
        head_weights=generator.randint(0, 600) * MIB,
        tied_weights=generator.choice((0, 300)) * MIB,
        input_weights=300 * MIB,
        layers=layers,
        window=1024,
        n_embd=2048,
        ff_width=8192,
        attention_width=4096,
        n_vocab=32000,
    )


def _budgets(generator: random.Random) -> tuple[DeviceBudget, ...]:
    def one(name: str, most: int, *, is_gpu: bool) -> DeviceBudget:
        free = generator.randint(100, most) * MIB
        return DeviceBudget(
            name=name, label=name, total=free, free=free, is_gpu=is_gpu, overhead=200 * MIB, margin=256 * MIB
        )

    gpus = (one(f"G{i}", 24_000, is_gpu=True) for i in range(generator.randint(0, 4)))
    return (one(CPU, 64_000, is_gpu=False), *gpus)


def test_every_layer_is_placed_once_and_no_card_is_overfilled() -> None:
    generator = random.Random(11)
    for _ in range(1500):
        shape, budgets = _shape(generator), _budgets(generator)
        costs = Costs(shape, Request(generator.randint(256, 40_000)))
        spans = best_spans(costs, budgets)
        assert [span.begin for span in spans][1:] == [span.end for span in spans][:-1]
        assert (spans[0].begin, spans[-1].end) == (0, shape.n_layer + 1)
        memory = memory_for(costs, spans, budgets)
        left = headroom(memory, budgets)
        assert all(left[part.device] >= 0 for part in memory if part.device != CPU)
        total = sum(part.weights for part in memory)
        copied = shape.tied_weights if spans[-1].device != CPU else 0
        assert total == shape.total_weights + copied
        assert sum(part.kv for part in memory) == costs.kv(0, shape.n_layer)


def test_no_other_split_puts_more_layers_on_the_cards() -> None:
    """Brute force over every split of small models on two cards."""
    generator = random.Random(12)
    tried = 0
    for _ in range(60):
        shape, budgets = _shape(generator), _budgets(generator)[:3]
        gpus = [budget for budget in budgets if budget.is_gpu]
        if len(gpus) != 2 or shape.n_layer > 30:
            continue
        tried += 1
        costs = Costs(shape, Request(4096))
        found = sum(span.end - span.begin for span in best_spans(costs, budgets) if span.device != CPU)
        running = costs.running()
        everything = len(running) - 1
        for start in range(everything):
            for border in range(start, everything + 1):
                needs = (running[border] - running[start], running[everything] - running[border])
                # 900 MiB stand for the compute buffers of both ways to place the layers.
                fits = all(need + 900 * MIB <= gpu.usable for need, gpu in zip(needs, gpus, strict=True))
                assert not fits or everything - start <= found
    assert tried >= 5


def test_a_model_that_fits_is_shared_out_by_free_memory() -> None:
    shape = ModelShape(
        layer_weights=(100 * MIB,) * 39,
        head_weights=100 * MIB,
        tied_weights=0,
        input_weights=0,
        layers=(LayerCache(),) * 39,
        window=0,
        n_embd=64,
        ff_width=64,
        attention_width=64,
        n_vocab=10,
    )
    budgets = [DeviceBudget(name=CPU, label="", total=1 << 34, free=1 << 34, is_gpu=False)]
    for name, free in (("A", 24), ("B", 8)):
        budgets.append(DeviceBudget(name=name, label=name, total=free << 30, free=free << 30, is_gpu=True))
    spans = best_spans(Costs(shape, Request(1024)), budgets)
    assert [(span.device, span.end - span.begin) for span in spans] == [("A", 30), ("B", 10)]


def test_what_shares_the_main_memory_counts_there_as_well() -> None:
    generator = random.Random(13)
    shape = _shape(generator)
    budgets = (
        DeviceBudget(name=CPU, label="", total=64 << 30, free=64 << 30, is_gpu=False),
        DeviceBudget(name="iGPU", label="", total=64 << 30, free=64 << 30, is_gpu=True, shares_ram=True),
    )
    costs = Costs(shape, Request(4096))
    memory = memory_for(costs, best_spans(costs, budgets), budgets)
    assert headroom(memory, budgets)[CPU] == (64 << 30) - sum(part.total for part in memory)


def test_where_only_the_copies_of_pipelining_keep_it_from_fitting_one_layer_stays_on_the_processor() -> None:
    chance = random.Random(5)
    seen = 0
    for _ in range(3000):
        budgets = _budgets(chance)
        costs = Costs(_shape(chance), Request(chance.choice((65536, 1 << 18, 1 << 20))))
        spans = best_spans(costs, budgets)
        assert all(span.end > span.begin for span in spans)
        assert [span.begin for span in spans[1:]] == [span.end for span in spans[:-1]]
        seen += spans[0] == Span(CPU, 0, 1)
    assert seen
