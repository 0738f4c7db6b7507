/**
 * Pictures and files of a message: galleries of one to ten, and cards for everything else.
 */

import { formatBytes, h, safeHref } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { openLightbox } from "./lightbox.js";

const WIDTH_MAX_PX = 520;
const HEIGHT_MAX_PX = 400;
const GALLERY_MAX = 10;
const RATIO_MIN = 0.5;
const RATIO_MAX = 2.4;

/** @param {string} url */
function filenameOf(url) {
  try {
    return decodeURIComponent(new URL(url, location.href).pathname.split("/").pop() ?? "") || "file";
  } catch {
    return "file";
  }
}

/** @param {any} attachment */
export function isPicture(attachment) {
  const type = attachment.content_type ?? "";
  return type.startsWith("image/") || (!type && /\.(png|jpe?g|webp|gif)$/i.test(attachment.filename ?? filenameOf(attachment.url ?? "")));
}

/** Both shapes, attachment and media item, become one. @param {any} source */
export function toPicture(source) {
  const media = source.media ?? source;
  const filename = media.filename ?? filenameOf(media.url ?? "");
  return {
    url: media.proxy_url && safeHref(media.proxy_url) ? media.proxy_url : media.url, alt: source.description ?? "", filename,
    width: media.width, height: media.height, size: media.size,
    spoiler: Boolean(source.spoiler || media.is_spoiler || filename.startsWith("SPOILER_")),
  };
}

/** @param {any[]} sources attachments or media gallery items */
export function renderGallery(sources) {
  const pictures = sources.slice(0, GALLERY_MAX).map(toPicture);
  const ratio = commonRatio(pictures);
  const tiles = pictures.map((picture, index) => tile(picture, () => openLightbox(pictures, index), pictures.length === 1));
  return h("div", { class: `gallery gallery-${pictures.length}`, style: ratio ? { "--ratio": ratio } : {}, role: "group", aria: { label: pictures.length === 1 ? "Picture" : `${pictures.length} pictures` } }, ...tiles);
}

/** Pictures of one shape are shown in that shape, uncropped. @param {any[]} pictures */
function commonRatio(pictures) {
  const ratios = pictures.map((picture) => (picture.width && picture.height ? picture.width / picture.height : 0));
  const [first] = ratios;
  const alike = first > RATIO_MIN && first < RATIO_MAX && ratios.every((ratio) => Math.abs(ratio - first) < 0.02);
  return alike ? first.toFixed(4) : null;
}

/** @param {any} picture @param {() => void} open @param {boolean} single */
function tile(picture, open, single) {
  const image = h("img", { src: safeHref(picture.url), alt: picture.alt, loading: "lazy", decoding: "async", width: picture.width || null, height: picture.height || null });
  const button = h("button", {
    class: `tile${picture.spoiler ? " spoiler" : ""}`, type: "button", data: { testid: "picture" },
    aria: { label: `${picture.spoiler ? "Spoiler, press to show: " : "Open picture: "}${picture.alt || picture.filename}` },
  }, image, picture.alt && h("span", { class: "alt-badge", aria: { hidden: "true" }, title: picture.alt, text: "ALT" }));
  if (single && picture.width && picture.height) fitSingle(button, picture);
  button.addEventListener("click", () => (button.classList.contains("spoiler") ? button.classList.remove("spoiler") : open()));
  image.addEventListener("error", () => button.classList.add("broken"), { once: true });
  return button;
}

/** Reserve the place before the picture is there, so nothing jumps. */
function fitSingle(button, { width, height }) {
  const scale = Math.min(1, WIDTH_MAX_PX / width, HEIGHT_MAX_PX / height);
  button.style.setProperty("width", `${Math.round(width * scale)}px`);
  button.style.setProperty("aspect-ratio", `${width} / ${height}`);
}

/** @param {{url: string, filename?: string, name?: string, size?: number, title?: string}} file */
export function renderFile(file) {
  const name = file.name ?? file.title ?? file.filename ?? filenameOf(file.url);
  const href = safeHref(file.url);
  return h("a", { class: "file-card", href: href ?? "#", target: "_blank", rel: "noopener noreferrer", download: name },
    icon("file"), h("span", { class: "file-text" }, h("span", { class: "file-name", text: name }), file.size ? h("span", { class: "file-size", text: formatBytes(file.size) }) : null));
}

/** @param {any[]} attachments */
export function renderAttachments(attachments) {
  const pictures = attachments.filter(isPicture);
  const files = attachments.filter((attachment) => !isPicture(attachment));
  return [pictures.length ? renderGallery(pictures) : null, ...files.map(renderFile)];
}

/** @param {any} component a Thumbnail */
export function renderThumbnail(component) {
  const picture = toPicture(component);
  const button = tile(picture, () => openLightbox([picture], 0), false);
  button.classList.add("thumbnail");
  return button;
}
