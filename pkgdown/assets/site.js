// What the pages do beyond Bootstrap: a table of contents, buttons that copy code, and the search. Nothing is fetched
// from elsewhere, and all of it works from a folder, too, without a server.

const create = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

// --- On this page

// pkgdown gives the id to the section around a heading, roxygen2 to an empty link before the heading of a method.
const idOf = (heading) => {
  if (heading.id) return heading.id;
  const section = heading.parentElement;
  const anchor = section.querySelector(":scope > a[id]");
  if (anchor && heading.tagName !== "H2") return anchor.id;
  return section.classList.contains("section") ? section.id : "";
};

const textOf = (heading) => {
  const copy = heading.cloneNode(true);
  copy.querySelectorAll(".anchor").forEach((anchor) => anchor.remove());
  return copy.textContent.trim().replace(/^Method (?=\w+\(\)$)/, "");
};

const contents = () => {
  const nav = document.getElementById("toc");
  if (!nav) return;
  const links = new Map();
  const list = create("ul", { className: "toc-list" });
  for (const heading of document.querySelectorAll("main h2, main h3")) {
    const id = heading.closest("dl, .dont-index") ? "" : idOf(heading);
    if (!id || heading.dataset.tocSkip !== undefined || links.has(id)) continue;
    const link = create("a", { href: `#${id}`, textContent: textOf(heading) });
    list.append(create("li", { className: `toc-${heading.tagName.toLowerCase()}` }, link));
    links.set(id, { heading, link });
  }
  if (links.size < 2) {
    nav.remove();
    return;
  }
  nav.append(list);

  // The last heading above the middle of the window is where one is.
  let current;
  const follow = () => {
    let found;
    for (const entry of links.values()) {
      if (entry.heading.getBoundingClientRect().top < window.innerHeight / 2) found = entry.link;
    }
    if (found === current) return;
    current?.removeAttribute("aria-current");
    found?.setAttribute("aria-current", "location");
    current = found;
    // Not scrollIntoView(), which would move the page, too.
    if (found) nav.scrollTop = found.offsetTop - nav.clientHeight / 2;
  };
  document.addEventListener("scroll", follow, { passive: true });
  follow();
};

// --- Copy

const copyButtons = () => {
  if (!navigator.clipboard) return; // a browser gives it to pages from https and localhost only
  for (const block of document.querySelectorAll("main div.sourceCode")) {
    const button = create("button", { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const lines = block.querySelector("pre").textContent.split("\n");
      await navigator.clipboard.writeText(lines.filter((line) => !line.startsWith("#>")).join("\n"));
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    block.prepend(button);
  }
};

// --- Search

const separator = /[^\p{L}\p{N}_.$]+/u;

// The index is a script, because a page that was opened as a file may not fetch another file.
let loading;
const load = (root) =>
  (loading ??= new Promise((resolve, reject) => {
    const script = create("script", { src: `${root}search.js`, onload: resolve, onerror: reject });
    document.head.append(script);
  }).then(() => window.searchIndex));

// All words must be there. Where one is in a heading, and whole, counts most; of pages, the reference most.
const score = (entry, words) => {
  const heading = (entry.what ?? "").toLowerCase(); // not all sections have one
  const what = `${heading} ${entry.id}`.toLowerCase();
  const whole = new Set(heading.split(separator));
  const above = `${entry.title} ${entry.previous_headings}`.toLowerCase();
  const text = `${entry.text} ${entry.code}`.toLowerCase();
  let sum = 0;
  for (const word of words) {
    const here = (whole.has(word) ? 15 : 0) + (what.includes(word) ? 10 : 0);
    const points = here + (above.includes(word) ? 3 : 0) + (text.includes(word) ? 1 : 0);
    if (points === 0) return 0;
    sum += points;
  }
  if (entry.path.includes("reference/")) sum *= 1.5;
  return entry.path.includes("articles/design") ? sum / 2 : sum;
};

const search = () => {
  const input = document.getElementById("search-input");
  if (!input) return;
  const root = input.dataset.searchIndex.replace(/search\.json$/, "");
  const found = create("ul", { id: "search-results", hidden: true });
  input.after(found);
  input.setAttribute("aria-label", "Search");
  input.setAttribute("aria-controls", found.id);
  input.closest("form").addEventListener("submit", (event) => {
    event.preventDefault();
    found.querySelector("a")?.click();
  });
  const show = (entries) => {
    found.replaceChildren(
      ...entries.map((entry) => {
        const place = [...new Set([entry.title, entry.previous_headings, entry.what])].filter(Boolean).join(" › ");
        const href = root + entry.path.replace(/^\//, "") + (entry.id ? `#${entry.id}` : "");
        return create("li", {}, create("a", { href, textContent: place }));
      }),
    );
    if (entries.length === 0) found.append(create("li", { className: "none", textContent: "Nothing found" }));
    found.hidden = false;
  };
  input.addEventListener("focus", () => load(root));
  input.addEventListener("input", async () => {
    const words = input.value.toLowerCase().split(separator).filter(Boolean);
    if (input.value.trim().length < 2) {
      found.hidden = true;
      return;
    }
    const index = await load(root);
    const scored = index.map((entry) => ({ entry, points: score(entry, words) })).filter((one) => one.points > 0);
    scored.sort((a, b) => b.points - a.points);
    show(scored.slice(0, 12).map((one) => one.entry));
  });
  document.addEventListener("click", (event) => {
    if (!input.closest("form").contains(event.target)) found.hidden = true;
  });
  input.closest("form").addEventListener("keydown", (event) => {
    const links = [...found.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "Escape") found.hidden = true;
    else if (event.key === "ArrowDown" && !found.hidden) links[Math.min(at + 1, links.length - 1)]?.focus();
    else if (event.key === "ArrowUp" && at > 0) links[at - 1].focus();
    else if (event.key === "ArrowUp" && at === 0) input.focus();
    else return;
    event.preventDefault();
  });
};

contents();
copyButtons();
search();
