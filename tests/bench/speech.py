"""How speech is understood, where it is cut, and what hours of it take: ``python tests/bench/speech.py [--hours 3]``.

1. Word error rate of the offline transcriber on recordings of people speaking: of whole clips, and through the loader,
   where each recording is cut into utterances. Words are counted in lower case and without punctuation, numbers as
   they are; nothing else is made equal. Utterances may overlap, and what two of them have is counted twice.
2. A sonnet read aloud: for each line of its publisher's subtitles the utterance that shares most of its time, as
   intersection over union and as share of the line, and how far the nearest utterance begins from the line.
3. ``--hours`` of speech by flite's voices, as MP3: seconds and memory until all of it is cut, nothing transcribed.

Parts 1 and 2 need the folder of cases, part 3 the programs flite and ffmpeg; without them, they are left out.
"""

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import jiwer
import numpy as np

from mmrag_nb.bench import machine
from mmrag_nb.loaders.audio import AudioLoader, samples
from mmrag_nb.loaders.resampling import RATE
from mmrag_nb.loaders.sound import decode
from mmrag_nb.models.pocketsphinx import PocketsphinxTranscriber

ROOT = Path(__file__).parents[2]
CASES = Path(os.environ.get("MMRAG_CASES", ROOT.parent / "shared" / "cases"))
CUE = re.compile(r"(\d+):(\d+):([\d.]+) --> (\d+):(\d+):([\d.]+)")
SPOKEN = {
    "slt": "The harbour was quiet that morning. Two boats lay at the pier, and nobody had seen the third. "
    "An old man mended his nets, and told the children about the great storm of his youth.",
    "rms": "In the next experiment we heat the copper wire until it glows. Please write down the temperature every "
    "ten seconds. The resistance grows, and the current becomes smaller.",
    "awb": "The library opens at nine and closes at six. Books may be kept for four weeks. Whoever returns them late "
    "pays a small fee, except in the summer holidays.",
    "kal16": "Turn left at the second traffic light, then follow the river for two miles. The museum is behind the "
    "station. There is a large garden with statues, and a cafe.",
}


def words(text):
    return " ".join(re.sub(r"[^\w\s]", "", text.lower()).split())


def errors(pairs):
    found = jiwer.process_words([words(said) for said, _ in pairs], [words(heard) for _, heard in pairs])
    return found.substitutions + found.deletions + found.insertions, sum(len(words(said).split()) for said, _ in pairs)


def understood(transcriber, path):
    """(heard as a whole, heard utterance by utterance, seconds of sound, seconds of hearing, utterances)."""
    with path.open("rb") as file:
        whole = decode(file, max_seconds=600).pcm
    begin = time.perf_counter()
    (at_once,) = transcriber.transcribe([whole.astype(np.float32) / 32768])
    took = time.perf_counter() - begin
    chunks = AudioLoader().load(path, path.name).chunks
    parts = transcriber.transcribe([samples(chunk.audio) for chunk in chunks])
    return at_once, " ".join(parts), len(whole) / RATE, took, len(chunks)


def word_errors(transcriber):
    with (CASES / "speech" / "truth.tsv").open(encoding="utf-8", newline="") as file:
        truth = [(row["file"], row["reference"]) for row in csv.DictReader(file, delimiter="\t")]
    print(f"{'recording':<72}{'seconds':>8}{'words':>6}{'whole':>8}{'cut':>8}{'parts':>6}")
    whole, cut, sound, hearing = [], [], 0.0, 0.0
    for name, said in truth:
        at_once, by_parts, seconds, took, parts = understood(transcriber, CASES / "speech" / name)
        whole.append((said, at_once))
        cut.append((said, by_parts))
        sound, hearing = sound + seconds, hearing + took
        (wrong, count), (wrong_cut, _) = errors(whole[-1:]), errors(cut[-1:])
        print(f"{name:<72}{seconds:8.1f}{count:6}{wrong / count:8.1%}{wrong_cut / count:8.1%}{parts:6}")
    (wrong, count), (wrong_cut, _) = errors(whole), errors(cut)
    print(f"{'pooled':<72}{sound:8.1f}{count:6}{wrong / count:8.1%}{wrong_cut / count:8.1%}")
    print(f"{sound / hearing:.1f} times real time ({sound:.1f} s of sound heard in {hearing:.1f} s)\n")


def lines_of(vtt):
    found = []
    for block in vtt.read_text(encoding="utf-8").split("\n\n"):
        if (match := CUE.search(block)) is None:
            continue
        text = " ".join(block[match.end() :].split())
        if not text.isdigit():  # the sonnet's number
            h1, m1, s1, h2, m2, s2 = map(float, match.groups())
            found.append((3600 * h1 + 60 * m1 + s1, 3600 * h2 + 60 * m2 + s2, text))
    return found


def sonnet_times(transcriber):
    path = CASES / "sonnet" / "sonnet001.mp3"
    lines = lines_of(path.with_suffix(".vtt"))
    chunks = AudioLoader().load(path, path.name).chunks
    begin = time.perf_counter()
    heard = transcriber.transcribe([samples(chunk.audio) for chunk in chunks])
    took = time.perf_counter() - begin
    spans = [(chunk.start, chunk.end) for chunk in chunks]
    print(f"{'line':<52}{'seconds':>14}{'best utterance':>16}{'IoU':>6}{'share':>7}{'start off by':>14}")
    ious, shares, offs = [], [], []
    for start, end, text in lines:
        shared = [max(0.0, min(end, b) - max(start, a)) for a, b in spans]
        best = max(range(len(spans)), key=shared.__getitem__)
        a, b = spans[best]
        off = min((a - start for a, _ in spans), key=abs)
        ious.append(shared[best] / (max(end, b) - min(start, a)))
        shares.append(shared[best] / (end - start))
        offs.append(off)
        print(f"{text:<52}{start:7.2f}{end:7.2f}{a:8.2f}{b:8.2f}{ious[-1]:6.2f}{shares[-1]:7.2f}{off:+12.2f} s")
    far = np.abs(offs)
    print(f"{len(lines)} lines, {len(spans)} utterances of {np.mean([b - a for a, b in spans]):.1f} s")
    print(f"IoU: median {np.median(ious):.2f}, least {min(ious):.2f}; share: median {np.median(shares):.2f}")
    print(
        f"a line's start to the nearest utterance's: median {np.median(far):.2f} s, 90% {np.quantile(far, 0.9):.2f} s"
    )
    begun = [min(abs(a - start) for start, _, _ in lines) for a, _ in spans]
    print(
        f"an utterance's start to the nearest line's: median {np.median(begun):.2f} s, "
        f"90% {np.quantile(begun, 0.9):.2f} s"
    )
    wrong, count = errors([(" ".join(text for *_, text in lines), " ".join(heard))])
    seconds = spans[-1][1]
    print(f"words: {wrong / count:.1%} wrong of {count}; {seconds / took:.1f} times real time\n")


def spoken_hours(hours, folder):
    """An MP3 of that length: some minutes of several voices with pauses, again and again."""
    parts = []
    for number in range(24):
        voice = list(SPOKEN)[number % len(SPOKEN)]
        part = folder / f"{number}.wav"
        pace = f"duration_stretch={0.8 + 0.03 * number:.2f}"
        subprocess.run(["flite", "-voice", voice, "--setf", pace, "-t", SPOKEN[voice], "-o", part], check=True)
        parts.append(part)
    inputs = [argument for part in parts for argument in ("-i", str(part))]
    padded = "".join(f"[{n}]aresample=44100,apad=pad_dur={0.5 + n % 5}[p{n}];" for n in range(len(parts)))
    joined = "".join(f"[p{n}]" for n in range(len(parts))) + f"concat=n={len(parts)}:v=0:a=1"
    quiet = ["ffmpeg", "-v", "error", "-y"]
    minutes, whole = folder / "minutes.mp3", folder / "hours.mp3"
    subprocess.run(
        [*quiet, *inputs, "-filter_complex", padded + joined, "-ac", "2", "-b:a", "96k", minutes], check=True
    )
    again = ["-stream_loop", "-1", "-i", minutes, "-t", str(3600 * hours), "-c", "copy", whole]
    subprocess.run([*quiet, *again], check=True)
    return whole


def high_water(process):
    """MB that a process has had at most; 0 where that cannot be told."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def measured(path):
    """Cut ``path`` and print what that took, as JSON; in a process of its own."""
    before = high_water(os.getpid())
    begin = time.perf_counter()
    utterances, sections, child, largest, until_first = 0, 0, 0.0, 0.0, 0.0
    for section in AudioLoader().sections(path, path.name):
        until_first = until_first or time.perf_counter() - begin
        sections, utterances = sections + 1, utterances + len(section.chunks)
        largest = max(largest, sum(len(chunk.audio.raw_data) for chunk in section.chunks) / 1e6)
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        for one in children.read_text(encoding="ascii").split() if children.exists() else ():
            child = max(child, high_water(one))
    print(
        json.dumps(
            {
                "MB of the file": path.stat().st_size / 1e6,
                "hours of sound": section.of / 3600,
                "sections": sections,
                "utterances": utterances,
                "seconds until the first section": until_first,
                "seconds in all": (took := time.perf_counter() - begin),
                "times real time": section.of / took,
                "MB of sound in the largest section": largest,
                "MB of its samples as a whole": section.of * RATE * 2 / 1e6,
                "MB of this process before": before,
                "MB of this process at most": high_water(os.getpid()),
                "MB of the decoding process at most": child,
            }
        )
    )


def long_audio(hours):
    with TemporaryDirectory() as folder:
        path = spoken_hours(hours, Path(folder))
        command = [sys.executable, __file__, "--measure", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name, value in json.loads(done.stdout).items():
        print(f"{name:<40}{value:>10,.0f}" if isinstance(value, int) else f"{name:<40}{value:>10,.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measured(arguments.measure)
        return
    print(", ".join(f"{name} {value}" for name, value in machine.facts().items()), "\n")
    if CASES.is_dir():
        transcriber = PocketsphinxTranscriber()
        print(transcriber.description)
        word_errors(transcriber)
        sonnet_times(transcriber)
    else:
        print(f"no folder of cases at {CASES} (set MMRAG_CASES): no word error rates, no times\n")
    if shutil.which("flite") and shutil.which("ffmpeg"):
        long_audio(arguments.hours)
    else:
        print("flite or ffmpeg is absent: no long audio")


if __name__ == "__main__":
    main()
