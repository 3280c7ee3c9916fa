// Rows of a dataset → rows of a widget: filters, groups, measures. The expressions come parsed.
import { isNull } from "./elements.js";

/** Rows as objects from {columns: [...], values: [[...] per column]}. */
export function toRows(table) {
  const count = table.values.length ? table.values[0].length : 0;
  const rows = [];
  for (let i = 0; i < count; i++) {
    const row = {};
    table.columns.forEach((name, c) => {
      row[name] = table.values[c][i];
    });
    rows.push(row);
  }
  return rows;
}

const either = (a, b, f) => (isNull(a) || isNull(b) ? null : f(a, b));
export const OPERATORS = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => (b === 0 ? null : a / b),
  "=": (a, b) => a === b,
  "<>": (a, b) => a !== b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** The value of a tree in {row} or in {rows}; null as SQL has it. */
export function evaluate(tree, scope) {
  switch (tree.op) {
    case "literal":
      return tree.value;
    case "column":
      return scope.row === undefined ? null : scope.row[tree.name];
    case "aggregate":
      return aggregate(tree, scope.rows);
    case "case": {
      for (const branch of tree.whens) {
        if (evaluate(branch.when, scope) === true) return evaluate(branch.then, scope);
      }
      return tree.otherwise ? evaluate(tree.otherwise, scope) : null;
    }
    case "is null":
      return isNull(evaluate(tree.operand, scope));
    case "not": {
      const value = evaluate(tree.operand, scope);
      return isNull(value) ? null : !value;
    }
    case "and": {
      const a = evaluate(tree.left, scope), b = evaluate(tree.right, scope);
      return a === false || b === false ? false : either(a, b, () => true);
    }
    case "or": {
      const a = evaluate(tree.left, scope), b = evaluate(tree.right, scope);
      return a === true || b === true ? true : either(a, b, () => false);
    }
    case "function":
      return call(tree, scope);
    default: {
      const operator = OPERATORS[tree.op];
      if (!operator) throw new Error(`unknown operation ${tree.op}`);
      return either(evaluate(tree.left, scope), evaluate(tree.right, scope), operator);
    }
  }
}

function call(tree, scope) {
  const [a, b] = tree.operands.map((operand) => evaluate(operand, scope));
  switch (tree.function) {
    case "TRY_DIVIDE":
      return either(a, b, OPERATORS["/"]);
    case "NULLIF":
      return a === b ? null : a;
    case "COALESCE":
      return isNull(a) ? b : a;
    case "DATE_TRUNC":
      return either(a, b, truncate);
    default:
      throw new Error(`unknown function ${tree.function}`);
  }
}

/** The first day of the unit that an ISO date is in; weeks begin on Monday. */
function truncate(unit, date) {
  const day = new Date(`${date.slice(0, 10)}T00:00:00Z`);
  switch (unit.toUpperCase()) {
    case "DAY":
      break;
    case "WEEK":
      day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
      break;
    case "MONTH":
      day.setUTCDate(1);
      break;
    case "YEAR":
      day.setUTCMonth(0, 1);
      break;
    default:
      throw new Error(`unknown unit ${unit}`);
  }
  return day.toISOString().slice(0, 10);
}

function aggregate(tree, rows) {
  if (!tree.operand) return rows.length;
  if (tree.function === "MAX_BY") return maxBy(tree, rows);
  let values = [];
  for (const row of rows) {
    const value = evaluate(tree.operand, { row });
    if (!isNull(value)) values.push(value);
  }
  if (tree.distinct) values = [...new Set(values)];
  if (tree.function === "COUNT") return values.length;
  if (!values.length) return null;
  switch (tree.function) {
    case "SUM":
      return total(values);
    case "AVG":
      return total(values) / values.length;
    case "MIN":
      return values.reduce((a, b) => (b < a ? b : a));
    case "MAX":
      return values.reduce((a, b) => (b > a ? b : a));
    case "MEDIAN": {
      values.sort((a, b) => a - b);
      const half = values.length >> 1;
      return values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
    }
    default:
      throw new Error(`unknown aggregate ${tree.function}`);
  }
}

/** The value in the row with the greatest `by`; rows without it do not count. */
function maxBy(tree, rows) {
  let best = null, value = null;
  for (const row of rows) {
    const by = evaluate(tree.by, { row });
    if (!isNull(by) && (best === null || by > best)) {
      best = by;
      value = evaluate(tree.operand, { row });
    }
  }
  return isNull(value) ? null : value;
}

/** A sum that does not gather rounding errors (Neumaier), so that pages and SQL agree. */
function total(values) {
  let sum = 0, lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** Rows of a query's fields: the groups of what is no aggregate, with the measures of each. */
export function summarize(query, source) {
  const dimensions = query.fields.filter((field) => !field.aggregates);
  const measures = query.fields.filter((field) => field.aggregates);
  if (query.disaggregated) {
    return source.map((row) =>
      Object.fromEntries(dimensions.map((field) => [field.name, evaluate(field.tree, { row })]))
    );
  }
  const groups = new Map();
  for (const row of source) {
    const key = dimensions.map((field) => evaluate(field.tree, { row }));
    const text = JSON.stringify(key);
    if (!groups.has(text)) groups.set(text, { key, rows: [] });
    groups.get(text).rows.push(row);
  }
  if (!dimensions.length && !groups.size) groups.set("", { key: [], rows: [] });
  return [...groups.values()].map(({ key, rows }) => ({
    ...Object.fromEntries(dimensions.map((field, i) => [field.name, key[i]])),
    ...Object.fromEntries(measures.map((field) => [field.name, evaluate(field.tree, { rows })])),
  }));
}
