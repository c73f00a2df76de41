"""Sound of any container, rate and width comes out as 16 kHz mono, whole and at its level."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.resampling import BLOCK, RATE
from mmrag_nb.loaders.segments import segment_blocks
from mmrag_nb.loaders.sound import blocks, decode, length


def tone(seconds, rate, pitch=440.0):
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def decoded(data, **options):
    return decode(io.BytesIO(data), max_seconds=options.pop("max_seconds", 60))


def gathered(pieces):
    said, sound = {}, []
    for facts, samples in pieces:
        said |= facts
        sound += [np.frombuffer(one, np.int16) for one in samples]
    return said, np.concatenate(sound)


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


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 48_000, 96_000, 192_000])
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
    said, pcm = gathered(segment_blocks(segment))
    assert (said["rate"], said["channels"]) == (22_050, channels)
    assert len(pcm) == pytest.approx(RATE, abs=32)
    assert np.abs(pcm).max() / 32768 == pytest.approx(0.5, abs=0.03)
    assert pitch_of(pcm[2000:14000]) == pytest.approx(440, abs=2)


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


def wave_file(channels, rate, codec):
    """(c, n) floats as WAV with samples of that codec."""
    import av

    out = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(channels)]
    with av.open(out, mode="w", format="wav") as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels, np.float32), format="fltp", layout=layout)
        frame.sample_rate = rate
        for part in av.AudioResampler(format=stream.format.name, layout=layout, rate=rate).resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw"])
def test_samples_of_any_width_come_at_their_level(codec):
    sound = decoded(wave_file(tone(1, 32_000)[None], 32_000, codec))
    assert np.abs(sound.pcm[2000:14000]).max() / 32768 == pytest.approx(0.5, abs=0.02)
    assert pitch_of(sound.pcm[2000:14000]) == pytest.approx(440, abs=2)


def test_a_voice_in_the_middle_of_six_channels_is_heard():
    sound = decoded(
        wave_file(np.stack([np.zeros(48_000)] * 2 + [tone(1, 48_000)] + [np.zeros(48_000)] * 3), 48_000, "pcm_s16le")
    )
    assert sound.channels == 6
    assert pitch_of(sound.pcm[2000:14000]) == pytest.approx(440, abs=2)
    assert np.abs(sound.pcm).max() > 3000


def test_beyond_full_scale_it_is_clipped_and_not_wrapped():
    sound = decoded(wave_file(8 * tone(1, RATE, 100)[None], RATE, "pcm_f32le"))
    assert np.abs(sound.pcm.astype(int)).max() >= 32767
    assert np.abs(np.diff(sound.pcm.astype(int))).max() < 20_000


@pytest.mark.parametrize(
    ("right", "chosen"), [(-1.0, 0), (-1.1, 1), (1.0, None), (0.0, None), (0.5, None), (-0.3, None)]
)
def test_a_channel_that_reverses_the_other_is_told(right, chosen):
    wave = tone(1, 22_050)
    said, pcm = gathered(blocks(io.BytesIO(wave_file(np.stack([wave, right * wave]), 22_050, "pcm_s16le"))))
    assert said["channel"] == chosen
    if chosen is not None:
        assert np.abs(pcm).max() < 0.06 * 32768
        said, pcm = gathered(
            blocks(io.BytesIO(wave_file(np.stack([wave, right * wave]), 22_050, "pcm_s16le")), channel=chosen)
        )
        assert said["channel"] is None
    assert np.abs(pcm).max() / 32768 >= 0.17


def test_a_stream_may_change_its_rate_and_channels_on_the_way():
    import av

    whole = b""
    for rate, layout in ((44_100, "stereo"), (22_050, "mono")):
        out = io.BytesIO()
        with av.open(out, mode="w", format="adts") as file:
            stream = file.add_stream("aac", rate=rate, layout=layout)
            sound = np.repeat(tone(2, rate)[None].astype(np.float32), 2 if layout == "stereo" else 1, axis=0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
            frame.sample_rate = rate
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        whole += out.getvalue()
    pcm = decoded(whole).pcm
    assert len(pcm) / RATE == pytest.approx(4, abs=0.3)
    for place in (RATE, 3 * RATE):
        assert pitch_of(pcm[place - 4000 : place + 4000]) == pytest.approx(440, abs=3)


def test_blocks_are_regular_and_stop_where_they_are_told(encoded):
    data = encoded(tone(25, RATE), RATE, "flac")
    lengths = [len(one) // 2 for _, samples in blocks(io.BytesIO(data)) for one in samples]
    assert lengths == [BLOCK, BLOCK, BLOCK // 2]
    assert [len(one) // 2 for _, samples in blocks(io.BytesIO(data), until=12.5) for one in samples] == [
        BLOCK,
        BLOCK // 4,
    ]
    assert [said for said, _ in length(io.BytesIO(data))] == [{"seconds": pytest.approx(25)}]
