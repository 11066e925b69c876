// What every page has: elements, the switch between dark and light, the data in the page.

/// element("p", {class: "x", onclick: f}, "text", child…)
export function element(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) e.setAttribute(key, value);
  }
  e.append(...children.filter((c) => c !== undefined));
  return e;
}

export function page_data() {
  try {
    return JSON.parse(document.getElementById("data").textContent);
  } catch (error) {
    document.body.append(element("p", { class: "broken" }, `This page was not written to its end: ${error.message}`));
    throw error;
  }
}

const dark_system = window.matchMedia("(prefers-color-scheme: dark)");
const is_dark = () => (document.documentElement.dataset.theme ?? (dark_system.matches ? "dark" : "light")) === "dark";

/// Follows the system until it is pressed; remembers what was pressed where the browser lets a file remember.
export function theme_button() {
  try {
    const kept = localStorage.getItem("rpsim-theme");
    if (kept) document.documentElement.dataset.theme = kept;
  } catch {
    // a browser that gives files no storage
  }
  const button = element("button", { title: "dark or light (d)", class: "theme", onclick: toggle });
  function name() {
    button.textContent = is_dark() ? "light" : "dark";
    button.setAttribute("aria-label", `switch to ${button.textContent} colours`);
  }
  function toggle() {
    document.documentElement.dataset.theme = is_dark() ? "light" : "dark";
    name();
    try {
      localStorage.setItem("rpsim-theme", document.documentElement.dataset.theme);
    } catch {
      // as above
    }
  }
  dark_system.addEventListener("change", name);
  name();
  return button;
}

/// The head of a page: what it is about, and to the right what the page can do.
export function page_head({ title, subtitle, facts, verdict }, tools) {
  return element(
    "header",
    {},
    element(
      "div",
      { class: "about" },
      element("h1", {}, title, ...(verdict ? [element("span", { class: `verdict ${verdict}` }, verdict)] : [])),
      element("p", { class: "purpose" }, subtitle ?? ""),
      element("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
    ),
    element("div", { class: "tools", role: "toolbar", "aria-label": "view" }, ...tools),
  );
}
