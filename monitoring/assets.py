"""What pages load: read once, answered from memory, and kept by browsers for ever under an address that names it."""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response

from monitoring.page import NotThere

# One style sheet made of several, in the order in which they overrule each other: nothing is painted before it is here.
SHEET = "sheet.css"
PARTS = ("vendor/uplot.css", "style.css", "pages.css", "shell.css", "actions.css")
FOR_EVER = "public, max-age=31536000, immutable"
ASKED_AGAIN = "no-cache"


@dataclass(frozen=True)
class Assets:
    """Files by their path under /static; `digest` changes when any of them does."""

    files: Mapping[str, bytes]
    digest: str

    @property
    def address(self) -> str:
        """Return what stands before a file's path where browsers may keep it for ever."""
        return f"/static/{self.digest}"


def assets_of(folder: Path) -> Assets:
    """Return the files of a directory, and its style sheets as one."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {str(path.relative_to(folder)): path.read_bytes() for path in found}
    files[SHEET] = b"\n".join(files[part] for part in PARTS)
    digest = hashlib.sha256(b"".join(name.encode() + content for name, content in files.items()))
    return Assets(files, digest.hexdigest()[:12])


def mount_assets(app: FastAPI, assets: Assets) -> None:
    """Add GET /static/<path> and /static/<digest>/<path>."""

    async def answer(path: str) -> Response:
        name = path.removeprefix(f"{assets.digest}/")
        content = assets.files.get(name)
        if content is None:
            raise NotThere(f"there is no file {name[:200]}")
        kept = ASKED_AGAIN if name == path else FOR_EVER
        kind = mimetypes.guess_type(name)[0] or "text/plain"
        return Response(content, media_type=kind, headers={"cache-control": kept})

    app.api_route("/static/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)(answer)
