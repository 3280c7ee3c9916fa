// A widget's encodings → a Vega-Lite specification in the colours of the theme.
import { isNull } from "./elements.js";

const KINDS = { quantitative: "quantitative", temporal: "temporal", categorical: "nominal" };
// Axis labels: 2,500 and 26.5M, not 2.5k.
export const NUMBER =
  "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '~r') + 'M' : format(datum.value, abs(datum.value) >= 1e3 ? ',.0f' : '.4~g')";
// What we add to rows: the parts of folded fields, and the text of each channel.
const SERIES = "series", VALUE = "value", ORDER = "__order", TEXT = "__text_";

const last = /^(invalid|not known|outside|unknown|none)/i;
/** How people would order labels: numbers by size, "under 18" before "18-25", what is unknown last. */
export function byLabel(a, b) {
  const rank = (text) => (last.test(text) ? 2 : /^under/i.test(text) ? 0 : 1);
  return rank(a) - rank(b) || String(a).localeCompare(String(b), "en", { numeric: true });
}

export function format(value, how = {}) {
  if (isNull(value)) return "–";
  if (typeof value !== "number") return String(value);
  const places = how.decimalPlaces?.places ?? 1;
  const percent = how.type === "number-percent";
  const text = new Intl.NumberFormat("en", {
    maximumFractionDigits: places,
    minimumFractionDigits: how.decimalPlaces?.type === "exact" ? places : 0,
  }).format(percent ? value * 100 : value);
  return percent ? `${text} %` : text;
}

/** The theme's colours; `paint` gives a colour as it is on this ground. */
export function theme() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  const dark = document.documentElement.dataset.theme === "dark";
  return {
    dark,
    paint: (hex) => dark ? lighter(hex) : hex,
    ink: get("--ink"),
    quiet: get("--quiet"),
    line: get("--line"),
    grid: get("--grid"),
    card: get("--card"),
    low: get("--heat-low"),
    high: get("--heat-high"),
    accent: get("--accent"),
  };
}

/** On a dark ground colours become lighter, so that all keep their contrast. */
function lighter(hex) {
  const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `#${
    parts.map((part) => Math.round(part + (255 - part) * 0.34).toString(16).padStart(2, "0")).join(
      "",
    )
  }`;
}

function config(colors) {
  return {
    font: 'system-ui, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif',
    view: { stroke: null },
    header: { labelColor: colors.ink, titleColor: colors.ink },
    axis: {
      labelColor: colors.quiet,
      titleColor: colors.quiet,
      titleFontWeight: "normal",
      labelFontSize: 11,
      titleFontSize: 11,
      gridColor: colors.grid,
      domainColor: colors.line,
      tickColor: colors.line,
      labelLimit: 150,
      titlePadding: 6,
    },
    legend: {
      orient: "top",
      labelColor: colors.quiet,
      titleColor: colors.quiet,
      labelFontSize: 11,
      titleFontSize: 11,
      labelLimit: 160,
      symbolSize: 90,
      offset: 6,
    },
  };
}

const escaped = (name) => name.replace(/[.[\]'"\\]/g, "\\$&");
const valuesOf = (data, field) =>
  [...new Set(data.map((row) => row[field]))].filter((value) => !isNull(value));
const yearOf = (dates) => {
  const years = [...new Set(dates.map((date) => date.slice(0, 4)))];
  return years.length === 1 ? years[0] : null;
};

/** Axis of dates as ordered categories: `dates` are ISO texts; first days of months are months. */
function dateAxis(dates, width) {
  const year = yearOf(dates), months = dates.every((date) => date.slice(8, 10) === "01");
  return {
    year: months ? null : year,
    axis: {
      labelExpr: `utcFormat(toDate(datum.value), '${months ? "%b %Y" : "%b %d"}')`,
      labelAngle: 0,
      labelOverlap: true,
      ticks: false,
      grid: false,
      values: thinned(dates, width, months ? 74 : 62),
    },
  };
}

/** So many of the values, evenly, that each has its pixels of the width. */
export function thinned(values, width, each) {
  const most = Math.max(2, Math.floor(width / each));
  if (values.length <= most) return values;
  const step = Math.ceil(values.length / most);
  return values.filter((_, i) => i % step === 0);
}

/** The specification, or null if there is nothing to draw. `width`: pixels of the chart. */
export function specification(spec, rows, palette, width) {
  const { widgetType: kind, encodings } = spec, colors = theme();
  const { axes, series, data } = readAxes(encodings, rows);
  const measured = Object.values(axes).filter((axis) => axis.kind === "quantitative");
  if (!data.some((row) => measured.some(({ field }) => !isNull(row[field])))) return null;
  // A line has a gap where a number is missing; other marks leave the row out.
  const drawn = kind === "line"
    ? data
    : data.filter((row) => measured.every(({ field }) => row[field] !== null));
  const chart = { axes, series, data: drawn, colors, palette, width };
  const encoding = {};
  for (const axis of [axes.x, axes.y].filter(Boolean)) {
    encoding[axis.channel] = {
      field: escaped(axis.field),
      title: axis.title,
      ...CHANNELS[axis.kind](axis, chart),
    };
  }
  encoding.color = colorOf(chart);
  const mark = MARKS[kind](encoding, chart);
  encoding.tooltip = Object.values(axes).map(({ channel, title }) => ({
    field: TEXT + channel,
    type: "nominal",
    title: title ?? "Value",
  }));
  const notes = (spec.annotations ?? []).flatMap((note) => annotation(note, colors, palette));
  if (encodings.label?.show) notes.push(labels(encoding, colors));
  return {
    ...base(colors),
    data: { values: drawn.map((row) => ({ ...row, ...texts(row, axes) })) },
    ...(notes.length ? { layer: [{ mark, encoding }, ...notes] } : { mark, encoding }),
  };
}

const titleOf = (encoding) => encoding.displayName ?? encoding.fieldName;

/** What axes and colour show. Several fields on one axis become series: a row for each field. */
function readAxes(encodings, rows) {
  const folded = ["x", "y"].find((channel) => encodings[channel]?.fields);
  const fields = encodings[folded]?.fields;
  const folds = folded && {
    [folded]: { field: VALUE, kind: "quantitative" },
    color: { field: SERIES, kind: "nominal", title: "Series" },
  };
  const axes = {};
  for (const channel of ["x", "y", "color"]) {
    const given = encodings[channel] ?? {};
    const axis = {
      channel,
      given,
      field: given.fieldName,
      kind: KINDS[given.scale?.type] ?? "nominal",
      title: titleOf(given) ?? null,
      ...folds?.[channel],
    };
    if (axis.field) axes[channel] = axis;
  }
  if (!folded) return { axes, data: rows };
  const data = rows.flatMap((row) =>
    fields.map((field, i) => ({
      ...row,
      [SERIES]: titleOf(field),
      [VALUE]: row[field.fieldName],
      [ORDER]: i,
    }))
  );
  return { axes, data, series: fields.map(titleOf) };
}

const CHANNELS = { quantitative, temporal, nominal };

function quantitative({ field, given }, { data }) {
  const percent = given.format?.type === "number-percent";
  const numbers = valuesOf(data, field);
  // Of a few months or members there are no halves.
  const few = !percent && numbers.every((number) => [0, 1, 2, 3, 4, 5].includes(number));
  return {
    type: "quantitative",
    axis: {
      grid: true,
      domain: false,
      ticks: false,
      tickCount: few ? Math.max(1, ...numbers) : 5,
      labelPadding: 4,
      ...(percent ? { format: "~%" } : { labelExpr: NUMBER }),
    },
  };
}

function temporal({ field, title }, { data, width }) {
  const dates = valuesOf(data, field).sort();
  const { axis, year } = dateAxis(dates, width);
  return { type: "ordinal", axis, sort: dates, title: year ? `${title}, ${year}` : title };
}

function nominal({ channel, field, given }, { data }) {
  const { by, orderedValues } = given.scale?.sort ?? {};
  const ordered = by === "custom-order" ? orderedValues : [];
  const others = valuesOf(data, field).filter((value) => !ordered.includes(value)).sort(byLabel);
  return {
    type: "nominal",
    sort: [...ordered, ...others],
    // Along the x axis words stand below one another, so that they need no slant.
    ...(channel === "y" ? { title: null } : {}),
    axis: {
      labelAngle: 0,
      ticks: false,
      domain: channel === "x",
      labelPadding: 5,
      ...(channel === "x" ? { labelExpr: "split(datum.label, ' ')", labelOverlap: true } : {}),
    },
  };
}

/** Each series has its colour, the definition's or the palette's next; one alone has the first. */
function colorOf({ axes, series, data, colors, palette, width }) {
  if (!hasSeries(axes)) return { value: colors.paint(palette[0]) };
  const { field, given } = axes.color;
  const domain = series ?? valuesOf(data, field).sort(byLabel);
  const mapped = Object.fromEntries(
    (given.scale?.mappings ?? []).map(({ value, color }) => [value, color]),
  );
  return {
    field: escaped(field),
    type: "nominal",
    title: null,
    sort: domain,
    scale: {
      domain,
      range: domain.map((value, i) => colors.paint(mapped[value] ?? palette[i % palette.length])),
    },
    legend: { columns: width < 460 ? 2 : undefined },
  };
}

const hasSeries = (axes) => axes.color?.kind === "nominal";

// Each gives its mark, and to the channels what only this mark needs of them.
const MARKS = { line, scatter, heatmap, bar };

function line() {
  return { type: "line", strokeWidth: 2, point: { filled: true, size: 40, opacity: 1 } };
}

function scatter({ x, y }, { colors }) {
  for (const channel of [x, y]) {
    if (channel?.type === "quantitative") channel.scale = { zero: true, nice: true };
  }
  return {
    type: "point",
    filled: true,
    size: 70,
    opacity: 0.85,
    stroke: colors.card,
    strokeWidth: 1,
  };
}

function heatmap(encoding, { axes, data, colors, width }) {
  encoding.color = {
    field: escaped(axes.color.field),
    type: "quantitative",
    title: axes.color.title,
    scale: { range: [colors.low, colors.high], zero: true },
    legend: { gradientLength: Math.min(180, width / 2), tickCount: 4, labelExpr: NUMBER },
  };
  for (const { channel, field, given } of [axes.x, axes.y]) {
    const order = given.scale?.sort?.orderedValues ?? valuesOf(data, field).sort(byLabel);
    const domain = withoutGaps(order);
    Object.assign(encoding[channel], { scale: { domain }, sort: domain });
    Object.assign(encoding[channel].axis, { domain: false, labelAngle: 0, labelOverlap: true });
  }
  return { type: "rect", cornerRadius: 2, stroke: colors.card, strokeWidth: 1.5 };
}

/** Numbers with those between them: an hour without rows keeps its place. */
function withoutGaps(values) {
  if (!values.every((value) => typeof value === "number")) return values;
  const least = Math.min(...values);
  return Array.from({ length: Math.max(...values) - least + 1 }, (_, i) => least + i);
}

function bar(encoding, { axes, series, colors }) {
  const horizontal = axes.x?.kind === "quantitative" && axes.y && axes.y.kind !== "quantitative";
  const [band, length, thickness, most] = horizontal
    ? ["y", "x", "height", 26]
    : ["x", "y", "width", 64];
  const stacked = hasSeries(axes);
  encoding[band].scale = { paddingInner: 0.14, paddingOuter: 0.1 };
  encoding[length].stack = stacked ? "zero" : null;
  if (stacked) {
    encoding.order = series
      ? { field: ORDER, type: "quantitative" }
      : { field: encoding.color.field, sort: "ascending" };
  }
  return {
    type: "bar",
    cornerRadiusEnd: stacked ? 0 : 2,
    [thickness]: { expr: `min(${most}, bandwidth('${band}') * 0.86)` },
    ...(stacked ? { stroke: colors.card, strokeWidth: 1 } : {}),
  };
}

/** What tooltips and labels say: as the table beside would, not in a format of the library. */
function texts(row, axes) {
  return Object.fromEntries(
    Object.values(axes).map(({ channel, kind, field, given }) => {
      const how = given.format ??
        given.fields?.find((each) => titleOf(each) === row[SERIES])?.format;
      const value = row[field];
      return [
        TEXT + channel,
        kind === "temporal" ? String(value).slice(0, 10) : format(value, how),
      ];
    }),
  );
}

/** The number beside each bar. */
function labels(encoding, colors) {
  return {
    mark: { type: "text", align: "left", dx: 5, fontSize: 11, color: colors.ink },
    encoding: { x: encoding.x, y: encoding.y, text: { field: `${TEXT}x` } },
  };
}

const ground = (colors) => ({
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: null,
  config: config(colors),
});

/** What every specification has that fills its box. */
export const base = (colors) => ({
  ...ground(colors),
  width: "container",
  height: "container",
  autosize: { type: "fit", contains: "padding" },
});

/** A vertical line with its label above the chart. */
function annotation({ encodings }, colors, palette) {
  const at = { x: { datum: Number(encodings.x.dataValue), type: "quantitative" } };
  const color = colors.paint(palette[encodings.color.value.position]);
  return [
    {
      data: { values: [{}] },
      mark: { type: "rule", strokeWidth: 1.5, strokeDash: [6, 4], color },
      encoding: at,
    },
    {
      data: { values: [{}] },
      mark: {
        type: "text",
        align: "center",
        baseline: "bottom",
        dy: -3,
        color: colors.ink,
        fontSize: 11,
        fontWeight: 600,
      },
      encoding: { ...at, y: { value: 0 }, text: { value: encodings.label.value } },
    },
  ];
}

/** Colours anywhere in a specification, as they are on this ground. */
function painted(value, paint) {
  if (typeof value === "string") return /^#[0-9a-f]{6}$/i.test(value) ? paint(value) : value;
  if (Array.isArray(value)) return value.map((each) => painted(each, paint));
  if (value && typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, painted(each, paint)]),
    );
  }
  return value;
}

/** A custom visualization: its own Vega-Lite, with the names that AI/BI gives it. */
export function custom(vegaLite, rows, palette, size) {
  const colors = theme(), { paint } = colors;
  const spec = painted(vegaLite, paint);
  const text = (name) => ({ default: colors[name] });
  const params = [
    { name: "mode", value: colors.dark ? "dark" : "light" },
    {
      name: "colors",
      value: {
        textPrimary: text("ink"),
        textSecondary: text("quiet"),
        gridColor: colors.grid,
        markHighlightColor: colors.accent,
      },
    },
    { name: "dashboardTheme", value: { visualizationColors: palette.map(paint) } },
  ];
  return {
    // Panels have sizes, the whole has none.
    ...(spec.facet ? ground : base)(colors),
    ...spec,
    ...(spec.facet ? smallMultiples(spec, rows, size) : {}),
    // Errors alone: of a field without a number in some panel, which is no fault, Vega would warn.
    usermeta: { embedOptions: { logLevel: 1 } },
    data: { values: rows },
    params: [...params, ...(spec.params ?? [])],
    config: { ...config(colors), ...spec.config },
  };
}

const LEAST_PANEL = 165;
const panelsOf = ({ facet }, rows) => new Set(rows.map((row) => row[facet.field])).size;

/** The sizes of panels that fill the box together. */
function smallMultiples(spec, rows, { width, height }) {
  const panels = panelsOf(spec, rows);
  const columns = Math.max(
    1,
    Math.min(panels, spec.columns ?? panels, Math.floor(width / LEAST_PANEL)),
  );
  const lines = Math.ceil(panels / columns);
  const legend = JSON.stringify(spec.spec).includes('"legend"') ? 34 : 0;
  // Each panel has an axis of its own, or the first of a line has it.
  const own = spec.resolve?.scale?.y === "independent";
  return {
    columns,
    spacing: { row: 16, column: 16 },
    spec: {
      ...spec.spec,
      width: own ? Math.floor(width / columns) - 48 : Math.floor((width - 50) / columns) - 20,
      height: Math.max(70, Math.floor((height - legend) / lines) - 56),
    },
  };
}

/** How high a custom visualization is in a narrow window: small multiples need more. */
export function narrowHeight(vegaLite, rows, width) {
  if (!vegaLite.facet) return 300;
  const columns = Math.max(1, Math.floor(width / LEAST_PANEL));
  return Math.ceil(panelsOf(vegaLite, rows) / columns) * LEAST_PANEL + 40;
}

/** A colour of a ramp between two, for a number between two. */
export function ramp({ colorRamp, domain }, value) {
  const { start, end } = colorRamp.colors;
  const share = Math.max(0, Math.min(1, (value - domain.min) / (domain.max - domain.min)));
  const part = (hex, i) => parseInt(hex.slice(i, i + 2), 16);
  const mixed = [1, 3, 5].map((i) =>
    Math.round(part(start, i) + (part(end, i) - part(start, i)) * share)
  );
  return {
    background: `rgb(${mixed})`,
    ink: 0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2] > 140 ? "#14202a" : "#fff",
  };
}

/** A line of numbers, as an SVG of its own: the text beside it says the number. */
export function sparkline(values, color, width = 220, height = 44) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return null;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (i) => 3 + i / (values.length - 1) * (width - 8),
    y = (value) => height - 4 - (high > low ? (value - low) / (high - low) : 0.5) * (height - 8);
  const points = values.map((value, i) => (value === null ? null : [x(i), y(value)])).filter(
    Boolean,
  );
  const name = "http://www.w3.org/2000/svg";
  const make = (tag, attributes) => {
    const made = document.createElementNS(name, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const svg = make("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "sparkline",
    "aria-hidden": "true",
    preserveAspectRatio: "none",
  });
  svg.append(
    make("path", {
      d: `M${points[0][0]},${height} L${
        points.map((point) => point.map((each) => each.toFixed(1))).join(" L")
      } L${points.at(-1)[0]},${height} Z`,
      fill: color,
      opacity: 0.12,
    }),
    make("path", {
      d: `M${points.map((point) => point.map((each) => each.toFixed(1))).join(" L")}`,
      fill: "none",
      stroke: color,
      "stroke-width": 2,
      "vector-effect": "non-scaling-stroke",
      "stroke-linejoin": "round",
    }),
  );
  return svg;
}
