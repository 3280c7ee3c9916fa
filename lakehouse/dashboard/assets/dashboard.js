// The dashboard page: tabs, filters and widgets of the definition.
import { element, onResize, payload, tabs, themes } from "./elements.js";
import { evaluate, toRows } from "./query.js";
import { Filters } from "./filters.js";
import { visual } from "./widgets.js";

const definition = payload("definition");
const data = Object.fromEntries(
  Object.entries(payload("data")).map(([name, columns]) => [name, toRows(columns)]),
);
const state = { page: null, drawn: new Map() };
const filters = new Filters(data, () => {
  remember();
  refresh();
});
// What widgets draw from.
const source = {
  palette: definition.palette,
  rows: (dataset) => filters.rows(dataset),
  missing: (dataset, page) => filters.missing(dataset, filtersOf(page)),
  why: (dataset) =>
    data[dataset]?.length
      ? "Not shown: it would tell of fewer than 5 members"
      : definition.needs[dataset] ?? "No data yet",
};
const widgets = [];
const onPage = new Map();
const isGlobal = (page) => page.pageType === "PAGE_TYPE_GLOBAL_FILTERS";
const isFilter = (widget) => widget.spec?.widgetType.startsWith("filter-");
const canvases = definition.pages.filter((page) => !isGlobal(page));
const shared = definition.pages.filter(isGlobal)
  .flatMap((page) => page.layout.map(({ widget }) => controlled(widget)));
const sharedBar = filterBar(shared);

/** A filter with its control. */
function controlled(widget) {
  const control = filters.control(widget);
  return { control, filter: filters.all.at(-1) };
}

function filtersOf(name) {
  return onPage.get(name) ?? new Set();
}

/** The bar of filters of a page: its own, and those of all pages that reach its data. */
function filterBar(controls) {
  return element(
    "form",
    {
      class: "filters",
      "aria-label": "Filters",
      onsubmit: (event) => event.preventDefault(),
    },
    ...controls.map(({ control }) => control),
    element(
      "button",
      { type: "button", class: "quiet-button", onclick: () => filters.reset() },
      "Reset filters",
    ),
  );
}

function build() {
  document.querySelector("main").append(...canvases.map(panelOf));
  const select = tabs(
    document.querySelector(".tabs"),
    canvases.map((page) => [page.name, page.displayName]),
    show,
  );
  themes(document.getElementById("theme"), () => refresh(true));
  const open = () => {
    const [name, query] = location.hash.slice(1).split("?");
    filters.query = query ?? "";
    select(Math.max(0, canvases.findIndex((page) => page.name === name)));
  };
  open();
  addEventListener("hashchange", open);
  onResize(() => refresh(true));
}

/** A page: its words and filters above its widgets. */
function panelOf(page) {
  const top = element("div", { class: "top-of-page" }, ...textsOf(page));
  const panel = element(
    "div",
    {
      id: `page-${page.name}`,
      role: "tabpanel",
      "aria-labelledby": `tab-${page.name}`,
      hidden: true,
    },
    top,
  );
  if (page.personal) {
    panel.append(pointer());
    return panel;
  }
  const datasets = page.layout.flatMap(({ widget }) =>
    (widget.queries ?? []).map(({ query }) => query.datasetName)
  );
  const reaching = shared.filter(({ filter }) => datasets.some((name) => filter.columns[name]));
  const own = page.layout.filter(({ widget }) => isFilter(widget))
    .map(({ widget }) => controlled(widget));
  onPage.set(page.name, new Set([...reaching, ...own].map(({ filter }) => filter)));
  if (own.length) top.append(filterBar(own));
  if (!datasets.some((name) => data[name]?.length)) panel.append(nothingYet(page));
  panel.append(gridOf(page));
  return panel;
}

/** The texts of a page; of one that only points to the members' file, the headings. */
function textsOf(page) {
  return page.layout.filter(({ widget }) => !widget.spec).map(({ widget }) => {
    const lines = widget.multilineTextboxSpec.lines.map((line) => {
      const heading = line.match(/^(#{1,3})\s+(.*)/);
      return heading ? element("h1", {}, heading[2]) : element("p", {}, line);
    });
    const headings = lines.filter((line) => line.tagName === "H1");
    return element("div", { class: "text" }, ...(page.personal ? headings.slice(0, 1) : lines));
  });
}

function pointer() {
  return element(
    "div",
    { class: "banner warn" },
    element("strong", {}, "One member's heart rate is personal data and is not in this file."),
    definition.membersFile
      ? element(
        "p",
        {},
        "The members asked for are in a file of their own: ",
        element("a", { href: encodeURI(definition.membersFile) }, definition.membersFile),
        ".",
      )
      : element(
        "p",
        {},
        "Write a file of its own for the members you need: ",
        element("code", {}, "lakehouse dashboard --members ID…"),
      ),
    element(
      "p",
      {},
      "On Databricks this page shows the members that the row filter gives to the reader.",
    ),
  );
}

function nothingYet(page) {
  return element(
    "div",
    { class: "banner" },
    element("strong", {}, "There is nothing to show here yet."),
    element("p", {}, definition.needs[page.name] ?? ""),
    element(
      "p",
      {},
      "Bring data in and build it, then write the page again: ",
      element("code", {}, "lakehouse ingest"),
      " · ",
      element("code", {}, "dbt build"),
      " · ",
      element("code", {}, "lakehouse dashboard"),
      ". With invented members: ",
      element("code", {}, "lakehouse demo"),
      ".",
    ),
  );
}

/** The widgets of a page, in its grid: texts and filters stand above it. */
function gridOf(page) {
  const shown = page.layout.filter(({ widget }) => widget.spec && !isFilter(widget));
  const first = Math.min(...shown.map(({ position }) => position.y));
  const boxes = shown.map(({ widget, position: { x, y, width, height } }, i) => {
    const made = visual(widget, page.name, source);
    widgets.push(made);
    if (i === 0) made.box.classList.add("first");
    made.box.style.gridColumn = `${x + 1} / span ${width}`;
    made.box.style.gridRow = `${y - first + 1} / span ${height}`;
    return made.box;
  });
  return element("div", { class: "page" }, ...boxes);
}

function show(name) {
  state.page = name;
  for (const page of canvases) {
    document.getElementById(`page-${page.name}`).hidden = page.name !== name;
  }
  // The bar of all pages goes where the page is; those of its filters show that reach its data.
  const reaching = filtersOf(name);
  if (shared.some(({ filter }) => reaching.has(filter))) {
    document.querySelector(`#page-${name} .top-of-page`).append(sharedBar);
  }
  for (const { control, filter } of shared) control.hidden = !reaching.has(filter);
  remember();
  refresh();
}

/** The page one sees and what is chosen stand in the address. */
function remember() {
  const query = filters.query;
  history.replaceState(null, "", `#${state.page}${query ? `?${query}` : ""}`);
}

/** Draws the widgets of the page one sees, those that are not up to date. */
function refresh(all = false) {
  if (all) state.drawn.clear();
  for (const widget of widgets) {
    if (widget.page !== state.page || state.drawn.get(widget.name) === filters.version) continue;
    try {
      widget.draw();
    } catch (error) {
      console.error(`${widget.name}: ${error}`);
      widget.box.append(element("p", { class: "note" }, String(error)));
    }
    state.drawn.set(widget.name, filters.version);
  }
  const active = filters.all.filter((filter) =>
    filter.active() && filtersOf(state.page).has(filter)
  ).map((filter) => `${filter.title}: ${filter.chosen().join(", ")}`);
  document.getElementById("spoken").textContent = active.length
    ? `Filtered by ${active.join("; ")}`
    : "No filters";
  settle();
}

/** `data-ready` on the document once all charts one sees are drawn. */
function settle() {
  delete document.documentElement.dataset.ready;
  const version = filters.version, page = state.page;
  Promise.all(widgets.map((widget) => widget.busy)).then(() => {
    if (version === filters.version && page === state.page) {
      document.documentElement.dataset.ready = page;
    }
  }).catch((error) => console.error(String(error)));
}

build();
// What a widget shows, and a dataset's measure; for tests and the curious.
const found = (name) => widgets.find((widget) => widget.name === name);
globalThis.dashboard = {
  rows: (name) => found(name).rows,
  total: (name) => found(name).total,
  measure: (dataset, name) => evaluate(definition.measures[dataset][name], { rows: data[dataset] }),
};
