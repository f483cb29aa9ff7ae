"""`pixda plan`: what is said of cards, and what a run does with the option that it names."""

import pytest
from runs import two_domains, words

from pixda.__main__ import main
from pixda.memory import Memory
from pixda.planning import plan

GB = 2**30


def test_what_does_not_fit_at_once_goes_in_parts():
    memories = [Memory("a", GB, GB, GB * 3 // 4), Memory("b", GB // 2, 2 * GB, GB)]
    card = plan(memories, 4, 11)  # 9.1 GB of room: phase b takes 0.5 + 4 * 2, and 0.5 + 4 * 2 - 1 with 3 at a time
    assert (card.largest, card.fits, card.at_a_time) == (4, True, None)
    card = plan(memories, 4, 8)  # 6.4 GB: 8.5 at once, 6.5 with 2 at a time, 5.5 with 1
    assert (card.largest, card.fits, card.at_a_time) == (2, True, 1)
    card = plan(memories, 4, 4)
    assert (card.largest, card.fits, card.at_a_time) == (1, False, None)


def test_batch_statistics_keep_a_batch_together():
    card = plan([Memory("a", GB, 2 * GB, None)], 4, 8)
    assert (card.largest, card.fits, card.at_a_time) == (2, False, None)


def test_a_plan_needs_no_data(tmp_path, capsys):
    given = words(tmp_path / "nowhere", tmp_path / "out", "--card=8", "--recipe.pretrain_steps=1", method="source_only")
    assert main(["plan", *given[1:]]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "For 8 GB: it fits as it is." in told
    assert not (tmp_path / "out").exists()


def test_without_a_card_its_size_is_asked_for(tmp_path, capsys):
    assert main(["plan", *words(tmp_path, tmp_path / "out", method="source_only")[1:]]) == 1
    assert "--card" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--network.architecture=mobile_deeplab", "--network.options={frozen_statistics: false}"], "of the batch"),
        (["--machine.images_at_a_time=0"], "1 or more"),
    ],
)
def test_parts_that_would_change_the_result_are_refused(tmp_path, capsys, more, told):
    root = two_domains(tmp_path)
    given = words(root, tmp_path / "out", "--machine.images_at_a_time=1", *more, method="source_only")
    assert main(given) == 1
    assert told in capsys.readouterr().err
