"use strict";
// Elements and words. Text goes in as text, never as markup.

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

/** An element: attributes by name (`class`, `onclick`, ...), then children: elements, texts, or nothing. */
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null && child !== ""));
  return made;
}

/** Writes a text only where it has changed, so that nothing is announced, selected away or drawn for nothing. */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/** A text whose `code` stands between back quotes. */
const prose = (text) => text.split("`").map((piece, i) => (i % 2 ? el("code", {}, piece) : piece));

const ago = (seconds) => {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s ago`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
};

/** A length of time in seconds: 12 s, 3 min, 2 h 5 min, 4 d 3 h. */
function span(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (hours < 1) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Milliseconds with three digits that say something, in ms or s. */
function ms(value) {
  if (value == null) return "–";
  if (value >= 9995) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 999.5) return `${(value / 1000).toFixed(2)} s`;
  return `${value >= 99.5 ? value.toFixed(0) : value >= 9.95 ? value.toFixed(1) : value.toFixed(2)} ms`;
}

const number = (value) => (value >= 9.95 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : value.toFixed(1));

const clock = (unix) => new Date(unix * 1000).toLocaleTimeString("en-GB");
