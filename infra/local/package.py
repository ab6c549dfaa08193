"""Makes the package of a function. The same binary gives the same bytes: the time of its entry is fixed."""

import io
import stat
import sys
import zipfile
from pathlib import Path


def package(binary: bytes) -> bytes:
    """Returns a zip with a bootstrap. It is not compressed: that would take longer than reading it back."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        # Without a time, an entry is of 1980, the first that a zip can have.
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(entry, binary)
    return written.getvalue()


def main() -> None:
    """Writes the package of the first argument to the second."""
    binary, target = (Path(argument) for argument in sys.argv[1:])
    target.write_bytes(package(binary.read_bytes()))


if __name__ == "__main__":
    main()
