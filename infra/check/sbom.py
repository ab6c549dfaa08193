"""Writes the bill of materials: `make sbom`. CycloneDX 1.6, one file for all of crates.io, npm and PyPI.

The same lock files give the same bytes: the serial number is derived from the contents, and there is no time in it.
"""

import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra/check")]

from packages import Package, everything

TARGET = ROOT / "target/consigne.cdx.json"


def bill(packages: list[Package], version: str) -> dict[str, Any]:
    """Returns the document."""
    whole = {"type": "application", "bom-ref": "consigne", "name": "consigne", "version": version}
    contents = {
        "metadata": {"component": whole},
        "components": [component(one) for one in packages],
        "dependencies": [
            {"ref": "consigne", "dependsOn": sorted({one.purl for one in packages})},
            *({"ref": purl} for purl in sorted({one.purl for one in packages})),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(contents, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1}
    return head | contents


def component(package: Package) -> dict[str, Any]:
    """Returns the entry of a package. `scope` is `required` for what is deployed, and `excluded` for tools."""
    entry: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "scope": "required" if package.is_deployed else "excluded",
    }
    if package.digest:
        algorithm, digits = package.digest
        entry["hashes"] = [{"alg": algorithm, "content": digits}]
    if package.license:
        is_expression = re.fullmatch(r"[\w.+-]+|.* (?:OR|AND|WITH) .*", package.license)
        entry["licenses"] = [
            {"expression": package.license} if is_expression else {"license": {"name": package.license}}
        ]
    return entry


def merged(packages: list[Package]) -> list[Package]:
    """Returns the packages, each name and version once: as deployed, if it is deployed anywhere."""
    best: dict[str, Package] = {}
    for one in sorted(packages, key=lambda one: (one.is_deployed, bool(one.digest))):
        best[one.purl] = one
    return [best[purl] for purl in sorted(best)]


def main() -> None:
    """Writes the file, and prints how many packages it has."""
    found = re.search(r'\[workspace\.package\]\nversion = "(.*)"', (ROOT / "Cargo.toml").read_text())
    packages = merged(everything(ROOT))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(bill(packages, found.group(1) if found else "0"), indent=1) + "\n")
    counts = {kind: sum(one.ecosystem == kind for one in packages) for kind in ("crates.io", "npm", "PyPI")}
    deployed = sum(one.is_deployed for one in packages)
    listed = ", ".join(f"{count} of {kind}" for kind, count in counts.items())
    print(f"Wrote {TARGET.relative_to(ROOT)}: {listed}; {deployed} of them are deployed.")


if __name__ == "__main__":
    main()
