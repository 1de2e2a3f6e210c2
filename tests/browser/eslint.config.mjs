// What the linter looks for in the scripts of the monitor, of the site and of these tests.

import { createRequire } from "node:module";
import { join } from "node:path";

// Installed by "tools/install-deps.sh browser".
const require = createRequire(join(process.env.TASKQ_BUILD, "browser/package.json"));
const js = require("@eslint/js");
const { browser, jquery, node } = require("globals");

export default [
  js.configs.recommended,
  { files: ["inst/**", "pkgdown/**"], languageOptions: { globals: { ...browser, ...jquery, Shiny: "readonly" } } },
  // Parts of a scenario run in the page.
  { files: ["tests/**"], languageOptions: { globals: { ...browser, ...jquery, ...node, Shiny: "readonly" } } },
  { rules: { "no-var": "error", "prefer-const": "error", eqeqeq: "error" } },
];
