"""Models of Hugging Face from folders: what is loaded, how images are scaled, and what is refused."""

import copy
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSemanticSegmentation

import hf_models
from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.huggingface import read_scale
from pixda.models.normalise import Normalise

IMAGES = torch.randint(0, 256, (2, 3, 64, 96)).float()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A SegFormer for seven classes."""
    return hf_models.save(tmp_path_factory.mktemp("hub") / "segformer", hf_models.SEGFORMER, labels=7)


@pytest.fixture
def mine(folder, tmp_path):
    """The same, to be changed."""
    return shutil.copytree(folder, tmp_path / "mine")


def load(classes, folder, **options):
    return build_segmenter("huggingface", classes, name=str(folder), **options)


def change(path, **values):
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


# ---- weights


@pytest.mark.parametrize("family", hf_models.FAMILIES)
def test_the_files_weights_arrive_and_the_last_layer_is_new(classes, tmp_path, family):
    folder = hf_models.save(tmp_path, hf_models.FAMILIES[family], labels=7)
    donor = AutoModelForSemanticSegmentation.from_pretrained(folder).state_dict()
    segmenter = load(classes, folder)
    state = segmenter.state_dict()
    new = {name for name in state if name in segmenter.origin.split("left at random: ")[1]}
    assert 1 <= len(new) <= 2, "weight and bias of the last layer"
    assert all(name.startswith("head.") and state[name].shape[0] == 5 for name in new)
    theirs = {segmenter.name_of(key): tensor for key, tensor in donor.items()}
    for name in state.keys() - new - {"normalise.mean", "normalise.std"}:
        assert torch.equal(state[name], theirs[name])
    assert all("auxiliary_head" in name for name in theirs.keys() - state.keys())


def test_half_precision_becomes_single(classes, mine):
    file = mine / "model.safetensors"
    save_file({key: tensor.half() for key, tensor in load_file(file).items()}, file, {"format": "pt"})
    change(mine / "config.json", dtype="float16")
    assert {p.dtype for p in load(classes, mine).parameters()} == {torch.float32}


def test_a_head_for_as_many_other_classes_is_kept_and_noted(classes, tmp_path):
    folder = hf_models.save(tmp_path, hf_models.SEGFORMER, labels=5)
    assert "its last layer was trained for other classes: LABEL_0, LABEL_1, LABEL_2" in load(classes, folder).origin
    change(folder / "config.json", id2label=dict(enumerate(classes.names)))
    assert "other classes" not in load(classes, folder).origin


def test_a_classifiers_backbone_is_enough(classes, tmp_path):
    from transformers import SegformerConfig, SegformerForImageClassification

    donor = SegformerForImageClassification(SegformerConfig(**hf_models.SEGFORMER))
    donor.save_pretrained(tmp_path)
    segmenter = load(classes, tmp_path)
    for name, tensor in donor.segformer.state_dict().items():
        assert torch.equal(segmenter.backbone.state_dict()[name], tensor)
    assert "left at random: head.decode_head" in segmenter.origin
    assert "skipped in the file: classifier.bias, classifier.weight" in segmenter.origin


def test_without_pretrained_only_the_configuration_is_taken(classes, mine):
    (mine / "model.safetensors").unlink()
    segmenter = load(classes, mine, pretrained=False)
    assert segmenter.origin.startswith("random weights (segformer)")
    assert segmenter.head["decode_head"].classifier.out_channels == 5


def test_its_own_spec_rebuilds_it_without_the_folder(classes, mine):
    change(mine / "preprocessor_config.json", image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.4])
    segmenter = load(classes, mine).eval()
    shutil.rmtree(mine)
    spec = json.loads(json.dumps(segmenter.spec()))
    assert str(mine) not in json.dumps(spec)
    again = build_segmenter(**spec, classes=classes).eval()
    again.load_state_dict(segmenter.state_dict())
    assert torch.equal(again(IMAGES), segmenter(IMAGES))


def test_training_mode_reaches_the_whole_model(classes):
    segmenter = build_segmenter("huggingface", classes, config=hf_models.SEGFORMER)
    assert segmenter._whole[0].training
    assert not segmenter.eval()._whole[0].training
    assert torch.equal(segmenter(IMAGES), segmenter(IMAGES)), "no dropout in evaluation"
    assert not torch.equal(segmenter.train()(IMAGES), segmenter(IMAGES))


def test_what_moves_the_segmenter_moves_the_model_within(classes):
    segmenter = build_segmenter("huggingface", classes, config=hf_models.SEGFORMER).double()
    assert segmenter(IMAGES.double()).dtype == torch.float64
    other = copy.deepcopy(segmenter).eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert (other(IMAGES.double()) == 0).all(), "a copy runs on its own parameters"
    assert (segmenter.eval()(IMAGES.double()) != 0).any()


# ---- the scale of images


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("SegformerImageProcessorPil", {}),
        ("SegformerImageProcessorPil", {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}),
        ("SegformerImageProcessorPil", {"rescale_factor": 1 / 127.5}),
        ("SegformerImageProcessorPil", {"do_rescale": False, "image_mean": [9, 8, 7], "image_std": [3, 2, 1]}),
        ("SegformerImageProcessorPil", {"do_normalize": False}),
        ("BeitImageProcessorPil", {"do_center_crop": False}),
        ("MobileViTImageProcessorPil", {"do_center_crop": False}),
    ],
)
def test_images_are_scaled_as_the_models_own_processor_scales_them(tmp_path, kind, settings):
    import transformers

    processor = getattr(transformers, kind)(do_resize=False, **settings)
    processor.save_pretrained(tmp_path)
    images = [image.permute(1, 2, 0).numpy().astype(np.uint8) for image in IMAGES]
    theirs = processor(images, return_tensors="pt").pixel_values
    scale, assumed = read_scale(str(tmp_path))
    torch.testing.assert_close(Normalise(scale)(IMAGES), theirs, rtol=1e-4, atol=1e-4)
    assert assumed == []


def test_a_processor_without_a_mean_gets_imagenets_and_the_report_says_so(classes, mine):
    change(mine / "preprocessor_config.json", do_normalize=True, size=512)
    segmenter = load(classes, mine)
    torch.testing.assert_close(segmenter.normalise.mean.flatten(), torch.tensor([123.675, 116.28, 103.53]))
    assert "ImageNet's are taken" in segmenter.origin


def test_a_processor_kept_inside_another_file_counts(classes, mine):
    change(mine / "processor_config.json", image_processor={"image_mean": [0.5] * 3, "image_std": [0.5] * 3})
    segmenter = load(classes, mine)
    torch.testing.assert_close(segmenter.normalise(IMAGES), IMAGES / 127.5 - 1)
    assert "note" not in segmenter.origin


def test_a_given_normalisation_counts(classes, folder):
    given = {"mean": [1, 2, 3], "std": [4, 5, 6], "bgr": True}
    segmenter = load(classes, folder, normalisation=given)
    expected = (IMAGES.flip(1) - torch.tensor([1, 2, 3]).view(3, 1, 1)) / torch.tensor([4, 5, 6]).view(3, 1, 1)
    torch.testing.assert_close(segmenter.normalise(IMAGES), expected)


def test_square_models_get_squares_and_the_image_is_not_cut(classes):
    segmenter = build_segmenter("huggingface", classes, config=hf_models.DPT).eval()
    images = torch.zeros(1, 3, 64, 192)
    edge = images.clone()
    edge[..., -8:] = 255
    assert not torch.equal(segmenter(images), segmenter(edge))


# ---- refusals


def refused(classes, match, **options):
    with pytest.raises(UserError, match=match) as error:
        build_segmenter("huggingface", classes, **options)
    assert "\n" not in str(error.value)


def test_a_name_or_a_config_is_needed(classes, folder):
    refused(classes, "needs one of two")
    refused(classes, "needs one of two", name=str(folder), config=hf_models.SEGFORMER)


def test_no_pickle_is_opened(classes, mine):
    torch.save(load_file(mine / "model.safetensors"), mine / "pytorch_model.bin")
    (mine / "model.safetensors").unlink()
    refused(classes, "must be in safetensors files", name=str(mine))


def test_no_code_of_a_repository_is_run(classes, tmp_path):
    (tmp_path / "modeling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    names = {"AutoConfig": "modeling.C", "AutoModelForSemanticSegmentation": "modeling.M"}
    change(tmp_path / "config.json", model_type="mine", auto_map=names)
    refused(classes, "No model", name=str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_own_code_beside_a_known_type_is_not_run_either(classes, mine):
    (mine / "modeling.py").write_text(f"open({str(mine / 'ran')!r}, 'w')\n")
    change(mine / "config.json", auto_map={"AutoModelForSemanticSegmentation": "modeling.M"})
    load(classes, mine)
    assert not (mine / "ran").exists()


def test_weights_of_another_model_are_refused(classes, mine):
    save_file({"elsewhere.weight": torch.zeros(3)}, mine / "model.safetensors", {"format": "pt"})
    refused(classes, "nothing for its backbone", name=str(mine))


def test_weights_that_lack_a_part_of_the_backbone_are_noted(classes, mine):
    file = load_file(mine / "model.safetensors")
    kept = {key: tensor for key, tensor in file.items() if "block.3" not in key}
    save_file(kept, mine / "model.safetensors", {"format": "pt"})
    assert f"{len(file) - len(kept)} of the backbone's" in load(classes, mine).origin
    assert len(kept) < len(file)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"name": "./nowhere"}, "no folder ./nowhere"),
        ({"name": "nobody/nothing"}, "No model 'nobody/nothing' could be loaded"),
        ({"config": {"depths": [1]}}, "needs its model_type"),
        ({"config": {"model_type": "segfromer"}}, "does not describe a Hugging Face model"),
        ({"config": {"model_type": "bert"}}, "type 'bert' do not segment; these do: .*segformer"),
        ({"config": hf_models.SEGFORMER | {"dephts": [1]}}, "has no option 'dephts'"),
        ({"config": hf_models.SEGFORMER | {"num_channels": 4}}, "images of 4 channels"),
        ({"config": hf_models.SEGFORMER | {"hidden_act": "gelo"}}, "No segformer model can be built"),
        ({"config": hf_models.SEGFORMER | {"sr_ratios": [64, 64, 64, 64]}}, "cannot be run on an image"),
        ({"config": hf_models.SEGFORMER, "normalisation": {"mean": [1]}}, "normalisation .* cannot be used"),
        ({"config": hf_models.SEGFORMER, "normalisation": {"mean": [1, 1, 1], "std": [0, 1, 1]}}, "cannot be used"),
    ],
)
def test_a_mistake_is_one_sentence(classes, options, match):
    refused(classes, match, **options)


def test_damaged_files_are_named(classes, mine):
    (mine / "model.safetensors").write_bytes(b"cut short")
    refused(classes, f"weights of '{mine}' could not be read", name=str(mine))
    (mine / "config.json").write_text("{")
    refused(classes, f"No model '{mine}' could be loaded", name=str(mine))


@pytest.mark.parametrize(
    "text", ["{", '{"image_mean": 0.5, "image_std": 0.5}', '{"image_mean": [1], "image_std": [1]}']
)
def test_a_scale_that_cannot_be_read_is_refused(classes, mine, text):
    (mine / "preprocessor_config.json").write_text(text)
    refused(classes, "cannot be read from its preprocessor_config.json", name=str(mine))


def test_without_the_package_the_extra_is_named(classes, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)  # what Python itself does for a package it must not find
    refused(classes, r"pip install 'pixda\[hf\]'", config=hf_models.SEGFORMER)


def test_batches_that_the_model_cannot_learn_from_are_refused(classes):
    segmenter = build_segmenter("huggingface", classes, config=hf_models.UPERNET)
    before = {name: value.clone() for name, value in segmenter.state_dict().items()}
    segmenter.check((64, 48), (64, 48), batch=2)
    with pytest.raises(UserError, match="batches of 1 images of 64 x 48"):
        segmenter.check((64, 48), (64, 48), batch=1)
    assert all(torch.equal(value, before[name]) for name, value in segmenter.state_dict().items())


def test_the_package_is_not_left_silent(classes):
    import transformers

    level = transformers.logging.get_verbosity()
    build_segmenter("huggingface", classes, config=hf_models.SEGFORMER)
    assert transformers.logging.get_verbosity() == level
