"""Plain values for the pages: machines, choices, checks. Sizes in GiB where the name says nothing."""

from typing import Any

import msgspec

from desktop.doctor.check import Check, Status
from desktop.engine.protocol import DeviceMemory, LoadedModel, Placement
from desktop.errors import Phrase
from desktop.fit.memory.shape import LayerCache, ModelShape
from desktop.fit.plans.search import Problem
from desktop.fit.plans.split_editor import SplitProblem
from desktop.fit.rating.quality import quant_figures
from desktop.fit.speeds.speed import SpeedModel
from desktop.fit.types import Choice, DeviceBudget, Quality, Speed
from desktop.hardware.types import Cpu, Disk, Gpu, HardwareProfile, PcieLink, Ram
from desktop.library.types import InstalledModel

GIB = 1 << 30


def gpu(name: str = "Test Card", total: float = 12, used: float = 1, **fields: Any) -> Gpu:
    """A card with a PCI address of its own."""
    standard: dict[str, Any] = {
        "pci_address": f"0000:{len(name):02x}:00.0",
        "driver": "550.54",
        "bandwidth": 504 * 10**9,
        "pcie": PcieLink(generation_max=4, width=16),
        "vendor": "nvidia",
    }
    size = int(total * GIB)
    return Gpu(name=name, vram_total=size, vram_free=size - int(used * GIB), **(standard | fields))


def machine(*gpus: Gpu, ram: float = 16, free: float = 12, **fields: Any) -> HardwareProfile:
    """A machine with a plain processor and these cards."""
    return HardwareProfile(
        system="Linux",
        cpu=Cpu(name="Test Processor", cores=4, threads=8, features=("avx2",)),
        ram=Ram(total=int(ram * GIB), available=int(free * GIB)),
        gpus=gpus,
        disk=Disk(path="/models", total=500 * 10**9, free=200 * 10**9),
        backends=("CPU",),
        **fields,
    )


def choice(name: str = "Tiny 1B", **fields: Any) -> Choice:
    """A model that fits, installed or not as `fields` say."""
    standard: dict[str, Any] = {
        "model_id": name.lower().replace(" ", "-"),
        "model_name": name,
        "publisher": "Nobody",
        "licence": "Apache-2.0",
        "quantization": "Q4_K_M",
        "repo": "owner/tiny-GGUF",
        "file": "tiny-Q4_K_M.gguf",
        "download_size": 1_500_000_000,
        "size_is_estimate": False,
        "context": 8192,
        "kv": "f16",
        "n_gpu_layers": 0,
        "n_layer": 32,
        "placement": Placement(layers=("CPU",) * 33, tensor_split=()),
        "memory": (DeviceMemory(device="CPU", weights=2 * GIB, kv=GIB // 2, compute=GIB // 4),),
        "verdict": "fits",
        "speed": Speed(decode_low=8.0, decode_high=16.0),
        "quality": Quality(kld=0.0123, word="good"),
        "capability": 3.0,
    }
    return Choice(**(standard | fields))


def other(value: Choice, **fields: Any) -> Choice:
    """The same choice with other fields."""
    return msgspec.structs.replace(value, **fields)


def installed(name: str = "Tiny 1B", **fields: Any) -> InstalledModel:
    """A model on the disk."""
    number = name.lower().replace(" ", "-")
    standard: dict[str, Any] = {"model_id": number, "quantization": "Q4_K_M", "path": f"/{number}.gguf", "size": 10**9}
    return InstalledModel(id=f"{number}:Q4_K_M", name=name, **(standard | fields))


def three_devices(label: str = "Card", *, context: int = 8192) -> SplitProblem:
    """A model of 36 layers, 120 MiB each, on a processor (32 GiB) and cards of 12 and 8 GiB that are free."""
    sizes = {"CPU": 32, "CUDA0": 12, "CUDA1": 8}
    budgets = tuple(
        DeviceBudget(
            name=name, label=f"{label} {name}", total=size * GIB, free=size * GIB, is_gpu=name != "CPU",
            overhead=GIB // 2, margin=GIB // 4,
        )
        for name, size in sizes.items()
    )  # fmt: skip
    shape = ModelShape(
        layer_weights=(120 << 20,) * 36,
        head_weights=300 << 20,
        tied_weights=0,
        input_weights=300 << 20,
        layers=(LayerCache(1024, 1024),) * 36,
        window=0,
        n_embd=4096,
        ff_width=12288,
        attention_width=6144,
        n_vocab=128_000,
    )
    search = Problem(
        name="A model",
        shape=shape,
        budgets=budgets,
        speed=SpeedModel(machine(), budgets),
        figures=quant_figures("Q4_K_M"),
    )
    return SplitProblem(search=search, context=context, kv="f16")


def check(status: Status, title: str, *, remedy: str = "") -> Check:
    """A finding of the doctor."""
    return Check(
        id=title.lower(),
        status=status,
        title=Phrase.of(title),
        found=Phrase.of("found it"),
        wanted=Phrase.of("wanted it"),
        remedy=Phrase.of(remedy) if remedy else None,
    )


def loaded_model(*layers: str) -> LoadedModel:
    """A model whose layers live on these devices."""
    return LoadedModel(
        name="Tiny 1B",
        architecture="llama",
        n_layer=len(layers) - 1,
        n_ctx=4096,
        n_ctx_train=4096,
        n_vocab=10,
        n_params=10**9,
        n_threads=4,
        has_chat_template=True,
        layers=layers,
        memory=(),
        load_seconds=0.1,
    )
