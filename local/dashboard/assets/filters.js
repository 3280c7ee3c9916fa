// The filters: each knows the (dataset, column) pairs that it narrows.
import { element } from "./elements.js";
import { byLabel } from "./charts.js";

export class Filters {
  /** data: rows by dataset; changed: called after each change. */
  constructor(data, changed) {
    this.data = data; this.changed = changed; this.all = []; this.version = 0;
  }

  /** The rows of a dataset that pass all filters. */
  rows(dataset) {
    return this.all.reduce((rows, filter) => {
      const column = filter.columns[dataset];
      return filter.test && column ? rows.filter(row => filter.test(row[column])) : rows;
    }, this.data[dataset] ?? []);
  }

  /** Titles of active filters that do not reach a dataset. */
  missing(dataset, onPage) {
    return this.all.filter(filter => filter.test && !filter.columns[dataset] && onPage.has(filter)).map(filter => filter.title);
  }

  reset() { this.all.forEach(filter => filter.clear()); this.announce(); }

  announce() { this.version++; this.changed(); }

  /** The control of a filter widget. */
  control(widget) {
    const fields = widget.spec.encodings.fields;
    const datasets = Object.fromEntries(widget.queries.map(query => [query.name, query.query.datasetName]));
    const filter = { name: widget.name, title: widget.spec.frame.title, columns: {}, test: null, clear: () => {} };
    for (const field of fields) filter.columns[datasets[field.queryName]] = field.fieldName;
    this.all.push(filter);
    const values = [...new Set(Object.entries(filter.columns).flatMap(([dataset, column]) => (this.data[dataset] ?? []).map(row => row[column])))]
      .filter(value => value !== null && value !== undefined);
    const kind = widget.spec.widgetType;
    const made = kind === "filter-date-range-picker" ? this.range(filter, values) : this.choice(filter, values, kind === "filter-single-select");
    made.id = `w-${widget.name}`;
    filter.element = made;
    return made;
  }

  range(filter, values) {
    const dates = values.map(value => value.slice(0, 10)).sort();
    const [least, most] = [dates[0], dates.at(-1)];
    const input = name => element("input", { type: "date", "aria-label": `${filter.title}, ${name}`, min: least, max: most, value: name === "from" ? least : most, disabled: !least });
    const from = input("from"), to = input("to");
    const apply = () => {
      const low = from.value || least, high = to.value || most;
      filter.test = low === least && high === most ? null : value => value !== null && value.slice(0, 10) >= low && value.slice(0, 10) <= high;
      this.announce();
    };
    from.addEventListener("change", apply); to.addEventListener("change", apply);
    filter.clear = () => { from.value = least ?? ""; to.value = most ?? ""; filter.test = null; };
    return element("fieldset", { class: "filter dates" }, element("legend", {}, filter.title), element("div", { class: "range" }, from, "–", to));
  }

  choice(filter, values, single) {
    const labels = [...new Set(values.map(String))].sort(byLabel);
    const chosen = new Set();
    const summary = element("summary", { class: "choice" }), boxes = [];
    const say = () => {
      const text = chosen.size === 0 ? "All" : [...chosen].sort(byLabel).join(", ");
      summary.textContent = text; summary.title = text;
      summary.setAttribute("aria-label", `${filter.title}: ${text}`);
    };
    const apply = () => {
      filter.test = chosen.size ? value => chosen.has(String(value)) : null;
      say(); this.announce();
    };
    const options = element("div", { class: "options", role: "group", "aria-label": filter.title });
    if (labels.length > 12) {
      options.append(element("input", { type: "search", placeholder: "Find", "aria-label": `Find in ${filter.title}`, oninput: event => {
        const wanted = event.target.value.toLowerCase();
        for (const box of boxes) box.parentElement.hidden = !box.value.toLowerCase().includes(wanted);
      } }));
    }
    for (const label of labels) {
      const box = element("input", { type: "checkbox", value: label, onchange: event => {
        if (single && event.target.checked) { chosen.clear(); boxes.forEach(other => { other.checked = other === box; }); }
        if (event.target.checked) chosen.add(label); else chosen.delete(label);
        apply();
      } });
      boxes.push(box);
      options.append(element("label", {}, box, label));
    }
    if (!labels.length) options.append("Nothing to choose");
    const details = element("details", { class: "several" }, summary, options);
    const close = () => { details.open = false; };
    details.addEventListener("keydown", event => { if (event.key === "Escape" && details.open) { close(); summary.focus(); } });
    details.addEventListener("focusout", event => { if (event.relatedTarget && !details.contains(event.relatedTarget)) close(); });
    document.addEventListener("click", event => { if (!details.contains(event.target)) close(); });
    filter.clear = () => { chosen.clear(); boxes.forEach(box => { box.checked = false; }); filter.test = null; say(); };
    say();
    return element("div", { class: "filter" }, element("span", { class: "name" }, filter.title), details);
  }
}
