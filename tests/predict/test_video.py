"""Videos: every frame comes back, at its rate and size, with the colours laid over it."""

import struct
from fractions import Fraction
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from pixda.__main__ import main
from pixda.api import load
from pixda.predict import video

FRAMES, RATE, SIZE = 23, 12.5, (64, 48)


def predict(run, path, *more):
    """Predict a video, or a folder of them, into `out` beside it or in it."""
    folder = path if path.is_dir() else path.parent
    return main(["predict", str(path), f"--model={run}", f"--out={folder / 'out'}", *more])


def clip(path, code, frames=FRAMES):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), RATE, SIZE)
    for number in range(frames):
        frame = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        frame[: SIZE[1] // 2] = (220, 170, 120)
        frame[20:30, number : number + 12] = (40, 20, 180)
        writer.write(frame)
    writer.release()
    return path


def frames_of(path):
    reader = cv2.VideoCapture(str(path))
    rate, frames = reader.get(cv2.CAP_PROP_FPS), []
    while True:
        there, frame = reader.read()
        if not there:
            return rate, frames
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


@pytest.mark.parametrize(("name", "code", "batch"), [("a.avi", "MJPG", 1), ("b.mp4", "mp4v", 4)])
def test_no_frame_is_lost(run, tmp_path, name, code, batch):
    path = clip(tmp_path / name, code)
    assert predict(run, path, f"--batch={batch}") == 0
    rate, overlays = frames_of(tmp_path / f"out/overlay/{path.stem}.mp4")
    _, frames = frames_of(path)
    assert rate == pytest.approx(RATE)
    assert len(overlays) == len(frames) == FRAMES
    model = load(run)
    palette = np.array(model.classes.colours, float)
    for frame, overlay in zip(frames[::6], overlays[::6], strict=True):
        expected = (frame + palette[model.predict(frame)]) / 2
        assert abs(overlay - expected).mean() < 12, "lossy, but the right frame in the right colours"


def test_of_a_video_that_breaks_off_what_is_there_is_kept_and_the_rest_named(run, tmp_path, capfd):
    path = clip(tmp_path / "cut.avi", "MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert predict(run, tmp_path) == 0
    _, kept = frames_of(tmp_path / "out/overlay/cut.mp4")
    assert FRAMES / 4 < len(kept) < FRAMES
    assert f"{path}: {len(kept)} frames were decoded" in capfd.readouterr().out.replace("\n", " ")


def encoded(path, pictures, times=None, options=None):
    """A clip of H.264 whose pictures are shown at these times in units of 1 / 1000 s; without any, at 25 a second."""
    unit = Fraction(1, 25) if times is None else Fraction(1, 1000)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", unit
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number if times is None else times[number], unit
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def timed(path, times):
    """A clip of grey pictures, ever brighter."""
    encoded(path, [np.full((64, 96, 3), 8 * number, np.uint8) for number in range(len(times))], times)


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_frames_of_a_variable_rate_keep_their_times(run, tmp_path, ending):
    times = [0, 40, 80, 300, 340, 1000, 1010, 2000]
    timed(tmp_path / f"phone{ending}", times)
    assert predict(run, tmp_path) == 0
    with av.open(str(tmp_path / "out/overlay/phone.mp4")) as file:
        written = [frame.time for frame in file.decode(video=0)]
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p"), "what browsers play"
    assert [round(1000 * (time - written[0])) for time in written] == pytest.approx(times, abs=2)


def test_what_is_no_video_is_named(run, tmp_path, capfd):
    (tmp_path / "text.mp4").write_text("no video")
    assert predict(run, tmp_path) == 1
    assert "text.mp4 cannot be decoded" in capfd.readouterr().out


def quarter_turn(path):
    """Write into a clip that it is shown a quarter turn to the right, as telephones do: the matrix of its track."""
    data = path.read_bytes()
    track = data.index(b"tkhd")
    plain, turned = (
        struct.pack(">9i", *(int(value * 65536) for value in matrix[:8]), 1 << 30)
        for matrix in ((1, 0, 0, 0, 1, 0, 0, 0), (0, 1, 0, -1, 0, 0, 0, 0))
    )
    at = data.index(plain, track)
    path.write_bytes(data[:at] + turned + data[at + len(plain) :])


def test_a_video_of_a_telephone_is_shown_upright(run, tmp_path):
    path = tmp_path / "phone.mp4"
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:, :48] = 255  # bright at the left as stored, above once it is turned to the right
    encoded(path, [picture] * 6, options={"crf": "10"})
    quarter_turn(path)
    assert predict(run, path) == 0
    with av.open(str(tmp_path / "out/overlay/phone.mp4")) as file:
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in file.decode(video=0)]
    assert {frame.shape for frame in shown} == {(96, 64, 3)}
    assert all(frame[:40].mean() > frame[56:].mean() + 60 for frame in shown)


def test_a_playlist_is_no_video(run, tmp_path, capfd):
    """Whatever it is called: it could name other files, and addresses."""
    clip(tmp_path / "secret.avi", "MJPG", 3)
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {tmp_path / 'secret.avi'}\n")
    assert predict(run, tmp_path / "list.mp4") == 1
    assert "list.mp4 cannot be decoded" in capfd.readouterr().out


def test_a_damaged_part_costs_its_frame_alone(run, tmp_path, capfd):
    path = clip(tmp_path / "scratched.avi", "MJPG")
    data = bytearray(path.read_bytes())
    eighth = [place for place in range(len(data)) if data[place : place + 4] == b"00dc"][8]
    length = int.from_bytes(data[eighth + 4 : eighth + 8], "little")
    data[eighth + 8 : eighth + 8 + length] = bytes(length)
    path.write_bytes(data)
    assert predict(run, path) == 0
    _, kept = frames_of(tmp_path / "out/overlay/scratched.mp4")
    assert len(kept) == FRAMES - 1
    said = " ".join(capfd.readouterr().out.split())
    assert f"{FRAMES - 1} frames were decoded; damaged parts left out: 1" in said


def test_frames_that_are_damaged_in_part_are_counted(run, tmp_path, capfd):
    path = tmp_path / "scratched.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 96, 3), np.uint8)
    encoded(path, list(noise), range(0, 800, 40))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = b"\xff" * 200
    path.write_bytes(data)
    assert predict(run, path) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "20 frames were decoded; frames that are damaged themselves: 1" in said


def test_frames_without_times_of_use_are_shown_one_after_the_other(run, tmp_path):
    """AVI has no times of its own: of H.264 that looks ahead, they come jumbled."""
    path = tmp_path / "jumbled.avi"
    pictures = np.full((24, 64, 96, 3), 90, np.uint8)
    for number, picture in enumerate(pictures):
        picture[20:40, 3 * number : 3 * number + 12] = 200
    encoded(path, pictures, options={"bf": "3"})
    with av.open(str(path)) as file:
        times = [frame.pts for frame in file.decode(video=0)]
    assert times != sorted(times)
    assert predict(run, path) == 0
    with av.open(str(tmp_path / "out/overlay/jumbled.mp4")) as file:
        written = list(file.decode(video=0))
    bright = [frame.to_ndarray(format="rgb24")[28:32].mean((0, 2)).argmax() for frame in written]
    assert len(written) == 24
    assert sum(later > earlier for earlier, later in pairwise(bright)) > 20, "in their order"
    assert written[-1].time - written[0].time < 1.5


def test_without_h264_another_encoder_is_taken(run, tmp_path, monkeypatch):
    monkeypatch.delitem(video.ENCODERS, "libx264")
    timed(tmp_path / "phone.mkv", [0, 40, 80, 300, 340, 1000])
    assert predict(run, tmp_path / "phone.mkv") == 0
    with av.open(str(tmp_path / "out/overlay/phone.mp4")) as file:
        assert file.streams.video[0].codec_context.name == "mpeg4"
        assert [round(1000 * frame.time) for frame in file.decode(video=0)] == [0, 40, 80, 300, 340, 1000]


def test_an_overlay_whose_name_would_be_too_long_is_told(run, tmp_path, capfd):
    timed(tmp_path / "a.ts", range(0, 200, 40))
    (tmp_path / "a.ts").rename(tmp_path / f"{'a' * 252}.ts")
    timed(tmp_path / "b.mp4", range(0, 200, 40))
    for _ in range(2):
        assert predict(run, tmp_path) == 1
        assert "give the input a shorter name" in capfd.readouterr().out
    assert (tmp_path / "out/overlay/b.mp4").exists()
