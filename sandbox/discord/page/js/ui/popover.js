/**
 * A floating panel beside an anchor: owns its place on the screen and when it closes.
 * Lives inside the open dialog, if any, because everything outside a modal dialog is inert.
 */

const MARGIN_PX = 8;

/**
 * @param {HTMLElement} anchor
 * @param {HTMLElement} panel
 * @param {{placement?: "below" | "above", align?: "start" | "end", matchWidth?: boolean, onClose?: () => void}} [options]
 * @returns {() => void} closes it
 */
export function openPopover(anchor, panel, { placement = "below", align = "start", matchWidth = false, onClose } = {}) {
  const host = anchor.closest("dialog") ?? document.body;
  panel.classList.add("popover");
  host.append(panel);
  const controller = new AbortController();
  const place = () => placePanel(anchor, panel, { placement, align, matchWidth });
  const close = () => {
    if (controller.signal.aborted) return;
    controller.abort();
    observer.disconnect();
    panel.remove();
    onClose?.();
  };
  const observer = new ResizeObserver(place);
  observer.observe(panel);
  const listening = { signal: controller.signal, capture: true };
  document.addEventListener("pointerdown", (event) => {
    if (!panel.contains(event.target) && !anchor.contains(event.target)) close();
  }, listening);
  document.addEventListener("scroll", (event) => {
    if (panel.contains(event.target)) return;
    if (anchor.isConnected) place();
    else close();
  }, listening);
  addEventListener("resize", place, listening);
  place();
  return close;
}

/** @param {HTMLElement} anchor @param {HTMLElement} panel */
function placePanel(anchor, panel, { placement, align, matchWidth }) {
  const box = anchor.getBoundingClientRect();
  if (matchWidth) panel.style.setProperty("min-width", `${Math.min(box.width, innerWidth - 2 * MARGIN_PX)}px`);
  const { offsetWidth: width, offsetHeight: height } = panel;
  const below = innerHeight - box.bottom - MARGIN_PX;
  const above = box.top - MARGIN_PX;
  const up = placement === "above" ? above >= height || above > below : below < height && above > below;
  const top = up ? Math.max(MARGIN_PX, box.top - height - 4) : Math.min(box.bottom + 4, innerHeight - height - MARGIN_PX);
  const left = align === "end" ? box.right - width : box.left;
  panel.style.setProperty("top", `${Math.max(MARGIN_PX, top)}px`);
  panel.style.setProperty("left", `${Math.max(MARGIN_PX, Math.min(left, innerWidth - width - MARGIN_PX))}px`);
  panel.style.setProperty("max-height", `${Math.max(120, Math.max(above, below))}px`);
}
