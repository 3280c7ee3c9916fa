// The dashboard page: tabs, filters and widgets of the definition.
import { element, payload, themes, tabs, table, empty, draw } from "./elements.js";
import { Filters } from "./filters.js";
import { toRows, summarize } from "./query.js";
import { specification, format, byLabel } from "./charts.js";

const definition = payload("definition");
const data = Object.fromEntries(Object.entries(payload("data")).map(([name, columns]) => [name, toRows(columns)]));
const state = { page: null, drawn: new Map() };
const filters = new Filters(data, () => refresh());
const isFilter = widget => widget.spec?.widgetType.startsWith("filter-");
const widgets = [];

function small(count) {
  return count === 1 ? "1 group of fewer than 5 members is not shown." : `${count} groups of fewer than 5 members are not shown.`;
}

/** Times to the minute. */
const shorter = text => (/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text) ? text.slice(0, 16) : text);

function textWidget(widget) {
  return element("div", { class: "text" }, ...widget.multilineTextboxSpec.lines.map(line => {
    const heading = line.match(/^(#{1,3})\s+(.*)/);
    return heading ? element("h1", {}, heading[2]) : element("p", {}, line);
  }));
}

/** A widget as {box, draw()}; `rows` is what it shows, for its table and for tests. */
function visual(widget) {
  const { spec } = widget, query = widget.queries[0].query, kind = spec.widgetType;
  const title = element("h2", {}, spec.frame.title);
  const note = element("p", { class: "note" });
  const head = element("header", {}, title);
  const box = element("section", { class: `widget ${kind === "counter" ? "counter" : kind === "table" ? "tabled" : "charted"}`, "aria-label": spec.frame.title }, head);
  const made = { name: widget.name, box, page: widget.page, rows: [], busy: null };

  const result = () => {
    const { rows, hidden } = summarize(query, filters.rows(query.datasetName));
    made.rows = rows; made.hidden = hidden;
    const notes = [];
    if (spec.frame.showDescription && kind !== "counter") notes.push(spec.frame.description);
    if (hidden && kind !== "counter") notes.push(small(hidden));
    const missing = filters.missing(query.datasetName, filtersOf(widget.page));
    if (missing.length) notes.push(`Not filtered by ${missing.join(", ").toLowerCase()}.`);
    note.textContent = notes.join(" ");
    return rows.filter(row => !row.__hidden || kind === "line");
  };
  const nothing = () => (made.hidden
    ? empty("Fewer than 5 members")
    : empty(data[query.datasetName]?.length ? "Nothing for these filters" : "No data yet"));
  const columnsOf = () => (kind === "table" ? spec.encodings.columns.map(column => ({ field: column.fieldName, title: column.displayName, how: column.format })) : tableColumns(spec, query))
    .map(({ field, title: heading, how }) => ({
      title: heading, number: made.rows.some(row => typeof row[field] === "number"),
      value: row => row[field], text: row => (row[field] === null && row.__hidden ? "< 5 members" : shorter(format(row[field], how))),
    }));

  if (kind === "counter") {
    const value = element("div", { class: "value" });
    const metric = element("p", { class: "note metric" }, spec.frame.description ?? "");
    box.append(value, metric, note);
    made.draw = () => {
      result();
      const row = made.rows[0];
      const shown = row[spec.encodings.value.fieldName];
      const none = shown === null;
      value.classList.toggle("hidden-group", none);
      value.textContent = !none ? format(shown, spec.encodings.value.format)
        : made.hidden ? "Fewer than 5 members" : data[query.datasetName]?.length ? "Nothing for these filters" : "No data yet";
    };
  } else if (kind === "table") {
    const place = element("div", { style: "display:contents" });
    box.append(place, note);
    made.draw = () => {
      const rows = result();
      const first = spec.encodings.columns[0].fieldName;
      rows.sort((a, b) => byLabel(a[first] ?? "", b[first] ?? ""));
      place.replaceChildren(rows.length ? table(columnsOf(), rows) : nothing());
    };
  } else {
    const chart = element("div", { class: "chart" });
    let asTable = false, view = null;
    const toggle = element("button", { type: "button", class: "small-button", "aria-pressed": "false", onclick: () => {
      asTable = !asTable; toggle.setAttribute("aria-pressed", asTable); toggle.textContent = asTable ? "Chart" : "Table";
      toggle.setAttribute("aria-label", `${spec.frame.title}: as ${asTable ? "a chart" : "a table"}`); made.draw();
    } }, "Table");
    toggle.setAttribute("aria-label", `${spec.frame.title}: as a table`);
    head.append(toggle); box.append(chart, note);
    made.draw = () => {
      const rows = result();
      if (view) { view.finalize(); view = null; }
      const shown = rows.filter(row => !row.__hidden);
      if (asTable && shown.length) {
        const columns = columnsOf();
        shown.sort((a, b) => { for (const column of columns) { const x = column.value(a), y = column.value(b); if (x !== y && typeof x !== "object") return typeof x === "number" ? x - y : byLabel(x ?? "", y ?? ""); } return 0; });
        chart.replaceChildren(table(columns, shown)); chart.style.overflow = "auto"; return;
      }
      chart.style.overflow = "";
      const drawing = shown.length ? specification(spec, rows, definition.palette, chart.clientWidth || 500) : null;
      if (!drawing) { chart.className = "chart"; chart.replaceChildren(nothing()); chart.style.display = "flex"; return; }
      chart.style.display = "";
      made.busy = draw(chart, drawing, `${spec.frame.title}. The button “Table” shows the numbers.`).then(drawn => { view = drawn; made.busy = null; });
    };
  }
  return made;
}

/** The columns of a chart's data, named as its axes are. */
function tableColumns(spec, query) {
  const named = [];
  const visit = encoding => {
    if (!encoding || typeof encoding !== "object") return;
    if (encoding.fieldName) named.push({ field: encoding.fieldName, title: encoding.displayName ?? encoding.fieldName, how: encoding.format });
    (encoding.fields ?? []).forEach(visit);
  };
  const given = spec.encodings;
  const dimension = axis => given[axis]?.scale?.type !== "quantitative";
  [...["x", "y", "color", "angle"].filter(dimension), ...["x", "y", "color", "angle"].filter(axis => !dimension(axis))].forEach(axis => visit(given[axis]));
  return named.filter(({ field }) => query.fields.some(each => each.name === field));
}

function pointer(page) {
  return element("div", { class: "banner warn" },
    element("strong", {}, "One member's heart rate is personal data and is not in this file."),
    definition.membersFile
      ? element("p", {}, "The members asked for are in a file of their own: ", element("a", { href: encodeURI(definition.membersFile) }, definition.membersFile), ".")
      : element("p", {}, "Write a file of its own for the members you need: ", element("code", {}, "lakehouse dashboard --members ID…")),
    element("p", {}, "On Databricks this page shows the members that the row filter gives to the reader."));
}

function place(box, { x, y, width, height }) {
  box.style.gridColumn = `${x + 1} / span ${width}`; box.style.gridRow = `${y + 1} / span ${height}`;
  return box;
}

const globalFilters = definition.pages.filter(page => page.pageType === "PAGE_TYPE_GLOBAL_FILTERS").flatMap(page => page.layout.map(item => item.widget));
const canvases = definition.pages.filter(page => page.pageType !== "PAGE_TYPE_GLOBAL_FILTERS");
const bars = new Map();

function filtersOf(name) { return bars.get(name)?.filters ?? new Set(); }

function build() {
  const main = document.querySelector("main");
  const controls = globalFilters.map(widget => ({ widget, control: filters.control(widget), filter: filters.all.at(-1) }));
  const globalBar = controls.length ? element("form", { class: "filters", "aria-label": "Filters", onsubmit: event => event.preventDefault() }, ...controls.map(({ control }) => control), resetButton()) : null;
  if (globalBar) main.append(globalBar);
  for (const page of canvases) {
    const grid = element("div", { class: "page" });
    const panel = element("div", { id: `page-${page.name}`, role: "tabpanel", "aria-labelledby": `tab-${page.name}`, hidden: true });
    if (page.personal) {
      page.layout.filter(({ widget }) => !widget.spec).forEach(({ widget }) => panel.append(element("div", { class: "text", style: "margin-bottom:12px" }, element("h1", {}, textWidget(widget).querySelector("h1").textContent))));
      panel.append(pointer(page)); main.append(panel); bars.set(page.name, { filters: new Set(), global: false });
      continue;
    }
    const used = new Set(page.layout.flatMap(({ widget }) => (widget.queries ?? []).map(query => query.query.datasetName)));
    const own = page.layout.filter(({ widget }) => isFilter(widget));
    const applying = new Set(controls.filter(({ filter }) => Object.keys(filter.columns).some(dataset => used.has(dataset))).map(({ filter }) => filter));
    bars.set(page.name, { filters: applying, global: applying.size > 0 });
    const titles = page.layout.filter(({ widget }) => !widget.spec);
    titles.forEach(({ widget }) => panel.append(Object.assign(textWidget(widget), { style: "margin-bottom:12px" })));
    if (own.length) {
      const bar = element("form", { class: "filters", "aria-label": "Filters of this page", onsubmit: event => event.preventDefault() });
      own.forEach(({ widget }) => { bar.append(filters.control(widget)); bars.get(page.name).filters.add(filters.all.at(-1)); });
      bar.append(resetButton()); panel.append(bar);
    }
    const shown = page.layout.filter(({ widget }) => widget.spec && !isFilter(widget));
    const top = Math.min(...shown.map(({ position }) => position.y));
    for (const { widget, position } of shown) {
      const made = visual({ ...widget, page: page.name });
      made.box.id = `w-${widget.name}`;
      widgets.push(made);
      grid.append(place(made.box, { ...position, y: position.y - top }));
    }
    if (![...used].some(name => data[name]?.length)) {
      panel.prepend(element("div", { class: "banner" }, element("strong", {}, "Gold has no rows for this page yet."),
        element("p", {}, "Bring data in and build it, then write the page again: ", element("code", {}, "lakehouse ingest"), " · ", element("code", {}, "dbt build"), " · ", element("code", {}, "lakehouse dashboard"))));
    }
    panel.append(grid); main.append(panel);
  }
  const select = tabs(document.querySelector(".tabs"), canvases.map(page => [page.name, page.displayName]), name => {
    state.page = name;
    for (const page of canvases) document.getElementById(`page-${page.name}`).hidden = page.name !== name;
    if (globalBar) globalBar.hidden = !bars.get(name).global;
    if (globalBar) for (const { control, filter } of controls) control.hidden = !bars.get(name).filters.has(filter);
    history.replaceState(null, "", `#${name}`);
    refresh();
  });
  themes(document.getElementById("theme"), () => refresh(true));
  const wanted = canvases.findIndex(page => `#${page.name}` === location.hash);
  select(Math.max(0, wanted));
  let width = innerWidth, waiting = null;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; clearTimeout(waiting); waiting = setTimeout(() => refresh(true), 120); } });
}

function resetButton() {
  return element("button", { type: "button", class: "quiet-button", onclick: () => filters.reset() }, "Reset filters");
}

/** Draws the widgets of the page one sees, those that are not up to date. */
function refresh(all = false) {
  if (all) state.drawn.clear();
  for (const widget of widgets) {
    if (widget.page !== state.page || state.drawn.get(widget.name) === filters.version) continue;
    try { widget.draw(); } catch (error) { console.error(`${widget.name}: ${error}`); widget.box.append(element("p", { class: "note" }, String(error))); }
    state.drawn.set(widget.name, filters.version);
  }
  const active = filters.all.filter(filter => filter.test && filtersOf(state.page).has(filter)).map(filter => filter.title);
  document.getElementById("spoken").textContent = active.length ? `Filtered by ${active.join(", ")}` : "No filters";
  settle();
}

/** `data-ready` on the document once all charts one sees are drawn. */
function settle() {
  delete document.documentElement.dataset.ready;
  const version = filters.version, page = state.page;
  Promise.all(widgets.map(widget => widget.busy)).then(() => {
    if (version === filters.version && page === state.page) document.documentElement.dataset.ready = page;
  }).catch(error => console.error(String(error)));
}

build();
// What a widget shows, and hides; for tests and the curious.
window.dashboard = { rows: name => widgets.find(widget => widget.name === name).rows, hidden: name => widgets.find(widget => widget.name === name).hidden };
