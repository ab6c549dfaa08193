"""The page of the templates' parameters."""

from .sources import Json, Sources


def part(sources: Sources) -> str:
    """Returns the parameters of both templates, in the groups that CloudFormation's console shows."""
    core, observe = sources.core, sources.observe
    groups = core["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = {name for group in groups for name in group["Parameters"]}
    if grouped != set(core["Parameters"]):
        odd = ", ".join(sorted(grouped ^ set(core["Parameters"])))
        raise ValueError(f"template.yaml: ParameterGroups and Parameters disagree about {odd}.")
    sections = [(group["Label"]["default"], core, group["Parameters"]) for group in groups]
    sections.append(("Alarms", observe, list(observe["Parameters"])))
    rules = [one["AssertDescription"] for rule in core.get("Rules", {}).values() for one in rule["Assertions"]]
    return "\n".join(
        [section(title, {name: template["Parameters"][name] for name in names}) for title, template, names in sections]
        + ["## Rules between parameters\n\nCloudFormation refuses a deployment that breaks one of these:\n"]
        + [f"* {rule}" for rule in rules]
        + [""]
    )


def section(title: str, parameters: dict[str, Json]) -> str:
    """Returns a section with a table of parameters."""
    lines = [f"## {title}", "", "| parameter | default | allowed values | description |", "|---|---|---|---|"]
    lines += [
        f"| {anchored(name)} | {default(body)} | {allowed(body)} | {escaped(body['Description'])} |"
        for name, body in parameters.items()
    ]
    return "\n".join([*lines, ""])


def escaped(text: str) -> str:
    """Returns a text in which Markdown sees no HTML and no border of a cell."""
    return text.strip().replace("<", "&lt;").replace("|", "\\|")


def anchored(name: str) -> str:
    """Returns a name that other pages can link to."""
    return f'<span id="{name.lower()}"></span>`{name}`'


def default(body: Json) -> str:
    """Returns the default of a parameter in a cell."""
    if "Default" not in body:
        return "**required**"
    return "empty" if body["Default"] == "" else f"`{body['Default']}`"


def allowed(body: Json) -> str:
    """Returns in a cell which values a parameter takes."""
    if values := body.get("AllowedValues"):
        return ", ".join(f"`{value}`" for value in values)
    if "MinValue" in body or "MaxValue" in body:
        least, most = body.get("MinValue"), body.get("MaxValue")
        if most is None:
            return f"at least {least}"
        return f"at most {most}" if least is None else f"{least} to {most}"
    if words := body.get("ConstraintDescription"):
        return words.removeprefix("must be ")
    return "a stack's name" if body.get("AllowedPattern") else "any text"
