// How numbers are written, as in cl_helpers/formats.py, and which ones sliders offer.

export const fixed = (value, digits = 2) => value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1").replace("-", "−");
export const percent = (value, digits = 1) => `${(100 * value).toFixed(digits)}%`;
export const inPoints = (share) => `${fixed(100 * share, 1)} points`;
export const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

/** 0.02, 12,345 as 12345: at most so many significant digits. */
export const general = (value, digits = 6) => String(Number(value.toPrecision(digits)));

/** `stops`, and those of `values` that are not among them, in order. */
export const including = (stops, ...values) => [...new Set([...stops, ...values])].sort((p, q) => p - q);
export const whole = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
export const duration = (seconds) => (seconds < 90 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`);

const grouped = (value, digits) =>
  Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumSignificantDigits: digits });

/** λ: off, 0.05, 400, 10,000 */
export const lam = (value) => (value === 0 ? "off" : grouped(value, 4));

export const every = (least, most, step) => Array.from({ length: Math.round((most - least) / step) + 1 },
  (_, i) => Number((least + i * step).toFixed(6)));

/** Of each decade `ms`, from 10 ** from to 10 ** to. */
export const decades = (from, to, ms = [1, 2, 5]) =>
  [...every(from, to - 1, 1).flatMap((e) => ms.map((m) => Number(`${m}e${e}`))), Number(`1e${to}`)];

/** What a slider of λ offers: off, then 1, 2, 5 a decade from 0.0001 to 10,000, and `value`. */
export const strengths = (value = 0) => including([0, ...decades(-4, 4)], value);

/** Three significant digits, or as many as `digits`: 0.0123, 4.57 × 10⁻⁶ */
export function significant(value, digits = 3) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4)) {
    return grouped(value, digits);
  }
  const [m, e] = value.toExponential(digits - 1).split("e");
  const power = `10${String(Number(e)).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)])}`;
  return Number(m) === 1 ? power : `${Number(m)} × ${power}`;
}
