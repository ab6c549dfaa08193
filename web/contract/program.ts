// A small program against the API, written with the types that are generated from openapi.json. It shows that they say
// enough: every narrowing below is checked by the compiler.

import type {
  GetFilesListResponses,
  PostFilesUploadsData,
  PostFilesUploadsErrors,
  PostFilesUploadsResponses,
  PostKeysVerifyData,
  PostKeysVerifyResponses,
} from "../../target/web/types/types.gen.ts";

// A PNG of one red pixel, in base64.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

interface Shown {
  granted: string;
  uploaded: number;
  listed: string[];
  tooLarge: string;
  refusedKey: string;
}

type TooLarge = Extract<PostFilesUploadsErrors[413], { error: unknown }>["error"];

/** Writes what is too large, and its limit. */
function inWords(error: TooLarge): string {
  return error.code === "FILE_TOO_LARGE" ? `${error.code}: limit ${error.details?.limit}` : error.code;
}

/** Uploads a file, waits until it is listed, asks for too much, and has an unknown key checked. */
export async function walk(url: string, token: string, serviceToken: string): Promise<Shown> {
  const call = async (path: string, bearer: string, body?: unknown): Promise<Response> => {
    const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    return fetch(url + path, { ...sent, headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" } });
  };

  const bytes = Uint8Array.from(atob(PNG), (character) => character.charCodeAt(0));
  const wanted: PostFilesUploadsData["body"] = { filename: "types.png", contentType: "image/png", size: bytes.length };
  const grant = (await (await call("/api/files/uploads", token, wanted)).json()) as PostFilesUploadsResponses[201];
  // Only large files go in parts, without one URL for all of it.
  if (grant.method !== "PUT" || !grant.url) throw new Error(`the upload is ${grant.method}`);
  const { status: uploaded } = await fetch(grant.url, { method: grant.method, headers: grant.headers ?? {}, body: bytes });

  let listed: string[] = [];
  for (let tries = 0; listed.length === 0 && tries < 50; tries += 1) {
    await new Promise((wake) => setTimeout(wake, 200));
    const list = (await (await call("/api/files/list?limit=10", token)).json()) as GetFilesListResponses[200];
    listed = list.files.map((file) => file.filename);
  }

  const huge = await call("/api/files/uploads", token, { ...wanted, size: 2 ** 30 });
  const refusal = (await huge.json()) as PostFilesUploadsErrors[413];
  // API Gateway answers a body above 10 MB itself, in its own shape.
  const tooLarge = "error" in refusal ? inWords(refusal.error) : refusal.message;

  const asked: PostKeysVerifyData["body"] = { key: "sk_test_unknown", cost: 1 };
  const { data } = (await (await call("/api/keys/verify", serviceToken, asked)).json()) as PostKeysVerifyResponses[200];
  const refusedKey = data.valid ? data.key_id : data.code;

  return { granted: grant.method, uploaded, listed, tooLarge, refusedKey };
}
