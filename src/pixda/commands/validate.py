"""``pixda validate``: the options of ``pixda train``, and the number of folds."""

from collections.abc import Sequence

from pixda.errors import UserError
from pixda.options import as_training, method_and_preset, parse, train_parser
from pixda.shipped import with_config


def validate(words: Sequence[str]) -> None:
    """Judge a method by K-fold validation over the shots, without the test split."""
    words = with_config(words)
    method, preset = method_and_preset(words)
    parser = train_parser(method, preset, "validate")
    parser.add_argument("--folds", type=int, default=3, help="K: train K times, each time without one fold of shots.")
    given = parse(parser, words)
    if given.out is None:
        raise UserError("--out is needed: the folder that the folds are kept in, such as --out runs/folds.")
    training = as_training(method, preset, given)
    from pixda.report.folds import print_validation
    from pixda.training.validation import validate as in_folds

    result = in_folds(training.experiment, training.recipe, method, preset, given.folds, given.out, given.resume)
    print_validation(result, f"{method} ({preset}), {given.folds} folds of the shots")
