// Two weights as a plane around the origin.

/** From −`wide` to `wide`, from −`high` to `high`: between its units and pixels, `scale` pixels a unit. */
export function plane(wide, high) {
  const pixels = {
    scale: 1,
    to: ([x, y]) => [(x + wide) * pixels.scale, (high - y) * pixels.scale],
    from: ([x, y]) => [x / pixels.scale - wide, high - y / pixels.scale],
    fit(width) { // the size of its picture
      pixels.scale = width / (2 * wide);
      return { width, height: 2 * high * pixels.scale };
    },
  };
  return pixels;
}

/** For the coordinates of a point: at most so far to each side, in hundredths. */
export const within = (...most) => (v, i) => Math.round(100 * Math.min(most[i], Math.max(-most[i], v))) / 100;
