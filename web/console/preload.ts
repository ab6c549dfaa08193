// Names the scripts that every page needs in the page itself, so that they are asked for beside the first one and not after it.

import type { HtmlTagDescriptor, Plugin, Rollup } from "vite";

/** Returns the files of a chunk and of all that it imports. */
export function closure(bundle: Rollup.OutputBundle, start: string, found = new Set<string>()): Set<string> {
  const chunk = bundle[start];
  if (chunk?.type !== "chunk" || found.has(start)) return found;
  found.add(start);
  for (const one of chunk.imports) closure(bundle, one, found);
  return found;
}

/** Adds a `modulepreload` for each file of a module that the first script imports later. `source` is the end of the module's path. */
export function preload(source: string): Plugin {
  return {
    name: "preload",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle = {} }) {
        const start = Object.values(bundle).find((one) => one.type === "chunk" && one.facadeModuleId?.endsWith(source));
        // A server of development has no bundle.
        if (!start) return html;
        return [...closure(bundle, start.fileName)]
          .filter((file) => !html.includes(file))
          .map(
            (file): HtmlTagDescriptor => ({ tag: "link", attrs: { rel: "modulepreload", crossorigin: true, href: `/${file}` }, injectTo: "head" }),
          );
      },
    },
  };
}
