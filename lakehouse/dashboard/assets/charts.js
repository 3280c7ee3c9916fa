// A widget's encodings → a Vega-Lite specification in the colours of the theme.
import { isNull } from "./elements.js";

const KINDS = { quantitative: "quantitative", temporal: "temporal", categorical: "nominal" };
// Axis labels: 2,500 and 26.5M, not 2.5k.
export const NUMBER =
  "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '~r') + 'M' : format(datum.value, abs(datum.value) >= 1e3 ? ',.0f' : '.4~g')";
const SERIES = "series", VALUE = "value";

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
  const colors = theme(), kind = spec.widgetType, given = spec.encodings;
  const { paint } = colors;
  let data = rows;
  const encoding = {};
  const folded = ["x", "y"].find((axis) => given[axis]?.fields);
  const axes = {};
  for (const axis of ["x", "y", "color"]) {
    if (given[axis]?.fieldName) {
      axes[axis] = {
        field: given[axis].fieldName,
        kind: KINDS[given[axis].scale?.type] ?? "nominal",
        title: given[axis].displayName ?? given[axis].fieldName,
        given: given[axis],
      };
    }
  }
  const mappings = {};
  let seriesOrder = null;
  if (folded) {
    const fields = given[folded].fields;
    data = rows.flatMap((row) =>
      fields.map((field, i) => ({
        ...row,
        [SERIES]: field.displayName ?? field.fieldName,
        [VALUE]: row[field.fieldName],
        __order: i,
      }))
    );
    seriesOrder = fields.map((field) => field.displayName ?? field.fieldName);
    axes[folded] = {
      field: VALUE,
      kind: "quantitative",
      title: given[folded].displayName ?? null,
      given: given[folded],
    };
    axes.color = { field: SERIES, kind: "nominal", title: null, given: given.color ?? {} };
  }
  for (const mapping of axes.color?.given?.scale?.mappings ?? []) {
    mappings[mapping.value] = mapping.color;
  }
  const measured = ["x", "y", "color"].filter((axis) => axes[axis]?.kind === "quantitative");
  if (
    !data.some((row) => measured.some((axis) => !isNull(row[axes[axis].field])))
  ) return null;
  if (kind !== "line") {
    data = data.filter((row) => measured.every((axis) => row[axes[axis].field] !== null));
  }

  const valuesOf = (field) =>
    [...new Set(data.map((row) => row[field]))].filter((value) =>
      value !== null && value !== undefined
    );
  const horizontal = axes.x?.kind === "quantitative" && axes.y && axes.y.kind !== "quantitative";
  const percent = (axis) => axes[axis]?.given?.format?.type === "number-percent";

  for (const axis of ["x", "y"]) {
    const it = axes[axis];
    if (!it) continue;
    const channel = { field: escaped(it.field), title: it.title };
    if (it.kind === "quantitative") {
      channel.type = "quantitative";
      channel.axis = {
        grid: true,
        domain: false,
        ticks: false,
        tickCount: 5,
        labelPadding: 4,
        ...(percent(axis) ? { format: "~%" } : { labelExpr: NUMBER }),
      };
      if (kind === "scatter") channel.scale = { zero: true, nice: true };
    } else if (it.kind === "temporal") {
      const dates = valuesOf(it.field).sort();
      const { axis: settings, year } = dateAxis(dates, width);
      channel.type = "ordinal";
      channel.axis = settings;
      channel.sort = dates;
      channel.title = year ? `${it.title}, ${year}` : it.title;
    } else {
      channel.type = "nominal";
      const sort = it.given.scale?.sort;
      const values = valuesOf(it.field);
      if (sort?.by === "custom-order") {
        channel.sort = [
          ...sort.orderedValues,
          ...values.filter((value) => !sort.orderedValues.includes(value)).sort(byLabel),
        ];
      } else channel.sort = values.sort(byLabel);
      // Along the x axis words stand below one another, so that they need no slant.
      if (axis === "y") channel.title = null;
      channel.axis = {
        labelAngle: 0,
        ticks: false,
        domain: axis === "x",
        labelPadding: 5,
        ...(axis === "x" ? { labelExpr: "split(datum.label, ' ')", labelOverlap: true } : {}),
      };
    }
    encoding[axis] = channel;
  }

  let mark;
  const values = axes.color ? (seriesOrder ?? valuesOf(axes.color.field)) : [];
  if (axes.color && axes.color.kind === "nominal") {
    const domain = seriesOrder ?? values.sort(byLabel);
    encoding.color = {
      field: escaped(axes.color.field),
      type: "nominal",
      title: null,
      sort: domain,
      scale: {
        domain,
        range: domain.map((value, i) => paint(mappings[value] ?? palette[i % palette.length])),
      },
      legend: { columns: width < 460 ? 2 : undefined },
    };
  }
  if (kind === "line") {
    mark = { type: kind, strokeWidth: 2, point: { filled: true, size: 40, opacity: 1 } };
    if (!encoding.color) encoding.color = { value: paint(palette[0]) };
  } else if (kind === "scatter") {
    mark = {
      type: "point",
      filled: true,
      size: 70,
      opacity: 0.85,
      stroke: colors.card,
      strokeWidth: 1,
    };
    if (!encoding.color) encoding.color = { value: paint(palette[0]) };
  } else if (kind === "heatmap") {
    mark = { type: "rect", cornerRadius: 2, stroke: colors.card, strokeWidth: 1.5 };
    encoding.color = {
      field: escaped(axes.color.field),
      type: "quantitative",
      title: axes.color.title,
      scale: { range: [colors.low, colors.high], zero: true },
      legend: { gradientLength: Math.min(180, width / 2), tickCount: 4, labelExpr: NUMBER },
    };
    for (const axis of ["x", "y"]) {
      const order = axes[axis].given.scale?.sort?.orderedValues ??
        valuesOf(axes[axis].field).sort(byLabel);
      const numbers = order.every((value) => typeof value === "number");
      const domain = numbers
        ? Array.from(
          { length: Math.max(...order) - Math.min(...order) + 1 },
          (_, i) => Math.min(...order) + i,
        )
        : order;
      encoding[axis].scale = { domain };
      encoding[axis].sort = domain;
      encoding[axis].axis = {
        ...encoding[axis].axis,
        domain: false,
        labelAngle: 0,
        labelOverlap: true,
      };
    }
  } else {
    const band = horizontal ? "y" : "x", length = encoding[horizontal ? "x" : "y"];
    mark = {
      type: "bar",
      cornerRadiusEnd: encoding.color ? 0 : 2,
      [horizontal ? "height" : "width"]: {
        expr: `min(${horizontal ? 26 : 64}, bandwidth('${band}') * 0.86)`,
      },
    };
    encoding[band].scale = { paddingInner: 0.14, paddingOuter: 0.1 };
    length.stack = null;
    if (encoding.color) {
      mark.stroke = colors.card;
      mark.strokeWidth = 1;
      length.stack = "zero";
      encoding.order = folded
        ? { field: "__order", type: "quantitative" }
        : { field: encoding.color.field, sort: "ascending" };
    }
    if (!encoding.color) encoding.color = { value: paint(palette[0]) };
  }
  encoding.tooltip = tooltips(axes, folded);
  if (encoding.tooltip.some((tip) => tip.field.startsWith("__text"))) {
    data = data.map((row) => ({ ...row, ...texts(row, axes, folded) }));
  }
  const notes = (spec.annotations ?? []).flatMap((note) => annotation(note, colors, palette));
  if (given.label?.show) {
    notes.push({
      mark: { type: "text", align: "left", dx: 5, fontSize: 11, color: colors.ink },
      encoding: { x: encoding.x, y: encoding.y, text: { field: "__text_x" } },
    });
  }
  return {
    ...base(colors),
    data: { values: data },
    ...(notes.length ? { layer: [{ mark, encoding }, ...notes] } : { mark, encoding }),
  };
}

/** What every specification has. */
export const base = (colors) => ({
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  width: "container",
  height: "container",
  background: null,
  autosize: { type: "fit", contains: "padding" },
  config: config(colors),
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

const LEAST_PANEL = 165;
/** A custom visualization: its own Vega-Lite, with the names that AI/BI gives it; small multiples fill the box. */
export function custom(vegaLite, rows, palette, { width, height }) {
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
  // Errors alone: of a field without a number in some panel, which is no fault, Vega would warn.
  const usermeta = { embedOptions: { logLevel: 1 } };
  const whole = {
    ...base(colors),
    ...spec,
    usermeta,
    data: { values: rows },
    params: [...params, ...(spec.params ?? [])],
    config: { ...config(colors), ...spec.config },
  };
  if (!spec.facet) return whole;
  const panels = new Set(rows.map((row) => row[spec.facet.field])).size;
  const columns = Math.max(
    1,
    Math.min(panels, spec.columns ?? panels, Math.floor(width / LEAST_PANEL)),
  );
  const lines = Math.ceil(panels / columns);
  const legend = JSON.stringify(spec.spec).includes('"legend"') ? 34 : 0;
  // Each panel has an axis of its own, or the first of a line has it.
  const own = spec.resolve?.scale?.y === "independent";
  const wide = own ? Math.floor(width / columns) - 48 : Math.floor((width - 50) / columns) - 20;
  delete whole.width;
  delete whole.height;
  delete whole.autosize;
  return {
    ...whole,
    columns,
    spacing: { row: 16, column: 16 },
    spec: {
      ...spec.spec,
      width: wide,
      height: Math.max(70, Math.floor((height - legend) / lines) - 50),
    },
  };
}

/** How high small multiples are in a narrow window. */
export function panelsHeight(vegaLite, rows, width) {
  if (!vegaLite.facet) return null;
  const panels = new Set(rows.map((row) => row[vegaLite.facet.field])).size;
  return Math.ceil(panels / Math.max(1, Math.floor(width / LEAST_PANEL))) * 165 + 40;
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

/** Tooltips show what the table beside would: texts made here, no formats of a library. */
function tooltips(axes, folded) {
  const shown = [];
  for (const axis of ["x", "y", "color"]) {
    if (!axes[axis]) continue;
    shown.push({
      field: `__text_${axis}`,
      type: "nominal",
      title: axis === "color" && folded ? "Series" : axes[axis].title ?? "Value",
    });
  }
  return shown;
}

function texts(row, axes, folded) {
  const made = {};
  for (const [axis, it] of Object.entries(axes)) {
    const how = it.given?.format ??
      (folded && axis === folded
        ? it.given.fields.find((field) => (field.displayName ?? field.fieldName) === row[SERIES])
          ?.format
        : undefined);
    made[`__text_${axis}`] = it.kind === "temporal"
      ? String(row[it.field]).slice(0, 10)
      : format(row[it.field], how);
  }
  return made;
}
