"""Types of the KV cache: what plan, settings and command line name is what the engine knows."""

import argparse
from pathlib import Path
from typing import get_args

import llama_cpp.llama_cpp as llama
import pytest

from desktop.cli import fit
from desktop.engine.protocol import KvType, LoadPlan
from desktop.runtime.loading.parameters import context_parameters
from desktop.settings import KV_TYPE, KvCacheType

_NOT_IN_THE_BINDING = {"bf16": 30}  # enum ggml_type of ggml.h


@pytest.mark.parametrize("name", get_args(KvType))
def test_the_engine_is_given_its_own_code_of_each_type(name: KvType) -> None:
    plan = LoadPlan(model_path="/m.gguf", model_name="M", n_ctx=256, type_k=name, type_v="f16")
    parameters = context_parameters(plan)
    assert parameters.type_k == getattr(llama, f"GGML_TYPE_{name.upper()}", _NOT_IN_THE_BINDING.get(name))
    assert parameters.type_v == llama.GGML_TYPE_F16


def test_what_a_person_may_choose_is_known_to_the_engine(project_root: Path) -> None:
    known = set(get_args(KvType))
    assert {choice.value for choice in KV_TYPE.choices} == set(get_args(KvCacheType)) <= known
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    fit.add_parser(verbs)
    options = {option: action for action in verbs.choices["fit"]._actions for option in action.option_strings}
    asked = list(options["--kv"].choices or ())
    assert set(asked) <= known
    text = (project_root / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"`--kv {'|'.join(asked)}`" in text
