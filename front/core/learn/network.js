// A multilayer perceptron with ReLU, and its gradients: plain arrays, all parameters as one vector θ.
// The order of θ is PyTorch's: weights (out × in) and biases, layer by layer.

export class Network {
  constructor(sizes, theta) {
    this.sizes = sizes;
    this.active = sizes.at(-1); // outputs that compete, from the first on
    this.layers = sizes.slice(1).map((out, l) => ({ into: sizes[l], out }));
    let at = 0;
    for (const layer of this.layers) {
      [layer.weight, layer.bias] = [at, at + layer.into * layer.out];
      at = layer.bias + layer.out;
    }
    this.theta = theta ?? new Float64Array(at);
    this.units = sizes.map((n) => new Float64Array(n)); // of the latest input
    this.deltas = sizes.map((n) => new Float64Array(n));
  }

  /** He's initialisation of PyTorch's linear layers: uniform within ±1/√in. */
  draw(random) {
    for (const { into, out, weight } of this.layers) {
      const most = 1 / Math.sqrt(into);
      for (let i = weight; i < weight + out * (into + 1); i++) this.theta[i] = most * (2 * random() - 1);
    }
    return this;
  }

  /** The values of all units for an input: [x, hidden …, logits]; the next call writes over them. */
  forward(x) {
    const { theta, units } = this;
    units[0].set(x);
    this.layers.forEach(({ into, out, weight, bias }, l) => {
      const a = units[l], z = units[l + 1], last = l === this.layers.length - 1;
      for (let o = 0; o < out; o++) {
        const sum = theta[bias + o] + product(theta, weight + o * into, a);
        z[o] = last || sum > 0 ? sum : 0;
      }
    });
    return units;
  }

  /** Add ∂s/∂θ to g, where s has the gradient `delta` in the logits of this input. */
  backward(units, delta, g) {
    const { theta } = this;
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { into, out, weight, bias } = this.layers[l], a = units[l], below = this.deltas[l].fill(0);
      for (let o = 0; o < out; o++) {
        const d = delta[o];
        if (d === 0) continue;
        const row = weight + o * into;
        g[bias + o] += d;
        for (let i = 0; i < into; i++) g[row + i] += d * a[i];
        if (l) for (let i = 0; i < into; i++) below[i] += d * theta[row + i];
      }
      for (let i = 0; i < into; i++) if (a[i] <= 0) below[i] = 0;
      delta = below;
    }
  }

  /** Mean cross-entropy of a batch [[x, y], …], in nats; its gradient goes into g. */
  loss(batch, g) {
    g.fill(0);
    let total = 0;
    for (const [x, y] of batch) {
      const units = this.forward(x), p = softmax(units.at(-1), this.active);
      total -= Math.log(p[y]);
      p[y] -= 1;
      for (let k = 0; k < p.length; k++) p[k] /= batch.length;
      this.backward(units, p, g);
    }
    return total / batch.length;
  }
}

/** Σ w[row + i] · a[i], by four sums, of which none waits for another: three times as fast as by one. */
function product(w, row, a) {
  let p = 0, q = 0, r = 0, s = 0, i = 0;
  for (; i + 3 < a.length; i += 4) {
    p += w[row + i] * a[i];
    q += w[row + i + 1] * a[i + 1];
    r += w[row + i + 2] * a[i + 2];
    s += w[row + i + 3] * a[i + 3];
  }
  for (; i < a.length; i++) p += w[row + i] * a[i];
  return p + q + (r + s);
}

/** Probabilities of all outputs; those that do not compete have none. */
export function softmax(logits, active = logits.length) {
  const p = new Float64Array(logits.length);
  let most = -Infinity, sum = 0;
  for (let k = 0; k < active; k++) most = Math.max(most, logits[k]);
  for (let k = 0; k < active; k++) sum += p[k] = Math.exp(logits[k] - most);
  for (let k = 0; k < active; k++) p[k] /= sum;
  return p;
}
