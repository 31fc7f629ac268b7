// Arrays as pictures.

/** The bytes of a base64 text. */
export const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** Of base64, as the kernel sends them; or as they are. */
export const floats = (data) => (typeof data === "string" ? new Float32Array(bytes(data).buffer) : data);

/** Paint a value a pixel; `colour` turns it into [red, green, blue]. */
export function paint(canvas, values, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const [red, green, blue] = colour(value), at = 4 * i;
    [image.data[at], image.data[at + 1], image.data[at + 2], image.data[at + 3]] = [red, green, blue, 255];
  });
  context.putImageData(image, 0, 0);
}

/** From dark to light, for values from 0 to 1: as dark as the page is never, so that 0 is seen. */
export const heat = (value) => SHADES[Math.round(255 * Math.min(1, Math.max(0, value)))];

function shade(v) {
  const i = Math.min(HEAT.length - 2, Math.floor(v * (HEAT.length - 1))), f = v * (HEAT.length - 1) - i;
  return HEAT[i].map((c, k) => Math.round(c + f * (HEAT[i + 1][k] - c)));
}

const HEAT = [[0, 0, 4], [12, 8, 38], [36, 12, 79], [66, 10, 104], [93, 18, 110], [120, 28, 109],
  [147, 38, 103], [174, 48, 92], [199, 62, 76], [221, 81, 58], [237, 105, 37], [248, 133, 15],
  [252, 165, 10], [250, 198, 45], [242, 230, 97],
  [252, 255, 164]]; // matplotlib's inferno, every 17th of its 256
const SHADES = /* @__PURE__ */ Array.from({ length: 256 }, (_, k) => shade(k / 255));
