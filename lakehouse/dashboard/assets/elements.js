// Pieces of page that dashboard and member pages share.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (isNull(value) || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => !isNull(child)));
  return made;
}

export const isNull = (value) => value === null || value === undefined;

/** The JSON of a payload in the page. */
export const payload = (id) => JSON.parse(document.getElementById(id).textContent);

/** Bytes of a gzipped payload in base64. */
export function unpacked(id) {
  const text = atob(document.getElementById(id).textContent);
  // A loop, since Uint8Array.from takes half a second for megabytes.
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** The system's theme, until a click on the button chooses one; `redraw` after each change. */
export function themes(button, redraw) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const apply = () => {
    const name = chosen ?? (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = name;
    button.textContent = name === "dark" ? "Light theme" : "Dark theme";
  };
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    apply();
    redraw();
  });
  dark.addEventListener("change", () => {
    apply();
    if (chosen === null) redraw();
  });
  apply();
}

/** Calls after the window's width has changed, once it rests. */
export function onResize(redraw) {
  let width = innerWidth, waiting = null;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(redraw, 120);
  });
}

/** Tabs with the keys of a tab list: arrows, Home and End. */
export function tabs(list, names, show) {
  const buttons = names.map(([id, title], i) =>
    element("button", {
      type: "button",
      role: "tab",
      id: `tab-${id}`,
      "aria-controls": `page-${id}`,
      onclick: () => select(i),
    }, title)
  );
  const select = (index, focus = false) => {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", i === index);
      button.tabIndex = i === index ? 0 : -1;
    });
    if (focus) buttons[index].focus();
    buttons[index].scrollIntoView({ block: "nearest", inline: "nearest" });
    show(names[index][0]);
  };
  list.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement), count = buttons.length;
    const to = {
      ArrowRight: (at + 1) % count,
      ArrowLeft: (at + count - 1) % count,
      Home: 0,
      End: count - 1,
    }[event.key];
    if (at >= 0 && to !== undefined) {
      event.preventDefault();
      select(to, true);
    }
  });
  list.append(...buttons);
  return select;
}

/** The place of a table that may be wider than its box. */
export const scrolling = (content) =>
  element(
    "div",
    { class: "table", tabindex: 0, role: "group", "aria-label": "Table, scrolls" },
    content,
  );

/** A table that sorts by the heading one clicks. columns: [{title, value(row), text(row), number, tint(row)}]. */
export function table(columns, rows, { most = 500 } = {}) {
  let sorted = rows, by = null, down = false;
  const body = element("tbody");
  const heads = columns.map((column, i) =>
    element(
      "th",
      { class: column.number ? "number" : null, scope: "col" },
      element("button", { type: "button", onclick: () => sort(i) }, column.title),
    )
  );
  const fill = () =>
    body.replaceChildren(
      ...sorted.slice(0, most).map((row) =>
        element(
          "tr",
          {},
          ...columns.map((column) => {
            const tint = column.tint?.(row);
            return element(
              "td",
              { class: column.number ? "number" : null },
              tint
                ? element("span", { class: "status", style: `--status:${tint}` }, column.text(row))
                : column.text(row),
            );
          }),
        )
      ),
    );
  const sort = (i) => {
    down = by === i ? !down : Boolean(columns[i].number);
    by = i;
    sorted = [...rows].sort((a, b) => {
      const x = columns[i].value(a), y = columns[i].value(b);
      if (isNull(x) || isNull(y)) return Number(isNull(x)) - Number(isNull(y));
      const order = typeof x === "number"
        ? x - y
        : String(x).localeCompare(String(y), "en", { numeric: true });
      return down ? -order : order;
    });
    heads.forEach((head, k) => {
      if (k === i) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    fill();
  };
  fill();
  const made = scrolling(
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body),
  );
  if (rows.length > most) {
    made.append(element("p", { class: "note" }, `The first ${most} of ${rows.length} rows.`));
  }
  return made;
}

export const empty = (...content) =>
  element("div", { class: "empty" }, element("div", {}, ...content));

/** Draws with Vega; no eval, so that the page's content policy can forbid it. */
export async function draw(box, specification, label) {
  const result = await globalThis.vegaEmbed(box, specification, {
    actions: false,
    renderer: "svg",
    ast: true,
    tooltip: { theme: "custom" },
  });
  const svg = box.querySelector("svg");
  if (svg) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  }
  return result;
}
