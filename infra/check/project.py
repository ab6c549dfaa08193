"""What the rules check."""

from dataclasses import dataclass

from reference.sources import Sources
from templates import Json


@dataclass
class Project:
    """Both templates, expanded, and the files that document them."""

    core: Json
    observe: Json
    # Contents of files, by path from the root of the repository.
    pages: dict[str, str]
    openapi: Json
    # The parameters of the default environment in samconfig.toml.
    config: dict[str, str]
    # What the generated pages of docs/reference are made from.
    sources: Sources
    # The Rust code of functions and shared crates, by path, without tests.
    code: dict[str, str]
