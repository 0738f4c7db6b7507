/**
 * The page's own line icons: owns their drawing, knows nothing of where they are used.
 * Each is a list of SVG path data on a 24 x 24 grid, stroked with the text's colour.
 */

const NAMESPACE = "http://www.w3.org/2000/svg";

/** @type {Record<string, string[]>} */
const PATHS = {
  hash: ["M9.5 4 8 20", "M16 4l-1.5 16", "M4.5 9h16", "M3.5 15h16"],
  thread: ["M5 5v6a4 4 0 0 0 4 4h9", "M14 11l4 4-4 4"],
  at: ["M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z", "M16 8.5V13a2.5 2.5 0 0 0 5 0v-1a9 9 0 1 0-3.600 7.200"],
  menu: ["M4 7h16", "M4 12h16", "M4 17h10"],
  people: ["M12.5 8.5a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0z", "M2.5 19.5c.4-3.4 3-5.5 6.5-5.5s6.100 2.100 6.5 5.5", "M16 5.4a3.5 3.5 0 0 1 0 6.200", "M18 14.5c2 .7 3.200 2.5 3.5 5"],
  sun: ["M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z", "M12 3v2", "M12 19v2", "M3 12h2", "M19 12h2", "M5.600 5.600 7 7", "M17 17l1.4 1.4", "M5.600 18.4 7 17", "M17 7l1.4-1.4"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  reply: ["M9.5 7 4.5 12l5 5", "M5 12h8.5c3.5 0 6 2 6.5 6"],
  apps: ["M5 5h5v5H5z", "M5 14h5v5H5z", "M14 14h5v5h-5z", "M16.5 4.5l.9 2.100 2.100.9-2.100.9-.9 2.100-.9-2.100-2.100-.9 2.100-.9z"],
  more: ["M6 12h.01", "M12 12h.01", "M18 12h.01"],
  trash: ["M5 7h14", "M10 7V4.5h4V7", "M6.5 7l1 13h9l1-13", "M10.5 11v5", "M13.5 11v5"],
  copy: ["M9 9h10v11H9z", "M15 9V4H5v11h4"],
  link: ["M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700L12 7", "M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700L12 17"],
  external: ["M13 5h6v6", "M19 5l-8.5 8.5", "M18 14v5H5V6h5"],
  plus: ["M12 5v14", "M5 12h14"],
  send: ["M4 12 20.5 4.5 15 20.5l-3.5-6.5z", "M11.5 14 20.5 4.5"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  eye: ["M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z", "M15 12a3 3 0 1 1-6 0 3 3 0 0 1 6 0z"],
  chevron: ["M6 9.5l6 6 6-6"],
  left: ["M14.5 6l-6 6 6 6"],
  right: ["M9.5 6l6 6-6 6"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  file: ["M6 3.5h8l4 4v13H6z", "M14 3.5v4h4", "M9 12.5h6", "M9 16h6"],
  image: ["M4 5h16v14H4z", "M4 16l4.5-4.5 4 4 3-3L20 17", "M15.5 9h.01"],
  warn: ["M12 4 2.800 20h18.4z", "M12 10v4.5", "M12 17.5h.01"],
  slash: ["M15.5 4.5l-7 15"],
  shield: ["M12 3.5l7.5 3V12c0 4-3 7-7.5 8.5C7.5 19 4.5 16 4.5 12V6.5z"],
  spark: ["M12 3l2.200 6.800L21 12l-6.800 2.200L12 21l-2.200-6.800L3 12l6.800-2.200z"],
  down: ["M12 5v14", "M6 13l6 6 6-6"],
};

/**
 * Build one icon; decorative, so hidden from assistive technology.
 * @param {string} name
 * @param {string} [extraClass]
 * @returns {SVGSVGElement}
 */
export function icon(name, extraClass = "") {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name} ${extraClass}`.trim());
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  for (const data of PATHS[name] ?? []) {
    const path = document.createElementNS(NAMESPACE, "path");
    path.setAttribute("d", data);
    svg.append(path);
  }
  return svg;
}
