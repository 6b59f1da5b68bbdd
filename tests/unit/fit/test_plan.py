"""From a file and the devices at hand to a LoadPlan."""

import random
from pathlib import Path

import msgspec
import pytest

from desktop.engine.protocol import MOST_CONTEXT, DeviceKind, DeviceMemory
from desktop.errors import WrongUsage
from desktop.fit.errors import DoesNotFit, DoesNotFitAtThisContext
from desktop.fit.memory.placement import CPU, assign_layers
from desktop.gguf.errors import CorruptGguf
from desktop.gguf.header import GgufHeader, read_header
from tests.support.gguf_writer import Tensor, dense_model, write_gguf
from tests.unit.fit import architectures
from tests.unit.fit.builders import device, machine, make_plan


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GgufHeader]:
    """A model of 3.7 GiB, as a hole in a file; 64 KiB of KV cache per token."""
    path = write_gguf(tmp_path_factory.mktemp("large") / "large.gguf", *architectures.large_dense())
    return path, read_header(path)


def _words(plan_reasons: object) -> str:
    return " ".join(reason.render() for reason in plan_reasons)  # type: ignore[attr-defined]


def test_without_a_card_everything_is_on_the_processor(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    plan = make_plan(path=path, name="Large", header=header, profile=machine(ram=16), devices=())
    assert (plan.n_gpu_layers, plan.devices, plan.tensor_split, plan.n_ctx) == (0, (), (), 8192)
    assert plan.placement is not None
    assert plan.placement.layers == (CPU,) * 33
    assert plan.predicted[0].weights == header.file_size - header.data_offset
    assert not plan.exact
    assert "All 33 layers are on Test CPU." in _words(plan.reasons)


def test_a_card_with_room_takes_every_layer(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    plan = make_plan(path=path, name="Large", header=header, profile=machine(), devices=[device("CUDA0", 12)])
    assert (plan.n_gpu_layers, plan.devices, plan.tensor_split) == (33, ("CUDA0",), (33,))
    assert [part.device for part in plan.predicted] == [CPU, "CUDA0"]


def test_two_workers_share_the_layers_by_their_free_memory(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    workers = [device("RPC0[a]", 4.5, backend="RPC"), device("RPC1[b]", 2, backend="RPC")]
    plan = make_plan(
        path=path, name="Large", header=header, profile=machine(), devices=workers, rpc_endpoints=("a", "b")
    )
    assert plan.devices == ("RPC0[a]", "RPC1[b]")
    assert sum(plan.tensor_split) == plan.n_gpu_layers == 33
    assert plan.tensor_split[0] > 2 * plan.tensor_split[1] > 0
    assert plan.rpc_endpoints == ("a", "b")
    assert "split as" in _words(plan.reasons)


def test_one_card_that_has_room_for_everything_is_faster_than_several(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    cards = [device("CUDA0", 9), device("CUDA1", 12)]
    plan = make_plan(path=path, name="Large", header=header, profile=machine(), devices=cards)
    assert len(plan.devices) == 1
    assert plan.n_gpu_layers == 33
    assert "One card is faster" in _words(plan.reasons)
    fixed = make_plan(path=path, name="Large", header=header, profile=machine(), devices=cards, tensor_split=(16, 17))
    assert fixed.devices == ("CUDA0", "CUDA1")
    assert "One card" not in _words(fixed.reasons)


def test_layers_that_do_not_fit_stay_on_the_processor(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    plan = make_plan(path=path, name="Large", header=header, profile=machine(), devices=[device("CUDA0", 4)])
    assert 0 < plan.n_gpu_layers < 33
    assert plan.placement is not None
    assert plan.placement.layers[0] == CPU
    assert plan.placement.layers[-1] == "CUDA0"
    assert f"{plan.n_gpu_layers} of 33 layers" in _words(plan.reasons)


def test_the_context_is_lowered_only_when_nobody_asked_for_one(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    small = machine(ram=8, free=4.9)
    plan = make_plan(path=path, name="Large", header=header, profile=small, devices=())
    assert plan.n_ctx < 8192
    assert "lowered from 8192" in _words(plan.reasons)
    with pytest.raises(DoesNotFitAtThisContext) as caught:
        make_plan(path=path, name="Large", header=header, profile=small, devices=(), context=8192)
    assert caught.value.alternative_context == plan.n_ctx
    assert caught.value.missing > 0
    assert str(plan.n_ctx) in caught.value.explain().hint
    assert "8192 tokens needs" in caught.value.explain().message


def test_what_never_fits_is_said_with_what_to_do(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    with pytest.raises(DoesNotFit) as caught:
        make_plan(path=path, name="Large", header=header, profile=machine(ram=4), devices=())
    assert caught.value.alternative_context is None
    assert "smaller" in caught.value.explain().hint


def test_a_context_beyond_the_training_is_had_but_remarked(starter_model: Path) -> None:
    header = read_header(starter_model)
    plan = make_plan(
        path=starter_model, name="S", header=header, profile=machine(), devices=(), context=16384, threads=3
    )
    assert (plan.n_ctx, plan.n_threads) == (16384, 3)
    assert "trained for 8192 tokens" in _words(plan.reasons)


@pytest.mark.parametrize("context", [-1, MOST_CONTEXT + 1])
def test_what_cannot_be_a_context_is_wrong_usage(context: int, large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    with pytest.raises(WrongUsage, match="not a number of tokens"):
        make_plan(path=path, name="L", header=header, profile=machine(), devices=(), context=context)


def test_a_fixed_number_of_layers_and_a_fixed_split_are_followed(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    cards = [device("CUDA0", 12), device("CUDA1", 12)]
    split = make_plan(
        path=path, name="L", header=header, profile=machine(), devices=cards, gpu_layers=20, tensor_split=(5, 15)
    )
    assert (split.n_gpu_layers, split.tensor_split) == (20, (5, 15))
    none = make_plan(path=path, name="L", header=header, profile=machine(), devices=cards, gpu_layers=0)
    assert none.devices == ()
    only_split = make_plan(path=path, name="L", header=header, profile=machine(), devices=cards, tensor_split=(30, 3))
    assert only_split.n_gpu_layers == 33
    with pytest.raises(DoesNotFit):
        make_plan(path=path, name="L", header=header, profile=machine(), devices=[device("C", 2)], gpu_layers=33)
    with pytest.raises(WrongUsage, match="3 parts for 2 devices"):
        make_plan(path=path, name="L", header=header, profile=machine(), devices=cards, tensor_split=(1, 1, 1))


def test_what_the_loaded_model_holds_counts_as_free(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    full = device("CUDA0", 1)
    full = msgspec.structs.replace(full, memory_total=12 << 30)
    held = (DeviceMemory(device="CUDA0", weights=6 << 30), DeviceMemory(device=CPU, weights=9 << 30, kv=1 << 30))
    before = make_plan(path=path, name="L", header=header, profile=machine(), devices=[full])
    after = make_plan(path=path, name="L", header=header, profile=machine(), devices=[full], reclaimed=held)
    assert before.n_gpu_layers < 33 == after.n_gpu_layers


def test_a_quantized_cache_turns_flash_attention_on_and_warns_for_gemma(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "g.gguf", *dense_model(architecture="gemma2"))
    plan = make_plan(
        path=path, name="G", header=read_header(path), profile=machine(), devices=(), type_k="q8_0", type_v="q8_0"
    )
    assert plan.flash_attention == "on"
    assert "Gemma" in _words(plan.reasons)


def test_an_integrated_card_is_used_only_when_it_is_the_only_one(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    shared = device("Vulkan1", 12, kind=DeviceKind.INTEGRATED)
    both = make_plan(path=path, name="L", header=header, profile=machine(), devices=[device("CUDA0", 12), shared])
    assert both.devices == ("CUDA0",)
    alone = make_plan(path=path, name="L", header=header, profile=machine(ram=32), devices=[shared])
    assert alone.devices == ("Vulkan1",)


def test_the_other_shards_are_weighed_too(tmp_path: Path) -> None:
    metadata, tensors = dense_model(n_layer=2)
    half = len(tensors) // 2
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", metadata, tensors[:half])
    write_gguf(tmp_path / "m-00002-of-00002.gguf", {"split.no": 1}, tensors[half:])
    whole = write_gguf(tmp_path / "whole.gguf", metadata, tensors)
    plans = [
        make_plan(path=path, name="M", header=read_header(path), profile=machine(), devices=())
        for path in (first, whole)
    ]
    assert plans[0].predicted == plans[1].predicted


def test_a_layer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    metadata, tensors = dense_model(n_layer=2)
    path = write_gguf(tmp_path / "m.gguf", metadata, [*tensors, Tensor("blk.7.attn_q.weight", (32,))])
    with pytest.raises(CorruptGguf, match=r"blk\.7"):
        make_plan(path=path, name="M", header=read_header(path), profile=machine(), devices=())


def test_a_file_without_layers_is_refused_by_its_path(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "hollow.gguf", {})
    with pytest.raises(CorruptGguf, match=r"hollow\.gguf is damaged"):
        make_plan(path=path, name="M", header=read_header(path), profile=machine(), devices=())


def test_any_plan_holds_its_margin_on_every_device_and_splits_as_the_engine_will(
    large: tuple[Path, GgufHeader],
) -> None:
    path, header = large
    generator = random.Random(21)
    made = 0
    for _ in range(200):
        cards = [device(f"CUDA{i}", generator.uniform(0.6, 9)) for i in range(generator.randint(0, 4))]
        profile = machine(ram=32, free=generator.uniform(3, 20))
        context = generator.choice((None, 1024, 20_000))
        try:
            plan = make_plan(path=path, name="L", header=header, profile=profile, devices=cards, context=context)
        except DoesNotFit:
            continue
        made += 1
        free = {card.name: card.memory_free for card in cards} | {CPU: profile.ram.available}
        assert all(part.total + (256 << 20) <= free[part.device] for part in plan.predicted)
        assert plan.placement is not None
        assert plan.placement.layers == assign_layers(
            n_layer=header.n_layer,
            n_gpu_layers=plan.n_gpu_layers,
            tensor_split=plan.tensor_split,
            devices=plan.devices,
        )
    assert made > 100


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GgufHeader]:
    """Eight layers, seven of them with a window of 512 tokens."""
    path = write_gguf(tmp_path_factory.mktemp("windowed") / "windowed.gguf", *architectures.sliding_window())
    return path, read_header(path)


def test_several_replies_at_once_share_one_cache_and_leave_room_for_conversations_that_wait(
    large: tuple[Path, GgufHeader],
) -> None:
    path, header = large
    plan = make_plan(path=path, name="Large", header=header, profile=machine(), devices=(), parallel=4)
    one = make_plan(path=path, name="Large", header=header, profile=machine(), devices=())
    assert (plan.n_parallel, plan.n_seq_max, plan.n_outputs_max) == (4, 16, 16)
    assert (one.n_parallel, one.n_seq_max) == (1, 13)
    assert plan.predicted[0].kv == one.predicted[0].kv


def test_more_replies_than_rows_of_logits_get_more_rows(large: tuple[Path, GgufHeader]) -> None:
    path, header = large
    plan = make_plan(path=path, name="Large", header=header, profile=machine(), devices=(), parallel=40)
    assert plan.n_outputs_max == plan.n_seq_max == 52


def test_few_conversations_wait_where_each_costs_memory_of_its_own(windowed: tuple[Path, GgufHeader]) -> None:
    path, header = windowed
    plan = make_plan(path=path, name="W", header=header, profile=machine(), devices=(), parallel=4)
    assert (plan.n_parallel, plan.n_seq_max) == (4, 6)
    one = make_plan(path=path, name="W", header=header, profile=machine(), devices=())
    assert (one.n_parallel, one.n_seq_max) == (1, 1)
    assert plan.predicted[0].kv > one.predicted[0].kv


def test_replies_come_one_at_a_time_where_more_would_push_layers_off_the_card(
    windowed: tuple[Path, GgufHeader],
) -> None:
    path, header = windowed
    one = make_plan(path=path, name="W", header=header, profile=machine(), devices=(device("CUDA0", 8),))
    needed = next(part.total for part in one.predicted if part.device == "CUDA0")
    tight = device("CUDA0", (needed + (256 << 20) + (1 << 20)) / (1 << 30))  # the margin, and a MiB
    plan = make_plan(path=path, name="W", header=header, profile=machine(), devices=(tight,), parallel=4)
    assert (plan.n_parallel, plan.n_gpu_layers) == (1, 9)
    assert "one at a time" in _words(plan.reasons)
    roomy = make_plan(path=path, name="W", header=header, profile=machine(), devices=(device("CUDA0", 8),), parallel=4)
    assert roomy.n_parallel == 4
    assert "one at a time" not in _words(roomy.reasons)
