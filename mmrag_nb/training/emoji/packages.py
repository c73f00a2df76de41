"""npm packages as folders of files: fetched once with ``npm pack``, unpacked, never run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from mmrag_nb.errors import SourceError


def cache_folder() -> Path:
    """Return where packages and rasters are kept: ``MMRAG_EMOJI_CACHE``, or a folder in the user's cache."""
    return Path(os.environ.get("MMRAG_EMOJI_CACHE") or Path.home() / ".cache" / "mmrag_nb" / "emoji")


def unpack(package: str, version: str, cache: Path) -> Path:
    """Return the folder of ``package``'s files, fetching it where it is not in ``cache`` yet.

    Raises
    ------
    SourceError
        npm is absent, or it could not fetch the package.
    """
    folder = cache / "packages" / f"{package.strip('@').replace('/', '-')}-{version}"
    if folder.is_dir():
        return folder
    if shutil.which("npm") is None:
        raise SourceError(f"the drawings of {package} are fetched with npm, which is not installed: install Node.js")
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", f"{package}@{version}", "--silent", "--pack-destination", str(folder.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SourceError(f"npm could not fetch {package}@{version} ({reason}): check the network and try again")
    archive = folder.parent / done.stdout.strip().splitlines()[-1]
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(archive) as files:
        for member in files.getmembers():
            inside = Path(*Path(member.name).parts[1:])  # npm's archives have one folder at the top
            if not member.isfile() or inside.is_absolute() or ".." in inside.parts:
                continue
            content = files.extractfile(member)
            assert content is not None
            target = part / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
    part.rename(folder)
    archive.unlink()
    return folder
