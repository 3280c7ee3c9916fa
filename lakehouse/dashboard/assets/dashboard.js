// The dashboard page: tabs, filters and widgets of the definition.
import {
  draw,
  element,
  empty,
  isNull,
  onResize,
  payload,
  table,
  tabs,
  themes,
} from "./elements.js";
import { Filters } from "./filters.js";
import { evaluate, OPERATORS, summarize, toRows } from "./query.js";
import {
  byLabel,
  custom,
  format,
  panelsHeight,
  ramp,
  sparkline,
  specification,
  theme,
} from "./charts.js";

const definition = payload("definition");
const data = Object.fromEntries(
  Object.entries(payload("data")).map(([name, columns]) => [name, toRows(columns)]),
);
const state = { page: null, drawn: new Map() };
const filters = new Filters(data, () => {
  remember();
  refresh();
});
const isFilter = (widget) => widget.spec?.widgetType.startsWith("filter-");
const narrow = matchMedia("(max-width: 760px)");
const widgets = [];

const shorter = (
  text,
) => (/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text) ? text.slice(0, 16) : text);
const monthOf = (date) =>
  new Date(`${date}T00:00:00Z`).toLocaleDateString("en", {
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
const words = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");

function textWidget(widget) {
  return element(
    "div",
    { class: "text" },
    ...widget.multilineTextboxSpec.lines.map((line) => {
      const heading = line.match(/^(#{1,3})\s+(.*)/);
      return heading ? element("h1", {}, heading[2]) : element("p", {}, line);
    }),
  );
}

/** "▲ 12 %" and the number it is compared with; percentages differ by points. */
function change(value, before, encoding) {
  if (isNull(before)) {
    return element("p", { class: "change" }, `Nothing to compare with (${encoding.displayName})`);
  }
  if (value === null) return null;
  const percent = encoding.format.type === "number-percent";
  const difference = percent
    ? (value - before) * 100
    : before
    ? (value - before) / Math.abs(before) * 100
    : null;
  const places = percent ? encoding.format.decimalPlaces.places : 0;
  const size = difference === null
    ? ""
    : `${format(Math.abs(difference), { decimalPlaces: { type: "exact", places } })} ${
      percent ? (Math.abs(difference).toFixed(places) === "1" ? "point" : "points") : "%"
    }`;
  const same = difference !== null && Number(Math.abs(difference).toFixed(places)) === 0;
  return element(
    "p",
    { class: "change" },
    element("strong", {}, same ? "= the same" : `${value > before ? "▲" : "▼"} ${size}`),
    ` against ${format(before, encoding.format)}, ${encoding.displayName}`,
  );
}

/** The colour of the first rule of a column that a value meets. */
function ruleColor(style, value) {
  if (typeof value !== "number") return null;
  const met = (style?.rules ?? []).find(({ condition }) =>
    OPERATORS[condition.operator](value, Number(condition.operand.value))
  );
  return met ? met.backgroundColor.hex : null;
}

/** A widget as {box, draw()}; `rows` is what it shows, for its table and for tests. */
function visual(widget) {
  const { spec } = widget, query = widget.queries[0].query, kind = spec.widgetType;
  const title = element("h2", {}, spec.frame.title);
  const note = element("p", { class: "note" });
  const head = element("header", {}, title);
  const shape = { counter: "counter", table: "tabled", pivot: "tabled" }[kind] ?? "charted";
  const box = element(
    "section",
    { class: `widget ${shape}`, "aria-label": spec.frame.title },
    head,
  );
  const made = { name: widget.name, box, page: widget.page, rows: [], total: null, busy: null };

  const result = () => {
    made.rows = summarize(query, filters.rows(query.datasetName));
    const missing = filters.missing(query.datasetName, filtersOf(widget.page));
    const notes = spec.frame.showDescription ? [spec.frame.description] : [];
    if (missing.length) notes.push(`Not filtered by ${missing.join(", ").toLowerCase()}.`);
    note.textContent = notes.join(" ");
    return made.rows;
  };
  const why =
    () => (data[query.datasetName]?.length
      ? "Not shown: it would tell of fewer than 5 members"
      : definition.needs[query.datasetName] ?? "No data yet");

  if (kind === "counter") {
    const { value, target, period } = spec.encodings;
    const shown = element("div", { class: "value" }),
      below = element("div", { class: "below" }),
      spark = element("div", { class: "spark" });
    box.append(shown, below, spark, note);
    made.draw = () => {
      const rows = result();
      // The number is of all periods; the line shows each.
      const fields = query.fields.filter((field) => field.name !== period?.fieldName);
      made.total = summarize({ ...query, fields }, filters.rows(query.datasetName))[0];
      const number = made.total[value.fieldName];
      shown.classList.toggle("nothing", number === null);
      shown.textContent = number === null ? why() : format(number, value.format);
      below.replaceChildren(
        ...[target && number !== null ? change(number, made.total[target.fieldName], target) : null]
          .filter(Boolean),
      );
      const series = period
        ? rows.filter((row) => row[value.fieldName] !== null && row[period.fieldName] !== null)
          .sort((a, b) => (a[period.fieldName] < b[period.fieldName] ? -1 : 1))
        : [];
      const line = sparkline(
        series.map((row) => row[value.fieldName]),
        theme().paint(definition.palette[0]),
      );
      spark.replaceChildren(...(line ? [line] : []));
    };
  } else if (kind === "table") {
    const place = element("div", { class: "place" });
    box.append(place, note);
    const columns = spec.encodings.columns.map((column) => ({
      title: column.displayName,
      value: (row) => row[column.fieldName],
      text: (
        row,
      ) => (row[column.fieldName] === null && column.format
        ? "–"
        : shorter(format(row[column.fieldName], column.format))),
      tint: (row) => {
        const color = ruleColor(column.style, row[column.fieldName]);
        return color && theme().paint(color);
      },
    }));
    made.draw = () => {
      const rows = [...result()].sort((a, b) =>
        byLabel(columns[0].value(a) ?? "", columns[0].value(b) ?? "") ||
        byLabel(columns[1].value(a) ?? "", columns[1].value(b) ?? "")
      );
      for (const [i, column] of columns.entries()) {
        column.number = Boolean(spec.encodings.columns[i].format);
      }
      place.replaceChildren(rows.length ? table(columns, rows) : empty(why()));
    };
  } else if (kind === "pivot") {
    const place = element("div", { class: "place" });
    box.append(place, note);
    made.draw = () => {
      const rows = result();
      place.replaceChildren(rows.length ? pivot(spec.encodings, rows) : empty(why()));
    };
  } else {
    const chart = element("div", { class: "chart" });
    let asTable = false, view = null;
    const toggle = element("button", {
      type: "button",
      class: "small-button",
      "aria-pressed": "false",
      onclick: () => {
        asTable = !asTable;
        toggle.setAttribute("aria-pressed", asTable);
        toggle.textContent = asTable ? "Chart" : "Table";
        toggle.setAttribute(
          "aria-label",
          `${spec.frame.title}: as ${asTable ? "a chart" : "a table"}`,
        );
        made.draw();
      },
    }, "Table");
    toggle.setAttribute("aria-label", `${spec.frame.title}: as a table`);
    head.append(toggle);
    box.append(chart, note);
    made.draw = () => {
      const rows = result();
      if (view) {
        view.finalize();
        view = null;
      }
      chart.style.cssText = "";
      if (asTable && rows.length) {
        const columns = tableColumns(spec, query, rows);
        const order = (
          a,
          b,
        ) => (typeof a === "number" && typeof b === "number" ? a - b : byLabel(a ?? "", b ?? ""));
        rows.sort((a, b) =>
          columns.map((column) => order(column.value(a), column.value(b))).find((each) => each) ?? 0
        );
        chart.replaceChildren(table(columns, rows));
        chart.style.overflow = "auto";
        return;
      }
      const width = chart.clientWidth || 500;
      if (spec.vegaLite) {
        box.style.height = narrow.matches
          ? `${(panelsHeight(spec.vegaLite, rows, width) ?? 300) + 40}px`
          : "";
      }
      const drawing = !rows.length
        ? null
        : spec.vegaLite
        ? custom(spec.vegaLite, rows, definition.palette, {
          width,
          height: chart.clientHeight || 260,
        })
        : specification(spec, rows, definition.palette, width);
      if (!drawing) {
        chart.className = "chart";
        chart.replaceChildren(empty(why()));
        return;
      }
      made.busy = draw(chart, drawing, `${spec.frame.title}. The button “Table” shows the numbers.`)
        .then((drawn) => {
          view = drawn;
          made.busy = null;
        });
    };
  }
  return made;
}

/** A table of rows by columns, its cells coloured by their numbers. */
function pivot({ rows: sides, columns: [across], cell }, rows) {
  const [measure] = cell.fields, scale = measure.style.backgroundColor.scale;
  const heads = Array.from(
    { length: Math.max(...rows.map((row) => row[across.fieldName])) + 1 },
    (_, i) => i,
  );
  const lines = new Map();
  for (const row of rows) {
    const key = JSON.stringify(sides.map((side) => row[side.fieldName]));
    if (!lines.has(key)) lines.set(key, { row, cells: new Map() });
    lines.get(key).cells.set(row[across.fieldName], row[measure.fieldName]);
  }
  const label = (value) => (/^\d{4}-\d\d-01$/.test(value) ? monthOf(value) : format(value));
  const body = [...lines.values()].sort((
    a,
    b,
  ) => (a.row[sides[0].fieldName] < b.row[sides[0].fieldName] ? -1 : 1)).map(({ row, cells }) =>
    element(
      "tr",
      {},
      ...sides.map((side, i) =>
        element(
          i ? "td" : "th",
          i ? { class: "number" } : { scope: "row" },
          label(row[side.fieldName]),
        )
      ),
      ...heads.map((head) => {
        const value = cells.get(head);
        if (isNull(value)) {
          return element("td", { class: "cell" }, value === null ? "–" : "");
        }
        const color = ramp(scale, value);
        return element("td", {
          class: "cell",
          style: `background:${color.background};color:${color.ink}`,
        }, format(value, measure.format));
      }),
    )
  );
  return element(
    "div",
    { class: "table", tabindex: 0, role: "group", "aria-label": "Table, scrolls" },
    element(
      "table",
      { class: "pivot" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...sides.map((side, i) =>
            element(
              "th",
              { scope: "col", rowspan: 2, class: i ? "number" : null },
              side.displayName,
            )
          ),
          element(
            "th",
            { scope: "colgroup", colspan: heads.length, class: "across" },
            across.displayName,
          ),
        ),
        element(
          "tr",
          {},
          ...heads.map((head) => element("th", { scope: "col", class: "cell" }, format(head))),
        ),
      ),
      element("tbody", {}, ...body),
    ),
  );
}

/** The columns of a chart's data, named as its axes are. */
function tableColumns({ encodings }, query, rows) {
  const named = new Map();
  const visit = (encoding) => {
    if (encoding.fieldName) named.set(encoding.fieldName, encoding);
    (encoding.fields ?? []).forEach(visit);
  };
  visit(encodings);
  Object.values(encodings).forEach(visit);
  return query.fields.map(({ name }) => ({
    title: named.get(name)?.displayName ?? words(name),
    number: rows.some((row) => typeof row[name] === "number"),
    value: (row) => row[name],
    text: (row) => shorter(format(row[name], named.get(name)?.format)),
  }));
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

function place(box, { x, y, width, height }) {
  box.style.gridColumn = `${x + 1} / span ${width}`;
  box.style.gridRow = `${y + 1} / span ${height}`;
  return box;
}

const globalFilters = definition.pages.filter((page) =>
  page.pageType === "PAGE_TYPE_GLOBAL_FILTERS"
).flatMap((page) => page.layout.map((item) => item.widget));
const canvases = definition.pages.filter((page) => page.pageType !== "PAGE_TYPE_GLOBAL_FILTERS");
const onPage = new Map();

function filtersOf(name) {
  return onPage.get(name) ?? new Set();
}

/** The bar of filters of a page: its own, and those of all pages that reach its data. */
function bar(controls) {
  return element(
    "form",
    {
      class: "filters",
      "aria-label": "Filters",
      onsubmit: (event) => event.preventDefault(),
    },
    ...controls,
    element(
      "button",
      { type: "button", class: "quiet-button", onclick: () => filters.reset() },
      "Reset filters",
    ),
  );
}

function build() {
  const main = document.querySelector("main");
  const shared = globalFilters.map((widget) => ({
    control: filters.control(widget),
    filter: filters.all.at(-1),
  }));
  const sharedBar = bar(shared.map(({ control }) => control));
  for (const page of canvases) {
    const grid = element("div", { class: "page" });
    const panel = element("div", {
      id: `page-${page.name}`,
      role: "tabpanel",
      "aria-labelledby": `tab-${page.name}`,
      hidden: true,
    });
    const top = element("div", { class: "top-of-page" });
    page.layout.filter(({ widget }) => !widget.spec).forEach(({ widget }) =>
      top.append(
        page.personal
          ? element("div", { class: "text" }, textWidget(widget).querySelector("h1"))
          : textWidget(widget),
      )
    );
    panel.append(top);
    main.append(panel);
    if (page.personal) {
      panel.append(pointer());
      continue;
    }
    const used = new Set(
      page.layout.flatMap(({ widget }) =>
        (widget.queries ?? []).map((query) => query.query.datasetName)
      ),
    );
    const applying = new Set(
      shared.filter(({ filter }) =>
        Object.keys(filter.columns).some((dataset) => used.has(dataset))
      ).map(({ filter }) => filter),
    );
    onPage.set(page.name, applying);
    const own = page.layout.filter(({ widget }) => isFilter(widget)).map(({ widget }) => {
      const control = filters.control(widget);
      applying.add(filters.all.at(-1));
      return control;
    });
    if (own.length) top.append(bar(own));
    if (![...used].some((name) => data[name]?.length)) {
      panel.append(
        element(
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
        ),
      );
    }
    const shown = page.layout.filter(({ widget }) => widget.spec && !isFilter(widget));
    const first = Math.min(...shown.map(({ position }) => position.y));
    for (const { widget, position } of shown) {
      const made = visual({ ...widget, page: page.name });
      made.box.id = `w-${widget.name}`;
      if (widget === shown[0].widget) made.box.classList.add("first");
      widgets.push(made);
      grid.append(place(made.box, { ...position, y: position.y - first }));
    }
    panel.append(grid);
  }
  const select = tabs(
    document.querySelector(".tabs"),
    canvases.map((page) => [page.name, page.displayName]),
    (name) => {
      state.page = name;
      for (const page of canvases) {
        document.getElementById(`page-${page.name}`).hidden = page.name !== name;
      }
      // The bar of all pages goes where the page is; those of its filters show that reach its data.
      if (shared.some(({ filter }) => filtersOf(name).has(filter))) {
        document.querySelector(
          `#page-${name} .top-of-page`,
        ).append(sharedBar);
      }
      for (const { control, filter } of shared) control.hidden = !filtersOf(name).has(filter);
      remember();
      refresh();
    },
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
