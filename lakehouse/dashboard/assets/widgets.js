// The widgets of a page: a box each, and how it draws the rows of its query.
import { draw, element, empty, isNull, scrolling, table } from "./elements.js";
import { OPERATORS, summarize } from "./query.js";
import {
  byLabel,
  custom,
  format,
  narrowHeight,
  ramp,
  sparkline,
  specification,
  theme,
} from "./charts.js";

const narrow = matchMedia("(max-width: 760px)");
// By type, the class of the box and what fills it; each gives the function that draws. Else a chart.
const TYPES = {
  counter: ["counter", counter],
  table: ["tabled", rowsTable],
  pivot: ["tabled", pivot],
};

/**
 * A widget as {box, draw()}; `rows` is what it shows, for its table and for tests.
 * source: {palette, rows(dataset), missing(dataset, page), why(dataset)}.
 */
export function visual({ name, spec, queries: [{ query }] }, page, source) {
  const [shape, content] = TYPES[spec.widgetType] ?? ["charted", chart];
  const { title, description, showDescription } = spec.frame;
  const head = element("header", {}, element("h2", {}, title));
  const note = element("p", { class: "note" });
  const box = element(
    "section",
    { class: `widget ${shape}`, "aria-label": title, id: `w-${name}` },
    head,
  );
  const widget = { name, page, spec, query, source, box, head, rows: [], total: null, busy: null };
  widget.read = () => {
    const missing = source.missing(query.datasetName, page);
    const notes = showDescription ? [description] : [];
    if (missing.length) notes.push(`Not filtered by ${missing.join(", ").toLowerCase()}.`);
    note.textContent = notes.join(" ");
    widget.rows = summarize(query, source.rows(query.datasetName));
    return widget.rows;
  };
  widget.why = () => source.why(query.datasetName);
  widget.draw = content(widget);
  box.append(note);
  return widget;
}

/** A number, its change, and its line. */
function counter(widget) {
  const { spec, query, source } = widget, { value, target, period } = spec.encodings;
  const shown = element("div", { class: "value" }),
    below = element("div", { class: "below" }),
    spark = element("div", { class: "spark" });
  widget.box.append(shown, below, spark);
  return () => {
    const rows = widget.read();
    // The number is of all periods; the line shows each.
    const fields = query.fields.filter((field) => field.name !== period?.fieldName);
    [widget.total] = summarize({ ...query, fields }, source.rows(query.datasetName));
    const number = widget.total[value.fieldName], known = number !== null;
    shown.classList.toggle("nothing", !known);
    shown.textContent = known ? format(number, value.format) : widget.why();
    const compared = known && target && change(number, widget.total[target.fieldName], target);
    below.replaceChildren(...[compared].filter(Boolean));
    const line = period && sparkline(
      inOrder(rows, period.fieldName, value.fieldName),
      theme().paint(source.palette[0]),
    );
    spark.replaceChildren(...[line].filter(Boolean));
  };
}

/** The numbers of a field, the earliest period's first. */
function inOrder(rows, period, field) {
  return rows.filter((row) => row[field] !== null && row[period] !== null)
    .sort((a, b) => (a[period] < b[period] ? -1 : 1))
    .map((row) => row[field]);
}

/** "▲ 12 %" and the number it is compared with; percentages differ by points, as they are shown. */
function change(value, before, encoding) {
  if (isNull(before)) {
    return element("p", { class: "change" }, `Nothing to compare with (${encoding.displayName})`);
  }
  const percent = encoding.format.type === "number-percent";
  const places = percent ? encoding.format.decimalPlaces.places : 0;
  const arrow = value > before ? "▲" : "▼";
  const difference = percent
    ? Number((value * 100).toFixed(places)) - Number((before * 100).toFixed(places))
    : (value - before) / Math.abs(before) * 100;
  const size = Math.abs(difference), rounded = size.toFixed(places);
  let text = arrow;
  if (value === before || Number(rounded) === 0) text = "= the same";
  else if (before || percent) {
    const unit = percent ? (rounded === "1" ? "point" : "points") : "%";
    text = `${arrow} ${format(size, { decimalPlaces: { type: "exact", places } })} ${unit}`;
  }
  return element(
    "p",
    { class: "change" },
    element("strong", {}, text),
    ` against ${format(before, encoding.format)}, ${encoding.displayName}`,
  );
}

/** Draws what `content` makes of the rows, or why there are none. */
function inPlace(widget, content) {
  const place = element("div", { class: "place" });
  widget.box.append(place);
  return () => {
    const rows = widget.read();
    place.replaceChildren(rows.length ? content(rows) : empty(widget.why()));
  };
}

function rowsTable(widget) {
  const columns = widget.spec.encodings.columns.map((column) => {
    const { fieldName, displayName, format: how, style } = column;
    const tint = (row) => {
      const color = ruleColor(style, row[fieldName]);
      return color && theme().paint(color);
    };
    return columnOf(fieldName, displayName, how, Boolean(how), tint);
  });
  return inPlace(widget, (rows) => table(columns, sorted(rows, columns.slice(0, 2))));
}

const shorter = (text) => (
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text) ? text.slice(0, 16) : text
);

function columnOf(field, title, how, number, tint) {
  const value = (row) => row[field];
  return { title, number, value, text: (row) => shorter(format(value(row), how)), tint };
}

/** Rows in the order of the first column, then of the next. */
function sorted(rows, columns) {
  const order = (a, b) => (
    typeof a === "number" && typeof b === "number" ? a - b : byLabel(a ?? "", b ?? "")
  );
  return [...rows].sort((a, b) =>
    columns.map(({ value }) => order(value(a), value(b))).find(Boolean) ?? 0
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

/** A table of rows by columns, its cells coloured by their numbers. */
function pivot(widget) {
  const { rows: sides, columns: [across], cell: { fields: [measure] } } = widget.spec.encodings;
  return inPlace(widget, (rows) => {
    const most = Math.max(...rows.map((row) => row[across.fieldName]));
    const heads = Array.from({ length: most + 1 }, (_, i) => i);
    const lines = linesOf(rows, sides, across, measure).map(({ row, cells }) =>
      element(
        "tr",
        {},
        ...sides.map(({ fieldName }, i) => sideCell(row[fieldName], i)),
        ...heads.map((head) => shadedCell(cells.get(head), measure)),
      )
    );
    return scrolling(
      element(
        "table",
        { class: "pivot" },
        pivotHead(sides, across, heads),
        element("tbody", {}, ...lines),
      ),
    );
  });
}

/** The lines of a pivot by their first side: {row, cells: measure by column}. */
function linesOf(rows, sides, across, measure) {
  const lines = new Map();
  for (const row of rows) {
    const key = JSON.stringify(sides.map((side) => row[side.fieldName]));
    if (!lines.has(key)) lines.set(key, { row, cells: new Map() });
    lines.get(key).cells.set(row[across.fieldName], row[measure.fieldName]);
  }
  const first = ({ row }) => row[sides[0].fieldName];
  return [...lines.values()].sort((a, b) => (first(a) < first(b) ? -1 : 1));
}

function sideCell(value, i) {
  const text = /^\d{4}-\d\d-01$/.test(value) ? monthOf(value) : format(value);
  return i ? element("td", { class: "number" }, text) : element("th", { scope: "row" }, text);
}

const monthOf = (date) =>
  new Date(`${date}T00:00:00Z`).toLocaleDateString("en", {
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });

/** A dash is a number that may not be shown; an empty cell has no row. */
function shadedCell(value, { style, format: how }) {
  if (isNull(value)) return element("td", { class: "cell" }, value === null ? "–" : "");
  const { background, ink } = ramp(style.backgroundColor.scale, value);
  return element(
    "td",
    { class: "cell", style: `background:${background};color:${ink}` },
    format(value, how),
  );
}

function pivotHead(sides, across, heads) {
  const head = (attributes, text) => element("th", attributes, text);
  return element(
    "thead",
    {},
    element(
      "tr",
      {},
      ...sides.map((side, i) =>
        head({ scope: "col", rowspan: 2, class: i ? "number" : null }, side.displayName)
      ),
      head({ scope: "colgroup", colspan: heads.length, class: "across" }, across.displayName),
    ),
    element("tr", {}, ...heads.map((each) => head({ scope: "col", class: "cell" }, format(each)))),
  );
}

function chart(widget) {
  const { spec, query, box, head } = widget, { title } = spec.frame;
  const place = element("div", { class: "chart" });
  const button = tableButton(title, () => widget.draw());
  let view = null;
  head.append(button);
  box.append(place);
  return () => {
    const rows = widget.read();
    view?.finalize();
    view = null;
    place.style.cssText = "";
    if (button.ariaPressed === "true" && rows.length) {
      const columns = columnsOf(spec, query, rows);
      place.replaceChildren(table(columns, sorted(rows, columns)));
      place.style.overflow = "auto";
      return;
    }
    const drawing = drawingOf(widget, rows, place);
    if (!drawing) {
      place.className = "chart";
      place.replaceChildren(empty(widget.why()));
      return;
    }
    widget.busy = draw(place, drawing, `${title}. The button “Table” shows the numbers.`)
      .then((drawn) => {
        view = drawn;
        widget.busy = null;
      });
  };
}

/** Switches a chart to its numbers as a table, and back: it is pressed while they are shown. */
function tableButton(title, toggled) {
  const button = element("button", {
    type: "button",
    class: "small-button",
    onclick: () => {
      press(button.ariaPressed !== "true");
      toggled();
    },
  });
  const press = (asTable) => {
    button.ariaPressed = String(asTable);
    button.textContent = asTable ? "Chart" : "Table";
    button.setAttribute("aria-label", `${title}: as a ${asTable ? "chart" : "table"}`);
  };
  press(false);
  return button;
}

/** The specification of a chart, or null if there is nothing to draw. */
function drawingOf({ spec, box, source: { palette } }, rows, place) {
  const width = place.clientWidth || 500, { vegaLite } = spec;
  if (!vegaLite) return specification(spec, rows, palette, width);
  box.style.height = narrow.matches ? `${narrowHeight(vegaLite, rows, width) + 40}px` : "";
  const size = { width, height: place.clientHeight || 260 };
  return rows.length ? custom(vegaLite, rows, palette, size) : null;
}

/** The columns of a chart's data, named as its axes are. */
function columnsOf({ encodings }, query, rows) {
  const named = new Map();
  const visit = (encoding) => {
    if (encoding.fieldName) named.set(encoding.fieldName, encoding);
    (encoding.fields ?? []).forEach(visit);
  };
  visit(encodings);
  Object.values(encodings).forEach(visit);
  return query.fields.map(({ name }) => {
    const { displayName = words(name), format: how } = named.get(name) ?? {};
    return columnOf(name, displayName, how, rows.some((row) => typeof row[name] === "number"));
  });
}

const words = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
