"""What works in a process of its own may hang, crash, eat memory or write nonsense: one line tells, and all goes on."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation import calling, process
from mmrag_nb.isolation.calling import Limits, stream

HERE = Path(__file__).parent
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's")


@pytest.fixture(autouse=True)
def _targets(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    calling.close()
    yield
    calling.close()


def call(name, content=b"abc", limits=None, **options):
    return list(stream(f"misbehaving:{name}", content, limits, **options))


def refusal(name, content=b"abc", limits=None, **options):
    with pytest.raises(LoadError) as caught:
        call(name, content, limits, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    return str(caught.value)


def still_works():
    return call("sizes") == [({"size": 3, "part": 0}, (b"abc",))]


def lives(pid):
    """Whether a process works; one that ended and waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def ended_within(pid, seconds):
    until = time.monotonic() + seconds
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not lives(pid)


def test_pieces_come_as_they_were_yielded(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    pieces = [({"size": 10, "part": part}, (b"0123456789",)) for part in range(3)]
    assert call("sizes", tmp_path / "file", parts=3) == pieces
    assert call("sizes", b"0123456789", parts=3) == pieces


def test_one_process_serves_call_after_call_and_some_time_another(monkeypatch):
    monkeypatch.setattr(process, "_CALLS", 5)
    pids = [call("told", what=1)[0][0]["pid"] for _ in range(7)]
    assert len(set(pids[:5])) == 1
    assert pids[5] != pids[0]
    assert pids[5] == pids[6]


@pytest.mark.parametrize("name", ["hangs", "hangs_in_c", "busy"])
def test_what_hangs_is_stopped_in_time(name):
    begin = time.monotonic()
    assert refusal(name, limits=Limits(seconds=1)) == "damaged, or too large: reading it hung for 1 s"
    assert time.monotonic() - begin < 5
    assert still_works()


def test_the_wait_is_for_each_piece():
    begin = time.monotonic()
    assert "hung for 1 s" in refusal("hangs", limits=Limits(seconds=1), after=3)
    assert time.monotonic() - begin < 5


def test_time_that_the_caller_takes_does_not_count():
    pieces = stream("misbehaving:sizes", b"abc", Limits(seconds=0.5), parts=3)
    for _ in range(3):
        next(pieces)
        time.sleep(0.7)
    assert list(pieces) == []


@linux
def test_processor_time_is_limited_whatever_else_the_machine_does():
    assert "takes more than 1 s" in refusal("busy", limits=Limits(seconds=30, processor=1))
    assert still_works()


@linux
@pytest.mark.parametrize("step", [20_000_000, 3_000_000_000, 1000])
def test_memory_is_limited(step):
    limits = Limits(memory=200_000_000)
    assert refusal("grows", limits=limits, step=step) == "damaged, or too large: reading it takes more than 200 MB"
    assert still_works()
    assert call("huge", size=50_000_000, limits=limits)[0][1][0] == bytes(50_000_000)


@pytest.mark.parametrize("after", [0, 2])
def test_a_crash_is_one_line(after):
    assert "its decoder" in refusal("crashes", after=after)
    if os.name == "posix":
        assert "SIGSEGV" in refusal("crashes", after=after)
    assert still_works()


def test_an_end_without_a_word_is_one_line():
    assert "ended (exit status 7)" in refusal("exits")
    assert "ended (exit status 0)" in refusal("quits")
    assert still_works()


def test_noise_does_not_get_among_the_pieces():
    assert call("noisy") == [({"heard": ""}, ())]
    assert still_works()


def test_nonsense_among_the_pieces_is_one_line():
    assert "writes nonsense" in refusal("nonsense", limits=Limits(seconds=2))
    assert still_works()


def test_a_refusal_arrives_in_its_own_words():
    assert refusal("refuses", why="encrypted: save it without a password") == "encrypted: save it without a password"
    assert refusal("fails", how="value").startswith("damaged: two lines xxx")
    assert refusal("fails", how="syntax") == "damaged: not so"
    assert refusal("fails", how="none") == "damaged: KeyError"


def test_pieces_before_a_failure_are_delivered():
    pieces = stream("misbehaving:stuttering", b"")
    for part in range(3):
        time.sleep(0.05)
        assert next(pieces) == ({"part": part}, (bytes(3_000_000),))
    with pytest.raises(LoadError, match="no further"):
        next(pieces)


def test_no_key_and_no_working_directory_gets_there(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_API_KEY", "secret-1")
    monkeypatch.setenv("HF_TOKEN", "secret-2")
    monkeypatch.syspath_prepend("")
    (said, _), *_ = call("environment")
    assert "secret" not in json.dumps(said)
    assert "" not in said["path"]


def test_a_module_beside_the_notebook_is_not_taken_for_one_of_pythons(tmp_path, monkeypatch):
    for name in ("json", "struct", "io", "mmrag_nb"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert still_works()


def test_no_program_is_started_and_no_address_called():
    assert "may not call subprocess.Popen" in refusal("starts_a_program")
    assert "may not call socket" in refusal("connects")


@pytest.mark.skipif(os.name != "posix", reason="POSIX limits what is written")
def test_nothing_is_written(tmp_path):
    refusal("writes", path=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists() or not (tmp_path / "out").stat().st_size


def test_large_bodies_go_both_ways():
    body = os.urandom(1 << 20) * 64
    ((said, (back,)),) = call("sizes", body)
    assert (said["size"], back == body) == (len(body), True)


def test_a_large_body_that_nobody_reads_blocks_nothing():
    """The module is missing, so the answer comes at once, while the body may still be on its way."""
    with pytest.raises(LoadError, match="No module named"):
        list(stream("no_such_module:at_all", bytes(100_000_000)))
    assert still_works()


def test_missing_files_and_folders_are_told(tmp_path):
    assert refusal("sizes", tmp_path / "missing") == "no such file: check the path"
    assert refusal("sizes", tmp_path).startswith("cannot be opened: ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="file names there are bytes")
def test_file_names_that_are_no_text(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \xff\n.bin"))
    path.write_bytes(b"12345")
    assert call("sizes", path)[0][0]["size"] == 5


def test_relative_paths_are_the_callers(tmp_path, monkeypatch):
    assert still_works()  # a process waits in another folder
    (tmp_path / "here").write_bytes(b"1234")
    monkeypatch.chdir(tmp_path)
    assert call("sizes", Path("here"))[0][0]["size"] == 4


def test_threads_call_at_once():
    def some(number):
        body = os.urandom(200_000 + number)
        return all(blobs == (body,) for _, blobs in call("sizes", body, parts=3))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(some, range(24)))
    assert len(calling._idle) <= calling._IDLE


def test_closed_early_it_stops():
    pieces = stream("misbehaving:hangs_in_c", b"")
    pid = next(pieces)[0]["pid"]
    pieces.close()
    assert ended_within(pid, 2)
    assert still_works()


def test_forgotten_it_stops():
    pieces = stream("misbehaving:hangs_in_c", b"")
    pid = next(pieces)[0]["pid"]
    del pieces
    assert ended_within(pid, 2)


def test_a_process_that_ended_while_it_waited_is_replaced():
    pid = call("told", what=1)[0][0]["pid"]
    calling._idle[0]._process.kill()
    assert ended_within(pid, 2)
    assert still_works()
    calling._idle[0]._process.kill()  # and should nobody have noticed yet
    assert still_works()


def test_where_no_process_can_be_started_it_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "no process can be started" in refusal("sizes")
    if Path("/bin/false").exists():
        monkeypatch.setattr(sys, "executable", "/bin/false")
        assert refusal("sizes") == ("cannot be read here: the process that should read it ended (exit status 1)")


def test_the_first_call_comes_soon():
    begin = time.monotonic()
    assert still_works()
    assert time.monotonic() - begin < 5, "about 0.1 s on an idle machine"


# -- what happens when the caller ends ------------------------------------------------------------------------------


def a_caller(code, **popen):
    """Run ``code`` in a fresh interpreter."""
    # Started in the background, a test run ignores Ctrl-C, and so would what it starts.
    begin = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    begin += f"import sys; sys.path.insert(0, {str(HERE)!r})\nfrom mmrag_nb.isolation.calling import stream, Limits\n"
    return subprocess.Popen([sys.executable, "-c", begin + code], stdout=subprocess.PIPE, text=True, **popen)


HUNG = "pieces = stream('misbehaving:{}', b'')\nprint(next(pieces)[0]['pid'], flush=True)\n"
posix = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@posix
@pytest.mark.parametrize("then", ["next(pieces)", "import time; time.sleep(60)"])
def test_a_killed_caller_leaves_nothing_behind(then):
    """Also while the child holds the interpreter's lock in C, where none of its threads can look after the caller."""
    caller = a_caller(HUNG.format("hangs_in_c") + then)
    pid = int(caller.stdout.readline())
    time.sleep(0.3)
    assert lives(pid)
    caller.kill()
    caller.wait()
    assert ended_within(pid, 3)


@posix
def test_an_ending_caller_leaves_nothing_behind():
    for then in (
        "pass",
        "raise SystemExit(1)",
        "list(stream('misbehaving:told', b'', what=1)); import os; os._exit(0)",
    ):
        caller = a_caller(HUNG.format("hangs_in_c") + then)
        pid = int(caller.stdout.readline())
        caller.wait(20)
        assert ended_within(pid, 3), then


@posix
def test_ctrl_c_stops_what_works_and_nothing_else():
    code = HUNG.format("hangs_in_c") + (
        "try:\n    next(pieces)\n"
        "except KeyboardInterrupt:\n"
        "    print(list(stream('misbehaving:told', b'', what='on'))[0][0]['told'], flush=True)\n"
    )
    caller = a_caller(code)
    pid = int(caller.stdout.readline())
    time.sleep(0.3)
    caller.send_signal(2)
    assert caller.stdout.readline().strip() == "on"
    assert caller.wait(10) == 0
    assert ended_within(pid, 2)


@posix
def test_ctrl_c_for_the_whole_group_leaves_the_waiting_ones_alone():
    code = (
        "import time, os\n"
        "pid = list(stream('misbehaving:told', b'', what=1))[0][0]['pid']\nprint(pid, flush=True)\n"
        "try:\n    time.sleep(30)\nexcept KeyboardInterrupt:\n"
        "    print(list(stream('misbehaving:told', b'', what=1))[0][0]['pid'] == pid, flush=True)\n"
    )
    caller = a_caller(code, start_new_session=True)
    caller.stdout.readline()
    time.sleep(0.2)
    os.killpg(caller.pid, 2)
    assert caller.stdout.readline().strip() == "True"
    caller.wait(10)


@posix
def test_a_fork_has_processes_of_its_own():
    """Of ``multiprocessing`` in a notebook, say: two who write into one pipe would read each other's pictures."""
    code = (
        "import os\n"
        "def ask(what):\n    return list(stream('misbehaving:told', b'', what=what))[0][0]\n"
        "mine = ask('a')['pid']\n"
        "read, write = os.pipe()\n"
        "if not os.fork():\n"
        "    said = ask('child')\n"
        "    os.write(write, f\"{said['told']} {said['pid'] != mine}\".encode())\n"
        "    raise SystemExit(0)\n"
        "os.wait()\n"
        "said = ask('parent')\n"
        "print(os.read(read, 100).decode(), said['told'], said['pid'] == mine, flush=True)\n"
    )
    caller = a_caller(code)
    assert caller.stdout.read().strip() == "child True parent True"
    assert caller.wait(10) == 0


@posix
def test_a_fork_that_lives_on_keeps_no_orphan():
    code = (
        HUNG.format("hangs")
        if False
        else (
            "import os, time\n"
            "pid = list(stream('misbehaving:told', b'', what=1))[0][0]['pid']\n"
            "other = os.fork()\n"
            "if not other:\n    os.close(1); time.sleep(20); os._exit(0)\n"
            "print(pid, other, flush=True)\nos._exit(0)\n"
        )
    )
    caller = a_caller(code)
    pid, other = map(int, caller.stdout.readline().split())
    caller.wait(10)
    try:
        assert ended_within(pid, 5), "the watching thread sees that its parent is another"
    finally:
        os.kill(other, 9)


def test_a_timer_that_goes_off_late_hits_nothing():
    """The watch of one piece must not kill the process when the next is already waited for."""
    worker = process.Worker()
    try:
        with worker._watched(30):
            turn = worker._turn
        worker._stop(turn)
        assert worker.alive
    finally:
        worker.kill()


def test_many_short_lived_threads_leave_processes_usable():
    """A process must not end with the thread that started it."""
    for _ in range(3):
        thread = threading.Thread(target=still_works)
        thread.start()
        thread.join()
        assert calling._idle[0].alive
    assert still_works()
