"""A long video with subtitles, indexed and asked: memory, time by stage, and whether the right second is found.

    python tests/bench/video.py [--minutes 30] [--strategy shared] [--subtitles instead] [--keep FOLDER]

The video is made here, with ffmpeg: slides of words and drawings from the demo, a few seconds to a minute each, under
a little camera noise; the sentences of the subtitles spoken by flite where that is installed, else a tone. Every
sentence tells a fact that no other does. Fourteen questions ask for what is said, six for what is drawn; a question is
answered where the first hit's seconds hold the second at which it is said or shown. Preset offline, no network.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import tempfile
import threading
import time
import wave
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder

SIZE = (854, 480)
RATE = 16_000
FACTS = (  # what is said, what is asked
    ("The harbour master keeps eleven brass lanterns in the boathouse.", "How many brass lanterns does he keep?"),
    ("Our baker sells walnut bread on Tuesday mornings only.", "On what day is walnut bread sold?"),
    ("The glacier above the village lost nine metres last summer.", "How much did the glacier lose?"),
    ("Grandmother tuned her violin with a silver fork.", "What did she tune the violin with?"),
    ("A falcon nests in the chimney of the old library.", "Where does the falcon nest?"),
    ("The ferry to the northern island leaves at six twenty.", "When does the ferry leave?"),
    ("Copper wire is wound eighty times around the magnet.", "How often is the copper wire wound?"),
    ("The orchard was planted by two sisters from Lisbon.", "Who planted the orchard?"),
    ("Saddles are oiled with beeswax before the winter race.", "What are the saddles oiled with?"),
    ("The telescope on the hill weighs forty tons.", "How heavy is the telescope?"),
    ("Marble for the staircase came from a quarry in Carrara.", "Where did the marble come from?"),
    ("The compass needle was bent during the thunderstorm.", "What happened to the compass needle?"),
    ("Barley soup is served with lemon in this valley.", "What is served with barley soup?"),
    ("Seven divers mapped the sunken cathedral in April.", "How many divers mapped the cathedral?"),
)
DRAWINGS = {  # as assets/demo_drawings.md has it
    "drawing_01": "an octopus",
    "drawing_02": "a red apple",
    "drawing_05": "a sailboat",
    "drawing_06": "a bicycle",
    "drawing_09": "an elephant",
    "drawing_11": "a penguin",
}
_NAMES = (
    "Ada Boris Clara Dov Elena Farid Greta Hugo Ines Jonas Kira Lars Mina Noor Otto Petra Quinn Rosa Sven Tilda".split()
)
_THINGS = (
    "kettles ribbons candles anchors quilts pebbles maps buttons spoons tiles ladders baskets stamps bells".split()
)


def sentence(number: int) -> str:
    """What is said in between: no two are the same."""
    chance = random.Random(number)
    return f"{chance.choice(_NAMES)} counted {100 + number} {chance.choice(_THINGS)} for {chance.choice(_NAMES)}."


def slide(words: str, path: Path) -> None:
    """Words on a slide."""
    chance = random.Random(words)
    image = Image.new("RGB", SIZE, tuple(chance.randrange(200, 256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, SIZE[0], 70), fill=tuple(chance.randrange(120) for _ in range(3)))
    for line, part in enumerate(words.split()):
        draw.text((60, 100 + 45 * line), part, fill="black", font=ImageFont.load_default(34))
    image.save(path)


def drawing(name: str, path: Path) -> None:
    """A drawing of the demo, large."""
    image = Image.new("RGB", SIZE, "white")
    shown = Image.open(demo_folder() / "emoji" / f"{name}.png").convert("RGB").resize((420, 420))
    image.paste(shown, ((SIZE[0] - 420) // 2, 30))
    image.save(path)


def spoken(text: str, folder: Path) -> np.ndarray:
    """(n,) samples of ``text``; a tone where flite is absent."""
    if shutil.which("flite") is None:
        return (4000 * np.sin(np.arange(3 * RATE) / 20)).astype(np.int16)
    path = folder / "said.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(path)], check=True)
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def make(folder: Path, minutes: float) -> tuple[Path, dict[str, float], dict[str, float]]:
    """The video; when each fact is said, when each drawing is shown."""
    chance, seconds = random.Random(7), 60 * minutes
    said: dict[str, float] = {}
    cues, at, number = [], 2.0, 0
    places = np.linspace(5, seconds - 20, len(FACTS))
    waiting = [fact for fact, _ in FACTS]
    sound = np.zeros(round(seconds * RATE), np.int16)
    sound += (20 * np.random.default_rng(1).standard_normal(len(sound))).astype(np.int16)
    while at < seconds - 8:
        text = waiting.pop(0) if waiting and at >= places[len(FACTS) - len(waiting)] else sentence(number)
        number += 1
        voice = spoken(text, folder)
        end = at + len(voice) / RATE
        cues.append((at, end, text))
        said[text] = (at + end) / 2
        first = round(at * RATE)
        sound[first : first + len(voice)] += voice[: len(sound) - first] // 2
        at = end + chance.uniform(0.5, 4)
    shown: dict[str, float] = {}
    pictures, at, number = [], 0.0, 0
    turns = list(np.linspace(20, seconds - 60, len(DRAWINGS)))
    names = list(DRAWINGS)
    while at < seconds:
        length = min(chance.uniform(8, 45), seconds - at)
        path = folder / f"slide_{number:04}.png"
        if names and at >= turns[0]:
            shown[names[0]] = at + length / 2
            drawing(names.pop(0), path)
            turns.pop(0)
        else:
            slide(f"Chapter {number} about {sentence(10_000 + number)}", path)
        pictures.append((path, length))
        at, number = at + length, number + 1
    listed = folder / "slides.txt"
    lines = "".join(f"file '{path}'\nduration {length:.3f}\n" for path, length in pictures)
    listed.write_text(f"{lines}file '{pictures[-1][0]}'\n")
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.tobytes())
    video = folder / "lecture.mp4"
    subprocess.run(
        [
            *"ffmpeg -v error -y -f concat -safe 0 -i".split(), str(listed), "-i", str(folder / "sound.wav"),
            *"-vf fps=25,noise=alls=6:allf=t,format=yuv420p -c:v libx264 -preset superfast -crf 30 -c:a aac".split(),
            "-t", str(seconds), str(video),
        ],
        check=True,
    )  # fmt: skip
    video.with_suffix(".srt").write_text(
        "".join(f"{n}\n{_clock(a)} --> {_clock(b)}\n{text}\n\n" for n, (a, b, text) in enumerate(cues, 1))
    )
    return video, said, shown


def _clock(seconds: float) -> str:
    ms = round(1000 * seconds)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


class Children:
    """The largest resident size that any process started from here has had, and all of them together."""

    def __init__(self) -> None:
        self.one = self.together = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            sizes = [_resident(int(pid)) for pid in Path("/proc/self/task").glob("*/children") for pid in _words(pid)]
            self.one, self.together = max(self.one, *sizes, 0), max(self.together, sum(sizes))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def main() -> None:
    """Make, index, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--strategy", default="shared")
    parser.add_argument("--subtitles", default="instead")
    parser.add_argument("--keep", type=Path, help="where the video stays, and is found the next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        truth = folder / f"truth_{options.minutes:g}.json"
        video = folder / "lecture.mp4"
        if truth.exists():
            said, shown = json.loads(truth.read_text())
        else:
            video, said, shown = make(folder, options.minutes)
            truth.write_text(json.dumps([said, shown]))
        size = video.stat().st_size
        print(f"video: {options.minutes:g} min, {SIZE[0]} x {SIZE[1]}, {size / 1e6:.1f} MB, {len(said)} sentences")
        print(f"made in {time.perf_counter() - begin:.0f} s")
        rag = MultimodalRAG(preset="offline", strategy=options.strategy, subtitles=options.subtitles)
        first = demo_folder() / "emoji" / "drawing_12.png"
        rag.index([{"text": "a first text and picture, so that the models are loaded"}, str(first)])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        begin = time.perf_counter()
        with Children() as children:
            report = rag.index([str(video)])
        took = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(report)
        print(f"indexed in {took:.0f} s, {60 * options.minutes / took:.1f} times real time")
        print("by stage: " + ", ".join(f"{stage} {spent:.1f} s" for stage, spent in report.seconds.items()))
        print(f"peak memory: {peak / 1e6:.0f} MB, {before / 1e6:.0f} MB of it before the video")
        print(f"decoders: {children.together / 1e6:.0f} MB together, the largest {children.one / 1e6:.0f} MB")
        chunks = rag.chunks(rag.items()[-1])
        kinds = {kind: sum(chunk.modality == kind for chunk in chunks) for kind in ("image", "audio", "text")}
        held = previews(rag, len(chunks))
        print(f"chunks: {kinds}")
        print("previews: " + ", ".join(f"{kind} {n / 1e6:.1f} MB" for kind, n in held.items()))
        print(f"previews together {sum(held.values()) / 1e6 / options.minutes * 60:.0f} MB an hour")
        ask(rag, said, shown)


def ask(rag: MultimodalRAG, said: dict[str, float], shown: dict[str, float]) -> None:
    """Ask for what is said and shown; print what was missed, and how often the right second came first."""
    right = 0
    asked = [(question, said[fact]) for fact, question in FACTS if fact in said]
    asked += [(f"a drawing of {DRAWINGS[name]}", second) for name, second in shown.items()]
    for question, second in asked:
        hits = rag.search(question, k=1)
        hit = hits[0].chunk if len(hits) else None
        found = hit is not None and hit.start is not None and hit.start <= second < (hit.end or 0)
        right += found
        if not found:
            where = "nothing" if hit is None else f"{hit.modality} at {hit.start:.1f} s"
            print(f"  missed: {question} ({second:.1f} s): {where}")
    print(f"right second at rank 1: {right} of {len(asked)}")


def previews(rag: MultimodalRAG, chunks: int) -> dict[str, int]:
    """Bytes of the chunks' own previews, by kind."""
    item = rag.items()[-1]
    held: dict[str, int] = {}
    for ordinal in range(chunks):
        for kind, preview in rag.previews(item, ordinal).items():
            held[kind] = held.get(kind, 0) + len(preview.data) * (kind != "peaks")
    return held


if __name__ == "__main__":
    main()
