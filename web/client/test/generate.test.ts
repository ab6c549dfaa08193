import { expect, test } from "vitest";

import { apply, stepsOf } from "../generate.js";

test("a normalised JSONPath is split into its steps", () => {
  expect(stepsOf("$['paths']['/api/orgs/{org}']['get']['parameters'][0]")).toEqual(["paths", "/api/orgs/{org}", "get", "parameters", "0"]);
  expect(stepsOf(String.raw`$['it\'s']['a\\b']`)).toEqual(["it's", "a\\b"]);
  for (const path of ["paths.get", "$.paths", "$['paths'].get", "$['paths'][*]"]) expect(() => stepsOf(path)).toThrow(path);
});

test("an overlay adds descriptions where its targets are", () => {
  const document = { paths: { "/a": { get: { parameters: [{ name: "limit" }] } } } };
  apply(document, { actions: [{ target: "$['paths']['/a']['get']['parameters'][0]", update: { description: "Entries per page" } }] });
  expect(document.paths["/a"].get.parameters).toEqual([{ name: "limit", description: "Entries per page" }]);
});

test("an overlay that names what is not there is refused", () => {
  const overlay = { actions: [{ target: "$['paths']['/b']", update: { description: "" } }] };
  expect(() => apply({ paths: {} }, overlay)).toThrow("$['paths']['/b'], which is not in openapi.json");
});
