// A widget's encodings → a Vega-Lite specification in the colours of the theme.

const KINDS = { quantitative: "quantitative", temporal: "temporal", categorical: "nominal" };
// Axis labels: 2,500 and 26.5M, not 2.5k.
export const NUMBER = "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '~r') + 'M' : format(datum.value, abs(datum.value) >= 1e3 ? ',.0f' : '.4~g')";
const SERIES = "series", VALUE = "value";

const last = /^(invalid|not known|outside|unknown|none)/i;
/** How people would order labels: numbers by size, "under 18" before "18-25", what is unknown last. */
export function byLabel(a, b) {
  const rank = text => (last.test(text) ? 2 : /^under/i.test(text) ? 0 : 1);
  return rank(a) - rank(b) || String(a).localeCompare(String(b), "en", { numeric: true });
}

export function format(value, how = {}) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  const places = how.decimalPlaces?.places ?? 1;
  const percent = how.type === "number-percent";
  const text = new Intl.NumberFormat("en", {
    maximumFractionDigits: places, minimumFractionDigits: how.decimalPlaces?.type === "exact" ? places : 0,
  }).format(percent ? value * 100 : value);
  return percent ? `${text} %` : text;
}

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const get = name => style.getPropertyValue(name).trim();
  return {
    dark: document.documentElement.dataset.theme === "dark",
    ink: get("--ink"), quiet: get("--quiet"), line: get("--line"), grid: get("--grid"), card: get("--card"),
    low: get("--heat-low"), high: get("--heat-high"), accent: get("--accent"),
  };
}

/** On a dark ground colours become lighter, so that all keep their contrast. */
export function onGround(hex, dark) {
  if (!dark) return hex;
  const parts = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
  return `#${parts.map(part => Math.round(part + (255 - part) * 0.34).toString(16).padStart(2, "0")).join("")}`;
}

export function config(colors) {
  return {
    font: 'system-ui, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif',
    view: { stroke: null },
    axis: {
      labelColor: colors.quiet, titleColor: colors.quiet, titleFontWeight: "normal", labelFontSize: 11, titleFontSize: 11,
      gridColor: colors.grid, domainColor: colors.line, tickColor: colors.line, labelLimit: 150, titlePadding: 6,
    },
    legend: { orient: "top", labelColor: colors.quiet, titleColor: colors.quiet, labelFontSize: 11, titleFontSize: 11, labelLimit: 160, symbolSize: 90, offset: 6 },
  };
}

const escaped = name => name.replace(/[.[\]'"\\]/g, "\\$&");
const yearOf = dates => { const years = [...new Set(dates.map(date => date.slice(0, 4)))]; return years.length === 1 ? years[0] : null; };

/** Axis of dates as ordered categories: `dates` are ISO texts. */
export function dateAxis(dates, width) {
  const year = yearOf(dates);
  return {
    year,
    axis: {
      labelExpr: `utcFormat(toDate(datum.value), '${year ? "%b %d" : "%b %d, %Y"}')`,
      labelAngle: 0, labelOverlap: true, ticks: false, grid: false,
      values: thinned(dates, Math.max(2, Math.floor(width / (year ? 62 : 90)))),
    },
  };
}

function thinned(values, most) {
  if (values.length <= most) return values;
  const step = Math.ceil(values.length / most);
  return values.filter((_, i) => i % step === 0);
}

/** The specification, or null if there is nothing to draw. `width`: pixels of the chart. */
export function specification(spec, rows, palette, width) {
  const colors = theme(), kind = spec.widgetType, given = spec.encodings;
  const paint = hex => onGround(hex, colors.dark);
  let data = rows;
  const encoding = {};
  const folded = ["x", "y"].find(axis => given[axis]?.fields);
  const axes = {};
  for (const axis of ["x", "y", "color", "angle"]) {
    if (given[axis]?.fieldName) axes[axis] = { field: given[axis].fieldName, kind: KINDS[given[axis].scale?.type] ?? "nominal", title: given[axis].displayName ?? given[axis].fieldName, given: given[axis] };
  }
  let seriesOrder = null, mappings = {};
  if (folded) {
    const fields = given[folded].fields;
    data = rows.flatMap(row => fields.map((field, i) => ({ ...row, [SERIES]: field.displayName ?? field.fieldName, [VALUE]: row[field.fieldName], __order: i })));
    seriesOrder = fields.map(field => field.displayName ?? field.fieldName);
    axes[folded] = { field: VALUE, kind: "quantitative", title: given[folded].displayName ?? null, given: given[folded] };
    axes.color = { field: SERIES, kind: "nominal", title: null, given: given.color ?? {} };
  }
  for (const mapping of axes.color?.given?.scale?.mappings ?? []) mappings[mapping.value] = mapping.color;
  const measured = ["x", "y", "color", "angle"].filter(axis => axes[axis]?.kind === "quantitative");
  if (!data.some(row => measured.some(axis => row[axes[axis].field] !== null && row[axes[axis].field] !== undefined))) return null;
  if (kind !== "line") data = data.filter(row => measured.every(axis => row[axes[axis].field] !== null));

  const valuesOf = field => [...new Set(data.map(row => row[field]))].filter(value => value !== null && value !== undefined);
  const horizontal = axes.x?.kind === "quantitative" && axes.y && axes.y.kind !== "quantitative";
  const percent = axis => axes[axis]?.given?.format?.type === "number-percent" || spec.mark?.layout === "stack-100";

  for (const axis of ["x", "y"]) {
    const it = axes[axis];
    if (!it) continue;
    const channel = { field: escaped(it.field), title: it.title };
    if (it.kind === "quantitative") {
      channel.type = "quantitative";
      channel.axis = { grid: true, domain: false, ticks: false, tickCount: 5, labelPadding: 4, ...(percent(axis) ? { format: "~%" } : { labelExpr: NUMBER }) };
      if (kind === "scatter") channel.scale = { zero: false, nice: true, padding: 12 };
    } else if (it.kind === "temporal") {
      const dates = valuesOf(it.field).sort();
      if (kind === "line" && dates.length > 1) {
        const year = yearOf(dates);
        channel.type = "temporal"; channel.scale = { type: "utc" };
        channel.axis = { format: year ? "%b %d" : "%b %d, %Y", grid: false, labelOverlap: true, labelSeparation: 10, tickCount: Math.max(2, Math.min(dates.length, Math.floor(width / 70))) };
        channel.title = year ? `${it.title}, ${year}` : it.title;
      } else {
        const { axis: settings, year } = dateAxis(dates, width);
        channel.type = "ordinal"; channel.axis = settings; channel.sort = dates; channel.title = year ? `${it.title}, ${year}` : it.title;
      }
    } else {
      channel.type = "nominal";
      const sort = it.given.scale?.sort;
      const values = valuesOf(it.field);
      if (sort?.by === "custom-order") channel.sort = [...sort.orderedValues, ...values.filter(value => !sort.orderedValues.includes(value)).sort(byLabel)];
      else if (/^[xy]-reversed$/.test(sort?.by ?? "")) {
        const other = axes[axis === "y" ? "x" : "y"].field, sums = new Map();
        for (const row of data) if (!row.__order) sums.set(row[it.field], (sums.get(row[it.field]) ?? 0) + row[other]);
        channel.sort = values.sort((a, b) => sums.get(b) - sums.get(a) || byLabel(a, b));
      } else channel.sort = values.sort(byLabel);
      // Along the x axis words stand below one another, so that they need no slant.
      channel.axis = { labelAngle: 0, ticks: false, domain: axis === "x", labelPadding: 5, ...(axis === "x" ? { labelExpr: "split(datum.label, ' ')", labelOverlap: true } : {}) };
    }
    encoding[axis] = channel;
  }

  let mark;
  const values = axes.color ? (seriesOrder ?? valuesOf(axes.color.field)) : [];
  if (axes.color && axes.color.kind === "nominal") {
    const order = axes.color.given.scale?.sort?.orderedValues;
    const domain = seriesOrder ?? (order ? order.filter(value => values.includes(value)) : values.sort(byLabel));
    encoding.color = {
      field: escaped(axes.color.field), type: "nominal", title: null, sort: domain,
      scale: { domain, range: domain.map((value, i) => paint(mappings[value] ?? palette[i % palette.length])) },
      legend: { columns: width < 460 ? 2 : undefined },
    };
  }
  if (kind === "line" || kind === "area") {
    const few = valuesOf(axes.x.field).length <= 40;
    mark = { type: kind, strokeWidth: 2, point: { filled: true, size: few ? 36 : 60, opacity: few ? 1 : 0 } };
    if (encoding.color) encoding.strokeDash = { field: encoding.color.field, type: "nominal", sort: encoding.color.sort, scale: { domain: encoding.color.scale.domain, range: [[1, 0], [5, 3], [2, 2], [8, 3, 2, 3], [1, 3]] }, title: null };
    if (encoding.color) encoding.color.legend.symbolType = "stroke";
  } else if (kind === "scatter") {
    mark = { type: "point", filled: true, size: 70, opacity: 0.85, stroke: colors.card, strokeWidth: 1 };
    if (axes.color?.kind === "temporal") {
      data = data.map(row => ({ ...row, __time: Date.parse(row[axes.color.field]) }));
      const { year } = dateAxis(valuesOf(axes.color.field), width);
      encoding.color = { field: "__time", type: "quantitative", title: year ? `${axes.color.title}, ${year}` : axes.color.title, scale: { range: [colors.low, colors.high] }, legend: { labelExpr: "utcFormat(datum.value, '%b %d')", gradientLength: Math.min(180, width / 2), tickCount: 3 } };
      mark.stroke = colors.quiet; mark.strokeWidth = 0.6;
    } else if (!encoding.color) encoding.color = { value: paint(palette[0]) };
  } else if (kind === "heatmap") {
    mark = { type: "rect", cornerRadius: 2, stroke: colors.card, strokeWidth: 1.5 };
    encoding.color = { field: escaped(axes.color.field), type: "quantitative", title: axes.color.title, scale: { range: [colors.low, colors.high], zero: true }, legend: { gradientLength: Math.min(180, width / 2), tickCount: 4, labelExpr: NUMBER } };
    for (const axis of ["x", "y"]) {
      const order = axes[axis].given.scale?.sort?.orderedValues ?? valuesOf(axes[axis].field).sort(byLabel);
      const numbers = order.every(value => typeof value === "number");
      const domain = numbers ? Array.from({ length: Math.max(...order) - Math.min(...order) + 1 }, (_, i) => Math.min(...order) + i) : order;
      encoding[axis].scale = { domain }; encoding[axis].sort = domain; encoding[axis].axis = { ...encoding[axis].axis, domain: false, labelAngle: 0, labelOverlap: true };
    }
  } else if (kind === "pie") {
    mark = { type: "arc", innerRadius: { expr: "min(width,height)/4.2" }, padAngle: 0.012 };
    encoding.theta = { field: escaped(axes.angle.field), type: "quantitative", stack: true };
  } else {
    const band = horizontal ? "y" : "x", layout = spec.mark?.layout ?? "stack";
    const grouped = layout === "group" && encoding.color;
    if (grouped) encoding[`${band}Offset`] = { field: encoding.color.field, sort: encoding.color.sort, scale: { paddingInner: 0.05 } };
    const size = { expr: grouped ? `min(34, bandwidth('${band}Offset'))` : `min(64, bandwidth('${band}') * 0.86)` };
    mark = { type: "bar", cornerRadiusEnd: grouped || !encoding.color ? 2 : 0, [horizontal ? "height" : "width"]: size };
    encoding[band].scale = { paddingInner: grouped ? 0.28 : 0.14, paddingOuter: 0.1 };
    const length = encoding[horizontal ? "x" : "y"];
    if (encoding.color && !grouped) {
      mark.stroke = colors.card; mark.strokeWidth = 1;
      length.stack = layout === "stack-100" ? "normalize" : "zero";
      encoding.order = folded ? { field: "__order", type: "quantitative" } : { field: encoding.color.field, sort: "ascending" };
    } else length.stack = null;
    if (!encoding.color) encoding.color = { value: paint(palette[0]) };
  }
  encoding.tooltip = tooltips(axes, spec, folded);
  if (encoding.tooltip.some(tip => tip.field.startsWith("__text"))) data = data.map(row => ({ ...row, ...texts(row, axes, given, folded) }));
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    data: { values: data }, mark, encoding, width: "container", height: "container", background: null,
    autosize: { type: "fit", contains: "padding" }, config: config(colors),
  };
}

/** Tooltips show what the table beside would: texts made here, no formats of a library. */
function tooltips(axes, spec, folded) {
  const shown = [];
  for (const axis of ["x", "y", "color", "angle"]) {
    if (!axes[axis]) continue;
    shown.push({ field: `__text_${axis}`, type: "nominal", title: axis === "color" && folded ? "Series" : axes[axis].title ?? "Value" });
  }
  return shown;
}

function texts(row, axes, given, folded) {
  const made = {};
  for (const [axis, it] of Object.entries(axes)) {
    const how = it.given?.format ?? (folded && axis === folded ? it.given.fields.find(field => (field.displayName ?? field.fieldName) === row[SERIES])?.format : undefined);
    made[`__text_${axis}`] = it.kind === "temporal" ? String(row[it.field]).slice(0, 10) : format(row[it.field], how);
  }
  return made;
}
