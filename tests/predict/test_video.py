"""Videos: every frame comes back, at its rate and size, with the colours laid over it."""

import cv2
import numpy as np
import pytest

from pixda.__main__ import main
from pixda.api import load

FRAMES, RATE, SIZE = 23, 12.5, (64, 48)


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
    video = cv2.VideoCapture(str(path))
    rate, frames = video.get(cv2.CAP_PROP_FPS), []
    while True:
        there, frame = video.read()
        if not there:
            return rate, frames
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


@pytest.mark.parametrize(("name", "code", "batch"), [("a.avi", "MJPG", 1), ("b.mp4", "mp4v", 4)])
def test_no_frame_is_lost(run, tmp_path, name, code, batch):
    path = clip(tmp_path / name, code)
    typed = ["predict", f"--model={run}", "--inputs", str(path), f"--out={tmp_path / 'out'}", f"--batch={batch}"]
    assert main(typed) == 0
    rate, overlays = frames_of(tmp_path / f"out/overlay/{path.stem}.mp4")
    _, frames = frames_of(path)
    assert rate == pytest.approx(RATE)
    assert len(overlays) == len(frames) == FRAMES
    model = load(run)
    palette = np.array(model.classes.colours, float)
    for frame, overlay in zip(frames[::6], overlays[::6], strict=True):
        expected = (frame + palette[model.predict(frame)]) / 2
        assert abs(overlay - expected).mean() < 12, "lossy, but the right frame in the right colours"


def test_a_video_that_breaks_off_is_named_and_leaves_nothing(run, tmp_path, capfd):
    path = clip(tmp_path / "cut.avi", "MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip(tmp_path / "good.avi", "MJPG", 3)
    assert main(["predict", f"--model={run}", "--inputs", str(tmp_path), f"--out={tmp_path / 'out'}"]) == 1
    said = capfd.readouterr()
    assert f"{path} cannot be decoded" in said.out
    assert "1 of 2 inputs" in said.err
    assert [one.name for one in (tmp_path / "out/overlay").iterdir()] == ["good.mp4"]


def test_what_is_no_video_is_named(run, tmp_path, capfd):
    (tmp_path / "text.mp4").write_text("no video")
    assert main(["predict", f"--model={run}", "--inputs", str(tmp_path), f"--out={tmp_path / 'out'}"]) == 1
    assert "text.mp4 cannot be decoded" in capfd.readouterr().out
