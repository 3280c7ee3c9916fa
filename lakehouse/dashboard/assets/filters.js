// The filters: each knows the (dataset, column) pairs that it narrows. Their state is in the address.
import { element } from "./elements.js";
import { byLabel } from "./charts.js";

export class Filters {
  /** data: rows by dataset; changed: called after each change. */
  constructor(data, changed) {
    this.data = data;
    this.changed = changed;
    this.all = [];
    this.version = 0;
  }

  /** The rows of a dataset that pass all filters. */
  rows(dataset) {
    return this.all.reduce((rows, filter) => {
      const column = filter.columns[dataset];
      return filter.test && column ? rows.filter((row) => filter.test(row[column])) : rows;
    }, this.data[dataset] ?? []);
  }

  /** Titles of active filters that do not reach a dataset. */
  missing(dataset, onPage) {
    return this.all.filter((filter) =>
      filter.active() && !filter.columns[dataset] && onPage.has(filter)
    ).map((filter) => filter.title);
  }

  reset() {
    this.all.forEach((filter) => filter.choose([]));
    this.announce();
  }

  announce() {
    this.version++;
    this.changed();
  }

  /** What is chosen, for the address: "filter-gym=Harbour~Old+Mill". */
  get query() {
    return new URLSearchParams(
      this.all.filter((filter) => filter.active()).map(
        (filter) => [filter.name, filter.chosen().join("~")],
      ),
    ).toString();
  }

  set query(text) {
    const wanted = new URLSearchParams(text);
    this.all.forEach((filter) => filter.choose(wanted.get(filter.name)?.split("~") ?? []));
    this.version++;
  }

  /** The control of a filter widget. */
  control(widget) {
    const fields = widget.spec.encodings.fields;
    const datasets = Object.fromEntries(
      widget.queries.map((query) => [query.name, query.query.datasetName]),
    );
    const filter = { name: widget.name, title: widget.spec.frame.title, columns: {}, test: null };
    for (const field of fields) filter.columns[datasets[field.queryName]] = field.fieldName;
    this.all.push(filter);
    const values = [
      ...new Set(
        Object.entries(filter.columns).flatMap(([dataset, column]) =>
          (this.data[dataset] ?? []).map((row) => row[column])
        ),
      ),
    ]
      .filter((value) => value !== null && value !== undefined);
    const usual = (widget.spec.selection?.defaultSelection?.values?.values ?? []).map((each) =>
      each.value
    );
    const kind = widget.spec.widgetType;
    const made = kind === "filter-date-range-picker"
      ? this.range(filter, values)
      : this.choice(filter, values, usual, kind === "filter-single-select");
    made.id = `w-${widget.name}`;
    filter.choose([]);
    return made;
  }

  range(filter, values) {
    const dates = values.map((value) => value.slice(0, 10)).sort();
    const [least, most] = [dates[0] ?? "", dates.at(-1) ?? ""];
    const input = (name) =>
      element("input", {
        type: "date",
        "aria-label": `${filter.title}, ${name}`,
        min: least,
        max: most,
        disabled: !least,
      });
    const from = input("from"), to = input("to");
    const apply = () => {
      const low = from.value || least, high = to.value || most;
      filter.test = low === least && high === most
        ? null
        : (value) => value !== null && value.slice(0, 10) >= low && value.slice(0, 10) <= high;
    };
    for (const each of [from, to]) {
      each.addEventListener("change", () => {
        apply();
        this.announce();
      });
    }
    filter.active = () => filter.test !== null;
    filter.chosen = () => [from.value, to.value];
    filter.choose = ([low, high]) => {
      from.value = low ?? least;
      to.value = high ?? most;
      apply();
    };
    return element(
      "fieldset",
      { class: "filter dates" },
      element("legend", {}, filter.title),
      element("div", { class: "range" }, from, "–", to),
    );
  }

  /** One or several of the values; `usual` are chosen where nobody chooses. */
  choice(filter, values, usual, single) {
    const labels = [...new Set(values.map(String))].sort((a, b) =>
      usual.includes(b) - usual.includes(a) || byLabel(a, b)
    );
    const standard = usual.filter((value) => labels.includes(value));
    const chosen = new Set();
    const summary = element("summary", { class: "choice" }), boxes = [];
    const apply = () => {
      filter.test = chosen.size ? (value) => chosen.has(String(value)) : null;
      boxes.forEach((box) => {
        box.checked = chosen.has(box.value);
      });
      const text = chosen.size === 0 ? "All" : filter.chosen().join(", ");
      summary.textContent = text;
      summary.title = text;
      summary.setAttribute("aria-label", `${filter.title}: ${text}`);
    };
    const options = element("div", { class: "options", role: "group", "aria-label": filter.title });
    if (labels.length > 12) {
      options.append(
        element("input", {
          type: "search",
          placeholder: "Find",
          "aria-label": `Find in ${filter.title}`,
          oninput: (event) => {
            const wanted = event.target.value.toLowerCase();
            for (const box of boxes) {
              box.parentElement.hidden = !box.value.toLowerCase().includes(wanted);
            }
          },
        }),
      );
    }
    for (const label of labels) {
      const box = element("input", {
        type: single ? "radio" : "checkbox",
        name: single ? filter.name : null,
        value: label,
        onchange: (event) => {
          if (single) chosen.clear();
          if (event.target.checked) chosen.add(label);
          else chosen.delete(label);
          apply();
          this.announce();
        },
      });
      boxes.push(box);
      options.append(element("label", {}, box, label));
    }
    if (!labels.length) options.append("Nothing to choose");
    const details = element("details", { class: "several" }, summary, options);
    const close = () => {
      details.open = false;
    };
    details.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && details.open) {
        close();
        summary.focus();
      }
    });
    details.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !details.contains(event.relatedTarget)) close();
    });
    document.addEventListener("click", (event) => {
      if (!details.contains(event.target)) close();
    });
    filter.chosen = () => [...chosen].sort(byLabel);
    filter.active = () => chosen.size > 0 && filter.chosen().join() !== standard.join();
    filter.choose = (wanted) => {
      chosen.clear();
      const known = wanted.filter((value) => labels.includes(value));
      for (const value of known.length ? known : standard) chosen.add(value);
      apply();
    };
    return element(
      "div",
      { class: "filter" },
      element("span", { class: "name" }, filter.title),
      details,
    );
  }
}
