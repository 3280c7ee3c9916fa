// A member's day: the heart-rate curve with its zones, workouts and visits, and what gold says of the day.
import {
  draw,
  element,
  empty,
  isNull,
  onResize,
  table,
  tabs,
  themes,
  unpacked,
} from "./elements.js";
import { base, byLabel, format, NUMBER, theme, thinned } from "./charts.js";

const ZONES = [
  { zone: "out_of_range", title: "Out of range", color: "#7F8EA0" },
  { zone: "fat_burn", title: "Fat burn", color: "#2F7FBF" },
  { zone: "cardio", title: "Cardio", color: "#C98400" },
  { zone: "peak", title: "Peak", color: "#A3195B" },
];
const BLUE = "#0072B2", ORANGE = "#D55E00", GREEN = "#009E73";
const DAY = 1440;
const one = { decimalPlaces: { type: "exact", places: 1 } };
const none = { decimalPlaces: { places: 0 } };

/** Steps of all days from their planes: see `pack` of the page's maker. */
function unpack(layout, buffer) {
  const planes = {};
  let at = 0;
  for (const { name, scale, bytes } of layout.planes) {
    const raw = bytes === 1
      ? new Uint8Array(buffer, at, layout.steps)
      : new Uint16Array(buffer, at, layout.steps);
    planes[name] = { raw, scale };
    at += layout.steps * bytes + (layout.steps * bytes) % 2;
  }
  const minutes = new Uint16Array(layout.steps);
  for (let i = 0, minute = 0; i < layout.steps; i++) {
    minute = (minute + planes.minute.raw[i]) % DAY;
    minutes[i] = minute;
  }
  return (start, count) =>
    Array.from({ length: count }, (_, k) => {
      const i = start + k, lowest = planes.lowest.raw[i] / planes.lowest.scale;
      return {
        minute: minutes[i],
        lowest,
        mean: lowest + planes.mean.raw[i] / planes.mean.scale,
        highest: lowest + planes.highest.raw[i] / planes.highest.scale,
      };
    });
}

const main = document.querySelector("main");
const about = JSON.parse(new TextDecoder().decode(await unpacked("about")));
const stepsOf = unpack(about.steps, await unpacked("curves"));
const state = { page: "day", member: about.members[0], day: null };
const busy = new Set();

const clock = (time) => (time ? time.slice(11, 16) : "–");
const moment = (time) => (time ? time.slice(0, 16) : "–");
const clip = (value, low, high) => Math.max(low, Math.min(high, value));

function panel(title, height, width, content) {
  return element(
    "section",
    { class: `widget ${height} ${width}`, "aria-label": title },
    element("header", {}, element("h2", {}, title)),
    ...content,
  );
}

/** Draws and keeps the page from being ready until then; `drawn` gets what Vega made. */
function chart(box, specification, label, drawn = () => {}) {
  const task = draw(box, { ...base(theme()), ...specification }, label).then(drawn).finally(() => {
    busy.delete(task);
    settle();
  });
  busy.add(task);
}

function settle() {
  if (!busy.size) document.documentElement.dataset.ready = state.page;
}

/** Minutes that a step of a day's curve spans. */
const stepOf = (day) => (about.fineFrom && day.date >= about.fineFrom ? 1 : 15);

/** Bounds of the zones in beats a minute; none if the age is not known. */
function bounds(day) {
  if (!day.peak_from_bpm) return [];
  const edges = [0, day.fat_burn_from_bpm, day.cardio_from_bpm, day.peak_from_bpm, Infinity];
  return ZONES.map((zone, i) => ({ ...zone, from: edges[i], to: edges[i + 1] }));
}

const chartBox = () => element("div", { class: "chart" });
const bare = (tickCount, more = {}) => ({ domain: false, ticks: false, tickCount, ...more });
const bpmText = (value) => `${format(value, one)} bpm`;
const minutesText = (value) => `${format(value, one)} min`;

/** A layer of rows, or none without rows. */
const layer = (values, mark, encoding) =>
  values.length ? [{ data: { values }, mark, encoding }] : [];

function curve(box, day, workouts, visits) {
  const colors = theme();
  const midnight = Date.parse(`${day.date}T00:00:00Z`), step = stepOf(day);
  const steps = stepsOf(day.start, day.count);
  const low = Math.min(40, ...steps.map(({ lowest }) => Math.floor(lowest / 10) * 10));
  const high = Math.max(180, ...steps.map(({ highest }) => Math.ceil(highest / 10) * 10 + 10));
  // A gap in the readings is a gap in the curve.
  const rows = [];
  let part = 0;
  steps.forEach((row, i) => {
    if (i && row.minute - steps[i - 1].minute > 3 * step) part++;
    rows.push({
      ...row,
      part,
      middle: row.minute + step / 2,
      at: `${String(Math.floor(row.minute / 60)).padStart(2, "0")}:${
        String(row.minute % 60).padStart(2, "0")
      }`,
      mid: format(row.mean, one),
      low: format(row.lowest, one),
      high: format(row.highest, one),
    });
  });
  const bands = bounds(day).map((zone) => ({
    ...zone,
    from: clip(zone.from, low, high),
    to: clip(zone.to, low, high),
    start: 0,
    end: DAY,
  })).filter((zone) => zone.to > zone.from);
  const minute = (time) =>
    clip((Date.parse(`${time.replace(" ", "T")}Z`) - midnight) / 60000, 0, DAY);
  const within = (from, to) => ({ start: minute(from), end: to ? minute(to) : null });
  const marks = workouts.map((row) => ({
    number: row.number,
    ...within(row.started_at, row.ended_at),
    top: high,
    bottom: low,
    what: `Workout ${row.workout_id}, session ${row.session_id}`,
    span: `${clock(row.started_at)}–${clock(row.ended_at)}`,
  }));
  const stays = visits.map((row) => {
    const span = within(row.login_at, row.logout_at);
    return {
      ...span,
      end: span.end ?? Math.min(span.start + 5, DAY),
      bottom: low,
      top: low + (high - low) * 0.035,
      what: `Gym ${row.gym}`,
      span: `${clock(row.login_at)}–${row.logout_at ? clock(row.logout_at) : "open"}`,
    };
  });
  // Minutes of the day as numbers: a time scale would take the reader's time zone into account.
  const x = {
    field: "middle",
    type: "quantitative",
    title: "Time of day",
    scale: { domain: [0, DAY], nice: false, padding: 0 },
    axis: {
      values: Array.from({ length: 13 }, (_, i) => i * 120).filter((value) =>
        value % (box.clientWidth < 500 ? 360 : 120) === 0
      ),
      labelExpr: "format(datum.value / 60, '02d') + ':00'",
      grid: false,
      labelOverlap: true,
    },
  };
  const y = {
    type: "quantitative",
    title: "Beats a minute",
    scale: { domain: [low, high], nice: false, zero: false },
    axis: bare(7, { grid: !bands.length }),
  };
  const tooltip = [{ field: "what", title: "What" }, { field: "span", title: "Time" }];
  const spans = (bottom, top) => ({
    x: { ...x, field: "start" },
    x2: { field: "end" },
    y: { ...y, field: bottom },
    y2: { field: top },
  });
  const range = { x, y: { ...y, field: "lowest", stack: null }, y2: { field: "highest" } };
  const detail = { field: "part" };
  const small = { type: "text", fontSize: 11, color: colors.ink };
  // At the foot of its band, where the curve seldom is; a rim keeps the name readable where it is.
  const rims = [{ stroke: colors.card, strokeWidth: 3, strokeOpacity: 0.7 }, {}];
  const resting = isNull(day.resting_bpm_estimate) ? [] : [{ value: day.resting_bpm_estimate }];
  const layers = [
    ...layer(bands, { type: "rect", opacity: colors.dark ? 0.24 : 0.13 }, {
      ...spans("from", "to"),
      color: { field: "color", type: "nominal", scale: null },
    }),
    ...layer(
      marks,
      { type: "rect", opacity: colors.dark ? 0.2 : 0.13, color: colors.ink },
      { ...spans("bottom", "top"), tooltip },
    ),
    ...layer(
      marks,
      { ...small, align: "left", baseline: "top", dx: 2, dy: 3, fontWeight: 600 },
      { x: { ...x, field: "start" }, y: { ...y, field: "top" }, text: { field: "number" } },
    ),
    ...layer(
      stays,
      { type: "rect", color: colors.paint(GREEN), cornerRadius: 2 },
      { ...spans("bottom", "top"), tooltip },
    ),
    ...layer(
      rows,
      { type: "area", opacity: colors.dark ? 0.5 : 0.32, color: colors.paint(BLUE) },
      { ...range, y: { ...y, field: "lowest" }, detail },
    ),
    ...layer(
      rows,
      { type: "line", strokeWidth: 1.5, color: colors.paint(BLUE) },
      { x, y: { ...y, field: "mean" }, detail },
    ),
    // Wide invisible bars, so that the pointer need not hit the line.
    ...layer(
      rows,
      { type: "bar", opacity: 0, width: { expr: `max(2, width * ${step} / ${DAY})` } },
      {
        ...range,
        tooltip: [
          { field: "at", title: step === 1 ? "Minute" : "15 minutes from" },
          { field: "low", title: "Lowest, bpm" },
          { field: "mid", title: "Mean, bpm" },
          { field: "high", title: "Highest, bpm" },
        ],
      },
    ),
    ...layer(
      resting,
      { type: "rule", strokeDash: [6, 4], strokeWidth: 1.5, color: colors.paint(ORANGE) },
      { y: { ...y, field: "value" } },
    ),
    ...rims.flatMap((rim) =>
      layer(
        bands,
        {
          ...small,
          align: "right",
          baseline: "bottom",
          dx: -4,
          dy: -3,
          fontSize: 10.5,
          color: colors.quiet,
          ...rim,
        },
        { x: { ...x, field: "end" }, y: { ...y, field: "from" }, text: { field: "title" } },
      )
    ),
  ];
  const zones = bands.length
    ? "with heart-rate zones"
    : "without zones, since the age is not known";
  const marked = `${workouts.length} workouts and ${visits.length} visits are marked`;
  chart(
    box,
    { layer: layers },
    `Heart rate on ${day.date}, ${day.count} steps, ${zones}; ${marked}.`,
  );
}

function legend(day, step) {
  const { ink, paint } = theme();
  const swatch = (style, text, kind = "") =>
    element("li", {}, element("span", { class: `swatch ${kind}`, style }), text);
  const mean = `Mean of ${step === 1 ? "a minute" : "15 minutes"}`;
  const resting = `Resting, estimate (${bpmText(day.resting_bpm_estimate)})`;
  return element(
    "ul",
    { class: "legend" },
    swatch(`border-color:${paint(BLUE)}`, mean, "line"),
    swatch(`background:${paint(BLUE)}66`, "Lowest to highest"),
    day.resting_bpm_estimate
      ? swatch(`border-color:${paint(ORANGE)}`, resting, "line dashed")
      : null,
    swatch(`background:${paint(GREEN)}`, "In the gym"),
    swatch(`background:${ink}33`, "Workout, numbered as below"),
  );
}

function zoneMinutes(box, day) {
  const { ink, paint } = theme();
  const rows = ZONES.map(({ zone, title, color }) => {
    const minutes = day[`${zone}_minutes`];
    return { title, minutes, color: paint(color), text: minutesText(minutes) };
  });
  if (rows.every(({ minutes }) => isNull(minutes))) {
    box.append(empty("No zones: the age is not known that day, or there are no readings."));
    return;
  }
  const y = {
    field: "title",
    type: "nominal",
    sort: null,
    title: null,
    axis: { domain: false, ticks: false },
  };
  const x = { field: "minutes", type: "quantitative", title: "Minutes", axis: bare(4) };
  // Room for the text beside the longest bar.
  const domain = [0, Math.max(...rows.map(({ minutes }) => minutes)) * 1.25 || 1];
  chart(box, {
    data: { values: rows },
    layer: [
      {
        mark: { type: "bar", cornerRadiusEnd: 2, height: { band: 0.7 } },
        encoding: {
          y,
          x: { ...x, scale: { domain } },
          color: { field: "color", type: "nominal", scale: null },
          tooltip: [{ field: "title", title: "Zone" }, { field: "text", title: "Time" }],
        },
      },
      {
        mark: { type: "text", align: "left", dx: 5, color: ink, fontSize: 12 },
        encoding: { y, x, text: { field: "text" } },
      },
    ],
  }, `Minutes per zone: ${rows.map(({ title, text }) => `${title} ${text}`).join(", ")}`);
}

/** Active-zone minutes from day to day; a click on one chooses it. */
function activeDays(box, member, choose) {
  const { paint } = theme();
  const rows = member.days.filter((day) => day.count || day.min_bpm).map((day) => ({
    date: day.date,
    active: day.active_zone_minutes ?? null,
    chosen: day === state.day,
    text: minutesText(day.active_zone_minutes),
    rest: bpmText(day.resting_bpm_estimate),
  }));
  if (!rows.length) {
    box.append(empty("No readings"));
    return;
  }
  chart(
    box,
    {
      data: { values: rows },
      mark: {
        type: "bar",
        cursor: "pointer",
        cornerRadiusEnd: 2,
        width: { expr: "min(40, bandwidth('x') * 0.8)" },
      },
      encoding: {
        x: {
          field: "date",
          type: "ordinal",
          title: null,
          axis: {
            labelExpr: "utcFormat(toDate(datum.value), '%b %d')",
            labelAngle: 0,
            ticks: false,
            values: thinned(rows.map(({ date }) => date), box.clientWidth, 90),
          },
        },
        y: { field: "active", type: "quantitative", title: "Active-zone minutes", axis: bare(4) },
        color: {
          condition: { test: "datum.chosen", value: paint(ORANGE) },
          value: paint("#7F8EA0"),
        },
        tooltip: [
          { field: "date", title: "Day" },
          { field: "text", title: "Active-zone minutes" },
          { field: "rest", title: "Resting, estimate" },
        ],
      },
    },
    `Active-zone minutes of ${rows.length} days`,
    ({ view }) =>
      view.addEventListener("click", (_, item) => {
        if (item?.datum?.date) choose(item.datum.date);
      }),
  );
}

const columns = (...named) =>
  named.map(([title, name, how, number = true]) => ({
    title,
    number,
    value: (row) => row[name],
    text: (row) => (typeof how === "function" ? how(row[name]) : format(row[name], how)),
  }));

/** Active-zone minutes of the 7 days up to a day, or to some days before it. */
function week(member, day, before = 0) {
  const at = (ago) =>
    new Date(Date.parse(`${day.date}T00:00:00Z`) - ago * 86400000).toISOString().slice(0, 10);
  return member.days.filter(({ date }) => at(before + 6) <= date && date <= at(before)).reduce(
    (sum, each) => sum + (each.active_zone_minutes ?? 0),
    0,
  );
}

/** The resting heart rate from day to day, the chosen one marked. */
function restingDays(box, member) {
  const { paint } = theme();
  const rows = member.days.filter((day) => day.resting_bpm_estimate).map((day) => ({
    date: day.date,
    bpm: day.resting_bpm_estimate,
    chosen: day === state.day,
    text: bpmText(day.resting_bpm_estimate),
  }));
  if (!rows.length) {
    box.append(empty("No resting heart rate yet"));
    return;
  }
  const x = {
    field: "date",
    type: "temporal",
    title: null,
    scale: { type: "utc" },
    axis: {
      format: "%b %d",
      grid: false,
      tickCount: Math.max(2, Math.floor(box.clientWidth / 90)),
      labelOverlap: true,
    },
  };
  const y = {
    field: "bpm",
    type: "quantitative",
    title: "Beats a minute",
    scale: { zero: false },
    axis: bare(4),
  };
  const tooltip = [{ field: "date", title: "Day" }, { field: "text", title: "Resting, estimate" }];
  chart(box, {
    data: { values: rows },
    layer: [
      {
        mark: { type: "line", strokeWidth: 2, color: paint(BLUE) },
        encoding: { x, y },
      },
      {
        mark: { type: "point", filled: true, size: 45, opacity: 1 },
        encoding: {
          x,
          y,
          tooltip,
          color: {
            condition: { test: "datum.chosen", value: paint(ORANGE) },
            value: paint(BLUE),
          },
          size: { condition: { test: "datum.chosen", value: 130 }, value: 30 },
        },
      },
    ],
  }, `Resting heart rate of ${rows.length} days, estimates`);
}

function dayPage(box, choose) {
  const { member, day } = state;
  if (!day) {
    box.replaceChildren(empty("This member has no readings, workouts or visits."));
    settle();
    return;
  }
  // Workouts and visits are the day's if they touch it: one over midnight is marked on both days.
  const touches = (row) => row.date <= day.date && day.date <= row.until;
  const workouts = member.workouts.filter(touches).map((row, i) => ({ ...row, number: i + 1 }));
  const visits = member.visits.filter(touches);
  const time = (value) => (!value || value.startsWith(day.date) ? clock(value) : moment(value));
  const step = stepOf(day);
  const fact = (title, value, more = "") =>
    element(
      "div",
      { class: "fact" },
      element("h2", {}, title),
      element("div", { class: "value" }, value),
      element("div", { class: "more" }, more),
    );
  const [curveBox, zonesBox, activeBox, restingBox] = Array.from({ length: 4 }, chartBox);
  const place = [day.city, day.state].filter(Boolean).join(", ");
  box.replaceChildren(
    element(
      "div",
      { class: "facts" },
      fact(
        "Active-zone minutes",
        format(day.active_zone_minutes, none),
        `${format(week(member, day), none)} of 150 in 7 days, ${
          format(week(member, day, 7), none)
        } in the 7 before`,
      ),
      fact(
        "Resting, estimate (bpm)",
        format(day.resting_bpm_estimate, one),
        "lowest mean of a half hour",
      ),
      fact(
        "Age band that day",
        !day.age_band || day.age_band === "invalid age" ? "not known" : day.age_band,
        isNull(day.age) ? "" : `${day.age} years`,
      ),
      fact("City that day", day.city ?? "not known", day.state ?? ""),
      fact(
        "Mean of the day (bpm)",
        format(day.avg_bpm, one),
        day.min_bpm === undefined
          ? "no readings"
          : `${format(day.min_bpm, none)} to ${format(day.max_bpm, none)}`,
      ),
      fact(
        "Covered (min)",
        format(day.covered_minutes, one),
        `${format(day.num_readings ?? 0, none)} readings`,
      ),
    ),
    element(
      "div",
      { class: "grid" },
      panel(
        `Heart rate through the day (bpm, by ${step === 1 ? "minute" : "15 minutes"})`,
        "h-day",
        "w12",
        [legend(day, step), curveBox],
      ),
      panel("Minutes per heart-rate zone (min)", "h-low", "w4", [zonesBox]),
      panel("Active-zone minutes per day (min; choose a day)", "h-low", "w4", [activeBox]),
      panel("Resting heart rate per day (bpm, estimate)", "h-low", "w4", [restingBox]),
      panel("Workouts (bpm)", "", "w6", [
        workouts.length
          ? table(
            columns(
              ["No.", "number", none, false],
              ["Workout", "workout_id", undefined, false],
              ["Session", "session_id", undefined, false],
              ["Start", "started_at", time, false],
              ["End", "ended_at", time, false],
              ["Minutes", "minutes", one],
              ["Lowest", "min_bpm", none],
              ["Mean", "avg_bpm", one],
              ["Highest", "max_bpm", none],
            ),
            workouts,
          )
          : empty("No workouts that day"),
      ]),
      panel("Gym visits (min)", "", "w6", [
        visits.length
          ? table(
            columns(
              ["Gym", "gym", undefined, false],
              ["Login", "login_at", time, false],
              ["Logout", "logout_at", time, false],
              ["In the gym", "minutes_in_gym", one],
              ["Exercising", "minutes_exercising", one],
            ),
            visits,
          )
          : empty("No visits that day"),
      ]),
    ),
  );
  document.getElementById("spoken").textContent = `Member ${member.id}, ${day.date}${
    place ? `, ${place}` : ""
  }`;
  if (day.count) curve(curveBox, day, workouts, visits);
  else curveBox.append(empty("No readings that day"));
  zoneMinutes(zonesBox, day);
  activeDays(activeBox, member, choose);
  restingDays(restingBox, member);
  settle();
}

function comparedPage(box) {
  const { paint } = theme();
  const rows = about.members.map((member) => {
    const sum = (list, name) => list.reduce((all, row) => all + (row[name] ?? 0), 0);
    const gym = sum(member.visits, "minutes_in_gym"), workout = sum(member.workouts, "minutes");
    return {
      id: member.id,
      logins: member.visits.length,
      gym,
      workout,
      hours: workout / 60,
      gymText: minutesText(gym),
      workoutText: minutesText(workout),
      hoursText: `${format(workout / 60, one)} h`,
    };
  }).sort((a, b) => byLabel(a.id, b.id));
  const [gymBox, workoutBox, scatterBox, bpmBox] = Array.from({ length: 4 }, chartBox);
  box.replaceChildren(
    element(
      "div",
      { class: "grid" },
      panel("Gym minutes per member (min)", "h-mid", "w6", [gymBox]),
      panel("Total duration of workouts with readings per member (min)", "h-mid", "w6", [
        workoutBox,
      ]),
      panel("Gym logins against hours of workouts with readings per member", "h-mid", "w6", [
        scatterBox,
      ]),
      panel(
        `Lowest, mean and highest heart rate per workout (bpm), member ${state.member.id}`,
        "h-mid",
        "w6",
        [bpmBox],
      ),
    ),
  );
  const length = {
    type: "quantitative",
    axis: bare(5, { labelExpr: NUMBER }),
  };
  const bars = (target, name, text, title, color) => {
    chart(target, {
      data: { values: rows },
      mark: {
        type: "bar",
        cornerRadiusEnd: 2,
        color: paint(color),
        width: { expr: "min(48, bandwidth('x') * 0.85)" },
      },
      encoding: {
        x: {
          field: "id",
          type: "nominal",
          sort: null,
          title: "Member",
          axis: {
            labelAngle: 0,
            labelLimit: 76,
            ticks: false,
            values: thinned(rows.map(({ id }) => id), target.clientWidth, 80),
          },
        },
        y: { ...length, field: name, title: "Minutes" },
        tooltip: [{ field: "id", title: "Member" }, { field: text, title }],
      },
    }, title);
  };
  bars(gymBox, "gym", "gymText", "Gym minutes", BLUE);
  bars(workoutBox, "workout", "workoutText", "Workout minutes", ORANGE);
  chart(scatterBox, {
    data: { values: rows },
    mark: { type: "point", filled: true, size: 80, color: paint(BLUE), opacity: 0.85 },
    encoding: {
      x: {
        field: "logins",
        type: "quantitative",
        title: "Gym logins",
        scale: { zero: false, padding: 12 },
        axis: { ticks: false, tickCount: 5, format: "d" },
      },
      y: { ...length, field: "hours", title: "Workout hours", scale: { zero: false, padding: 12 } },
      tooltip: [{ field: "id", title: "Member" }, { field: "logins", title: "Gym logins" }, {
        field: "hoursText",
        title: "Workouts",
      }],
    },
  }, "Gym logins against workout hours");
  const workouts = state.member.workouts.map((row) => ({
    ...row,
    key: `${row.started_at} ${row.workout_id} ${row.session_id}`,
    low: format(row.min_bpm, none),
    mid: format(row.avg_bpm, one),
    top: format(row.max_bpm, none),
    at: moment(row.started_at),
  }));
  if (!workouts.length) {
    bpmBox.append(empty("This member has no workouts with readings."));
    settle();
    return;
  }
  const x = {
    field: "key",
    type: "ordinal",
    sort: null,
    title: "Workout, by start",
    axis: {
      labelExpr: "utcFormat(toDate(slice(datum.value, 0, 10)), '%b %d')",
      labelAngle: 0,
      ticks: false,
      values: thinned(workouts.map(({ key }) => key), bpmBox.clientWidth, 90),
    },
  };
  const y = {
    type: "quantitative",
    title: "Beats a minute",
    scale: { zero: false },
    axis: bare(5),
  };
  const tooltip = [{ field: "at", title: "Start" }, { field: "low", title: "Lowest, bpm" }, {
    field: "mid",
    title: "Mean, bpm",
  }, { field: "top", title: "Highest, bpm" }];
  chart(bpmBox, {
    data: { values: workouts },
    layer: [
      {
        mark: {
          type: "rule",
          strokeWidth: 5,
          strokeCap: "round",
          color: paint(BLUE),
          opacity: 0.45,
        },
        encoding: { x, y: { ...y, field: "min_bpm" }, y2: { field: "max_bpm" }, tooltip },
      },
      {
        mark: { type: "point", filled: true, size: 46, color: paint(ORANGE), opacity: 1 },
        encoding: { x, y: { ...y, field: "avg_bpm" }, tooltip },
      },
    ],
  }, "Heart rate per workout");
  settle();
}

function build() {
  const members = [...about.members].sort((a, b) => byLabel(a.id, b.id));
  const memberSelect = element(
    "select",
    { id: "member" },
    ...members.map(({ id }) => new Option(id, id)),
  );
  const daySelect = element("select", { id: "day" });
  const move = (by) => {
    const at = state.member.days.indexOf(state.day) + by;
    if (state.member.days[at]) {
      state.day = state.member.days[at];
      daySelect.value = state.day.date;
      show();
    }
  };
  const earlier = element("button", {
    type: "button",
    class: "quiet-button",
    onclick: () => move(-1),
  }, "← Earlier");
  const later = element(
    "button",
    { type: "button", class: "quiet-button", onclick: () => move(1) },
    "Later →",
  );
  const day = element("div", { id: "page-day", role: "tabpanel", "aria-labelledby": "tab-day" });
  const compared = element("div", {
    id: "page-compared",
    role: "tabpanel",
    "aria-labelledby": "tab-compared",
  });
  const dayControls = [element("label", {}, "Day", daySelect), earlier, later];
  main.append(
    element(
      "form",
      {
        class: "controls",
        "aria-label": "Member and day",
        onsubmit: (event) => event.preventDefault(),
      },
      element("label", {}, "Member (id)", memberSelect),
      ...dayControls,
    ),
    day,
    compared,
  );
  const choose = (date) => {
    state.day = state.member.days.find((each) => each.date === date) ?? null;
    daySelect.value = date;
    show();
  };
  const show = () => {
    delete document.documentElement.dataset.ready;
    const at = state.member.days.indexOf(state.day);
    earlier.disabled = at <= 0;
    later.disabled = at < 0 || at >= state.member.days.length - 1;
    dayControls.forEach((control) => {
      control.hidden = state.page !== "day";
    });
    day.hidden = state.page !== "day";
    compared.hidden = state.page !== "compared";
    if (state.page === "day") dayPage(day, choose);
    else comparedPage(compared);
  };
  const pickMember = (id) => {
    const before = state.day?.date;
    state.member = about.members.find((member) => member.id === id);
    // The same day for the next member, where there is one; else the newest with readings.
    const days = state.member.days;
    state.day = days.find((each) => each.date === before) ?? days.findLast((each) => each.count) ??
      days.at(-1) ?? null;
    daySelect.replaceChildren(
      ...[...days].reverse().map((each) =>
        new Option(`${each.date}${each.count ? "" : " (no readings)"}`, each.date)
      ),
    );
    if (state.day) daySelect.value = state.day.date;
  };
  memberSelect.addEventListener("change", () => {
    pickMember(memberSelect.value);
    show();
  });
  daySelect.addEventListener("change", () => choose(daySelect.value));
  // The file opens on the member that was asked for first.
  pickMember(about.members[0]?.id ?? null);
  memberSelect.value = state.member?.id;
  themes(document.getElementById("theme"), show);
  const select = tabs(document.querySelector(".tabs"), [["day", "A member's day"], [
    "compared",
    "Members compared",
  ]], (name) => {
    state.page = name;
    show();
  });
  select(0);
  onResize(show);
}

build();
globalThis.members = { state, stepsOf };
