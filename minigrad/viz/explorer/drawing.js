// The circuit as SVG: boxes, wires with their numbers, and heatmaps.  Text is only ever written as text.
const SVG = "http://www.w3.org/2000/svg";
const PICTURE = 48;
const LARGEST_PICTURE = 64; // rows and columns; larger arrays are pooled

function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "circle", "path", "text", "image", "defs", "marker", "title", "tspan"].includes(tag);
  const out = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [key, x] of Object.entries(attributes)) if (x !== null && x !== undefined) out.setAttribute(key, x);
  out.append(...children.map((x) => (typeof x === "number" ? String(x) : x)));
  return out;
}

// An array as a matrix of cells, each the number furthest from 0 among those it stands for.
function matrix(x) {
  const columns = x.shape.length ? x.shape[x.shape.length - 1] : 1;
  const count = columns ? x.data.length / columns : 0;
  const [m, n] = [Math.min(count, LARGEST_PICTURE), Math.min(columns, LARGEST_PICTURE)];
  if (m === count && n === columns) return { cells: x.data, m, n, count, columns, pooled: false };
  const cells = new Float64Array(m * n);
  const across = Int32Array.from({ length: columns }, (_, c) => Math.floor((c * n) / columns));
  for (let r = 0, k = 0; r < count; r++) {
    const row = Math.floor((r * m) / count) * n;
    for (let c = 0; c < columns; c++, k++) {
      if (!(Math.abs(x.data[k]) <= Math.abs(cells[row + across[c]]))) cells[row + across[c]] = x.data[k];
    }
  }
  return { cells, m, n, count, columns, pooled: true };
}

const canvas = document.createElement("canvas");
// The darker the further from 0; negative cells have a stroke through them, so that colour isn't all there is.
function heatmap(x, colours) {
  const { cells, m, n } = matrix(x);
  const side = Math.max(m, n) <= 8 ? 24 : 1; // larger ones are stretched: a cell is a pixel
  canvas.width = n * side;
  canvas.height = m * side;
  const pen = canvas.getContext("2d");
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  let most = 0;
  for (const c of cells) if (Number.isFinite(c)) most = Math.max(most, Math.abs(c));
  pen.strokeStyle = colours.paper;
  pen.lineWidth = Math.max(1, side / 12);
  cells.forEach((c, k) => {
    const [left, top] = [(k % n) * side, Math.floor(k / n) * side];
    pen.globalAlpha = Number.isFinite(c) ? Math.abs(c) / (most || 1) : 1;
    pen.fillStyle = Number.isFinite(c) ? (c < 0 ? colours.negative : colours.positive) : colours.ink;
    pen.fillRect(left, top, side, side);
    if (c < 0 && side >= 5) {
      pen.globalAlpha = 1;
      pen.beginPath();
      pen.moveTo(left + side * 0.25, top + side / 2);
      pen.lineTo(left + side * 0.75, top + side / 2);
      pen.stroke();
    }
  });
  pen.globalAlpha = 1;
  return canvas.toDataURL();
}

class Drawing {
  constructor(svg, app) {
    this.svg = svg;
    this.app = app;
    this.zoom = 1;
  }

  // A level anew: all elements, without numbers.
  build(level) {
    this.level = level;
    this.shown = new Map(); // what each element shows, so that only changes are written
    this.pictures = [];
    const [width, height] = level.size;
    this.svg.replaceChildren(
      el(
        "defs",
        {},
        el(
          "marker",
          {
            id: "arrow",
            viewBox: "0 0 8 8",
            refX: 7,
            refY: 4,
            markerWidth: 8,
            markerHeight: 8,
            markerUnits: "userSpaceOnUse",
            orient: "auto",
          },
          el("path", { d: "M0 0L8 4L0 8z", class: "tip" }),
        ),
      ),
    );
    this.svg.setAttribute("viewBox", `-6 -6 ${width + 12} ${height + 12}`);
    this.svg.classList.toggle("crowded", !level.labelled);
    this.wires = level.wires.map((wire) => this.wire(wire));
    this.boxes = level.boxes.map((box, k) => this.box(box, k));
    this.scale(this.zoom);
  }

  wire(wire) {
    const constant = !this.app.nodes[wire.source].needs;
    const path = el("path", { d: wire.path, class: constant ? "wire constant" : "wire", "marker-end": "url(#arrow)" });
    const out = { group: el("g", { "aria-hidden": "true" }, path), path };
    if (wire.at && !constant) {
      const [x, y] = wire.at;
      out.value = el("text", { x, y: y - 5, class: "value on-wire" });
      out.grad = el("text", { x, y: y + 13, class: "grad on-wire" });
      out.group.append(out.value, out.grad);
    }
    this.svg.append(out.group);
    return out;
  }

  box(box, k) {
    const [left, top] = [box.x - box.w / 2, box.y - box.h / 2];
    const named = box.gate || box.needs || box.title;
    const group = el("g", {
      class: `box${box.gate ? " gate" : ""}${named ? "" : " constant"}${box.members.length > 1 ? " many" : ""}`,
    });
    const out = { group, lines: {} };
    group.append(el("rect", { x: left, y: top, width: box.w, height: box.h, rx: box.gate ? 9 : 3 }));
    if (box.symbol) {
      const wide = Math.max(13, box.indent / 2 - 1);
      const symbol = { "*": "×", "-": "−", "/": "÷" }[box.symbol] ?? box.symbol;
      group.append(el("rect", { x: left + 5, y: box.y - 13, width: 2 * wide, height: 26, rx: 13, class: "symbol" }));
      group.append(
        el(
          "text",
          {
            x: left + 5 + wide,
            y: box.y + (symbol.length > 1 ? 4 : 6),
            class: symbol.length > 1 ? "symbol word" : "symbol",
          },
          symbol,
        ),
      );
    }
    const x = left + box.indent + (box.w - box.indent) / 2;
    let y = top + 3;
    const text = (kind, content = "") => group.appendChild(el("text", { x, y: (y += 15), class: kind }, content));
    if (box.title) text(box.named ? "title" : "soft", box.title);
    box.lines.forEach((line) => text("soft", line));
    out.value = text(named ? "value" : "value constant");
    if (box.needs) out.grad = text("grad");
    if (box.picture) {
      const kinds = box.needs ? ["value", "grad"] : ["value"];
      kinds.forEach((kind, i) => {
        const at = x - (kinds.length * (PICTURE + 4) - 4) / 2 + i * (PICTURE + 4);
        out[`${kind}Picture`] = el("image", {
          x: at,
          y: y + 7,
          width: PICTURE,
          height: box.picture,
          preserveAspectRatio: "none",
          class: "picture",
        });
        group.append(out[`${kind}Picture`]);
        this.app.hover(out[`${kind}Picture`], k, kind);
      });
    }
    group.addEventListener("click", () => this.app.choose(k));
    if (box.gate) {
      group.setAttribute("role", "button");
      group.setAttribute("tabindex", "-1");
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.app.choose(k);
      });
    } else group.setAttribute("role", "img");
    this.svg.append(group);
    return out;
  }

  write(element, text) {
    if (!element || this.shown.get(element) === text) return;
    this.shown.set(element, text);
    element.textContent = text;
  }

  mark(element, key, value) {
    const at = this.shown.get(element.dataset) ?? {};
    if (at[key] === value) return;
    this.shown.set(element.dataset, { ...at, [key]: value });
    if (value === null) element.removeAttribute(key);
    else element.setAttribute(key, value);
  }

  // The numbers as they stand at this step.
  paint(state) {
    this.level.boxes.forEach((box, k) => {
      const drawn = this.boxes[k];
      const { value, grad } = state.box(k);
      this.write(drawn.value, value.text);
      this.write(drawn.grad, grad.text);
      this.picture(drawn.valuePicture, value.array, "value");
      this.picture(drawn.gradPicture, grad.array, "grad");
      this.mark(drawn.group, "aria-label", state.describe(k));
      this.mark(drawn.group, "data-now", state.now === k ? state.phase : null);
      if (box.gate)
        this.mark(
          drawn.group,
          "tabindex",
          state.now === k || (state.now === null && k === this.level.boxes.length - 1) ? "0" : "-1",
        );
    });
    this.level.wires.forEach((wire, k) => {
      const drawn = this.wires[k];
      const { value, grad, live } = state.wire(wire);
      this.write(drawn.value, value);
      this.write(drawn.grad, grad);
      this.mark(drawn.path, "data-live", live);
    });
  }

  picture(image, array, kind) {
    if (!image) return;
    if (this.shown.get(image) === array && !this.repaint) return;
    this.shown.set(image, array);
    if (array === null || !array.data.length) image.removeAttribute("href");
    else image.setAttribute("href", heatmap(array, this.app.colours(kind)));
  }

  scale(zoom) {
    this.zoom = Math.min(4, Math.max(0.1, zoom));
    this.svg.setAttribute("width", Math.round((this.level.size[0] + 12) * this.zoom));
    this.svg.setAttribute("height", Math.round((this.level.size[1] + 12) * this.zoom));
  }

  fit(stage) {
    const [width, height] = this.level.size;
    this.scale(Math.min(1.5, (stage.clientWidth - 14) / (width + 12), this.room() / (height + 12)));
  }

  // All of it in sight, if its text can be read then.
  begin(stage) {
    this.fit(stage);
    if (this.zoom < 0.8) this.scale(0.8);
  }

  // How high the circuit may be without scrolling.
  room() {
    return Math.max(300, window.innerHeight * (window.innerWidth < 960 ? 0.5 : 0.55));
  }

  // The box of this step in sight.
  show(k, stage, smooth) {
    const box = this.level.boxes[k];
    const x = (box.x + 6) * this.zoom - stage.clientWidth / 2;
    const y = (box.y + 6) * this.zoom - stage.clientHeight / 2;
    stage.scrollTo({ left: x, top: y, behavior: smooth ? "smooth" : "auto" });
  }
}
