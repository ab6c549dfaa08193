import type { OrgRole } from "@consigne/client";

import type { MessageId } from "../words.ts";

/** The language in which the catalogue names and describes services: it has no other one. */
export const CATALOGUE_LANGUAGE = "en";

/** What the roles of an organisation are called. */
export const ROLE_WORDS: Record<OrgRole, MessageId> = {
  owner: "role.owner",
  admin: "role.admin",
  developer: "role.developer",
  billing: "role.billing",
};
