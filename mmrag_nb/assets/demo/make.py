"""Makes the demo's recordings and pictures: ``python -m mmrag_nb.assets.demo.make OUT``.

The voices are flite's (Debian: ``apt-get install flite``). Kept so that anybody can change the demo; nobody needs it
to run the demo.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import wave
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import av
import numpy as np

from mmrag_nb.assets.demo.draw import PICTURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RATE = 16_000
PAUSE = 0.8
"""Seconds of silence between two sentences: long enough to cut there."""

# File, flite's voice, sentences. Each pair of voice and sentences is one that pocketsphinx understands.
RECORDINGS = {
    "lighthouse_talk.mp3": (
        "rms",
        (
            "Welcome to the little museum at the old harbor.",
            "The tower was built in eighteen forty two, after a ship was lost on the rocks.",
            "On a clear night sailors could see the light from twenty miles away.",
            "The keeper climbed one hundred and twelve steps every evening.",
            "Our model ship workshop starts on Thursday at nine in the morning.",
            "Tea and cake are served in the kitchen afterwards.",
        ),
    ),
    "weather_report.mp3": (
        "kal16",
        (
            "There will be heavy rain in the north, with strong winds from the west.",
            "On Sunday the sun comes out again.",
        ),
    ),
}


def speak(sentences: Sequence[str], voice: str) -> NDArray[np.int16]:
    """Let flite's ``voice`` say the sentences, with pauses around each; (n,) samples at ``RATE``."""
    flite = shutil.which("flite")
    if flite is None:
        raise SystemExit("flite is not installed: apt-get install flite")
    pause = np.zeros(int(PAUSE * RATE), np.int16)
    parts = [pause[: len(pause) // 2]]
    with TemporaryDirectory() as folder:
        spoken = Path(folder) / "spoken.wav"
        for sentence in sentences:
            subprocess.run([flite, "-voice", voice, "-t", sentence, "-o", str(spoken)], check=True)  # noqa: S603
            with wave.open(str(spoken)) as file:
                if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
                    raise SystemExit(f"flite's voice {voice!r} does not speak at {RATE} Hz, mono, 16 bit")
                parts += [np.frombuffer(file.readframes(file.getnframes()), "<i2"), pause]
    return np.concatenate(parts)


def write_mp3(samples: NDArray[np.int16], path: Path, bit_rate: int = 48_000) -> None:
    """Encode mono ``samples`` at ``RATE``."""
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(
            format="s16p", layout="mono", rate=RATE, frame_size=stream.codec_context.frame_size
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def main(folder: Path) -> list[Path]:
    """Make all recordings and pictures in ``folder``; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (voice, sentences) in RECORDINGS.items():
        write_mp3(speak(sentences, voice), folder / name)
        made.append(folder / name)
    for name, draw in PICTURES.items():
        draw().save(folder / name, optimize=True)
        made.append(folder / name)
    return made


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m mmrag_nb.assets.demo.make OUT")
    for path in main(Path(sys.argv[1])):
        sys.stdout.write(f"{path.stat().st_size:7,} bytes  {path}\n")
