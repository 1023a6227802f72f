"use strict";
// Two minutes as a small drawing: lines or an area, their scale, and what they say now.

const HEIGHT = 132, LEFT = 50, RIGHT = 6, TOP = 8, BOTTOM = 22;

class Chart {
  /** `lines`: [{ field, label, tone, as }], the foremost first, `as` "area" or "bars" where it is no mere line;
   *  `text` writes a value, `now` tells the latest of a line. */
  constructor({ title, hint, lines, text, now, empty }) {
    Object.assign(this, { title, lines, text, now, empty, columns: {}, width: 0, looking: null });
    this.figures = lines.map(() => el("b", {}, "–"));
    const legend = el("p", { class: "legend" }, ...lines.map((line, i) =>
      el("span", { "data-tone": line.tone }, this.figures[i], " ", line.label)));
    this.when = el("span", { class: "when soft" });
    this.drawing = svg("svg", { role: "img", height: HEIGHT, width: "100%" });
    this.box = el("div", { class: "plot" }, this.drawing);
    this.node = el("article", { class: "card chart" },
      el("div", { class: "row" }, el("h2", {}, title, " ", el("small", {}, hint)), this.when), legend, this.box);
    this.box.addEventListener("pointermove", (event) => this.look(event.offsetX));
    this.box.addEventListener("pointerleave", () => this.look(null));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  update(columns) {
    this.columns = columns;
    this.draw();
  }

  look(x) {
    this.looking = x;
    this.draw();
  }

  get count() { return this.columns[this.lines[0].field]?.length || 0; }

  x(index) { return LEFT + (index / Math.max(1, this.count - 1)) * (this.width - LEFT - RIGHT); }

  y(value) { return TOP + (1 - value / this.top) * (HEIGHT - TOP - BOTTOM); }

  draw() {
    this.width = this.box.clientWidth;
    if (!this.width || !this.count) return;
    const values = this.lines.flatMap((line) => this.columns[line.field]).filter((value) => value != null);
    const isEmpty = !values.some((value) => value > 0);
    this.top = isEmpty ? 1 : nice(Math.max(...values));
    const parts = [...this.scale(isEmpty)];
    if (isEmpty) parts.push(this.word(this.empty, (this.width + LEFT) / 2, HEIGHT / 2 - 4, "middle"));
    else for (const line of this.lines.toReversed()) parts.push(...(line.as === "bars" ? this.bars(line) : this.trace(line)));
    const index = this.pointed();
    if (index != null && !isEmpty) {
      parts.push(svg("line", { class: "cursor", x1: this.x(index), x2: this.x(index), y1: TOP, y2: this.y(0) }));
    }
    this.drawing.replaceChildren(...parts);
    this.tell(index);
  }

  /** Writes the figures: those of the second under the pointer, else the latest. */
  tell(index) {
    const texts = this.lines.map(({ field }) => {
      const value = index == null ? this.now(this.columns[field]) : this.columns[field][index];
      return value == null ? "–" : this.text(value);
    });
    texts.forEach((text, i) => { this.figures[i].textContent = text; });
    this.when.textContent = index == null ? "" : ago(this.count - index);
    const said = this.lines.map((line, i) => `${line.label} ${texts[i]}`).join(", ");
    this.drawing.setAttribute("aria-label", `${this.title}, last two minutes: ${said}`);
  }

  pointed() {
    if (this.looking == null) return null;
    const share = (this.looking - LEFT) / (this.width - LEFT - RIGHT);
    return share < -0.02 || share > 1.02 ? null : Math.min(this.count - 1, Math.max(0, Math.round(share * (this.count - 1))));
  }

  *scale(isEmpty) {
    for (const share of isEmpty ? [0, 1] : [0, 0.5, 1]) {
      const y = this.y(share * this.top);
      yield svg("line", { class: share ? "grid" : "axis", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y });
      if (!isEmpty) yield this.word(this.text(share * this.top, true), LEFT - 6, y + 4, "end");
    }
    yield this.word("2 min ago", LEFT, HEIGHT - 5, "start");
    yield this.word("now", this.width - RIGHT, HEIGHT - 5, "end");
  }

  word(text, x, y, anchor) { return svg("text", { x, y, "text-anchor": anchor }, text); }

  /** One line: broken where nothing was measured for more than a few seconds; a lone value is a dot. */
  *trace({ field, tone, as }) {
    for (const run of runs(this.columns[field])) {
      const points = run.map(([index, value]) => `${this.x(index).toFixed(1)} ${this.y(value).toFixed(1)}`);
      const path = `M${points.join("L")}`;
      if (run.length === 1) {
        const [index, value] = run[0];
        yield svg("circle", { class: "dot", "data-tone": tone, cx: this.x(index), cy: this.y(value), r: 2.5 });
        continue;
      }
      if (as === "area") {
        const [first, last] = [run[0][0], run.at(-1)[0]].map((index) => this.x(index).toFixed(1));
        yield svg("path", { class: "area", "data-tone": tone, d: `${path}L${last} ${this.y(0)}L${first} ${this.y(0)}Z` });
      }
      yield svg("path", { class: "line", "data-tone": tone, d: path });
    }
  }

  *bars({ field, tone }) {
    const width = Math.max(2, this.x(1) - this.x(0) - 1);
    for (const [index, value] of this.columns[field].entries()) {
      if (value) {
        const [x, y] = [this.x(index) - width / 2, this.y(value)];
        yield svg("rect", { class: "dot", "data-tone": tone, x, y, width, height: this.y(0) - y });
      }
    }
  }
}

/** The stretches of [index, value] without a gap of more than five seconds. */
function runs(values) {
  const found = [];
  values.forEach((value, index) => {
    if (value == null) return;
    const last = found.at(-1);
    if (last && index - last.at(-1)[0] <= 5) last.push([index, value]);
    else found.push([[index, value]]);
  });
  return found;
}

/** The next number above that is easy to read, and so is its half. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 3, 4, 6, 8, 10].find((step) => step * power >= value * 0.999) * power;
}

const latest = (values) => values.findLast((value) => value != null);
const recentMean = (values) => values.slice(-5).reduce((sum, value) => sum + value, 0) / 5;
