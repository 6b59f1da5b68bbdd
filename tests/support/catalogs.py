"""A catalog of one model for tests that need a name, not the world."""

from desktop.catalog.types import (
    AttentionShape,
    Capability,
    Catalog,
    CatalogModel,
    CatalogQuantization,
    Source,
)

_SOURCED = ("shape", "parameters", "licence", "quantizations", "training_context")


def tiny_catalog(repo: str = "owner/tiny-GGUF") -> Catalog:
    """Return a catalog whose model `tiny-1b` comes as Q4_K_M and Q8_0 from `repo`."""
    quantizations = tuple(
        CatalogQuantization(name=name, repo=repo, file=f"tiny-{name}.gguf") for name in ("Q4_K_M", "Q8_0")
    )
    shape = AttentionShape(n_layer=2, n_embd=64, n_head=2, n_head_kv=1, head_dim_k=32, head_dim_v=32)
    model = CatalogModel(
        id="tiny-1b",
        name="Tiny 1B",
        family="Tiny",
        publisher="Nobody",
        licence="Apache-2.0",
        parameters=10**9,
        active_parameters=10**9,
        architecture="llama",
        training_context=4096,
        tasks=("chat",),
        shape=shape,
        quantizations=quantizations,
        capability=Capability(generation=3, task_class="general"),
        source=(Source(address="https://example.org/tiny", fields=_SOURCED),),
    )
    return Catalog(models=(model,))
