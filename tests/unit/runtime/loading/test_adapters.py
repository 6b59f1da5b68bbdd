"""LoRA adapters: their scales are changed while the model stays loaded, and a wrong file is refused in words."""

import struct
from pathlib import Path

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadRequest, EngineError, LoadFailure
from desktop.engine.protocol import Done, LoraAdapter, PromptMessage, Sampling, TextDelta
from desktop.gguf.header import read_header
from desktop.runtime.engine_log import MIB
from desktop.runtime.failures import EngineError as Refused
from desktop.runtime.loading.plan_checks import check_adapter, check_file
from tests.support.engine_replies import loaded_client, plan_for
from tests.support.gguf_writer import Scalar, Tensor, write_gguf
from tests.support.models.adapters import write_lora
from tests.support.models.decoders import write_dense

pytestmark = pytest.mark.timeout(60)

GREEDY = Sampling(temperature=0.0, max_length=16)
LORA: dict[str, Scalar] = {
    "general.architecture": "llama",
    "general.type": "adapter",
    "adapter.type": "lora",
    "adapter.lora.alpha": 8.0,
}
QUERY = "blk.0.attn_q.weight"


async def reply(client: EngineClient, scales: tuple[float, ...] | None) -> str:
    text = ""
    asked = [PromptMessage(role="user", content="Tell me a story.")]
    async for part in client.generate(messages=asked, sampling=GREEDY, adapter_scales=scales):
        if isinstance(part, TextDelta):
            text += part.text
        assert not isinstance(part, Done) or part.finish_reason == "length"
    return text


@pytest.mark.asyncio
async def test_scales_change_from_reply_to_reply_and_back(tmp_path: Path) -> None:
    base, lora = write_dense(tmp_path), write_lora(tmp_path)
    async with loaded_client(base) as client:
        plain = await reply(client, None)
    async with loaded_client(base, lora=(LoraAdapter(path=str(lora)),)) as client:
        told = [await reply(client, scales) for scales in (None, (0.0,), (1.0,), (0.0,), (0.5,), None)]
    assert told[1] == told[3] == plain
    assert told[0] == told[2] == told[5]
    assert len({told[0], told[1], told[4]}) == 3


@pytest.mark.asyncio
async def test_what_adapters_take_is_counted_with_the_weights(tmp_path: Path) -> None:
    base = write_dense(tmp_path)
    lora = LoraAdapter(path=str(write_lora(tmp_path)))
    weights = []
    for adapters in ((), (lora,), (lora, lora)):
        async with loaded_client(base, lora=adapters) as client:
            assert client.loaded is not None
            (cpu,) = client.loaded.memory
            weights.append(cpu.weights)
    size = sum(tensor.size for tensor in read_header(Path(lora.path)).tensors)
    assert [weights[1] - weights[0], weights[2] - weights[1]] == pytest.approx([size, size], abs=MIB * 0.011)


@pytest.mark.asyncio
async def test_each_of_two_adapters_has_a_scale_of_its_own(tmp_path: Path) -> None:
    base = write_dense(tmp_path)
    adapters = [write_lora(tmp_path, name=name, seed=seed) for seed, name in enumerate(("one", "two"))]
    planned = tuple(LoraAdapter(path=str(path), scale=0.0) for path in adapters)
    async with loaded_client(base, lora=planned) as client:
        texts = [await reply(client, scales) for scales in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0))]
        with pytest.raises(BadRequest, match=r"1 scales .*for 2 adapters"):
            await reply(client, (1.0,))
        assert await reply(client, (1.0, 0.0)) == texts[0]
    assert texts[4] == texts[0]
    assert len(set(texts[:4])) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("wrong", ["deeper", "other architecture", "cut off", "no adapter"])
async def test_a_wrong_adapter_is_refused_by_name_and_the_child_lives(wrong: str, tmp_path: Path) -> None:
    base, lora = write_dense(tmp_path), write_lora(tmp_path, layers=9 if wrong == "deeper" else 4)
    if wrong == "other architecture":
        lora.write_bytes(lora.read_bytes().replace(b"llama", b"qwen2", 1))
    elif wrong == "cut off":
        lora.write_bytes(lora.read_bytes()[:-1000])
    path = base if wrong == "no adapter" else lora
    client = EngineClient()
    try:
        await client.start()
        pid = client.pid
        with pytest.raises(EngineError) as caught:
            await client.load(plan_for(base, lora=(LoraAdapter(path=str(path)),)))
        await client.load(plan_for(base))
        assert client.pid == pid
    finally:
        await client.stop()
    assert wrong != "no adapter" or isinstance(caught.value, LoadFailure)


def refused(folder: Path, metadata: dict[str, Scalar], *tensors: Tensor) -> str:
    """What is said against an adapter of the dense model."""
    base = check_file(str(write_dense(folder)))
    path = str(write_gguf(folder / "adapter.gguf", metadata, tensors))
    try:
        check_adapter(path, base)
    except Refused as refusal:
        return refusal.failure.detail if refusal.failure.arguments["path"] == path else "another file is named"
    return ""


def pair(*a: int, b: tuple[int, ...], kind: str = "f32", name: str = QUERY) -> tuple[Tensor, Tensor]:
    return Tensor(f"{name}.lora_a", a, kind), Tensor(f"{name}.lora_b", b, kind)


def test_an_adapter_that_fits_is_taken(tmp_path: Path) -> None:
    assert refused(tmp_path, LORA, *pair(256, 8, b=(8, 256))) == ""


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (pair(128, 8, b=(8, 256)), "another shape"),
        (pair(256, 8, b=(4, 256)), "another shape"),
        (pair(256, 8, 2, b=(8, 256, 2)), "another shape"),
        (pair(8, 999, b=(8, 256), name="token_embd.weight"), "another shape"),
        (pair(256, 8, b=(8, 256), kind="i32"), "i32"),
    ],
)
def test_what_would_abort_the_engine_is_found_before(tensors: tuple[Tensor, ...], said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, LORA, *tensors)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"general.type": "model"}, "no LoRA adapter"),
        ({"general.type": 7}, "no LoRA adapter"),
        ({"adapter.type": "control"}, "no LoRA adapter"),
        ({"general.architecture": "qwen2"}, "qwen2"),
        ({"adapter.lora.alpha": 8}, "alpha"),
        ({"adapter.lora.alpha": "8"}, "alpha"),
    ],
)
def test_metadata_of_a_wrong_kind_is_refused(changes: dict[str, str | int], said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, {**LORA, **changes}, *pair(256, 8, b=(8, 256)))


def test_an_alpha_of_double_width_is_refused(tmp_path: Path) -> None:
    key = b"adapter.lora.alpha"
    path = write_gguf(tmp_path / "adapter.gguf", LORA, pair(256, 8, b=(8, 256)))
    single = key + struct.pack("<If", 6, 8.0)
    path.write_bytes(path.read_bytes().replace(single, key + struct.pack("<Id", 12, 8.0)))
    with pytest.raises(Refused):
        check_adapter(str(path), check_file(str(write_dense(tmp_path))))
