#!/usr/bin/env python3
"""Builds the operator's image: FROM scratch, one static program, by cargo alone.

    operator/image/build.py [FOLDER]      FOLDER is target/image if not given

In FOLDER are then
    domicile-operator.tar        the image, both as an OCI image layout and as `docker save` writes it, so that docker,
                                 podman, skopeo, crane, ctr and kind can read it
    domicile-operator.cdx.json   what is in it: a CycloneDX SBOM, which is in the image, too
    domicile-operator.digest     the digest of its manifest

Nothing of this machine or of the moment is meant to be in it, so that an image from somebody else can be checked by the
same source, compiler and architecture. That two builds give one digest is checked by check.py.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "domicile-operator"
# More is a mistake: something large was linked in, or it wasn't stripped.
BYTES_MAX = 25_000_000
# Nobody in particular, as in distroless images; the chart asks for it, too.
USER = 65532
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LICENSES = ("licen", "copying", "notice", "unlicense", "copyright")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def triple() -> str:
    """What to compile for: this machine, with glibc, which can be linked statically."""
    host = next(line.removeprefix("host: ") for line in output("rustc", "-vV").splitlines() if line.startswith("host: "))
    machine, *_, system, _ = host.split("-")
    if system != "linux" or machine not in ARCHITECTURES:
        sys.exit(f"image: {host} can't build it: use Linux on {' or '.join(ARCHITECTURES)}, or a container of it")
    return f"{machine}-unknown-linux-gnu"


def compiled(target: str) -> Path:
    """Compiles the program, statically and without any path of this machine in it."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    cargo_home = os.environ.get("CARGO_HOME", Path.home() / ".cargo")
    moved = {ROOT: "/domicile", cargo_home: "/cargo", output("rustc", "--print", "sysroot").strip(): "/rust"}
    flags = ["-Ctarget-feature=+crt-static", *(f"--remap-path-prefix={old}={new}" for old, new in moved.items())]
    settings = {
        "CARGO_TARGET_DIR": str(folder),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "CARGO_INCREMENTAL": "0",
    }
    # With --target, the flags are for the program only: what runs while it is compiled (macros) can't be static.
    command = ["cargo", "build", "--release", "--locked", "--target", target, "--package", NAME, "--bin", NAME]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | settings)
    program = folder / target / "release" / NAME
    if b"/ld-linux" in program.read_bytes():
        sys.exit(f"image: {program} asks for a dynamic loader, so that it can't run alone")
    return program


def linked(target: str) -> tuple[dict, list[dict]]:
    """The operator's package, and those of others that are linked into it."""
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"))
    uses = {
        node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    packages = {package["id"]: package for package in metadata["packages"]}
    operator = next(package for package in packages.values() if package["name"] == NAME)
    reached, todo = {operator["id"]}, [operator["id"]]
    while todo:
        new = set(uses[todo.pop()]) - reached
        reached |= new
        todo += new
    others = [packages[id] for id in reached if packages[id]["source"] is not None]
    return operator, sorted(others, key=lambda package: (package["name"], package["version"]))


def checksums() -> dict:
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}


def component(package: dict, kind: str, checksum: str | None) -> dict:
    """A package as CycloneDX has it: https://cyclonedx.org/docs/1.6/json/"""
    name, version = package["name"], package["version"]
    purl = f"pkg:cargo/{name}@{version}"
    found = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if package["license"]:
        # Before SPDX, Cargo wrote OR as a slash.
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return found


def bill_of_materials(operator: dict, others: list[dict]) -> bytes:
    known = checksums()
    compiler = output("rustc", "--version").split()[1]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": component(operator, "application", None),
            "tools": {"components": [{"type": "application", "name": "rustc", "version": compiler}]},
        },
        "components": [
            component(package, "library", known.get((package["name"], package["version"]))) for package in others
        ],
    }
    return json.dumps(bill, indent=1).encode()


def files(program: Path, bill: bytes, others: list[dict]) -> dict[str, tuple[bytes, int]]:
    """What is in the image, by path, with its mode."""
    found = {
        NAME: (program.read_bytes(), 0o755),
        "sbom.cdx.json": (bill, 0o644),
        "licenses/LICENSE": ((ROOT / "LICENSE").read_bytes(), 0o644),
    }
    for package in others:
        for file in Path(package["manifest_path"]).parent.iterdir():
            if file.is_file() and file.name.lower().startswith(LICENSES):
                place = f"licenses/{package['name']}-{package['version']}/{file.name}"
                found[place] = (file.read_bytes(), 0o644)
    return found


def archive(content: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar of files and the folders they are in: root's, as old as Unix, in the order of their names."""
    folders = {str(parent) for path in content for parent in Path(path).parents if str(parent) != "."}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(folders | content.keys()):
            entry = tarfile.TarInfo(path)
            if path in folders:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            else:
                data, entry.mode = content[path]
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def compact(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def image(layer: bytes, architecture: str, version: str) -> tuple[bytes, str]:
    """The image and the digest of its manifest: https://github.com/opencontainers/image-spec"""
    labels = {
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.description": "Keeps workloads and data where they lawfully belong",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    configuration = compact({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": [f"/{NAME}"], "User": f"{USER}:{USER}", "WorkingDir": "/", "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest(layer)}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "operator/image/build.py"}],
    })
    blobs = {}

    def blob(data: bytes, kind: str) -> dict:
        blobs[f"blobs/sha256/{digest(data)}"] = (data, 0o644)
        return {"mediaType": kind, "digest": f"sha256:{digest(data)}", "size": len(data)}

    oci = "application/vnd.oci.image"
    manifest = compact({
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": blob(configuration, f"{oci}.config.v1+json"),
        "layers": [blob(layer, f"{oci}.layer.v1.tar")],
        "annotations": labels,
    })
    tag = f"localhost/{NAME}:{version}"
    entry = blob(manifest, f"{oci}.manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": version}
    entry["platform"] = {"architecture": architecture, "os": "linux"}
    index = {"schemaVersion": 2, "mediaType": f"{oci}.index.v1+json", "manifests": [entry]}
    names = {"Config": f"blobs/sha256/{digest(configuration)}", "RepoTags": [tag], "Layers": [f"blobs/sha256/{digest(layer)}"]}
    whole = blobs | {
        "oci-layout": (compact({"imageLayoutVersion": "1.0.0"}), 0o644),
        "index.json": (compact(index), 0o644),
        "manifest.json": (compact([names]), 0o644),
    }
    return archive(whole), f"sha256:{digest(manifest)}"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target" / "image"
    target = triple()
    program = compiled(target)
    operator, others = linked(target)
    bill = bill_of_materials(operator, others)
    layer = archive(files(program, bill, others))
    packed, name = image(layer, ARCHITECTURES[target.split("-")[0]], operator["version"])
    if len(packed) > BYTES_MAX:
        sys.exit(f"image: it has {len(packed) / 1e6:.1f} MB, and may have {BYTES_MAX / 1e6:.0f}")
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, data in (("tar", packed), ("cdx.json", bill), ("digest", f"{name}\n".encode())):
        # In one step: whoever reads it meanwhile has the old one or the new one.
        fresh = folder / f".{NAME}.{suffix}"
        fresh.write_bytes(data)
        fresh.rename(folder / f"{NAME}.{suffix}")
    print(f"{folder / NAME}.tar  {len(packed) / 1e6:.1f} MB  localhost/{NAME}:{operator['version']}  {name}")


main()
