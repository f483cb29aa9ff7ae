"""`pixda serve` with one line more: every address that the process connects to is written to a file."""

import sys
from pathlib import Path

from pixda.__main__ import main

connected = Path(sys.argv[1])


def watch(event, arguments):
    if event == "socket.connect":
        with connected.open("a") as file:
            file.write(f"{arguments[1]!r}\n")


sys.addaudithook(watch)
sys.exit(main(sys.argv[2:]))
