"""Machines and catalog entries for the tests of fit."""

from pathlib import Path
from typing import Any

from desktop.catalog.types import (
    AttentionShape,
    Capability,
    Catalog,
    CatalogModel,
    CatalogQuantization,
    Source,
    TaskClass,
)
from desktop.engine.protocol import (
    AttentionSpeed,
    DeviceKind,
    DeviceSpeeds,
    EngineDevice,
    EngineInfo,
    LayerSpeed,
    LoadPlan,
    TypeSpeed,
)
from desktop.fit.advice.rows import machine_of, price, rows_of
from desktop.fit.cards.cards import card_of_size
from desktop.fit.cards.what_if import imagine
from desktop.fit.memory.placement import CPU, OUTPUTS, Request
from desktop.fit.plans.plan import PlanTask, plan_by_arithmetic
from desktop.fit.types import Choice
from desktop.gguf.header import other_headers
from desktop.hardware.types import Cpu, Disk, HardwareProfile, Ram

GB = 1e9
GIB = 1 << 30
_STATED = (
    "licence",
    "parameters",
    "active_parameters",
    "training_context",
    "shape",
    "quantizations",
    "released",
    "n_expert",
    "n_expert_used",
)
ALL_QUANTS = ("Q2_K", "IQ4_XS", "Q4_0", "Q4_1", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")


def machine(
    *, cores: int = 4, ram: float = 16, free: float | None = None, gpus: tuple[float, ...] = ()
) -> HardwareProfile:
    """A machine with sizes in GiB."""
    profile = HardwareProfile(
        system="Linux",
        cpu=Cpu(name="Test CPU", cores=cores, threads=2 * cores),
        ram=Ram(total=int(ram * GIB), available=int((free if free is not None else ram * 0.8) * GIB)),
        gpus=(),
        disk=Disk(path="/", total=2000 * GIB, free=1000 * GIB),
        backends=("CPU",),
    )
    return imagine(profile, gpus=[card_of_size(int(size * GIB)) for size in gpus])


def device(
    name: str,
    free: float,
    *,
    backend: str = "CUDA",
    kind: DeviceKind = DeviceKind.GPU,
    pci_address: str | None = None,
) -> EngineDevice:
    """A device of the engine with `free` GiB."""
    return EngineDevice(
        name=name,
        description=f"Card {name}",
        kind=kind,
        backend=backend,
        memory_total=int((free + 0.5) * GIB),
        memory_free=int(free * GIB),
        pci_address=pci_address,
    )


PROCESSOR = EngineDevice(
    name=CPU, description="a device", kind=DeviceKind.CPU, backend=CPU, memory_total=GIB, memory_free=GIB
)


def engine_with(*devices: EngineDevice, version: str = "b1") -> EngineInfo:
    """An engine that computes on the processor, under the description of `device_speeds`, and on these devices."""
    return EngineInfo(
        version=version,
        system_info="",
        supports_gpu_offload=bool(devices),
        supports_rpc=False,
        devices=(PROCESSOR, *devices),
    )


def bare_plan(path: Path, **changes: Any) -> LoadPlan:
    """A plan that nobody made, to ask about: 512 tokens on the processor, but for the fields in `changes`."""
    fields: dict[str, Any] = {"model_path": str(path), "model_name": path.stem, "n_ctx": 512, "flash_attention": "on"}
    return LoadPlan(**fields | changes)


def make_plan(*, path: Path, **wishes: Any) -> LoadPlan:
    """Plan by arithmetic what lies at `path`; the wishes are the fields of PlanTask."""
    for name in {"devices", "tensor_split", "reclaimed"} & wishes.keys():
        wishes[name] = tuple(wishes[name])
    task = PlanTask(path=path, shards=other_headers(path), **wishes)
    return plan_by_arithmetic(task)


def _plausible_shape(parameters: int, n_layer: int) -> AttentionShape:
    width = max(int((parameters / n_layer / 12) ** 0.5) // 64 * 64, 64)
    return AttentionShape(
        n_layer=n_layer,
        n_embd=width,
        n_head=max(width // 128, 1),
        n_head_kv=max(width // 512, 1),
        head_dim_k=128,
        head_dim_v=128,
        n_ff=3 * width,
        vocab_size=min(128_000, parameters // width // 8),
        tied_embeddings=parameters < 4e9,
    )


def model(
    name: str,
    *,
    billions: float = 8.0,
    active: float | None = None,
    generation: int = 3,
    task: TaskClass = "general",
    quants: tuple[str, ...] = ALL_QUANTS,
    context: int = 32768,
    n_layer: int = 32,
    architecture: str = "llama",
    shape: AttentionShape | None = None,
    released: str | None = None,
) -> CatalogModel:
    """A model of `billions` parameters with plausible widths."""
    parameters = int(billions * 1e9)
    return CatalogModel(
        id=name,
        name=name.title(),
        family="test",
        publisher="Test",
        licence="Apache-2.0",
        parameters=parameters,
        active_parameters=int((active or billions) * 1e9),
        architecture=architecture,
        training_context=context,
        tasks=("chat",),
        shape=shape or _plausible_shape(parameters, n_layer),
        quantizations=tuple(CatalogQuantization(name=q, repo="t/t", file=f"{name}-{q}.gguf") for q in quants),
        capability=Capability(generation=generation, task_class=task),
        source=(Source(address="https://example.org", fields=_STATED),),
        n_expert=64 if active else None,
        n_expert_used=4 if active else None,
        released=released,
    )


def catalog(*models: CatalogModel) -> Catalog:
    """A catalog of these models."""
    return Catalog(models=models)


def type_speed(kind: str, read: float, compute: float = 100.0) -> TypeSpeed:
    """A type that is read at `read` GB/s and computes `compute` billion operations a second, at any width."""
    return TypeSpeed(
        kind=kind, read_wide=read * GB, read_narrow=read * GB, compute_wide=compute * GB, compute_narrow=compute * GB
    )


def device_speeds(*types: TypeSpeed, device: str = CPU, attention: float = 0.0, start: float = 0.0) -> DeviceSpeeds:
    """A measured device; attention: seconds per head and cell; start: seconds of each layer."""
    nothing = LayerSpeed(start=start, value=0.0)
    rates = [AttentionSpeed(kind="f16", width=width, decode=attention, prefill=attention) for width in (64, 128)]
    return DeviceSpeeds(
        device=device, description="a device", threads=2, product=0.0, decode_layer=nothing, prefill_layer=nothing,
        types=types, attention=tuple(rates),
    )  # fmt: skip


def price_catalog(*, profile: HardwareProfile, catalog: Catalog, context: int = 8192) -> tuple[Choice, ...]:
    """Price every model in every quantization, in the catalog's order. context: tokens."""
    priced = machine_of(profile)
    request = Request(context, n_outputs_max=OUTPUTS)
    return tuple(price(row, priced, request) for row in rows_of(catalog))
