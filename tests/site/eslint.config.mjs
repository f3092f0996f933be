// What make lint asks of the scripts: eslint's recommended rules (they come with eslint).
import js from "@eslint/js";

const PAGE = [
  ...["addEventListener", "atob", "clearTimeout", "console", "document", "history", "innerHeight"],
  ...["innerWidth", "IntersectionObserver", "localStorage", "location", "matchMedia", "MathJax", "navigator"],
  ...["performance", "prompt", "requestAnimationFrame", "setTimeout", "URL", "URLSearchParams"],
  "window",
];
const NODE = ["__dirname", "console", "process", "require"];

const script = (names) => ({
  ecmaVersion: 2021, // what browsers of the last years read
  sourceType: "script",
  globals: Object.fromEntries(names.map((name) => [name, "readonly"])),
});

export default [
  { ignores: ["**/lab/weights/", "**/lab/digits/", "**/lab/stored/"] }, // data
  js.configs.recommended,
  { files: ["book/_static/**/*.js"], languageOptions: script(PAGE) },
  { files: ["tests/*.js", "benchmarks/*.js"], languageOptions: script(NODE) },
];
