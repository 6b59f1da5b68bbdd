"""What only the engine's log tells, in the words of llama.cpp 0c1e57098."""

from desktop.engine.protocol import DeviceMemory
from desktop.runtime.engine_log import MIB, assigned_layers, buffer_sizes, device_of_buffer

LINES = [
    "load_tensors: layer   0 assigned to device CPU, is_swa = 0",
    "load_tensors: layer   1 assigned to device RPC0[127.0.0.1:50161], is_swa = 0",
    "load_tensors: layer   2 assigned to device CUDA0, is_swa = 1",
    "load_tensors:   CPU_Mapped model buffer size =    92.10 MiB",
    "load_tensors:        CUDA0 model buffer size =    10.50 MiB",
    "load_tensors:   CPU_REPACK model buffer size =     1.00 MiB",
    "llama_adapter_lora_init_impl:      CUDA0 LoRA buffer size =     0.25 MiB",
    "llama_context:  CUDA_Host  output buffer size =     0.50 MiB",
    "llama_kv_cache:      CUDA0 KV buffer size =    45.00 MiB",
    "llama_kv_cache: size =   45.00 MiB (  2048 cells,  30 layers,  1/1 seqs), K (f16):   22.50 MiB",
    "sched_reserve:      CUDA0 compute buffer size =     2.00 MiB",
    "sched_reserve: RPC0[127.0.0.1:50161] compute buffer size =     3.00 MiB",
]


def test_layers_are_read_in_order() -> None:
    assert assigned_layers(LINES) == ("CPU", "RPC0[127.0.0.1:50161]", "CUDA0")


def test_buffers_are_summed_per_device() -> None:
    assert buffer_sizes(LINES, {"RPC0[127.0.0.1:50161]": "RPC3"}) == (
        DeviceMemory(device="CPU", weights=round(92.1 * MIB) + MIB, compute=MIB // 2),
        DeviceMemory(device="CUDA0", weights=round(10.75 * MIB), kv=45 * MIB, compute=2 * MIB),
        DeviceMemory(device="RPC3", compute=3 * MIB),
    )


def test_memory_of_the_host_belongs_to_the_cpu() -> None:
    assert [device_of_buffer(name) for name in ("CPU", "CPU_Mapped", "CUDA_Host", "Metal_Mapped", "ROCm1")] == [
        "CPU",
        "CPU",
        "CPU",
        "Metal",
        "ROCm1",
    ]
