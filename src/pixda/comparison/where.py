"""Where the cells of a comparison run. No torch here: ``pixda compare --help`` reads it."""

from dataclasses import dataclass

from pixda.errors import UserError


@dataclass(frozen=True)
class Where:
    """The machines, and what each cell is given of them.

    Raises:
        UserError: a number that means nothing.
    """

    at_once: int | None = None
    """Cells that run at a time; by default one a GPU, or one a processor (at most 8), or as many as a cluster holds."""
    cpus: int | None = None
    """Processors of a cell; by default an equal share of this machine's, or one of a cluster's."""
    gpus: float | None = None
    """GPUs of a cell: 0.5 for two cells on each, 0 for none; by default 1, if there is any."""
    ray: str | None = None
    """A Ray cluster to run the cells on: auto (the one that this machine belongs to), or HOST:PORT of its head."""

    def __post_init__(self) -> None:
        if self.at_once is not None and self.at_once < 1:
            raise UserError(
                f"--at_once is the number of cells that run at the same time, 1 or more, not {self.at_once}."
            )
        if self.cpus is not None and self.cpus < 1:
            raise UserError(f"--cpus is the number of processors of a cell, 1 or more, not {self.cpus}.")
        if self.gpus is not None and (self.gpus < 0 or (self.gpus > 1 and self.gpus % 1)):
            raise UserError(f"--gpus is a whole number of GPUs of a cell, or a fraction of one, not {self.gpus:g}.")
