"""Speech to text without weights from the hub: pocketsphinx brings its English model along."""

from __future__ import annotations

import re
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING

from mmrag_nb.errors import InvalidSetting, NotInstalled
from mmrag_nb.types import Transcript

from .speech import audible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmrag_nb.types import Samples

_PRONUNCIATION = re.compile(r"\(\d+\)$")  # "was(2)": the second way to say it


class PocketsphinxTranscriber:
    """Transcribe English speech on the CPU; good enough to retrieve by, not to quote.

    Huggins-Daines et al., "Pocketsphinx: A Free, Real-Time Continuous Speech Recognition System for Hand-Held
    Devices", 2006.

    Parameters
    ----------
    language
        ``en`` or ``english``; it knows no other.

    Raises
    ------
    InvalidSetting
        Another language is asked for.
    NotInstalled
        pocketsphinx is absent.
    """

    rate = 16_000

    def __init__(self, language: str = "") -> None:
        if language and language.lower() not in {"en", "english"}:
            raise InvalidSetting(
                f"pocketsphinx knows English only, so language {language!r} cannot be set: leave it out, or name a "
                'multilingual Whisper model, %config MMRag.speech = "openai/whisper-base"'
            )
        try:
            import pocketsphinx
        except ModuleNotFoundError as error:
            raise NotInstalled("pocketsphinx", extra="offline") from error
        # Twice the Gaussians and a sixth of the hypotheses of the defaults: fewer errors in less time.
        self._lock = threading.Lock()
        self._decoder = pocketsphinx.Decoder(loglevel="FATAL", topn=8, maxhmmpf=5000)
        self.fingerprint: Mapping[str, str] = {
            "model": "pocketsphinx en-us",
            "revision": version("pocketsphinx"),
            "preprocessing": "utterance-1",
        }
        self.description = f"pocketsphinx {version('pocketsphinx')} (en-us, cpu)"

    def transcribe(self, clips: Sequence[Samples]) -> list[str]:
        """One transcript per clip of mono float32 samples in [-1, 1] at 16 kHz, with the seconds of its words."""
        with self._lock:  # one decoder, one utterance at a time
            return [self._hear(clip) for clip in clips]

    def _hear(self, clip: Samples) -> str:
        import numpy as np

        if not audible(clip, self.rate):
            return ""
        pcm = (np.clip(clip, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        self._decoder.reinit_feat()  # what it learned of the last clip's channel would change this one's words
        self._decoder.start_utt()
        try:
            # The whole utterance at once, so that its own mean is taken from its cepstra: word errors halve.
            self._decoder.process_raw(pcm, full_utt=True)
        finally:  # Ctrl-C comes here; left open, the decoder would hear nothing any more
            self._decoder.end_utt()
        heard = self._decoder.hyp()
        return Transcript(heard.hypstr, self._times(heard.hypstr)) if heard else ""

    def _times(self, text: str) -> Iterator[tuple[float, float]]:
        """Seconds of the words of ``text``; none where the decoder's segments are not its words."""
        rate = self._decoder.config["frate"]
        spoken = [part for part in self._decoder.seg() if part.word[0] not in "<[+"]  # else a pause or a noise
        if [_PRONUNCIATION.sub("", part.word) for part in spoken] == text.split():
            yield from ((part.start_frame / rate, (part.end_frame + 1) / rate) for part in spoken)
