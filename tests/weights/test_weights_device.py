"""The device and precision are chosen for what the machine has, and what is asked for is obeyed or refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmrag_nb.errors import InvalidSetting, UnknownName
from mmrag_nb.weights import device
from mmrag_nb.weights.device import Placement, checked, choose, computing, cores, on_one_thread, shorten


@pytest.fixture
def machine(monkeypatch):
    """Say what the machine has: ``machine(cuda=(8, 0), gpus=2, mps=True, amx=True)``."""

    def has(*, cuda=None, gpus=1, mps=False, amx=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda is not None)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus if cuda else 0)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name=None: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(device, "_has_amx", lambda: amx)

    return has


@pytest.mark.parametrize(
    ("has", "placement"),
    [
        ({"cuda": (8, 0)}, ("cuda", "bfloat16")),
        ({"cuda": (7, 5), "amx": True}, ("cuda", "float16")),  # Colab's T4
        ({"mps": True}, ("mps", "float32")),
        ({"amx": True}, ("cpu", "bfloat16")),
        ({}, ("cpu", "float32")),
    ],
)
def test_auto_takes_the_fastest_that_keeps_the_vectors(machine, has, placement):
    machine(**has)
    chosen = choose()
    assert (chosen.device, chosen.dtype) == placement
    assert chosen.reason


def test_what_is_asked_for_is_obeyed(machine):
    machine(cuda=(8, 0), gpus=2, mps=True, amx=True)
    assert choose("cpu", "float32") == Placement("cpu", "float32", "as set")
    assert choose("cuda:1").device == "cuda:1"
    assert choose("mps", "fp16").dtype == "float16"
    assert choose(precision="bf16").dtype == "bfloat16"
    assert str(choose("cpu")) == "bf16, cpu"


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        ({"device": "gpu"}, UnknownName, "unknown device 'gpu'"),
        ({"device": "auto:1"}, UnknownName, "known are auto, cpu, cuda, cuda:0, mps"),
        ({"device": "cuda:x"}, UnknownName, "did you mean 'cuda:0'?"),
        ({"device": "cuda"}, InvalidSetting, "device 'cuda' is not there: torch sees no NVIDIA or AMD GPU"),
        ({"device": "mps"}, InvalidSetting, "device 'mps' is not there"),
        ({"precision": "float23"}, UnknownName, "did you mean 'float32'?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(machine, asked, kind, told):
    machine()
    with pytest.raises(kind) as caught:
        choose(**asked)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_told_from_one_that_is(machine):
    machine(cuda=(8, 0), gpus=2)
    with pytest.raises(InvalidSetting, match=r"the last of 2 is 'cuda:1'"):
        choose("cuda:2")


def test_amx_is_found_with_and_without_torchs_own_question(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert device._has_amx()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "arm64"})
    assert not device._has_amx()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setattr(device, "Path", lambda path: SimpleNamespace(read_text=lambda **_: "flags : avx2 amx_bf16"))
    assert device._has_amx()


def test_computing_shortens_products_only_and_leaves_no_gradients():
    layer, x = torch.nn.Linear(4, 4), torch.ones(1, 4)
    with computing(Placement("cpu", "bfloat16")):
        assert layer(x).dtype == torch.bfloat16
        assert not layer(x).requires_grad
        assert (x + layer(x)).dtype == torch.float32
    assert layer(x).requires_grad
    with computing(Placement("cpu", "float32")):
        assert layer(x).dtype == torch.float32


@pytest.mark.parametrize(("error", "believed"), [(0.001, True), (0.5, False)])
def test_mps_is_believed_only_where_it_agrees_with_the_cpu(error, believed):
    true = np.eye(2, 3, dtype=np.float32)
    there = true + np.float32(error)
    after = checked(Placement("mps", "float32"), lambda name: there if name == "mps" else true)
    assert after.device == ("mps" if believed else "cpu")
    assert ("agree with the CPU's" if believed else "mps gave wrong vectors (cosine 0.9") in after.reason


def test_other_devices_cost_no_check():
    placement = Placement("cpu", "bfloat16", "the CPU has AMX")
    assert checked(placement, lambda name: pytest.fail("was asked")) is placement


def test_exact_is_float32_on_the_cpu_unless_a_device_is_named(machine):
    machine(cuda=(8, 0), amx=True)
    chosen = choose(precision="exact")
    assert (chosen.device, chosen.dtype, chosen.exact) == ("cpu", "float32", True)
    assert str(chosen) == "exact, cpu"
    assert choose("cuda", "exact").device == "cuda"
    assert not choose("cpu", "float32").exact


def test_one_thread_is_the_callers_only_and_only_for_a_while():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with on_one_thread(), on_one_thread():
            assert torch.get_num_threads() == 1
            assert cores() == 3
        assert torch.get_num_threads() == cores() == 3
    finally:
        torch.set_num_threads(before)


def test_threads_that_begin_while_one_is_held_get_their_own_back():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with on_one_thread():
            inside.set()
            leave.wait(10)

    def late():
        with on_one_thread():
            assert torch.get_num_threads() == 1
        return torch.get_num_threads()

    try:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(hold)
            assert inside.wait(10)
            assert pool.submit(late).result() == 3
            leave.set()
            first.result()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        leave.set()
        torch.set_num_threads(before)


def test_shortened_weights_give_what_autocast_gives():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.LayerNorm(16), torch.nn.Linear(16, 4))
    placement, x = Placement("cpu", "bfloat16"), torch.randn(3, 8)
    with computing(placement):
        expected = network(x)
        shorten(network, placement)
        assert network[0].weight.dtype == torch.bfloat16
        assert network[1].weight.dtype == torch.float32
        torch.testing.assert_close(network(x), expected, rtol=0, atol=0)
