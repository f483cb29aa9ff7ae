"""Execute docs/notebook.ipynb in an empty folder and keep what it printed and drew: ``make notebook``."""

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient


def main() -> None:
    """Run every cell in a new kernel; an error in one leaves the file as it was."""
    path = Path(__file__).with_name("notebook.ipynb")
    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=600, record_timing=False, coalesce_streams=True, resources=place).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":  # warnings of other packages name folders of this machine
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
