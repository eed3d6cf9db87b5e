"""From what a user names to image files: folders, globs, and names in the order in which people count.

for folder, names, error in find_images(["scan.png", "photos/", "more/*.jpg"]): ...
"""

import glob
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from digits.support.messages import printable, reason

# The endings of a folder's images, and of what may pass for one and cannot be read: none is left out in silence. A file that is
# named on its own is always tried, whatever its ending.
ENDINGS = re.compile(r"\.(a?png|jpe?g|jpe|jfif|mpo|gif|bmp|dib|tiff?|webp|p[pgbnf]m|hei[cf]|hif|avif|pdf|svg)", re.IGNORECASE)


class Group(NamedTuple):
    """Files of one folder.

    Attributes:
        folder: joined to each name; "" for paths as they were given.
        names: list of str. A folder of 100,000 images costs only these.
        error: when not None, a sentence: why `folder` gave no images.
    """

    folder: str
    names: list[str]
    error: str | None = None


def find_images(paths: Iterable[str], recursive: bool = False) -> list[Group]:
    """Return what the user named, as groups of files in order: paths as given, a folder's names sorted naturally.

    Hidden files and files without an image's ending are left out of folders. A pattern stands for what a
    shell would put in its place.

    Args:
        paths: list of files, folders, patterns (`*.png`; `**` with `recursive`) and "-".
        recursive: whether folders in folders are searched.

    Returns:
        list of Group.
    """
    groups = []
    for path in paths:
        if not path:
            groups.append(Group("", [], 'an empty name ("") was given; name an image or a folder.'))
        elif os.path.isdir(path):
            groups += _folder(path, recursive)
        elif glob.has_magic(path) and not os.path.lexists(path):
            matches = sorted(glob.glob(path, recursive=recursive), key=natural_key)
            if recursive and "**" in path:  # it has found what is in the folders, too
                every = os.path.basename(path) != "**"
                matches = [match for match in matches if not os.path.isdir(match) and (every or is_image(match))]
            groups += (
                find_images(matches, recursive)
                if matches
                else [Group(path, [], f"{printable(path)} matches no file; check the pattern.")]
            )
        else:
            groups.append(Group("", [path]))
    return groups


def is_image(name: str) -> bool:
    """Return whether a file's name has an image's ending."""
    return bool(ENDINGS.fullmatch(os.path.splitext(name)[1]))


def natural_key(name: str) -> tuple[str, str]:
    """Return the sort key under which `page10` comes after `page9`: numbers by their length, then digits.

    Names that differ in leading zeros alone (`1.png`, `01.png`) are told apart by the names themselves, so that the order
    never depends on the file system.
    """

    def number(match):
        digits = match[0].lstrip("0")
        return f"{len(digits):03d}{digits}"

    return re.sub("[0-9]+", number, name), name


def _folder(top, recursive):
    """Return the groups of a folder: its own images first, then those of the folders in it."""
    groups, stack = [], [top]
    while stack:
        folder = stack.pop()
        names, folders = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        # A link may lead back to where the search came from.
                        if recursive and not entry.is_symlink():
                            folders.append(entry.name)
                    elif is_image(entry.name):
                        names.append(entry.name)
        except OSError as problem:
            groups.append(Group(folder, [], f"{printable(folder)} cannot be listed: {reason(problem)}."))
        if names:
            groups.append(Group(folder, sorted(names, key=natural_key)))
        stack += [os.path.join(folder, name) for name in sorted(folders, key=natural_key, reverse=True)]
    if not groups:
        searched = "not even in the folders in it" if recursive else "--recursive searches the folders in it"
        groups.append(Group(top, [], f"{printable(top)} holds no images ({searched})."))
    return groups
