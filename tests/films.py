"""Small films, made with the ffmpeg program; tests that need it are skipped where it is absent."""

import shutil
import subprocess
from pathlib import Path

import pytest

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not installed")

SCENES = ("testsrc=s=320x180:r=25:d=4", "smptebars=s=320x180:r=25:d=4", "mandelbrot=s=320x180:r=25,trim=duration=4")
"""Twelve seconds that are cut at 4 and at 8."""


def ffmpeg(*arguments: object) -> None:
    """Run the program."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def cut_film(path: Path, *how: object, sound: bool = True, video: str = "") -> Path:
    """Write `SCENES` with a beeping sound, encoded as ``how`` says, filtered by ``video``."""
    inputs = [word for scene in SCENES for word in ("-f", "lavfi", "-i", scene)]
    joined = f"[0][1][2]concat=n=3{',' + video if video else ''}[v]"
    heard = ["-f", "lavfi", "-i", "sine=f=330:b=2:d=12"] if sound else []
    ffmpeg(*inputs, *heard, "-filter_complex", joined, "-map", "[v]", *(["-map", "3:a"] * sound), *how, path)
    return path


def plain_film(path: Path, picture: str, *how: object) -> Path:
    """Write what a source of ffmpeg's shows, without sound."""
    ffmpeg("-f", "lavfi", "-i", picture, *how, path)
    return path


def srt(path: Path, *cues: tuple[float, float, str]) -> Path:
    """Write a file of subtitles."""
    lines = [f"{n}\n{_clock(start)} --> {_clock(end)}\n{text}\n" for n, (start, end, text) in enumerate(cues, 1)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _clock(seconds: float) -> str:
    ms = round(1000 * seconds)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"
