"use server";

/**
 * Returns the session token of whoever is signed in. Here it is a token of the laptop's stack, which `make token` prints.
 * With Clerk this file goes: components take `getToken` of `useAuth()`, and the server takes that of `auth()`.
 */
export async function sessionToken(): Promise<string | null> {
  return process.env.CONSIGNE_TOKEN ?? null;
}
