"""The commands, a file each. Torch is imported only when one does its work: `--help` must not wait for it."""

from collections.abc import Callable, Sequence

from pixda.commands.average import average
from pixda.commands.check import check
from pixda.commands.compare import compare
from pixda.commands.configs import configs
from pixda.commands.demo import demo
from pixda.commands.evaluate import evaluate
from pixda.commands.export import export
from pixda.commands.importing import import_
from pixda.commands.plan import plan
from pixda.commands.predict import predict
from pixda.commands.report import report
from pixda.commands.serve import serve
from pixda.commands.shots import shots
from pixda.commands.suggest import suggest
from pixda.commands.train import train
from pixda.commands.validate import validate

COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "demo": demo,
    "configs": configs,
    "import": import_,
    "check": check,
    "shots": shots,
    "plan": plan,
    "train": train,
    "validate": validate,
    "compare": compare,
    "report": report,
    "evaluate": evaluate,
    "average": average,
    "suggest": suggest,
    "predict": predict,
    "serve": serve,
    "export": export,
}
"""Name -> what runs it, given the words after it. The first line of its docstring is its line in `pixda --help`."""
