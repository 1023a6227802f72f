/**
 * Bundles the service into one file that needs nothing but node, with the licences of what is in it beside it.
 * `node build.mjs [FILE]`
 */
import { appendFile, readFile, readdir } from "node:fs/promises";
import { build } from "esbuild";

const bundle = process.argv[2] ?? "dist/fastproxy-bridge.cjs";
const { metafile } = await build({
  entryPoints: ["src/main.ts"],
  outfile: bundle,
  bundle: true,
  minify: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  legalComments: "linked",
  metafile: true,
});

/** The folders of the packages whose files were bundled: node_modules/name, or node_modules/@scope/name. */
const packages = new Set(
  Object.keys(metafile.inputs).flatMap((file) => file.match(/^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []),
);

/** A package's name, version and licence, and its licence's text. */
async function licence(folder) {
  const { name, version, license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(`${folder}/${file}`, "utf8")));
  return [`${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join("\n\n");
}

const licences = await Promise.all([...packages].sort().map(licence));
await appendFile(`${bundle}.LEGAL.txt`, `\n\n${licences.join(`\n\n${"-".repeat(80)}\n\n`)}\n`);
