"""What the rules look at."""

from dataclasses import dataclass

from templates import Json


@dataclass
class House:
    """Both templates expanded, and what documents them."""

    core: Json
    observe: Json
    # Texts by path from the root of the repository.
    pages: dict[str, str]
    openapi: Json
    # The parameters of samconfig.toml's default environment.
    config: dict[str, str]
