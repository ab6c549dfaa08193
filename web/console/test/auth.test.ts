import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";

import { LaptopAuth } from "../src/auth/person.ts";
import { server } from "./world.tsx";

const ANN = { user: "user_ann", plan: "pro", role: "user" };

function issuer(life = 60) {
  const asked: unknown[] = [];
  server.use(
    http.post("http://localhost:4581/_laptop/token", async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({ token: `token-${asked.length}`, expires_at: Math.floor(Date.now() / 1000) + life });
    }),
  );
  return asked;
}

test("a token is kept until shortly before its end, and a fresh one is asked for", async () => {
  const asked = issuer();
  const auth = new LaptopAuth();
  await auth.signIn(ANN);
  expect(await auth.getToken()).toBe("token-1");
  expect(await auth.getToken({ fresh: true })).toBe("token-2");
  expect(await auth.getToken()).toBe("token-2");
  vi.useFakeTimers({ now: Date.now() + 56_000, toFake: ["Date"] });
  try {
    expect(await auth.getToken()).toBe("token-3");
  } finally {
    vi.useRealTimers();
  }
  expect(asked).toEqual([ANN, ANN, ANN]);
});

test("what is asked for at the same time shares one token, and never that of somebody else", async () => {
  localStorage.setItem("consigne.person", JSON.stringify(ANN));
  const asked = issuer();
  const auth = new LaptopAuth();
  expect(await Promise.all([auth.getToken(), auth.getToken()])).toEqual(["token-1", "token-1"]);
  expect(asked).toEqual([ANN]);
  const late = auth.getToken({ fresh: true });
  const eve = { ...ANN, user: "user_eve" };
  await auth.signIn(eve);
  await late;
  expect(await auth.getToken()).toBe("token-3");
  expect(asked).toEqual([ANN, ANN, eve]);
});

test("who is signed in is told, and survives a reload; a token does not", async () => {
  issuer();
  const auth = new LaptopAuth();
  const told: unknown[] = [];
  const end = auth.subscribe((user) => told.push(user));
  await auth.signIn(ANN);
  expect(JSON.stringify({ ...localStorage })).not.toContain("token-1");
  new LaptopAuth().subscribe((user) => told.push(user))();
  await auth.signOut();
  end();
  await auth.signIn(ANN);
  expect(told).toEqual([null, "user_ann", "user_ann", null]);
});

test.each([
  ["refused", 400],
  ["answered", 200],
])("whoever is chosen last is signed in, although the one before is %s after that", async (_, status) => {
  const bob = { ...ANN, user: "user_bob" };
  let answer = () => {};
  const late = new Promise<void>((done) => {
    answer = done;
  });
  server.use(
    http.post("http://localhost:4581/_laptop/token", async ({ request }) => {
      const { user } = (await request.json()) as typeof ANN;
      const token = HttpResponse.json({ token: `token-of-${user}`, expires_at: Math.floor(Date.now() / 1000) + 60 });
      if (user === "user_bob") return token;
      await late;
      return status === 200 ? token : HttpResponse.text("not now\n", { status });
    }),
  );
  const auth = new LaptopAuth();
  const told: unknown[] = [];
  auth.subscribe((user) => told.push(user));
  const ann = auth.signIn(ANN).catch((error: Error) => error.message);
  await auth.signIn(bob);
  answer();
  expect(await ann).toBe(status === 200 ? undefined : "not now\n");
  expect(await auth.getToken()).toBe("token-of-user_bob");
  expect(told).toEqual([null, "user_bob"]);
  expect(JSON.parse(localStorage.getItem("consigne.person") ?? "")).toEqual(bob);
});

test("a person for whom there is no token is not signed in", async () => {
  server.use(http.post("http://localhost:4581/_laptop/token", () => HttpResponse.text("plan must be one of free, pro\n", { status: 400 })));
  const auth = new LaptopAuth();
  await expect(auth.signIn({ ...ANN, plan: "gold" })).rejects.toThrow("plan must be one of free, pro");
  expect(await auth.getToken()).toBeNull();
  expect(localStorage.length).toBe(0);
});
