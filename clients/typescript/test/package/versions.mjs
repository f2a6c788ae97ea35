// The package's versions, in all places where they stand, are those of the crates:
//
//     node test/package/versions.mjs [tag vVERSION]
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const json = (file) => JSON.parse(readFileSync(`${root}/${file}`, "utf8"));

/** Throws if a version is another one; so does a tag that does not name it. */
export function checkVersions(tag) {
  const [, crates] = /^version = "(.*)"/m.exec(readFileSync(`${root}/../../Cargo.toml`, "utf8"));
  const lock = json("package-lock.json");
  const found = {
    "package.json": json("package.json").version,
    "jsr.json": json("jsr.json").version,
    "package-lock.json": lock.version,
    "package-lock.json, packages": lock.packages[""].version,
    ...(tag === undefined ? {} : { "the tag": tag.replace(/^v/, "") }),
  };
  for (const [place, version] of Object.entries(found)) {
    if (version !== crates) throw new Error(`${place} has version ${version}, and the crates have ${crates}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [kind, name] = process.argv.slice(2);
  checkVersions(kind === "tag" ? name : undefined);
}
