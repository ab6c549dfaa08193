// Where a name ends like this, the API takes the type from it.
const KNOWN =
  /\.(a?png|jpe?g?|jfif|jif|pjpe?g?|pjp|gif|webp|avifs?|hei[cf]s?|hif|svg|mp4|m4[av]|3gp|3g2|webm|mov|qt|pdf|epub|md|markdown|te?xt|html?|json|csv|docx|xlsx|pptx|zip|mp3|wav)$/i;

const BRANDS: [RegExp, string][] = [
  [/^avi[fs]/, "image/avif"],
  [/^(hei[cxms]|hev[cxms]|mif1|msf1)/, "image/heic"],
  [/^M4A/, "audio/mp4"],
  [/^qt/, "video/quicktime"],
  [/./, "video/mp4"],
];

const SIGNATURES: [RegExp, string][] = [
  [/^\x89PNG\r\n/, "image/png"],
  [/^\xff\xd8\xff/, "image/jpeg"],
  [/^GIF8/, "image/gif"],
  [/^RIFF....WEBP/s, "image/webp"],
  [/^RIFF....WAVE/s, "audio/wav"],
  [/^%PDF-/, "application/pdf"],
  [/^.E\xdf\xa3/s, "video/webm"],
  [/^ID3|^\xff[\xfa\xfb\xf2\xf3]/, "audio/mpeg"],
];

/**
 * Returns the media type of a file. Browsers leave it empty for types that they do not know, such as HEIC. Then it is
 * empty here if the name says it, because the API reads names, and else taken from the first bytes.
 */
export async function mediaType(file: Blob, name: string): Promise<string> {
  const [declared = ""] = file.type.toLowerCase().split(";");
  if (declared && declared !== "application/octet-stream") return declared.trim();
  if (KNOWN.test(name)) return "";
  const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 16).arrayBuffer()));
  const table = start.slice(4, 8) === "ftyp" ? BRANDS : SIGNATURES;
  const text = table === BRANDS ? start.slice(8) : start;
  return table.find(([pattern]) => pattern.test(text))?.[1] ?? "";
}

/** Returns the SHA-256 of a file in base64. Reads all of it into memory. */
export async function sha256(file: Blob): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
