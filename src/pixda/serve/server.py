"""Serves the page, by default to this machine only; uploads are removed at the end."""

import importlib.util
import os
import signal
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from pixda.errors import UserError
from pixda.serve.answer import ServedModel
from pixda.serve.upload import BYTES
from pixda.terminal import console


def serve(paths: Sequence[Path], host: str, port: int) -> None:
    """Serve the page until the process is told to stop.

    Args:
        paths: folders of finished runs, or weights; a visitor can choose among them.
        host, port: where to listen; port 0 takes a free one.

    Raises:
        UserError: Gradio is not installed, a model cannot be read, or the port is taken.
    """
    if importlib.util.find_spec("gradio") is None:
        raise UserError("The page needs Gradio: pip install 'pixda[serve]'.")
    models = {name: ServedModel(path) for name, path in _names(paths).items()}
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="pixda-serve-") as uploads:
        # Gradio reads these when it is imported: where uploads go, and that nothing is reported or recorded.
        quiet = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_RUN_HISTORY": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
        os.environ.update(GRADIO_TEMP_DIR=uploads, **quiet)
        from pixda.serve.page import CSS, build

        page = build(models)
        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port or _free_port(host),
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                max_file_size=BYTES,
                enable_monitoring=False,
                ssr_mode=False,
                footer_links=[],
                css=CSS,
            )
        except OSError as error:
            raise UserError(f"Port {port} of {host} cannot be used ({error}); choose another --port.") from error
        said = console()
        said.print(f"Serving {len(models)} model(s) at {address} until Ctrl-C.", soft_wrap=True)
        if host not in ("127.0.0.1", "localhost", "::1"):
            said.print("Everybody who can reach this address can use the page: there is no password.", soft_wrap=True)
        stop.wait()
        page.close(verbose=False)


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """A short name for each model: its path below the folder that contains them all."""
    whole = list(dict.fromkeys(path.resolve() for path in paths))  # without duplicates
    above = Path(os.path.commonpath([path.parent for path in whole]))
    return {path.relative_to(above).as_posix(): path for path in whole}


def _free_port(host: str) -> int:
    import socket

    with socket.socket() as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])
