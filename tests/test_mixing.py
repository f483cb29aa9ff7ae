"""Mixed and masked images against loops over pixels that say what they are."""

import random

import pytest
import torch

from pixda.mixing import class_mix, class_thresholds, hide_blocks

CLASSES = 5


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def several(seed=0, count=6):
    return [drawn(1000 * seed + number) for number in range(count)]


@pytest.fixture
def images():
    generator = drawn(3)
    front, back = (torch.rand(6, 3, 8, 10, generator=generator) * 255 for _ in range(2))
    labels = [torch.randint(0, CLASSES, (6, 8, 10), generator=generator) for _ in range(2)]
    labels[0][:, :2] = 255
    labels[0][1, 2:] = 4  # one class alone
    labels[0][2] = 255  # none
    labels[0][3][labels[0][3] < 3] = 3  # two classes
    return front, labels[0], back, labels[1]


def test_whole_classes_are_pasted_with_their_labels_and_half_of_them(images):
    front, front_labels, back, back_labels = images
    mixed, labels = class_mix(*images, CLASSES, several())
    for n in range(len(front)):
        pasted = set()
        for y in range(8):
            for x in range(10):
                if torch.equal(mixed[n, :, y, x], front[n, :, y, x]):
                    assert labels[n, y, x] == front_labels[n, y, x] != 255
                    pasted.add(int(labels[n, y, x]))
                else:
                    assert torch.equal(mixed[n, :, y, x], back[n, :, y, x])
                    assert labels[n, y, x] == back_labels[n, y, x]
                    # A class is pasted whole or not at all.
                    assert int(front_labels[n, y, x]) not in pasted
        shown = set(front_labels[n].unique().tolist()) - {255}
        for y in range(8):
            for x in range(10):
                assert torch.equal(mixed[n, :, y, x], front[n, :, y, x]) == (int(front_labels[n, y, x]) in pasted)
        assert len(pasted) == (len(shown) + 1) // 2, f"image {n} shows {shown}, pasted {pasted}"


def test_every_class_has_the_same_chance_and_the_generator_decides(images):
    counts = [0] * CLASSES
    for seed in range(200):
        labels = class_mix(*images, CLASSES, several(seed))[0]
        for label in range(CLASSES):
            place = (images[1][0] == label).nonzero()[0]
            counts[label] += torch.equal(labels[0, :, place[0], place[1]], images[0][0, :, place[0], place[1]])
    assert all(0.45 < count / 200 < 0.75 for count in counts), "3 of 5 classes each time"
    once, again = (class_mix(*images, CLASSES, several(7))[0] for _ in range(2))
    assert torch.equal(once, again)


def test_blocks_are_hidden_whole_at_the_given_share():
    images = torch.rand(40, 3, 20, 28, generator=drawn()) * 255
    fill = torch.tensor([1.0, 2.0, 3.0])
    shown = hide_blocks(images, 0.7, 8, fill, several(count=40))
    hidden = (shown == fill.view(1, 3, 1, 1)).all(1)
    blocks = []
    for n in range(40):
        for top in range(0, 20, 8):
            for left in range(0, 28, 8):
                block = hidden[n, top : top + 8, left : left + 8]
                assert block.all() or not block.any()
                blocks.append(bool(block.all()))
    assert torch.equal(shown[~hidden.unsqueeze(1).expand_as(shown)], images[~hidden.unsqueeze(1).expand_as(shown)])
    assert sum(blocks) / len(blocks) == pytest.approx(0.7, abs=0.05)
    assert torch.equal(hide_blocks(images, 0.0, 8, fill, several(count=40)), images)


def test_thresholds_are_in_proportion_to_how_sure_the_teacher_is():
    sure = [random.Random(1).random() for _ in range(CLASSES)]
    written = [0.9 * one / max(sure) for one in sure]
    torch.testing.assert_close(class_thresholds(torch.tensor(sure), 0.9), torch.tensor(written))
    assert torch.equal(class_thresholds(torch.zeros(3), 0.9), torch.zeros(3)), "nothing seen, nothing divided by zero"
