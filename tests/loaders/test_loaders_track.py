"""Sound of any length comes in sections, cut at the same places, from files and films, and damage ends it cleanly."""

import io
import time
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
from pydub import AudioSegment

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation.calling import Limits, stream
from mmrag_nb.loaders import measuring, track
from mmrag_nb.loaders.audio import AudioLoader, samples
from mmrag_nb.loaders.excerpt import first_seconds, sound_seconds
from mmrag_nb.loaders.resampling import RATE
from mmrag_nb.loaders.sound import blocks, decode
from mmrag_nb.loaders.utterances import utterances
from mmrag_nb.protocols import LongLoader

SPANS = [(1, 5), (8, 12), (30, 34), (36, 41), (47, 52), (80, 84), (87, 93)]


@pytest.fixture(scope="module")
def talk(encoded, speech_like):
    return encoded(speech_like(SPANS, 100), RATE, "flac")


@pytest.fixture
def short_sections(monkeypatch):
    """Sections of 20 s; everything counts as too long to keep."""
    monkeypatch.setattr(track, "SECTION", 20.0)
    monkeypatch.setattr(measuring, "HELD", 0)


def sections(content, **options):
    return list(track.sections(content, **{"max_seconds": 3600, "max_bytes": 1 << 30, **options}))


def times(parts):
    return [(chunk.start, chunk.end) for part in parts for chunk in part.chunks]


def test_it_is_a_long_loader():
    assert isinstance(AudioLoader(), LongLoader)


def test_sections_hold_what_the_whole_holds_in_order(talk, short_sections):
    pcm = decode(io.BytesIO(talk), max_seconds=200).pcm
    parts = sections(talk)
    assert len(parts) >= 4
    assert times(parts) == utterances(pcm, RATE), "cut by the loudness of the whole recording"
    for part in parts:
        for chunk in part.chunks:
            own = pcm[round(chunk.start * RATE) : round(chunk.end * RATE)]
            np.testing.assert_array_equal(samples(chunk.audio), own / np.float32(32768))
            assert chunk.previews["clip"].data


def test_each_section_tells_how_far_it_reaches(talk, short_sections):
    parts = sections(talk)
    reached = [part.reached for part in parts]
    assert reached == sorted(set(reached))
    assert reached[-1] == 100
    assert all((part.of, part.unit) == (100, "seconds") for part in parts)
    begins = 0.0
    for part in parts:
        assert all(begins < chunk.end <= part.reached for chunk in part.chunks)
        assert part.reached - begins <= 20 + 1e-9
        begins = part.reached
    assert any(not part.chunks for part in parts), "a silent stretch has no utterance, and the recording goes on"


def test_facts_and_peaks_of_the_whole_come_with_the_first(talk, short_sections):
    first, *others = sections(talk)
    assert first.facts == {"seconds": 100.0, "rate": RATE, "channels": 1}
    assert len(first.previews["peaks"].data) == 300
    assert all(not part.facts and not part.previews and not part.notes for part in others)


def test_it_does_not_matter_whether_the_sound_was_kept(talk, monkeypatch):
    whole = AudioLoader().load(talk, "talk.flac")
    monkeypatch.setattr(measuring, "HELD", 0)
    again = AudioLoader().load(talk, "talk.flac")
    assert again.chunks == whole.chunks
    heights = [np.frombuffer(item.previews["peaks"].data, np.uint8).astype(int) for item in (whole, again)]
    assert np.abs(heights[0] - heights[1]).max() <= 8


def test_a_sound_in_memory_is_cut_like_its_file(talk, short_sections):
    pcm = decode(io.BytesIO(talk), max_seconds=200).pcm
    segment = AudioSegment(pcm.tobytes(), sample_width=2, frame_rate=RATE, channels=1)
    assert times(sections(segment)) == times(sections(talk))


def test_twelve_hours_take_the_memory_of_a_few_minutes(monkeypatch, speech_like):
    """Blocks as the decoder would give them; what is kept of each is its loudness and its peaks."""
    minute = speech_like([(t, t + 2.5 + t % 3) for t in range(0, 57, 7)] + [(58, 58.4)], 60)
    pcm = (minute * 32767).astype(np.int16).tobytes()

    def many(*_args, until=None, **_options):
        yield {"rate": 44_100, "channels": 2, "claimed": 0.0}, ()
        for _ in range(12 * 60):
            yield {}, (pcm,)
        yield {"damaged": 0, "channel": None}, ()

    monkeypatch.setattr(measuring, "stream", many)
    monkeypatch.setattr("mmrag_nb.loaders.clips.clip", lambda *_: None)
    begin = time.process_time()
    found = track.sections(b"x", max_seconds=13 * 3600, max_bytes=100)
    tracemalloc.start()
    try:
        first = next(found)
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        reached = [first.reached] + [part.reached for part, _ in zip(found, range(20), strict=False)]
        cutting = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert first.of == 12 * 3600
    assert reached == sorted(reached)
    assert max(measured, cutting) < 200e6, "its samples take 1,382 MB"
    assert time.process_time() - begin < 60


# -- damage ------------------------------------------------------------------------------------------------------------


def hanging(handle, **options):
    """Stand in for a decoder that hangs in the middle of the recording, each time."""
    for number, piece in enumerate(blocks(handle, **options)):
        if number == 7:
            time.sleep(60)
        yield piece


def test_what_comes_before_a_decoder_hangs_stands(talk, short_sections, monkeypatch):
    monkeypatch.setattr(measuring, "_BLOCKS", f"{__name__}:hanging")
    monkeypatch.setattr(measuring, "stream", lambda *args, **options: stream(*args, Limits(seconds=1.5), **options))
    parts = []
    found = track.sections(talk, max_seconds=3600, max_bytes=1 << 30)
    with pytest.raises(LoadError, match="hung"):
        parts.extend(found)  # what came before the error is in it
    assert [part.of for part in parts] == [60.0] * len(parts)
    assert parts[-1].reached == 60
    assert len(times(parts)) == 5
    with pytest.raises(LoadError, match="hung"):
        AudioLoader().load(talk, "talk.flac")


def test_a_truncated_recording_gives_what_is_there(talk, short_sections):
    parts = sections(talk[: len(talk) // 2])
    assert 30 < parts[-1].reached < 70
    assert len(times(parts)) >= 3
    assert any("s decoded of the 100.0 s" in note for note in parts[0].notes)


def test_silence_is_an_error_and_junk_is_one(encoded):
    for content, reason in (
        (encoded(np.zeros(5 * RATE), RATE, "wav"), "silent"),
        (np.random.default_rng(0).bytes(100_000), "damaged"),
    ):
        with pytest.raises(LoadError, match=reason):
            sections(content)


# -- levels and channels -----------------------------------------------------------------------------------------------


def stereo(left, right, rate=RATE):
    out = io.BytesIO()
    with av.open(out, mode="w", format="wav") as file:
        stream_ = file.add_stream("pcm_s16le", rate=rate, layout="stereo")
        both = (np.stack([left, right]) * 32767).round().astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(both.T.reshape(1, -1)), format="s16", layout="stereo")
        frame.sample_rate = rate
        file.mux(stream_.encode(frame))
        file.mux(stream_.encode(None))
    return out.getvalue()


@pytest.fixture(scope="module")
def voice(speech_like):
    return speech_like([(1, 5), (8, 12)], 14)


@pytest.mark.parametrize(("left", "right"), [(1, -1), (-0.7, 0.75), (1, 0), (0, 1)])
def test_a_reversed_or_silent_channel_hides_nothing(voice, left, right):
    whole = sections(stereo(voice, voice))
    odd = sections(stereo(left * voice, right * voice))
    assert np.allclose(times(odd), times(whole), atol=0.05)
    level, usual = (np.abs(samples(parts[0].chunks[0].audio)).max() for parts in (odd, whole))
    assert level > 0.4 * usual
    assert any("is its reverse" in note for note in odd[0].notes) == (left * right < 0)
    memory = AudioSegment.from_file(io.BytesIO(stereo(left * voice, right * voice)), format="wav")
    assert np.allclose(times(sections(memory)), times(whole), atol=0.05)


@pytest.mark.parametrize("gain", [0.01, 1.0, 3.0, 50.0])
@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_loud_quiet_clipped_and_off_zero(encoded, voice, gain, offset):
    found = sections(encoded(np.clip(gain * voice + offset, -1, 1), RATE, "wav"))
    spans = times(found)
    if gain < 50:  # there the noise itself is as loud as speech
        assert len(spans) == 2
        assert spans[0] == pytest.approx((0.85, 5.15), abs=0.15)
        assert spans[1] == pytest.approx((7.85, 12.15), abs=0.15)
    else:
        assert spans
    assert abs(np.mean([samples(chunk.audio).mean() for chunk in found[0].chunks])) < 0.1


@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_any_rate_is_cut_alike(encoded, speech_like, rate):
    found = times(sections(encoded(speech_like([(1, 5), (8, 12)], 14, rate), rate, "wav")))
    assert found[0] == pytest.approx((0.85, 5.15), abs=0.15)
    assert found[1] == pytest.approx((7.85, 12.15), abs=0.15)


# -- films -------------------------------------------------------------------------------------------------------------


def film(wave, *, kind="matroska", begins=0.0, gap=None, sound=True):
    """A film of black pictures whose sound begins late, or has a gap (from, to) in which nothing is said of it."""
    out = io.BytesIO()
    codec = {"matroska": "flac", "mp4": "aac", "mov": "aac", "webm": "libopus"}[kind]
    rate = 48_000 if kind == "webm" else RATE
    pictures = "libvpx" if kind == "webm" else "mpeg4"
    with av.open(out, mode="w", format=kind) as file:
        video = file.add_stream(pictures, rate=5, width=64, height=64, pix_fmt="yuv420p")
        audio = file.add_stream(codec, rate=rate, layout="mono") if sound else None
        for number in range(5 * 16):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if audio is not None:
            audio.codec_context.time_base = Fraction(1, rate)
            resampler = av.AudioResampler(format=audio.format.name, layout="mono", rate=rate, frame_size=960)
            whole = av.AudioFrame.from_ndarray(np.asarray(wave, np.float32)[None], format="flt", layout="mono")
            whole.sample_rate, at = RATE, 0
            for part in (*resampler.resample(whole), *resampler.resample(None)):
                part.pts, part.time_base = at + round(begins * rate), Fraction(1, rate)
                at += part.samples
                if gap is None or not gap[0] <= float(part.pts / rate) < gap[1]:
                    file.mux(audio.encode(part))
            file.mux(audio.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("kind", ["matroska", "mp4", "mov", "webm"])
def test_the_sound_of_a_film_has_the_films_times(voice, kind):
    late = times(sections(film(voice, kind=kind, begins=1.5), film=True))
    assert late[0] == pytest.approx((2.35, 6.65), abs=0.2)
    assert late[1] == pytest.approx((9.35, 13.65), abs=0.2)


def test_gaps_in_a_films_sound_are_silence(voice):
    found = times(sections(film(voice, gap=(5.5, 7.5)), film=True))
    assert found[0] == pytest.approx((0.85, 5.15), abs=0.2)
    assert found[1] == pytest.approx((7.85, 12.15), abs=0.2)


def test_a_film_may_be_without_sound_or_silent(voice):
    assert sections(film(None, sound=False), film=True) == []
    (silent,) = sections(film(np.zeros_like(voice)), film=True)
    assert silent.chunks == ()
    with pytest.raises(LoadError, match="no sound in it"):
        sections(film(None, sound=False))


# -- the beginning alone -----------------------------------------------------------------------------------------------


def test_the_beginning_and_the_length_of_a_file(talk, tmp_path):
    path = tmp_path / "talk.flac"
    path.write_bytes(talk)
    pcm = decode(io.BytesIO(talk), max_seconds=200).pcm
    for content in (path, talk):
        assert sound_seconds(content) == pytest.approx(100)
        np.testing.assert_array_equal(first_seconds(content, 12.5), pcm[: round(12.5 * RATE)])
    for content in (b"\0\1" * 500, b"", tmp_path / "none.wav"):
        with pytest.raises(LoadError):
            sound_seconds(content)
        with pytest.raises(LoadError):
            first_seconds(content, 5)
