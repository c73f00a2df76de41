"""A network writing in a thread of its own, stoppable at any layer."""

from __future__ import annotations

import atexit
import contextlib
import copy
import queue
import threading
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import GenerationBroken, GenerationError, GenerationRefused
from mmrag_nb.weights.reading import line

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEAT = 0.1  # seconds between two looks at whether a waiting question was given up
_LEAVE = 10.0  # seconds that it may take to stop when Python goes
_END = object()


class Work:
    """The network writing in a thread of its own, its tokens handed over one by one."""

    def __init__(self, network: Any, turn: threading.Lock, inputs: Any, most: int) -> None:
        self._network, self._turn, self._inputs, self._most = network, turn, inputs, most
        self._tokens: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write, name="mmrag-generate", daemon=True)

    def tokens(self) -> Iterator[int]:
        """Start, and yield each token as it comes."""
        atexit.register(self._leave)
        self._thread.start()
        while (token := self._take()) is not _END:
            yield token

    def stop(self) -> None:
        """Stop at the next layer."""
        self._stopped.set()

    def _leave(self) -> None:
        """Let the network come to rest before Python goes, which else ends in an abort."""
        self.stop()
        self._thread.join(_LEAVE)

    def _take(self) -> Any:
        while True:
            try:
                token = self._tokens.get(timeout=_BEAT)  # not for ever: on Windows Ctrl-C could not interrupt that
            except queue.Empty:
                continue
            if isinstance(token, BaseException):
                raise token
            return token

    def _write(self) -> None:
        try:
            while not self._turn.acquire(timeout=_BEAT):
                if self._stopped.is_set():
                    return
            try:
                self._generate()
            finally:
                self._turn.release()
            self._tokens.put(_END)
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            self._tokens.put(_failure(error, self._network))
        finally:
            atexit.unregister(self._leave)

    def _generate(self) -> None:
        inputs = {name: _moved(value, self._network) for name, value in self._inputs.items()}
        settings = _greedy(self._network.generation_config, self._most)
        streamer = _Handing(self._tokens, inputs["input_ids"].shape[1])
        with contextlib.suppress(_Stopped), _stopping(self._network, self._stopped):
            self._network.generate(**inputs, generation_config=settings, streamer=streamer)


class _Stopped(Exception):
    """The answer is not wanted any more."""


@contextlib.contextmanager
def _stopping(network: Any, stopped: threading.Event) -> Iterator[None]:
    """Let ``stopped`` be looked at before each layer: a long prompt is read for minutes where there is no GPU."""
    import torch

    def look(*_given: Any) -> None:
        if stopped.is_set():
            raise _Stopped

    stacks = [module for module in network.modules() if isinstance(module, torch.nn.ModuleList)]
    hooks = [layer.register_forward_pre_hook(look) for stack in stacks for layer in stack]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Handing:
    """Takes what ``generate`` streams: first the prompt's tokens, then one at a time."""

    def __init__(self, tokens: queue.SimpleQueue[Any], given: int) -> None:
        self._tokens, self._skip = tokens, given

    def put(self, value: Any) -> None:
        for token in value.flatten().tolist():
            if self._skip:
                self._skip -= 1
            else:
                self._tokens.put(token)

    def end(self) -> None:
        """Nothing is held back."""


def _moved(tensor: Any, network: Any) -> Any:
    return tensor.to(network.device, network.dtype if tensor.is_floating_point() else tensor.dtype)


def _greedy(own: Any, most: int) -> Any:
    """A checkpoint's own settings, except that nothing is drawn at random."""
    settings = copy.deepcopy(own)
    drawing = dict.fromkeys(("temperature", "top_p", "top_k", "min_p", "typical_p"))  # said aloud if left as they are
    settings.update(do_sample=False, num_beams=1, max_length=None, max_new_tokens=most, **drawing)
    if settings.pad_token_id is None:
        ends = settings.eos_token_id
        settings.pad_token_id = ends[0] if isinstance(ends, list) else ends
    return settings


def _failure(error: BaseException, network: Any) -> GenerationError:
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error):
        if network.device.type == "cuda":
            torch.cuda.empty_cache()
        # Not chained: what the frames of ``error`` hold would fill the memory for as long as a traceback is kept.
        return GenerationRefused(
            f"the memory of {network.device} does not hold the question with its evidence: lower k (%mmrag_ask -k 3), "
            'set %config MMRag.media = "none", or choose a smaller model'
        )
    failure = GenerationBroken(f"{type(network).__name__} failed while it wrote ({line(error)})")
    failure.__cause__ = error
    return failure
