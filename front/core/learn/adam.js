// Adam (Kingma & Ba 2015), as in PyTorch: bias-corrected means of the gradient and of its square.

export class Adam {
  constructor(n, lr, [b1, b2] = [0.9, 0.999], epsilon = 1e-8) {
    Object.assign(this, { lr, b1, b2, epsilon, t: 0, m: new Float64Array(n), v: new Float64Array(n) });
  }

  step(theta, g) {
    const { lr, b1, b2, epsilon, m, v } = this, t = ++this.t;
    const [c1, c2] = [1 - b1 ** t, 1 - b2 ** t];
    for (let i = 0; i < theta.length; i++) {
      m[i] += (1 - b1) * (g[i] - m[i]);
      v[i] += (1 - b2) * (g[i] * g[i] - v[i]);
      theta[i] -= ((lr / c1) * m[i]) / (Math.sqrt(v[i] / c2) + epsilon);
    }
  }
}
