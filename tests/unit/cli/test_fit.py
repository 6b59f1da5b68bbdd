"""`snug fit`, with the real engine in its dry run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop.cli.main import run_command_line
from desktop.paths import user_paths
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.remote_models import FILE, REPO, serve_split, write_large, write_split

GIB = 1 << 30
pytestmark = pytest.mark.usefixtures("snug_home")


def fit(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run_command_line(["fit", *words, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_engine_answers_for_cards_that_are_not_there(
    capsys: pytest.CaptureFixture[str], starter_model: Path
) -> None:
    words = (
        str(starter_model),
        "--context",
        "4096",
        "--device",
        "GPU0=1GB",
        "--device",
        "GPU1=2GB",
        "--tensor-split",
        "10,21",
    )
    computed, exact = fit(capsys, *words), fit(capsys, *words, "--exact")
    assert (computed["exact"], exact["exact"]) == (False, True)
    for one, other in zip(computed["devices"], exact["devices"], strict=True):
        assert (one["name"], one["weights"], one["kv"]) == (other["name"], other["weights"], other["kv"])
        assert other["compute"] <= one["compute"]
    assert exact["fits"]
    assert [device["total"] for device in exact["devices"]][1:] == [GIB, 2 * GIB]
    assert sum(exact["layers_per_device"]) == 31
    assert exact["settings"]["tensor_split"] == exact["layers_per_device"][1:] == [10, 21]
    assert set(exact["settings"]) == {
        "n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_outputs_max", "flash_attention", "swa_full", "kv_unified",
        "type_k", "type_v", "n_gpu_layers", "tensor_split", "tensor_overrides",
    }  # fmt: skip
    assert exact["settings"]["n_ctx"] == 4096
    assert (exact["quality"]["source"], exact["kv_quality"]["word"]) == ("mix", "lossless in practice")
    assert exact["bytes_fetched"] == 0
    assert exact["speed"]["decode_low"] < exact["speed"]["decode"] < exact["speed"]["decode_high"]


def test_what_does_not_fit_is_shown_with_its_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", *dense_model(n_layer=40, n_embd=4096, n_head=32, n_ff=14336, vocab=128256))
    answer = fit(capsys, str(path), "--device", "GPU0=4GB", "--gpu-layers", "41", "--exact")
    card = answer["devices"][1]
    assert not answer["fits"]
    assert not card["fits"]
    assert card["weights"] > 4 * GIB
    assert answer["layers_per_device"] == [0, 41]


def test_after_a_load_what_it_took_stands_beside_what_is_predicted(
    capsys: pytest.CaptureFixture[str], starter_model: Path
) -> None:
    words = (str(starter_model), "--context", "1024")
    assert fit(capsys, *words, "--exact")["actual"] == []
    assert run_command_line(["chat", "-m", *words, "--max-length", "1", "Hi."]) == 0
    capsys.readouterr()
    answer = fit(capsys, *words, "--exact")
    (actual,), device = answer["actual"], answer["devices"][0]
    assert actual["device"] == device["name"] == "CPU"
    assert actual["kv"] == device["kv"] > 0
    assert abs(actual["weights"] - device["weights"]) < 1 << 16  # the engine's log rounds it
    assert 0 <= device["compute"] - actual["compute"] <= 8 << 20
    assert fit(capsys, str(starter_model), "--context", "2048", "--exact")["actual"] == []
    assert run_command_line(["fit", *words, "--exact"]) == 0
    assert "when it was loaded like this" in capsys.readouterr().out


def test_people_get_a_table(capsys: pytest.CaptureFixture[str], starter_model: Path) -> None:
    assert run_command_line(["fit", str(starter_model), "--exact", "--kv", "q8_0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "fits with" in lines[0]
    assert "the engine's own dry run" in lines[0]
    assert lines[1].split()[:3] == ["DEVICE", "LAYERS", "WEIGHTS"]
    assert lines[2].startswith("CPU")
    assert "estimate" in lines[3]


def test_a_name_in_a_file_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    metadata, tensors = dense_model()
    path = write_gguf(tmp_path / "m.gguf", metadata | {"general.name": "\x1b[2JFree\u202ebeer"}, tensors)
    assert run_command_line(["fit", str(path)]) == 0
    shown = capsys.readouterr().out
    assert r"\x1b[2JFree\u202ebeer fits with" in shown
    assert not {"\x1b", "\u202e"} & set(shown)


def test_the_most_cards_that_are_taken_are_answered_by_the_engine(
    capsys: pytest.CaptureFixture[str], starter_model: Path
) -> None:
    cards = [word for n in range(15) for word in ("--device", f"GPU{n}=1GB")]
    answer = fit(capsys, str(starter_model), "--context", "1024", *cards, "--exact")
    assert len(answer["devices"]) == 16
    assert answer["fits"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--device", "GPU0"), "write it like GPU0=16GB"),
        (("--device", "cpu=16GB"), "write it like GPU0=16GB"),
        (("--device", "GPU0=banana"), "16GB"),
        (("--tensor-split", "a,b"), "20,13"),
        (("--tensor-split", "1,2,3", "--device", "GPU0=16GB"), "3 parts for 1 devices"),
        (("--context", "0"), "--context 0"),
        (("--device", "GPU0=16GB", "--device", "GPU0=8GB"), '"GPU0" more than once'),
        (tuple(word for n in range(16) for word in ("--device", f"GPU{n}=1GB")), "16 times --device"),
    ],
)
def test_figures_that_cannot_be_are_refused(
    capsys: pytest.CaptureFixture[str], starter_model: Path, words: tuple[str, ...], hint: str
) -> None:
    assert run_command_line(["fit", str(starter_model), *words]) == 2
    assert hint in capsys.readouterr().err


def test_a_file_of_an_architecture_that_the_engine_does_not_know(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "m.gguf", *dense_model(architecture="tomorrow"))
    assert run_command_line(["fit", str(path), "--exact"]) == 1
    assert "tomorrow" in capsys.readouterr().err


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def needs(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The devices without what is free of them, which changes from one moment to the next."""
    return [{key: value for key, value in device.items() if key != "free"} for device in answer["devices"]]


CARDS = ("--context", "4096", "--device", "GPU0=1GB", "--device", "GPU1=2GB")


@pytest.mark.parametrize("exact", [(), ("--exact",)], ids=["computed", "exact"])
def test_a_file_on_the_hub_gets_the_same_answer_as_on_the_disk(
    capsys: pytest.CaptureFixture[str], server: HubServer, tmp_path: Path, exact: tuple[str, ...]
) -> None:
    path = tmp_path / FILE
    length = write_large(path)
    server.add(REPO, FILE, path)
    local = fit(capsys, str(path), *CARDS, *exact)
    remote = fit(capsys, f"{REPO}/{FILE}", *CARDS, *exact)
    assert needs(remote) == needs(local)
    for field in ("settings", "fits", "speed", "layers_per_device", "exact"):
        assert remote[field] == local[field], field
    assert remote["exact"] == bool(exact)
    assert 0 < remote["bytes_fetched"] <= length + (1 << 20)
    assert local["bytes_fetched"] == 0
    assert remote["source"] == {"repo": REPO, "file": FILE, "revision": DEFAULT_COMMIT}
    assert not list(tmp_path.rglob("*.part")), "nothing was downloaded"


def test_a_second_question_fetches_nothing(
    capsys: pytest.CaptureFixture[str], server: HubServer, tmp_path: Path
) -> None:
    write_large(tmp_path / FILE)
    server.add(REPO, FILE, tmp_path / FILE)
    first = fit(capsys, f"{REPO}:Q4_0", *CARDS)
    second = fit(capsys, f"{REPO}:q4_0", *CARDS, "--exact")
    assert first["bytes_fetched"] > 0
    assert second["bytes_fetched"] == 0
    assert len(server.of("cdn")) == 1
    assert [device["weights"] for device in first["devices"]] == [device["weights"] for device in second["devices"]]


@pytest.mark.allow_log("could not be asked about")
def test_what_is_known_is_told_without_a_network(
    capsys: pytest.CaptureFixture[str], server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_large(tmp_path / FILE)
    server.add(REPO, FILE, tmp_path / FILE)
    fit(capsys, f"{REPO}:Q4_0", *CARDS)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run_command_line(["fit", f"{REPO}:Q4_0", *CARDS]) == 0
    assert "as it was on" in capsys.readouterr().out
    assert run_command_line(["fit", "owner/unseen:Q4_0", *CARDS]) == 1
    assert "The network is switched off" in capsys.readouterr().err
    monkeypatch.delenv("HF_HUB_OFFLINE")
    server.hub_faults.append(Fault("status", status=500))
    assert fit(capsys, f"{REPO}:Q4_0", *CARDS)["bytes_fetched"] == 0
    requests = len(server.requests)
    assert requests == 4, "commit and header; commit"


def test_a_split_model_is_asked_about_as_one(
    capsys: pytest.CaptureFixture[str], server: HubServer, tmp_path: Path
) -> None:
    paths = write_split(tmp_path)
    serve_split(server, paths)
    local, remote = fit(capsys, str(paths[0]), *CARDS, "--exact"), fit(capsys, f"{REPO}:Q4_0", *CARDS, "--exact")
    assert needs(remote) == needs(local)
    assert remote["source"]["file"] == paths[0].name
    assert len(server.of("cdn")) == 3


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (f"{REPO}:Q4_1", ("Q4_0", "Q8_0")),
        (f"{REPO}/large-Q4_1.gguf", (f"Did you mean {FILE}",)),
        ("owner/none:Q4_0", ("owner/none", "HF_TOKEN")),
        (f"{REPO}:Q6_K", ("several files", "a-Q6_K.gguf", "b-Q6_K.gguf")),
        (f"{REPO}/page.gguf", ("not a GGUF",)),
        ("owner/gated:Q4_0", ("Accept the licence", "owner/gated")),
    ],
)
def test_what_cannot_be_had_is_explained_with_what_there_is(
    capsys: pytest.CaptureFixture[str], server: HubServer, tmp_path: Path, reference: str, words: tuple[str, ...]
) -> None:
    path = write_gguf(tmp_path / "m.gguf", *dense_model())
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<html>Welcome</html>" * 100)
    served = server.add(REPO, FILE, path)
    for name in ("large-Q8_0.gguf", "a-Q6_K.gguf", "b-Q6_K.gguf", "mmproj-Q4_1.gguf"):
        server.add_served(REPO, name, served)
    server.add(REPO, "page.gguf", page)
    server.add_served("owner/gated", FILE, served)
    server.gate("owner/gated", "hf_other")
    assert run_command_line(["fit", reference]) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in words), said
    assert "hint:" in said


@pytest.mark.allow_log("is not used any more by this process")
@pytest.mark.parametrize("words", [["fit", "MODEL"], ["recommend"]], ids=["fit", "recommend"])
@pytest.mark.parametrize("is_readable", [True, False])
def test_a_library_that_cannot_be_opened_does_not_keep_from_answering(
    capsys: pytest.CaptureFixture[str], starter_model: Path, words: list[str], is_readable: bool
) -> None:
    database = user_paths().library_database
    if is_readable:
        database.parent.parent.mkdir(parents=True, exist_ok=True)
        database.parent.write_text("in the way")
    else:
        database.mkdir(parents=True)
    assert run_command_line([str(starter_model) if word == "MODEL" else word for word in words]) == 0
    shown = capsys.readouterr()
    assert shown.out
    assert "note: what was downloaded is not known: " in shown.err
