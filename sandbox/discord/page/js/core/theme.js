/**
 * Light or dark: owns the choice (address, then what was chosen before, then the system's preference).
 */

const KEY = "local-discord-theme";

/** @param {string | null} asked the address' `theme` parameter */
export function startTheme(asked) {
  const chosen = isTheme(asked) ? asked : readStored();
  if (chosen) document.documentElement.dataset.theme = chosen;
}

/** @returns {"light" | "dark"} */
export function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  if (isTheme(chosen)) return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** @returns {"light" | "dark"} */
export function toggleTheme() {
  const next = currentTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
  }
  return next;
}

/** @param {unknown} value @returns {value is "light" | "dark"} */
function isTheme(value) {
  return value === "light" || value === "dark";
}

function readStored() {
  try {
    const stored = localStorage.getItem(KEY);
    return isTheme(stored) ? stored : null;
  } catch {
    return null;
  }
}
