// Arrays as pictures.

/** The bytes of a base64 text. */
export const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

export const floats = (text) => new Float32Array(bytes(text).buffer);

/** Paint a value a pixel; `colour` turns it into [red, green, blue]. */
export function paint(canvas, values, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => image.data.set([...colour(value), 255], 4 * i));
  context.putImageData(image, 0, 0);
}

/** From dark to light, for values from 0 to 1: as dark as the page is never, so that 0 is seen. */
export function heat(value) {
  const v = Math.min(1, Math.max(0, value));
  const i = Math.min(HEAT.length - 2, Math.floor(v * (HEAT.length - 1))), f = v * (HEAT.length - 1) - i;
  return HEAT[i].map((c, k) => Math.round(c + f * (HEAT[i + 1][k] - c)));
}

const HEAT = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21],
  [250, 193, 39], [252, 255, 164]]; // matplotlib's inferno, every seventh of it
