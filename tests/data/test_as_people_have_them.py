"""Files as cameras, archives and labelling programs leave them: read right, or named with what to do."""

import dataclasses
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from pixda.__main__ import main
from pixda.data.check import check
from pixda.data.classes import ClassSet
from pixda.data.doctor import diagnose
from pixda.data.files import read_ids, read_image, shown_size
from pixda.data.folder import Folder
from pixda.data.layouts import recognise
from pixda.data.shots import read_manifest
from pixda.errors import UserError
from pixda.predict.outputs import legend
from pixda.sheet import sheet
from runs import quick_run

CLASSES = """name: two
classes:
  road: {colour: [128, 64, 128], ids: 1, rgb: "#804080"}
  car:  {color: [0, 0, 142],    ids: 2, rgb: "#00008e"}
ignore: {ids: 0, rgb: "#000000"}
"""
COLOURS = [0, 0, 0, 128, 64, 128, 0, 0, 142]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return quick_run(tmp_path_factory.mktemp("model"))


@pytest.fixture
def classes(tmp_path) -> ClassSet:
    (tmp_path / "classes.yaml").write_text(CLASSES)
    return ClassSet.load(str(tmp_path / "classes.yaml"))


def ids(width=24, height=16):
    """0 above, 1 below, 2 in the lower left corner."""
    labels = np.zeros((height, width), np.uint8)
    labels[height // 2 :] = 1
    labels[height * 3 // 4 :, : width // 3] = 2
    return labels


def photo(width=24, height=16, seed=0):
    x = np.linspace(0, 1, width)[None, :, None]
    noise = np.random.default_rng(seed).integers(0, 30, (height, width, 3))
    return (200 * (1 - x) + noise).astype(np.uint8)


def pair(root, name, image_ending=".png", mask_ending=".png"):
    for kind in ("images", "masks"):
        (root / kind / name).parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, name))
    Image.fromarray(photo(seed=seed)).save(root / "images" / f"{name}{image_ending}")
    Image.fromarray(ids()).save(root / "masks" / f"{name}{mask_ending}")


def opened(root, classes, scheme="ids", **more):
    return Folder(root, "all", classes, scheme=scheme, **more)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def pair_with_palette(root, name, labels, palette):
    pair(root, name)
    mask = Image.fromarray(labels)
    mask.putpalette(palette)
    mask.save(root / f"masks/{name}.png")


# ---- pictures that are stored turned


@pytest.mark.parametrize("orientation", range(2, 9))
def test_an_image_is_shown_as_its_camera_says_and_the_mask_with_it(tmp_path, classes, orientation):
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # how the upright picture is stored
    upright = Image.fromarray(photo())
    pair(tmp_path, "a", ".jpg")
    upright.transpose(Image.Transpose(turn)).save(tmp_path / "images/a.jpg", quality=97, exif=turned(orientation))
    assert abs(np.asarray(read_image(tmp_path / "images/a.jpg"), int) - np.asarray(upright)).mean() < 8
    dataset = opened(tmp_path, classes)
    sample = dataset[0]
    assert sample.image.shape[1:] == sample.mask.shape == (16, 24)
    report = check(dataset, progress=False)
    assert not report.problems
    assert any("EXIF" in text and "masks" in text for text in report.warnings)


@pytest.mark.parametrize("ending", [".jpg", ".tif", ".webp", ".png"])
def test_the_size_that_an_image_is_shown_at_is_known_before_it_is_decoded(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    Image.fromarray(photo()).save(path, exif=turned(6))
    assert shown_size(path) == read_image(path).size == (16, 24)


def test_a_mask_drawn_on_the_stored_picture_is_told_from_one_of_another_size(tmp_path, classes):
    pair(tmp_path, "a", ".jpg")
    Image.fromarray(photo()).save(tmp_path / "images/a.jpg", exif=turned(6))
    (problem,) = check(opened(tmp_path, classes), progress=False).problems
    assert "EXIF" in problem
    assert "turn the mask likewise" in problem


# ---- masks


def test_palettes_that_disagree_are_told_and_their_colours_are_read(tmp_path, classes):
    for number, order in enumerate(([0, 1, 2], [0, 2, 1])):
        colours = np.array(COLOURS).reshape(3, 3)[np.argsort(order)]
        pair_with_palette(tmp_path, f"f{number}", np.array(order, np.uint8)[ids()], colours.ravel().tolist())
    (problem,) = check(opened(tmp_path, classes), progress=False).problems
    assert "index 1 is #804080" in problem
    assert "#00008e" in problem
    (found,) = recognise(tmp_path, classes)
    assert found.data.scheme == "rgb"
    assert "palettes disagree" in found.why
    by_colour = opened(tmp_path, classes, "rgb")
    assert not check(by_colour, progress=False).problems
    assert np.array_equal(by_colour[0].mask, by_colour[1].mask)


def test_palettes_of_other_colours_in_the_same_order_are_a_remark(tmp_path, classes):
    for number, car in enumerate(([0, 0, 142], [255, 0, 0])):
        pair_with_palette(tmp_path, f"f{number}", ids(), [*COLOURS[:6], *car])
    report = check(opened(tmp_path, classes), progress=False)
    assert not report.problems
    (warning,) = [text for text in report.warnings if "palettes" in text]
    assert "index 2 is #00008e" in warning
    (found,) = recognise(tmp_path, classes)
    assert found.data.scheme == "ids"


def test_one_colour_at_two_indices_of_every_mask_is_no_disorder(tmp_path, classes):
    for number, car in enumerate(([0, 0, 0], [255, 0, 0])):  # black, as index 0 is
        pair_with_palette(tmp_path, f"f{number}", ids(), [*COLOURS[:6], *car])
    assert not check(opened(tmp_path, classes), progress=False).problems


def test_what_was_read_from_masks_of_few_bits_is_told(tmp_path):
    (tmp_path / "classes.yaml").write_text(
        "name: n\nclasses: {car: {colour: [0, 0, 142], ids: 255}}\nignore: {ids: 0}\n"
    )
    pair(tmp_path, "a")
    Image.fromarray(255 * (ids() > 0).astype(np.uint8)).convert("1").save(tmp_path / "masks/a.png")
    report = check(opened(tmp_path, ClassSet.load(tmp_path / "classes.yaml")), progress=False)
    (problem,) = report.problems
    assert "label id 1" in problem
    assert any("read as the numbers 0, 1: white is" in text and "masks/a.png" in text for text in report.warnings)


@pytest.mark.parametrize("ending", [".tif", ".tiff", ".bmp", "_mask.TIF"])
@pytest.mark.parametrize("kind", ["ids", "palette", "rgb"])
def test_masks_of_other_kinds_are_found_and_read(tmp_path, classes, ending, kind):
    pair(tmp_path, "a", ".jpg")
    (tmp_path / "masks/a.png").unlink()
    mask = Image.fromarray(ids())
    if kind != "ids":
        mask.putpalette(COLOURS)
    mask = mask.convert("RGB") if kind == "rgb" else mask
    mask.save(tmp_path / f"masks/a{ending}")
    scheme = "rgb" if kind == "rgb" else "ids"
    (found,) = recognise(tmp_path, classes)
    assert found.data.scheme in (scheme, "rgb")
    expected = np.array([255, 0, 1], np.uint8)[ids()]
    assert np.array_equal(opened(tmp_path, classes, scheme)[0].mask, expected)


def test_a_tiff_of_four_bits_holds_the_numbers_that_were_written(tmp_path):
    write_tiff(tmp_path / "mask.tif", ids())
    assert np.array_equal(read_ids(tmp_path / "mask.tif"), ids())


def write_tiff(path, labels):
    """A grey TIFF of 4 bits, by hand: Pillow writes none."""
    height, width = labels.shape
    rows = (labels[:, ::2] << 4 | labels[:, 1::2]).tobytes()
    tags = [(256, width), (257, height), (258, 4), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    tags.append((279, len(rows)))
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(rows)) + rows + table + bytes(4))


def test_masks_of_a_kind_that_changes_labels_are_named(tmp_path, classes):
    pair(tmp_path, "a", ".png", ".jpg")
    with pytest.raises(UserError, match=r"holds no mask of a kind that is read.*Passed over.*1 \.jpg"):
        recognise(tmp_path, classes)
    with pytest.raises(UserError, match=r"have no mask.*Passed over.*1 \.jpg \(first .*masks/a\.jpg"):
        opened(tmp_path, classes)


@pytest.mark.parametrize("bits", [1, 2, 4, 16])
def test_grey_masks_of_any_depth_hold_the_numbers_that_were_written(tmp_path, bits):
    labels = np.minimum(ids(), 1) if bits == 1 else ids()
    path = tmp_path / "mask.png"
    if bits == 1:
        Image.fromarray(labels.astype(bool)).save(path)
    elif bits == 16:
        Image.fromarray(labels.astype(np.uint16)).save(path)
    else:
        write_grey(path, labels, bits)
    assert np.array_equal(read_ids(path), labels)


def write_grey(path, labels, bits):
    """A grey PNG of 2 or 4 bits, by hand: Pillow writes none."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = labels.shape
    each = 8 // bits
    packed = np.zeros((height, width // each), np.uint8)
    for place in range(each):
        packed |= labels[:, place::each] << (8 - bits * (place + 1))
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def test_an_opaque_alpha_channel_is_left_out_and_instance_ids_are_named(tmp_path):
    grey = Image.fromarray(ids())
    Image.merge("LA", (grey, Image.new("L", grey.size, 255))).save(tmp_path / "alpha.png")
    assert np.array_equal(read_ids(tmp_path / "alpha.png"), ids())
    Image.merge("LA", (grey, Image.new("L", grey.size, 100))).save(tmp_path / "half.png")
    with pytest.raises(UserError, match=r"half.png is of the kind 'LA'"):
        read_ids(tmp_path / "half.png")
    Image.fromarray(np.full((4, 4), 26001, np.uint16)).save(tmp_path / "instances.png")
    with pytest.raises(UserError, match=r"holds the number 26001.*divide by 1000"):
        read_ids(tmp_path / "instances.png")


@pytest.mark.parametrize("kept", [0, 60])
def test_one_broken_mask_is_one_finding_and_the_layout_is_recognised(tmp_path, classes, kept):
    for name in ("f0", "f1", "f2"):
        pair(tmp_path, name)
    broken = tmp_path / "masks/f1.png"
    broken.write_bytes(broken.read_bytes()[:kept])
    (found,) = recognise(tmp_path, classes)
    assert found.data.scheme == "ids"
    (problem,) = check(opened(tmp_path, classes), progress=False).problems
    assert "f1.png cannot be decoded" in problem


# ---- names and folders


@pytest.mark.parametrize("ending", ["_mask.png", "_L.png", ".jpg.png", "_labelIds.png"])
def test_masks_may_carry_the_endings_of_common_tools(tmp_path, classes, ending):
    pair(tmp_path, "a", ".jpg", ending)
    pair(tmp_path, "b_L", ".jpg")  # an image's own name may end so, too
    assert [frame.name for frame in opened(tmp_path, classes).frames] == ["a", "b_L"]


@pytest.mark.parametrize("ending", [".tif", ".bmp", ".webp"])
def test_images_of_other_kinds_are_read(tmp_path, classes, ending):
    pair(tmp_path, "a", ending)
    assert not check(opened(tmp_path, classes), progress=False).problems


def test_a_telephones_pictures_are_read(tmp_path, classes):
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs pixda[heif]")
    pair(tmp_path, "a")
    picture = pillow_heif.from_pillow(Image.open(tmp_path / "images/a.png"))
    (tmp_path / "images/a.png").unlink()
    picture.save(tmp_path / "images/a.HEIC", quality=90)
    assert opened(tmp_path, classes)[0].image.shape == (3, 16, 24)


def test_pairs_lie_at_any_depth_and_behind_links(tmp_path, classes):
    pair(tmp_path / "data", "rome/a")
    pair(tmp_path / "data", "paris/day1/b")
    pair(tmp_path / "disk", "c")
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind / "far").symlink_to(tmp_path / "disk" / kind)
        (tmp_path / "data" / kind / "rome/back").symlink_to(tmp_path / "data" / kind)  # a circle
    frames = opened(tmp_path / "data", classes).frames
    assert [(frame.name, frame.city) for frame in frames] == [
        ("far/c", "far"),
        ("paris/day1/b", "paris/day1"),
        ("rome/a", "rome"),
    ]


def test_split_folders_may_come_first(tmp_path, classes):
    for split in ("train", "val"):
        pair(tmp_path / split, "a")
    found = recognise(tmp_path, classes)
    assert [one.data.root for one in found] == [tmp_path / "train", tmp_path / "val"]


def test_a_split_whose_masks_are_kept_secret_does_not_hide_the_others(tmp_path, classes):
    for split in ("train", "test"):
        pair(tmp_path, f"{split}/a")
    (tmp_path / "masks/test/a.png").unlink()
    assert [one.data.split for one in recognise(tmp_path, classes)] == ["train"]


def test_a_name_that_is_no_utf8_is_named(tmp_path, classes):
    pair(tmp_path, "a")
    folder = os.fsencode(tmp_path / "images")
    (tmp_path / "images/a.png").rename(os.fsdecode(folder + b"/stra\xdfe.png"))
    with pytest.raises(UserError, match=r"stra\\xdfe.png has a name that is no UTF-8: rename it") as told:
        opened(tmp_path, classes)
    str(told.value).encode()


def test_files_that_cannot_be_used_are_a_finding_each_and_the_table_stays(tmp_path, classes):
    for name in ("a", "b", "c"):
        pair(tmp_path, name)
    for kind in ("images", "masks"):
        (tmp_path / kind / "b.png").rename(os.fsdecode(os.fsencode(tmp_path / kind) + b"/stra\xdfe.png"))
    Image.fromarray(photo()).save(tmp_path / "images/c.jpg")
    Image.fromarray(ids()).save(tmp_path / "masks/a_mask.png")
    (tmp_path / "images/notes.txt").write_text("no picture")
    (one,) = recognise(tmp_path, classes)
    report = check(opened(one.data.root, classes, strict=False), progress=False)
    misnamed, twice = report.problems
    assert "stra\\xdfe.png (and 1 more like this) has a name that is no UTF-8" in misnamed
    assert "c.jpg and c.png (and 1 more like this) are two files for one frame" in twice
    assert report.frames == 2
    assert any("Passed over, of kinds that are not read here: 1 .txt" in text for text in report.warnings)


def test_two_links_to_one_folder_are_told(tmp_path, classes):
    pair(tmp_path / "disk", "a")
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for link in ("day1", "day2"):
            (tmp_path / "data" / kind / link).symlink_to(tmp_path / "disk" / kind)
    dataset = opened(tmp_path / "data", classes)
    assert [frame.name for frame in dataset.frames] == ["day1/a"]
    (warning,) = [text for text in check(dataset, progress=False).warnings if "leads to" in text]
    assert "images/day2 leads to" in warning


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_cannot_be_opened_is_named(tmp_path, classes):
    pair(tmp_path, "rome/a")
    pair(tmp_path, "paris/b")
    (tmp_path / "images/rome").chmod(0)
    try:
        with pytest.raises(UserError, match=r"images/rome \(Permission denied\) cannot be opened"):
            opened(tmp_path, classes)
        dataset = opened(tmp_path, classes, strict=False)
        assert any("images/rome" in text for text in check(dataset, progress=False).problems)
    finally:
        (tmp_path / "images/rome").chmod(0o755)


def test_images_of_another_shape_are_told_by_the_check(tmp_path, classes):
    for number in range(3):
        pair(tmp_path, f"f{number}")
    for kind, pixels in (("images", photo(16, 24)), ("masks", ids(16, 24))):
        Image.fromarray(pixels).save(tmp_path / kind / "portrait.png")
    sets = {"source": lambda: opened(tmp_path, classes)}
    said = [one.text for one in diagnose(sets, progress=False).findings if "shape" in one.text]
    assert [text[:46] for text in said] == ["1 of 4 images have another shape (16 x 24) tha"]
    (told,) = [one.text for one in diagnose(sets, progress=False, size=(30, 90)).findings if "shape" in one.text]
    assert told.startswith("4 of 4 images")
    assert not [one for one in diagnose(sets, progress=False, size=(24, 18)).findings if "3 of 4" in one.text]


def test_a_partner_that_goes_after_a_check_is_found_by_the_next(tmp_path, classes):
    pair(tmp_path / "data", "a")
    pair(tmp_path / "data", "b")
    cache = tmp_path / "cache"
    assert not check(opened(tmp_path / "data", classes, strict=False), cache, progress=False).problems
    Image.fromarray(photo()).save(tmp_path / "data/images/alone.png")
    (problem,) = check(opened(tmp_path / "data", classes, strict=False), cache, progress=False).problems
    assert "alone.png" in problem


# ---- labels of another kind


def test_polygons_are_told_from_pictures_without_labels(tmp_path, classes):
    for name in ("coco/images", "coco/annotations", "labelme", "other/images", "other/settings"):
        (tmp_path / name).mkdir(parents=True)
    for place in ("coco/images", "labelme", "other/images"):
        Image.fromarray(photo()).save(tmp_path / place / "a.jpg")
    coco = {"images": [], "annotations": [], "categories": []}
    (tmp_path / "coco/annotations/instances.json").write_text(json.dumps(coco))
    (tmp_path / "labelme/a.json").write_text(json.dumps({"shapes": [], "imagePath": "a.jpg"}))
    (tmp_path / "other/settings/camera.json").write_text(json.dumps({"focal length": 35}))
    for name in ("coco", "labelme"):
        with pytest.raises(UserError, match=rf"labels as an annotation tool.*{name}.*pixda import"):
            recognise(tmp_path / name, classes)
    with pytest.raises(UserError, match="holds pictures and no masks"):
        recognise(tmp_path / "other", classes)


def test_a_voc_export_without_pictures_is_no_pair_of_folders(tmp_path, classes):
    for name in ("SegmentationClass", "SegmentationObject"):
        (tmp_path / name).mkdir()
        Image.fromarray(ids()).save(tmp_path / name / "a.png")
    with pytest.raises(UserError, match=r"SegmentationClass.*pixda import .*labelmap.txt"):
        recognise(tmp_path, classes)


# ---- lists, configs, predictions


def test_a_text_list_of_any_line_ends_names_the_shots_and_no_frame_twice(tmp_path):
    path = tmp_path / "shots.txt"
    path.write_bytes(b"\xef\xbb\xbf# chosen by hand\r\nrome/a.png\r\n\r\nrome/b\r\n")
    assert read_manifest(path).names == ["rome/a", "rome/b"]
    path.write_text("a\nb\na.jpg\n")
    with pytest.raises(UserError, match="names a more than once"):
        read_manifest(path)


def test_a_number_in_place_of_a_path_is_told_to_be_quoted(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("source: {dataset: folder, root: 2024}\ntarget: {dataset: folder, root: R}\n")
    assert main(["check", f"--config={tmp_path / 'mine.yaml'}"]) == 1
    assert "in quotes" in capsys.readouterr().err


def test_what_predict_passes_over_and_squeezes_is_told_once(run, tmp_path, capfd):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(photo(64, 48)).save(photos / "a.png")
    Image.fromarray(photo(40, 90)).save(photos / "portrait.png")
    for name in ("1.txt", "2.txt", "raw.CR2"):
        (photos / name).write_bytes(b"other")
    (tmp_path / "day2").mkdir()
    Image.fromarray(photo(64, 48)).save(tmp_path / "day2/b.png")
    for link in ("more", "twice"):
        (photos / link).symlink_to(tmp_path / "day2")
    assert main(["predict", f"--model={run}", "--inputs", str(photos), f"--out={tmp_path / 'o'}", "--outputs=ids"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "2 .txt, 1 .cr2" in said
    assert "1 images have another shape" in said
    assert "photos/twice leads to" in said
    assert (tmp_path / "o/ids/more/b.png").exists()


def test_a_legend_has_the_letters_of_every_name(classes):
    names = [("Fußgänger", "пешеход"), ("Fu\uffffg\uffffnger", "\uffff" * 7)]
    drawn = [legend(dataclasses.replace(classes, names=pair)) for pair in names]
    assert drawn[0].tobytes() != drawn[1].tobytes()


def test_a_sheet_has_the_letters_of_every_name():
    words = ("пешеход", "\uffff" * 7)
    drawn = [sheet([[Image.fromarray(photo())]], [word], ["a"]).tobytes() for word in words]
    assert drawn[0] != drawn[1]


# ---- stopping


def interrupted(folder, moment, times, settings, first="", within=60):
    """Begin to render, interrupt it as a terminal does (the process and its workers alike); return the exit status."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\nfrom pixda.data import streets_writer\nfrom pixda.data.classes import ClassSet\n"
        f"from pixda.data.streets import Streets\n{first}\n"
        f"if __name__ == '__main__': Streets(Path({str(folder)!r}), 'rendered', ClassSet.load('cityscapes-19'), "
        f"{settings})\n"
    )
    script = folder / "render.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL)
    time.sleep(moment)
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
    try:
        return process.wait(timeout=within)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs POSIX signals")
@pytest.mark.parametrize("moment", [2.0, 3.5])
def test_two_interrupts_at_once_end_a_rendering(tmp_path, moment):
    assert interrupted(tmp_path, moment, 2, "count=4000") != 0


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs POSIX signals")
def test_an_interrupt_does_not_wait_for_frames_that_take_long(tmp_path):
    patience = "streets_writer._SECONDS_TO_END = 0.5"
    assert interrupted(tmp_path, 5.0, 1, "count=9, render_size=(4000, 3000)", patience, within=15) != 0  # 40 s a frame
    assert not list(tmp_path.rglob("*.jpg"))
