"""A person may call a model many things; what is meant is found, or the nearest names are offered."""

from pathlib import Path

import pytest

from desktop.catalog.file_names import UnsafeName, quantization_of
from desktop.catalog.hub import HubFile
from desktop.catalog.types import Catalog
from desktop.library.errors import ModelFileTruncated, UnknownModelButSimilar, UnknownQuantization
from desktop.library.library import Library
from desktop.library.references import looks_like_path, named_in_catalog, named_on_hub, under_own_id, unknown_model
from desktop.library.types import WantedModel
from tests.support.catalogs import tiny_catalog
from tests.support.model_files import small_model


@pytest.fixture
def catalog() -> Catalog:
    return tiny_catalog()


@pytest.mark.parametrize(
    ("reference", "repo", "file", "quantization"),
    [
        ("owner/repo-GGUF:q4_k_m", "owner/repo-GGUF", "", "Q4_K_M"),
        ("owner/repo/m-Q8_0-00002-of-00003.gguf", "owner/repo", "m-Q8_0-00001-of-00003.gguf", "Q8_0"),
        ("owner/repo:UD-Q4_K_XL", "owner/repo", "", "UD-Q4_K_XL"),
        ("owner/repo/m-IQ2_XXS.gguf", "owner/repo", "m-IQ2_XXS.gguf", "IQ2_XXS"),
        ("owner/repo/BF16/m-BF16-00001-of-00002.gguf", "owner/repo", "BF16/m-BF16-00001-of-00002.gguf", "BF16"),
    ],
)
def test_a_name_on_the_hub_is_read(reference: str, repo: str, file: str, quantization: str) -> None:
    wanted = named_on_hub(reference)
    assert wanted is not None
    assert (wanted.repo, wanted.file, wanted.quantization) == (repo, file, quantization)


@pytest.mark.parametrize("reference", ["qwen3-8b", "qwen3-8b:Q4_K_M", "owner/repo", "owner/repo/file.bin", ""])
def test_other_names_are_no_names_on_the_hub(reference: str) -> None:
    assert named_on_hub(reference) is None


@pytest.mark.parametrize(
    "reference", ["../..:Q4_0", "owner/../x.gguf", "owner/repo/../../x.gguf", "owner/repo/NUL.gguf"]
)
def test_a_name_on_the_hub_that_leads_elsewhere_is_refused(reference: str) -> None:
    with pytest.raises(UnsafeName):
        named_on_hub(reference)


def test_a_catalog_name_takes_the_usual_quantization_or_the_one_that_is_named(catalog: Catalog) -> None:
    usual, named = named_in_catalog("tiny-1b", catalog), named_in_catalog("Tiny-1B:q8_0", catalog)
    assert usual is not None
    assert named is not None
    assert (usual.id, named.id) == ("tiny-1b:Q4_K_M", "tiny-1b:Q8_0")
    assert named.revision == "main"


def test_a_quantization_that_does_not_exist_is_answered_with_those_that_do(catalog: Catalog) -> None:
    with pytest.raises(UnknownQuantization) as raised:
        named_in_catalog("tiny-1b:Q5_K_M", catalog)
    assert raised.value.explain().hint == "Choose one of: Q4_K_M, Q8_0."


def test_a_misspelled_name_is_answered_with_the_nearest() -> None:
    error = unknown_model("qwen3-8", ["qwen3-8b", "llama-3.2-1b"])
    assert isinstance(error, UnknownModelButSimilar)
    assert "qwen3-8b" in error.explain().hint
    assert "snug models" in unknown_model("zzz", ["qwen3-8b"]).explain().hint


@pytest.mark.parametrize(
    ("name", "quantization"),
    [("m-Q4_K_M.gguf", "Q4_K_M"), ("SmolLM2.Q4_1.gguf", "Q4_1"), ("m-UD-IQ1_S.gguf", "IQ1_S"), ("m-f16.gguf", "F16"),
     ("gpt-oss-20b-mxfp4.gguf", "MXFP4"), ("model.gguf", ""), ("Qwen3-8B.gguf", "")],
)  # fmt: skip
def test_the_quantization_is_read_from_the_name_of_a_file(name: str, quantization: str) -> None:
    assert quantization_of(name) == quantization


def test_paths_are_told_from_names() -> None:
    assert all(
        map(
            looks_like_path, ("./m.gguf", "/m", "~/m", "C:\\m.gguf", "c:/m.gguf", "m.gguf", "a/m.gguf", str(Path.cwd()))
        )
    )
    assert not any(map(looks_like_path, ("qwen3-8b", "owner/repo:Q4_0", "owner/repo/m.gguf", "qwen3-8b:Q4_K_M")))


def test_a_model_whose_file_is_not_right_can_be_had_again_as_it_was(library: Library, catalog: Catalog) -> None:
    path = small_model(library.destination(repo="owner/tiny-GGUF", file="tiny-Q8_0.gguf"))
    source = HubFile(repo="owner/tiny-GGUF", file=path.name, revision="c" * 40, size=1, sha256="0" * 64, url="")
    here = library.register(path=path, model_id="tiny-1b", quantization="Q8_0", files=(source,))
    assert library.resolve("tiny-1b", catalog, renew=True) == here
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileTruncated):
        library.resolve("tiny-1b", catalog)
    again = library.resolve("tiny-1b", catalog, renew=True)
    assert isinstance(again, WantedModel)
    assert (again.id, again.file, again.revision) == ("tiny-1b:Q8_0", path.name, "c" * 40)


def test_a_second_file_of_one_quantization_is_told_from_the_first_by_its_name() -> None:
    foo, bar = (named_on_hub(f"owner/two/{name}-Q4_K_M.gguf") for name in ("foo", "bar"))
    assert foo is not None
    assert bar is not None
    assert under_own_id(foo, []).id == "owner/two:Q4_K_M"
    second = under_own_id(bar, [foo])
    assert (second.id, second.file) == ("owner/two:bar-Q4_K_M", "bar-Q4_K_M.gguf")
    assert under_own_id(foo, [foo, second]).id == "owner/two:Q4_K_M", "what is there stays what it is called"
    assert under_own_id(bar, [second]).id == second.id, "also when the first is gone"
