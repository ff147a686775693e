#!/usr/bin/env python3
"""Builds the operator's image once more, from a copy of the source in another folder, and compares: two builds, one digest.

    operator/image/check.py      after build.py

A digest that was made twice before isn't made again: it is noted in ~/.cache/domicile/image.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "domicile-operator.digest"


def copy(to: Path) -> None:
    """What git knows, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def main() -> None:
    first = ROOT / "target" / "image" / DIGEST
    if not first.exists():
        sys.exit("image: there is none to compare with: run `make image`")
    digest = first.read_text().strip()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    noted = caches / "domicile" / "image" / digest.replace(":", "-")
    if noted.exists():
        print(f"{digest} was made twice before")
        return
    # Another folder, of another depth, with nothing compiled in it.
    with tempfile.TemporaryDirectory(prefix="domicile-image-") as folder:
        source = Path(folder) / "somewhere" / "else"
        copy(source)
        environment = os.environ | {"CARGO_TARGET_DIR": str(Path(folder) / "target")}
        subprocess.run([source / "operator/image/build.py", Path(folder) / "image"], check=True, env=environment)
        again = (Path(folder) / "image" / DIGEST).read_text().strip()
    if again != digest:
        sys.exit(f"image: two builds of the same source differ: {digest} and {again}")
    noted.parent.mkdir(parents=True, exist_ok=True)
    noted.touch()
    print(f"{digest}, twice")


main()
