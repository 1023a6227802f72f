"""The licence texts of everything that an executable holds, found where each part was installed from."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

_NAMES = ("licen", "copying", "notice", "authors")
_RULE = "=" * 100
_COPYRIGHT = Path("/usr/share/doc")


def licence_texts(modules: Iterable[str], libraries: Iterable[str], checkout: Path) -> str:
    """One text: our own licence, Python's, that of each distribution of a module, the system libraries'
    (Debian's copyright files, where this is Debian), and the bundled bridge's."""
    own = ("fastproxy", (checkout / "LICENSE").read_text("utf-8"))
    parts = [own, _python(), *_distributions(modules), *_system_libraries(libraries)]
    bridge = checkout / "bridge" / "dist" / "fastproxy-bridge.cjs.LEGAL.txt"
    if bridge.is_file():
        parts.append(("The bridge to the claude CLI (JavaScript)", bridge.read_text("utf-8")))
    return "\n".join(f"{_RULE}\n{title}\n{_RULE}\n\n{text.strip()}\n" for title, text in parts)


def _python() -> tuple[str, str]:
    file = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"  # some distributions move it
    return "Python", file.read_text("utf-8") if file.is_file() else "https://docs.python.org/3/license.html"


def _distributions(modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    providers = packages_distributions()
    names = {name for module in modules for name in providers.get(module.split(".")[0], ())}
    names.discard("fastproxy")
    for name in sorted(names, key=str.lower):
        found = distribution(name)
        fields = found.metadata.json
        licence = fields.get("license_expression") or fields.get("license") or _classifiers(found)
        yield f"{name} {found.version}", "\n\n".join([f"Licence: {licence}", *_texts(found)])


def _classifiers(found: Distribution) -> str:
    known = found.metadata.get_all("Classifier") or []
    return ", ".join(line.rpartition(" :: ")[2] for line in known if line.startswith("License"))


def _texts(found: Distribution) -> Iterator[str]:
    for file in found.files or ():
        if ".dist-info" in file.parts[0] and file.name.lower().startswith(_NAMES):
            yield file.read_text("utf-8")


def _system_libraries(libraries: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Debian's name of the package that each library is from, and its copyright file; at last those that no
    package of Debian has: they came with this Python, and their licences are told in its own."""
    packages = {library: _debian_package(library) for library in libraries}
    for package in sorted({name for name in packages.values() if name}):
        yield package, (_COPYRIGHT / package / "copyright").read_text("utf-8")
    if others := sorted(Path(library).name for library, package in packages.items() if not package):
        yield "Libraries that came with Python", "\n".join(others)


def _debian_package(library: str) -> str:
    """The package with a copyright file that has this library, "" where there is none."""
    if not shutil.which("dpkg-query"):
        return ""
    # dpkg knows a file by the one path it was installed to, /lib or /usr/lib
    resolved = str(Path(library).resolve())
    for path in (resolved, resolved.removeprefix("/usr")):
        told = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False)  # noqa: S603, S607
        package = told.stdout.split(":")[0]
        if told.returncode == 0 and (_COPYRIGHT / package / "copyright").is_file():
            return package
    return ""
