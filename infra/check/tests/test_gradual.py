"""Each rule about gradual deployment accepts the template as it is, and finds the mistake when one thing is changed."""

import sys
import unittest
from collections.abc import Callable
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(INFRA / folder) for folder in ("check", "deploy", "local")]

import gradual
import rules
import templates
import versions
from planted import PROJECT, PlantedMistakes, properties
from project import Project
from templates import ROOT

ALIAS, GROUP = "GatewayFunctionAliaslive", "GatewayFunctionDeploymentGroup"


def written(project: Project, name: str) -> dict:
    """Returns the properties of a resource as template.yaml has them."""
    return project.sources.core["Resources"][name]["Properties"]


def dimensions(project: Project, alarm: str, metric: str) -> list[dict]:
    """Returns the dimensions of a metric of an alarm."""
    [found] = [one for one in properties(project, alarm)["Metrics"] if one["Id"] == metric]
    return found["MetricStat"]["Metric"]["Dimensions"]


def group(project: Project, name: str) -> dict:
    """Returns the alarms of a deployment group."""
    return properties(project, name)["AlarmConfiguration"]


class Rules(PlantedMistakes):
    def test_changes_that_would_not_reach_callers_are_found(self) -> None:
        rule = gradual.a_changed_setting_is_published

        def another(project: Project) -> None:
            written(project, "UsageFunction")["AutoPublishAlias"] = "live"

        def deleted(project: Project) -> None:
            del project.sources.core["Resources"]["GatewayFunction"]["UpdateReplacePolicy"]

        self.finds(rule, "UsageFunction: has AutoPublishAlias", another)
        self.finds(
            rule,
            "GatewayFunction: has no AutoPublishAlias",
            lambda project: written(project, "GatewayFunction").pop("AutoPublishAlias"),
        )
        self.finds(
            rule,
            "KeyVerifyFunction: needs AutoPublishAliasAllProperties",
            lambda project: written(project, "KeyVerifyFunction").pop("AutoPublishAliasAllProperties"),
        )
        for description in ("Description", "VersionDescription"):
            self.finds(
                rule,
                f"KeyVerifyFunction: its {description} must be SettingsDigest",
                lambda project, name=description: written(project, "KeyVerifyFunction").pop(name),
            )
        self.finds(rule, "GatewayFunction: needs UpdateReplacePolicy", deleted)

    def test_calls_that_pass_the_alias_by_are_found(self) -> None:
        rule = gradual.aliases_get_every_call

        def direct(project: Project) -> None:
            [methods] = [
                one for path, one in properties(project, "Api")["Body"]["paths"].items() if path == "/api/keys/verify"
            ]
            uri = methods["post"]["x-amazon-apigateway-integration"]["uri"]
            uri["Fn::Sub"] = uri["Fn::Sub"].replace("KeyVerifyFunctionAliaslive", "KeyVerifyFunction.Arn")

        self.finds(rule, "must call KeyVerifyFunctionAliaslive; it calls KeyVerifyFunction", direct)
        self.finds(
            rule,
            f"must be permitted to call {ALIAS}",
            lambda project: properties(project, "GatewayFunctionHttpPermission").update(
                FunctionName={"Ref": "GatewayFunction"}
            ),
        )

    def test_deployments_that_nothing_rolls_back_are_found(self) -> None:
        rule = gradual.alarms_can_roll_back

        def unmoved(project: Project) -> None:
            del project.core["Resources"][ALIAS]["UpdatePolicy"]

        def foreign(project: Project) -> None:
            policy = project.core["Resources"][ALIAS]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
            policy["ApplicationName"] = {"Ref": "Another"}

        def only_slow(project: Project) -> None:
            group(project, "KeyVerifyFunctionDeploymentGroup")["Alarms"].pop(0)

        def unknown(project: Project) -> None:
            group(project, GROUP)["Alarms"].append({"Name": {"Ref": "Nobody"}})

        def deaf(project: Project) -> None:
            properties(project, GROUP)["AutoRollbackConfiguration"]["Events"].remove("DEPLOYMENT_STOP_ON_ALARM")

        self.finds(rule, f"{ALIAS}: CodeDeploy does not move this alias", unmoved)
        self.finds(rule, f"{ALIAS}: CodeDeploy does not move this alias", foreign)
        self.finds(rule, "KeyVerifyFunctionAliaslive: no alarm on its calls", only_slow)
        self.finds(rule, f"{ALIAS}: there is no alarm Nobody", unknown)
        self.finds(rule, f"{ALIAS}: its deployment group does not roll back", deaf)

    def test_alarms_on_other_calls_than_those_of_the_new_version_are_found(self) -> None:
        rule, words = gradual.alarms_can_roll_back, "must be that of the newest version of GatewayFunction"

        def unaliased(project: Project) -> None:
            dimensions(project, "GatewayFailing", "calls").pop(1)

        def of_the_other(project: Project) -> None:
            dimensions(project, "GatewayFailing", "errors")[:] = dimensions(project, "KeyVerifyFailing", "errors")

        def of_all_versions(project: Project) -> None:
            dimensions(project, "GatewayFailing", "faults").pop()

        def slow(project: Project) -> None:
            properties(project, "KeyVerifySlow")["Dimensions"][2]["Value"] = "7"

        self.finds(rule, f"Invocations {words}", unaliased)
        self.finds(rule, f"Errors {words}", of_the_other)
        self.finds(rule, f"Faults {words}", of_all_versions)
        self.finds(rule, "Duration must be that of the newest version of KeyVerifyFunction", slow)
        for name, change in (
            ("TreatMissingData", {"TreatMissingData": "breaching"}),
            ("a single minute must not roll back", {"DatapointsToAlarm": 1}),
            ("must have the version in its name", {"AlarmName": "gateway fails"}),
        ):
            self.finds(rule, name, lambda project, change=change: properties(project, "GatewayFailing").update(change))

        def unconditional(project: Project) -> None:
            del project.core["Resources"]["GatewayFailing"]["Condition"]

        self.finds(rule, "GatewayFailing: must have the condition", unconditional)

    def test_failures_that_nobody_counts_are_found(self) -> None:
        rule, path = gradual.failures_are_counted_by_version, "shared/runtime/src/log.rs"

        def renamed(project: Project) -> None:
            project.code[path] = project.code[path].replace('"Name": "Faults"', '"Name": "Failures"')

        def unversioned(project: Project) -> None:
            project.code[path] = project.code[path].replace('[["stack", "function", "version"]]', "[]")

        self.finds(rule, "GatewayFailing: no code writes the metric Faults", renamed)
        self.finds(rule, "no metric has the dimensions stack, function and version", unversioned)

    def test_a_role_that_may_more_or_less_is_found(self) -> None:
        rule = gradual.codedeploy_may_shift_and_no_more

        def statement(project: Project) -> dict:
            return properties(project, "DeploymentRole")["Policies"][0]["PolicyDocument"]["Statement"][0]

        def managed(project: Project) -> None:
            properties(project, "DeploymentRole")["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]

        def everywhere(project: Project) -> None:
            statement(project)["Resource"].append({"Fn::GetAtt": ["SweepFunction", "Arn"]})

        self.finds(rule, "AWS's policies for CodeDeploy allow more", managed)
        self.finds(rule, "must move exactly the aliases", everywhere)
        self.finds(rule, "must move exactly the aliases", lambda project: statement(project)["Resource"].pop())
        self.finds(
            rule, "lambda:InvokeFunction", lambda project: statement(project)["Action"].append("lambda:InvokeFunction")
        )
        self.finds(
            rule,
            "no PermissionsBoundary",
            lambda project: properties(project, "DeploymentRole").pop("PermissionsBoundary"),
        )

    def test_an_alias_that_smoke_does_not_know_is_found(self) -> None:
        def forgotten(project: Project) -> None:
            page = "infra/smoke/aws.py"
            project.pages[page] = project.pages[page].replace('("gateway", "key-verify")', '("gateway",)')

        self.finds(rules.smoke_knows_the_aliases, "lacks key-verify, whose alias is live", forgotten)

    def test_permissions_that_the_deployer_lacks_are_found(self) -> None:
        policy = "docs/operate/deployer-policy.json"

        def without(text: str) -> Callable[[Project], None]:
            def change(project: Project) -> None:
                project.pages[policy] = project.pages[policy].replace(text, '"sts:GetCallerIdentity"')

            return change

        rule = rules.deployer.the_deployer_may_make_everything
        self.finds(rule, "codedeploy:CreateDeployment on", without('"codedeploy:*"'))
        self.finds(rule, "codedeploy:GetDeploymentConfig on", without('"codedeploy:GetDeploymentConfig"'))
        self.finds(rule, "codedeploy:StopDeployment on", without('"codedeploy:StopDeployment"'))
        self.finds(
            rules.deployer.the_deployer_may_pass_every_role,
            "DeploymentRole: the deployer's policy does not allow passing it",
            without('"codedeploy.amazonaws.com"'),
        )


class Option(unittest.TestCase):
    def test_without_the_option_there_is_nothing_of_codedeploy(self) -> None:
        off, on = templates.core(GradualDeployment="false"), PROJECT.core
        self.assertEqual([name for name in off["Resources"] if "Deploy" in name], ["DeploymentRole"])
        self.assertFalse(any("UpdatePolicy" in body for body in off["Resources"].values()))
        more = {name: body for name, body in off["Resources"].items() if body.get("Condition") == gradual.CONDITION}
        self.assertEqual(set(more), {"DeploymentRole", "KeyVerifyFailing", "KeyVerifySlow", "GatewayFailing"})
        self.assertEqual(len(on["Resources"]) - len(off["Resources"]), 3)


class Digest(unittest.TestCase):
    def digest(self, **values: str) -> str:
        return templates.templates.settings_digest(templates.templates.load(ROOT / "template.yaml"), values)

    def test_it_changes_with_each_setting_that_the_functions_read_and_with_no_other(self) -> None:
        first = self.digest()
        self.assertRegex(first, r"^[0-9a-f]{16}$")
        for name in ("Upstreams", "KeyPrefix", "LegacyKeysUntil", "EdgeSecretHash", "AddressHeader", "Architecture"):
            self.assertNotEqual(self.digest(**{name: "other"}), first, name)
        for name in ("MailFrom", "TicketSeconds", "GradualDeployment", "SettingsDigest", "DeletionProtection"):
            self.assertEqual(self.digest(**{name: "other"}), first, name)
        self.assertEqual(self.digest(KeyPrefix="sk"), first)

    def test_it_changes_with_the_words_of_the_functions_in_the_template_and_with_no_others(self) -> None:
        first = self.digest()
        for name, changes in (("GatewayFunction", True), ("SweepFunction", False)):
            template = templates.templates.load(ROOT / "template.yaml")
            template["Resources"][name]["Properties"]["Timeout"] = 3
            digest = templates.templates.settings_digest(template, {})
            self.assertEqual(digest != first, changes, name)


class Versions(unittest.TestCase):
    def test_the_current_version_and_the_one_before_stay(self) -> None:
        for published, alias, removed in (
            (["1"], {"FunctionVersion": "1"}, []),
            (["1", "2"], {"FunctionVersion": "2"}, []),
            (["1", "2", "9", "10"], {"FunctionVersion": "10"}, ["1", "2"]),
            # Version 3 is left of a rollback.
            (["1", "2", "3"], {"FunctionVersion": "2"}, ["3"]),
            (["1", "2", "3"], {"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}}, []),
        ):
            self.assertEqual(versions.superfluous(published, alias), removed, published)


if __name__ == "__main__":
    unittest.main()
