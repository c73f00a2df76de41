"""Sound of any container, rate and width comes out as 16 kHz mono, whole and at its level."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.sound import RATE, decode, from_segment


def tone(seconds, rate, pitch=440.0):
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def decoded(data, **options):
    return decode(io.BytesIO(data), max_seconds=options.pop("max_seconds", 60))


def pitch_of(pcm):
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return spectrum.argmax() * RATE / len(pcm)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["wav", "mp3", "flac", "ogg", "opus", "m4a", "aiff", "au"])
def test_containers(encoded, kind, channels):
    rate = 48_000 if kind == "opus" else 44_100
    sound = decoded(encoded(tone(1.5, rate), rate, kind, channels=channels))
    assert (sound.rate, sound.channels, sound.damaged) == (rate, channels, 0)
    assert sound.pcm.dtype == np.int16
    assert len(sound.pcm) / RATE == pytest.approx(1.5, abs=0.08)
    middle = sound.pcm[RATE // 2 : RATE]
    assert pitch_of(middle) == pytest.approx(440, abs=2)
    assert np.abs(middle).max() / 32768 == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 48_000, 96_000])
def test_rates(encoded, rate):
    sound = decoded(encoded(tone(1, rate), rate, "wav"))
    assert sound.rate == rate
    assert len(sound.pcm) == pytest.approx(RATE, abs=32)
    assert pitch_of(sound.pcm[2000:14000]) == pytest.approx(440, abs=2)


def test_sixteen_kilohertz_mono_stays_exactly_as_it_is(encoded):
    wave = (tone(2, RATE) * 32767).round().astype(np.int16)
    data = encoded(wave / 32768, RATE, "flac")
    assert np.abs(decoded(data).pcm.astype(int) - wave).max() <= 1


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_segments_of_any_width_and_channels(width, channels):
    from pydub import AudioSegment

    wave = tone(1, 22_050)
    whole = np.repeat((wave * (2 ** (8 * width - 1) - 1)).round().astype(f"i{width}")[:, None], channels, axis=1)
    segment = AudioSegment(whole.tobytes(), sample_width=width, frame_rate=22_050, channels=channels)
    sound = from_segment(segment, max_seconds=9)
    assert (sound.rate, sound.channels) == (22_050, channels)
    assert len(sound.pcm) == pytest.approx(RATE, abs=32)
    assert np.abs(sound.pcm).max() / 32768 == pytest.approx(0.5, abs=0.03)
    assert pitch_of(sound.pcm[2000:14000]) == pytest.approx(440, abs=2)


def test_cover_art_is_no_sound_and_no_hindrance(encoded):
    cover = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(cover, "PNG")
    body = b"\0image/png\0\3cover\0" + cover.getvalue()
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = len(frame)
    tag = b"ID3\3\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + frame
    sound = decoded(tag + encoded(tone(1, 44_100), 44_100, "mp3"))
    assert len(sound.pcm) / RATE == pytest.approx(1.0, abs=0.08)


def test_damage_in_the_middle_keeps_the_rest(encoded):
    for kind in ("mp3", "flac", "m4a"):
        data = bytearray(encoded(tone(4, 44_100), 44_100, kind))
        middle = len(data) // 2
        data[middle : middle + 3000] = np.random.default_rng(0).integers(0, 256, 3000).astype(np.uint8).tobytes()
        sound = decoded(bytes(data))
        assert 3 < len(sound.pcm) / RATE < 3.9
        assert sound.claimed == pytest.approx(4, abs=0.1)
        assert sound.damaged or kind == "flac", "its decoder looks for the next frame by itself"


def test_a_truncated_recording_gives_what_is_there(encoded):
    data = encoded(tone(4, 44_100), 44_100, "mp3")
    half = decoded(data[: len(data) // 2])
    assert len(half.pcm) / RATE == pytest.approx(2, abs=0.2)
    assert half.claimed == pytest.approx(4, abs=0.1)


def test_the_time_limit_ends_decoding(encoded):
    data = encoded(tone(20, RATE), RATE, "mp3")
    with pytest.raises(LoadError, match=r"too long: at most 0\.001"):
        decoded(data, max_seconds=5)


def test_playlists_cannot_reach_other_files(encoded, tmp_path):
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(encoded(tone(1, RATE), RATE, "mp3"))
    for playlist in (
        f"ffconcat version 1.0\nfile '{secret}'\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{secret.as_uri()}\n#EXT-X-ENDLIST\n",
    ):
        with pytest.raises(LoadError):
            decoded(playlist.encode())


def test_a_film_without_sound_is_refused():
    import av

    out = io.BytesIO()
    with av.open(out, mode="w", format="matroska") as film:
        stream = film.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        for _ in range(5):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        film.mux(stream.encode(None))
    with pytest.raises(LoadError, match="no sound in it"):
        decoded(out.getvalue())


def test_every_cut_and_flip_is_sound_or_a_load_error(encoded):
    rng = np.random.default_rng(5)
    outcomes = set()
    for kind in ("wav", "mp3", "flac", "ogg", "m4a"):
        whole = encoded(tone(0.5, RATE), RATE, kind)
        for _ in range(40):
            data = bytearray(whole[: rng.integers(1, len(whole) + 1)])
            for place in rng.integers(0, len(data), 5):
                data[place] = rng.integers(0, 256)
            try:
                outcomes.add(str(decoded(bytes(data)).pcm.dtype))
            except LoadError:
                outcomes.add("refused")
    assert outcomes == {"int16", "refused"}


def test_a_codec_that_nobody_knows_is_refused(encoded):
    data = bytearray(encoded(tone(1, RATE), RATE, "wav"))
    data[20:22] = b"\x01\xd0"
    with pytest.raises(LoadError, match="unknown codec"):
        decoded(bytes(data))
