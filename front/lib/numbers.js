// How numbers are written, as in cl_helpers/formats.py.

export const fixed = (value, digits = 2) => value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1").replace("-", "−");
export const percent = (value, digits = 1) => `${(100 * value).toFixed(digits)}%`;

/** 0.02, 12,345 as 12345: at most so many significant digits. */
export const general = (value, digits = 6) => String(Number(value.toPrecision(digits)));

/** `stops`, and those of `values` that are not among them, in order. */
export const including = (stops, ...values) => [...new Set([...stops, ...values])].sort((p, q) => p - q);
export const whole = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
export const duration = (seconds) => (seconds < 90 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`);

/** λ: off, 0.05, 400, 10,000 */
export function lam(value) {
  if (value === 0) return "off";
  return Number(value.toPrecision(4)).toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** What a slider of λ offers: off, then 1, 2, 5 a decade from 0.0001 to 10,000, and `value`. */
export function strengths(value = 0) {
  const stops = new Set([0, 1e4, value]);
  for (let e = -4; e < 4; e++) for (const m of [1, 2, 5]) stops.add(Number(`${m}e${e}`));
  return [...stops].sort((p, q) => p - q);
}

/** Three significant digits, or as many as `digits`: 0.0123, 4.57 × 10⁻⁶ */
export function significant(value, digits = 3) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4)) {
    return Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumSignificantDigits: digits });
  }
  const [m, e] = value.toExponential(digits - 1).split("e");
  const power = `10${String(Number(e)).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)])}`;
  return Number(m) === 1 ? power : `${Number(m)} × ${power}`;
}
