"use strict";
// Adds interaction. The page is complete without it, and loads nothing.
(() => {
  const $ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const el = (tag, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  };
  const run = JSON.parse(document.getElementById("run")?.textContent || "{}");
  const said = el("p", { className: "said", role: "status" });

  // ---- numbers -------------------------------------------------------------------------------
  const MINUS = "\u2212";
  const value = (cell) => {
    if (!cell) return NaN;
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
    const text = cell.textContent.replaceAll(MINUS, "-").replaceAll(",", "");
    return parseFloat(text.match(/-?\d+(\.\d+)?/)?.[0]);
  };
  const plain = (cell) => (cell.dataset.text ?? cell.innerText).replace(/\s+/g, " ").trim();
  const signed = (x, digits) => {
    const text = Math.abs(x).toFixed(digits);
    return Number(text) === 0 ? text : (x < 0 ? MINUS : "+") + text;
  };

  // ---- sort ----------------------------------------------------------------------------------
  const leaves = (table) => {
    // Heads by column: cells of the first line that span both lines, else cells of the second.
    const heads = [];
    const lines = $("thead tr", table);
    let at = 0;
    const below = lines[1] ? [...lines[1].cells] : [];
    for (const cell of lines[0]?.cells || []) {
      if (lines[1] && cell.rowSpan < 2) {
        for (let i = 0; i < cell.colSpan; i++) heads[at++] = below.shift();
      } else heads[at++] = cell;
    }
    return heads;
  };
  const sort = (table, index, head) => {
    const down = head.getAttribute("aria-sort") === "descending";
    const text = head.classList.contains("text");
    const ascending = head.hasAttribute("aria-sort") ? down : text;
    for (const other of leaves(table)) other?.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    for (const body of $("tbody", table)) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("block"));
      const keyed = rows.map((row) => [row, text ? plain(row.cells[index]) : value(row.cells[index])]);
      keyed.sort(([, a], [, b]) => {
        if (text) return ascending ? a.localeCompare(b) : b.localeCompare(a);
        if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b); // cells without a number come last
        return ascending ? a - b : b - a;
      });
      body.append(...keyed.map(([row]) => row));
    }
    said.textContent = `Sorted by ${plain(head)}, ${ascending ? "ascending" : "descending"}.`;
  };

  // ---- copy ----------------------------------------------------------------------------------
  const shownLines = (table) => {
    const seen = (cell) => !cell.hidden && cell.offsetParent !== null;
    const heads = leaves(table).filter((cell) => cell && seen(cell));
    const groups = heads.map((cell) => cell.dataset.group);
    const names = heads.map((cell, i) => (groups[i] ? `${groups[i]}: ${plain(cell)}` : plain(cell)));
    const rows = $("tbody tr", table).filter((row) => !row.hidden && !row.classList.contains("block"));
    return [names, ...rows.map((row) => [...row.cells].filter(seen).map(plain))];
  };
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const TEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
  const tex = (text) =>
    text.replace(/[\\~^&%$#_{}]/g, (sign) => TEX[sign] ?? `\\${sign}`).replaceAll(MINUS, "$-$");
  const FORMS = {
    CSV: (lines) => lines.map((line) => line.map(quoted).join(",")).join("\n"),
    Markdown: ([head, ...lines]) => {
      const row = (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
      const rule = `|---|${"--:|".repeat(head.length - 1)}`;
      return [row(head), rule, ...lines.map(row)].join("\n");
    },
    LaTeX: ([head, ...lines]) => {
      const row = (cells) => `${cells.map(tex).join(" & ")} \\\\`;
      const columns = `l${"r".repeat(head.length - 1)}`;
      return [`\\begin{tabular}{${columns}}`, "\\toprule", row(head), "\\midrule", ...lines.map(row),
        "\\bottomrule", "\\end{tabular}"].join("\n");
    },
  };
  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = el("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy"); // some browsers allow only this for file://
      area.remove();
    }
    said.textContent = `${what} copied.`;
  };

  // ---- another reference row -------------------------------------------------------------------
  const difference = (label, reference) => {
    const [own, other] = [run.rows[label], run.rows[reference]];
    const gaps = Object.keys(own.seeds).filter((s) => s in other.seeds).map((s) => own.seeds[s] - other.seeds[s]);
    if (!gaps.length || label === reference) return null;
    const mean = gaps.reduce((a, b) => a + b) / gaps.length;
    if (gaps.length < 2) return { mean };
    const sd = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / (gaps.length - 1));
    const half = (run.quantiles[gaps.length] * sd) / Math.sqrt(gaps.length);
    return { mean, low: Math.max(-100, mean - half), high: Math.min(100, mean + half) };
  };
  // The width of the interval sets the decimals, as in the report.
  const digits = ({ low, high }) => {
    if (low === undefined) return 1;
    const asZero = [low, high].some((end) => Number(end.toFixed(1)) === 0);
    return high - low < 0.2 || ((low > 0 || high < 0) && asZero) ? 2 : 1;
  };
  const bar = (gap, reach) => {
    if (!gap) return "";
    const x = (v) => (50 + (48 * Math.max(-reach, Math.min(reach, v))) / reach).toFixed(1);
    const span = gap.low === undefined ? "" :
      `<line class="span" x1="${x(gap.low)}" x2="${x(gap.high)}" y1="6" y2="6"/>`;
    return `<svg class="bar" viewBox="0 0 100 12" aria-hidden="true"><line class="zero" x1="50" x2="50" y1="0" y2="12"/>${span}<circle cx="${x(gap.mean)}" cy="6" r="3"/></svg>`;
  };
  const refer = (table, reference) => {
    const gaps = Object.fromEntries(Object.keys(run.rows).map((label) => [label, difference(label, reference)]));
    const ends = Object.values(gaps).filter(Boolean).flatMap((g) => [g.mean, g.low ?? g.mean, g.high ?? g.mean]);
    const reach = Math.max(...ends.map(Math.abs), 0.1);
    for (const row of $("tr[data-row]", table)) {
      const gap = gaps[row.dataset.row];
      row.classList.toggle("reference", row.dataset.row === reference);
      const cell = row.querySelector("td.difference");
      if (!cell) continue;
      const ill = run.rows[row.dataset.row]?.dead || run.rows[reference].dead;
      cell.dataset.v = gap ? gap.mean : "";
      const of = (end) => signed(end, digits(gap));
      const text = !gap ? "\u2013" : gap.low === undefined ? of(gap.mean)
        : `${of(gap.mean)} (${of(gap.low)} to ${of(gap.high)})`;
      cell.className = `difference ${!gap || ill || gap.low === undefined ? "open" : gap.low > 0 ? "better" : gap.high < 0 ? "worse" : "open"}`;
      cell.innerHTML = `${bar(gap, reach)} <span>${text}${ill && gap ? " \u2021" : ""}</span>`;
    }
    for (const name of $(".reference-name")) name.textContent = reference;
    said.textContent = `Differences are now to ${reference}.`;
  };

  // ---- tools above a table -----------------------------------------------------------------------
  const menu = (title, items) => {
    const list = el("div", { className: "menu" }, ...items.map(([text, set]) => {
      const box = el("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => set(box.checked));
      return el("label", {}, box, ` ${text}`);
    }));
    return el("details", {}, el("summary", {}, title), list);
  };
  const tools = (table) => {
    const bar = el("div", { className: "tools" });
    const rows = $("tbody tr:not(.block)", table);
    if (rows.length > 4) {
      const search = el("input", { type: "search", placeholder: "Find rows", ariaLabel: "Find rows" });
      search.addEventListener("input", () => {
        const words = search.value.toLowerCase().split(/\s+/);
        for (const row of rows) {
          const text = plain(row).toLowerCase();
          row.classList.toggle("missed", !words.every((word) => text.includes(word)));
        }
        const left = rows.filter((row) => !row.classList.contains("missed")).length;
        said.textContent = `${left} of ${rows.length} rows.`;
      });
      bar.append(search);
      bar.append(menu("Rows", rows.map((row) => [plain(row.cells[0]), (on) => { row.hidden = !on; }])));
    }
    const heads = leaves(table);
    const groups = new Map();
    heads.forEach((head, i) => {
      if (i && head) groups.set(head.dataset.group || plain(head), [...(groups.get(head.dataset.group || plain(head)) || []), i]);
    });
    if (groups.size > 1) {
      bar.append(menu("Columns", [...groups].map(([name, columns]) => [name, (on) => {
        for (const row of $("tbody tr:not(.block)", table)) columns.forEach((i) => { row.cells[i].hidden = !on; });
        columns.forEach((i) => { heads[i].hidden = !on; });
        for (const head of $("thead th[colspan]", table)) if (head.textContent.trim() === name) head.hidden = !on;
      }])));
    }
    if (table.dataset.reference && run.rows) {
      const select = el("select", { ariaLabel: "Reference row" }, ...Object.keys(run.rows).map((label) =>
        el("option", { value: label, selected: label === table.dataset.reference }, label)));
      select.addEventListener("change", () => refer(table, select.value));
      bar.append(el("label", {}, "Difference to ", select));
    }
    const copies = Object.keys(FORMS).map((name) => {
      const button = el("button", { type: "button", ariaLabel: `Copy as ${name}` }, name);
      button.addEventListener("click", () => copy(FORMS[name](shownLines(table)), `Table as ${name}`));
      return button;
    });
    bar.append(el("span", { className: "copies" }, "Copy ", ...copies));
    return bar;
  };
  for (const table of $("table.live")) {
    leaves(table).forEach((head, i) => {
      if (!head) return;
      const button = el("button", { type: "button", className: "sort" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, i, head));
    });
    (table.closest(".scroll") || table).before(tools(table));
  }
  document.body.append(said);

  // ---- definitions: on hover, focus and tap ----------------------------------------------------
  const tip = el("div", { id: "tip", role: "tooltip", hidden: true });
  document.body.append(tip);
  const show = (of) => {
    tip.textContent = of.dataset.note;
    tip.hidden = false;
    const box = of.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8));
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${box.bottom + scrollY + 4}px`;
  };
  const hide = () => { tip.hidden = true; };
  for (const of of $("[title]")) {
    if (of.closest("svg")) continue;
    of.dataset.note = of.title;
    of.removeAttribute("title");
    if (!of.matches("a, button, summary") && !of.closest("button")) of.tabIndex = 0;
    of.setAttribute("aria-describedby", "tip");
    for (const event of ["mouseenter", "focusin", "click"]) of.addEventListener(event, () => show(of));
    for (const event of ["mouseleave", "focusout"]) of.addEventListener(event, hide);
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // ---- links to rows, headings and figures ---------------------------------------------------------
  for (const at of $("h2[id], h3[id], figure[id] figcaption, tr[id] > th")) {
    const id = at.id || at.parentElement.id;
    const link = el("a", { className: "link", href: `#${id}`, ariaLabel: `Link to ${plain(at)}` }, "#");
    link.addEventListener("click", () => copy(String(new URL(`#${id}`, location.href)), "Link"));
    at.append(" ", link);
  }
  const open = () => {
    // Opens the folded part that a link points into.
    const aim = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = aim; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    aim?.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => { for (const part of $("details.print")) part.open = true; });

  // ---- highlight a row and its points in every figure ------------------------------------------------
  const marks = new Map();
  for (const at of $("[data-row]")) marks.set(at.dataset.row, [...(marks.get(at.dataset.row) || []), at]);
  for (const [, group] of marks) {
    for (const at of group) {
      at.addEventListener("mouseenter", () => group.forEach((other) => other.classList.add("lit")));
      at.addEventListener("mouseleave", () => group.forEach((other) => other.classList.remove("lit")));
    }
  }

  // ---- predictions over the ground truth, with a slider --------------------------------------------
  for (const viewer of $(".viewer")) {
    viewer.classList.add("on");
    for (const tool of $(".pick", viewer)) tool.hidden = false;
    const frames = $("[data-frame]", viewer);
    const pick = viewer.querySelector("select.of");
    const slide = viewer.querySelector("input[type=range]");
    const draw = () => {
      for (const frame of frames) {
        for (const layer of $("[data-of]", frame)) layer.hidden = layer.dataset.of !== pick.value;
        frame.style.setProperty("--cut", `${slide.value}%`);
      }
    };
    pick.addEventListener("change", draw);
    slide.addEventListener("input", draw);
    draw();
  }

  // ---- cards of an index: search, filter, order ----------------------------------------------------
  for (const list of $(".runs")) {
    const cards = [...list.children];
    const search = el("input", { type: "search", placeholder: "Find runs", ariaLabel: "Find runs" });
    const count = el("span", { className: "made" });
    const picks = ["table", "data", "preset", "host"].flatMap((key) => {
      const values = [...new Set(cards.map((card) => card.dataset[key]).filter(Boolean))].sort();
      if (values.length < 2) return [];
      const name = key[0].toUpperCase() + key.slice(1);
      const options = ["all", ...values].map((text, i) => el("option", { value: i ? text : "" }, text));
      return [{ key, name, select: el("select", { ariaLabel: name }, ...options) }];
    });
    const order = el("select", { ariaLabel: "Order" }, ...["newest first", "oldest first"].map((text) => el("option", {}, text)));
    const draw = () => {
      const words = search.value.toLowerCase().split(/\s+/);
      for (const card of cards) {
        const text = card.textContent.toLowerCase();
        const chosen = picks.every(({ key, select }) => !select.value || card.dataset[key] === select.value);
        card.classList.toggle("missed", !chosen || !words.every((word) => text.includes(word)));
      }
      const dated = cards.filter((card) => card.dataset.time);
      if (order.selectedIndex) dated.reverse();
      list.append(...dated, ...cards.filter((card) => !card.dataset.time));
      const left = cards.filter((card) => !card.classList.contains("missed")).length;
      count.textContent = `${left} of ${cards.length} runs`;
      said.textContent = `${count.textContent}.`;
    };
    for (const tool of [search, order, ...picks.map((pick) => pick.select)]) tool.addEventListener("input", draw);
    const labels = picks.map(({ name, select }) => el("label", {}, `${name} `, select));
    list.before(el("div", { className: "tools" }, search, ...labels, order, count));
    draw();
    said.textContent = "";
  }

  // ---- theme -----------------------------------------------------------------------------------------
  const themes = ["auto", "light", "dark"];
  const theme = el("button", { type: "button", className: "theme", ariaLabel: "Colour theme: auto" }, "◐");
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "auto") + 1) % 3];
    document.documentElement.dataset.theme = next;
    theme.ariaLabel = `Colour theme: ${next}`;
    said.textContent = `Colour theme: ${next}.`;
  });
  document.querySelector("nav")?.append(theme);
})();
